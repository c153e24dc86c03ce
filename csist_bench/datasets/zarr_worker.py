"""The process that decodes chunks of foreign Zarr stores: `python -m csist_bench.datasets.zarr_worker STORE LARGEST`.

It reads requests, one JSON object a line, from stdin, and answers each on stdout: whether it failed (1 byte), how long
the answer is (8 bytes), and the values in C order or the text of the error. Its memory is limited.
"""

from __future__ import annotations

import json
import struct
import sys
from typing import Any

ROOM = 640 * 2**20  # bytes beside what is asked for: Python, its libraries, compressed chunks
COPIES = 3  # of a region that exist at once while it is decoded


def limit_memory(largest: int) -> None:
    """Let this process hold no more than it needs for regions of `largest` bytes, where the system can tell."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows has no such limits
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    bound = ROOM + COPIES * largest
    resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))


def answer(store: str, request: dict[str, Any]) -> bytes:
    """Return a region of an array of a store, in C order and this machine's byte order."""
    import numpy as np
    import zarr

    node = zarr.open(store, mode="r")
    array = node[request["name"]] if request["name"] else node
    values = np.asarray(array[tuple(slice(*part) for part in request["region"])])
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("=")).tobytes()


def main(store: str, largest: int) -> None:
    """Answer requests until stdin ends."""
    limit_memory(largest)
    for line in sys.stdin.buffer:
        try:
            failed, data = False, answer(store, json.loads(line))
        except MemoryError:
            failed, data = True, b"it needs more memory than its shape says"
        except Exception as error:  # zarr and its codecs raise many types on damaged chunks
            failed, data = True, (str(error) or type(error).__name__).encode()
        sys.stdout.buffer.write(struct.pack("<?q", failed, len(data)))
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
