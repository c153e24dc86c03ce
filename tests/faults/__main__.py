"""`python -m tests.faults`: kill commands at any moment, damage files, fill the disk; exit code 1 if anything is lost.

Kinds: kills, flips, full, readonly, submits, writers, clock. Example: python -m tests.faults kills flips --kills 200
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults import flips, kills, places
from tests.faults.tools import Tally


def main() -> int:
    """Run the chosen kinds in a temporary folder and print a line for each."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="kills in all (default 200)")
    parser.add_argument("--flips", type=int, default=25, help="flips for each kind of file (default 25)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("kinds", nargs="*", help="default: all")
    asked = parser.parse_args()
    kinds: dict[str, Callable[[Path], Iterator[Tally]]] = {
        "kills": lambda folder: kills.kill_often(folder, asked.kills, asked.seed),
        "flips": lambda folder: flips.flip_often(folder, asked.flips, asked.seed),
        "full": places.full_disk,
        "readonly": places.read_only,
        "submits": places.many_submits,
        "writers": places.two_writers,
        "clock": places.clock_back,
    }
    faults = 0
    with tempfile.TemporaryDirectory(prefix="faults-") as root:
        for kind in asked.kinds or kinds:
            for tally in kinds[kind](Path(root) / kind):
                print(tally, flush=True)
                faults += len(tally.faults)
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
