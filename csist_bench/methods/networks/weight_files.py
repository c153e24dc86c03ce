"""Where a network's weights lie: in the package, in a folder of variants, or at an address.

One file for each method travels in the package. Variants that only repeat a row of the leaderboard (one a noise level,
say) are found in the folder that `CSIST_BENCH_WEIGHTS` names, or in `leaderboard/weights/` of a source checkout. Any
file can be fetched over HTTP if its sha256 is given; it is kept in the cache folder under that digest.
"""

from __future__ import annotations

import os
import re
import urllib.parse
from pathlib import Path

from csist_bench import files
from csist_bench.errors import InputError, must
from csist_bench.files.download import fetched, require_digest
from csist_bench.methods.registry import METHODS, Method

FOLDER_VARIABLE = "CSIST_BENCH_WEIGHTS"
SUFFIX = ".safetensors"
LARGEST_DOWNLOAD = 1 << 30  # bytes
_DIGEST = re.compile(r"[0-9a-f]{64}")


def weights_file(row: Method, weights: str | Path | None, sha256: str = "") -> Path:
    """Return the file that is meant by `--weights`.

    Parameters
    ----------
    row : Method
    weights : path or str, optional
        A path, the name of a variant such as "offgrid-net-5", or an address (http or https); by default the file that
        is shipped for the method.
    sha256 : str
        Hexadecimal digest of the file; needed for an address, checked for any file where it is given.

    Raises
    ------
    InputError
        If there is no such file, or it is not the one that the digest means.
    """
    text = "" if weights is None else str(weights)
    if urllib.parse.urlsplit(text).scheme in ("http", "https"):
        return _fetched(text, _checked_digest(sha256, text))
    path = _local_file(row, text)
    if sha256 and path.is_file():
        require_digest(path.read_bytes(), _checked_digest(sha256, text), str(path))
    return path


def _local_file(row: Method, weights: str) -> Path:
    if not weights:
        own = shipped_weights(row.name)
        if own is None:
            raise _none_shipped(row)
        return own
    is_name = Path(weights).name == weights and weights.startswith(row.name) and not weights.endswith(SUFFIX)
    variant = shipped_weights(weights) if is_name else None
    if variant is None and is_name and not Path(weights).exists():
        raise InputError(
            f"weights {weights!r} are not installed; take them from leaderboard/weights of a source checkout, put them"
            f" in the folder that {FOLDER_VARIABLE} names, or pass --weights URL --sha256 DIGEST"
        )
    return variant or Path(weights)


def _none_shipped(row: Method) -> InputError:
    have = [name for name in METHODS if METHODS[name].trainable and shipped_weights(name)]
    return InputError(
        f"no trained weights of {row.name!r} are shipped; train it (csist-bench train {row.name}) or pass --weights"
        f" (shipped: {', '.join(have) or 'none'})"
    )


def shipped_weights(name: str) -> Path | None:
    """Return the weights file of a method or of a variant by name, if it is on this machine."""
    found = (folder / f"{name}{SUFFIX}" for folder in weights_folders())
    return next((path for path in found if path.is_file()), None)


def weights_folders() -> list[Path]:
    """Return the folders in which weights are looked for by name, in order."""
    own = os.environ.get(FOLDER_VARIABLE)
    return [files.packaged("weights"), *([Path(own)] if own else []), files.PACKAGE.parent / "leaderboard" / "weights"]


def _checked_digest(sha256: str, where: str) -> str:
    digest = sha256.lower().removeprefix("sha256:")
    if not _DIGEST.fullmatch(digest):
        remedy = "an address can change what it holds" if not sha256 else ""
        raise must("--sha256", f"be the 64 hexadecimal digits of {where}", sha256 or "nothing", remedy)
    return digest


def _fetched(url: str, sha256: str) -> Path:
    kept = files.cache_folder() / "weights" / f"{sha256}{SUFFIX}"
    return fetched(url, sha256, kept, "weights", LARGEST_DOWNLOAD)
