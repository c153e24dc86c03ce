"""The bytes of a file, unpacked within bounds, and JSON that any fault of ends in one line."""

from __future__ import annotations

import gzip
import io
import stat
import zlib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from csist_bench.errors import InputError, must, show

T = TypeVar("T")

GZIP = b"\x1f\x8b"
_BLOCK = 1 << 20
# Packed lists of detections measured 3 to 30 times their size, all nodes of a constant heat map among them.
LARGEST_RATIO = 50
ALWAYS_ALLOWED = 1 << 25  # bytes, however small the packed file

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def require_file(path: str | Path, what: str = "") -> Path:
    """Return the path of a regular file; a folder, pipe or device is refused before it is opened (it could block).

    Raises
    ------
    InputError
        If there is no such file, it is of another kind, or it may not be looked at.
    """
    path = Path(path)
    name = f"{what} {path}".lstrip()
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise InputError(f"{name} not found") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise InputError(f"{path}: {_reason(error)}") from None
    if not stat.S_ISREG(mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "something else")
        raise must(name, "be a file", kind)
    return path


def first_bytes(path: str | Path, what: str = "", count: int = 16) -> bytes:
    """Return how a regular file begins; errors are those of `file_bytes`."""
    path = require_file(path, what)
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise InputError(f"{path}: {_reason(error)}") from None


def file_bytes(path: str | Path, what: str = "") -> bytes:
    """Return the content of a regular file.

    Raises
    ------
    InputError
        If it is none (see `require_file`), cannot be read, or does not fit into memory.
    """
    path = require_file(path, what)
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {_reason(error)}") from None
    except MemoryError:
        raise InputError(f"{path}: the file does not fit into memory ({path.stat().st_size:,} bytes)") from None


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def unpacked(data: bytes, where: str, largest: int | None = None) -> bytes:
    """Return the content of a gzip file, which may have several members.

    Parameters
    ----------
    largest : int, optional
        Bytes beyond which the content is refused whatever its ratio; None = not known.

    Raises
    ------
    InputError
        If the file is damaged, or unfolds beyond `largest` or `LARGEST_RATIO` times its size.
    """
    bound = max(ALWAYS_ALLOWED, LARGEST_RATIO * len(data))
    bound = bound if largest is None else min(bound, max(ALWAYS_ALLOWED, largest))
    parts: list[bytes] = []
    total = 0
    try:
        with gzip.open(io.BytesIO(data)) as file:
            while block := file.read(_BLOCK):
                total += len(block)
                if total > bound:
                    rule = f"unfold to at most {bound:,} bytes"
                    raise must(f"{where}: gzip content", rule, "more", "no list of detections packs so tightly")
                parts.append(block)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{where}: damaged gzip file ({error})") from None
    return b"".join(parts)


def decoded_json(data: bytes | str, where: str, kind: type[T] | Any = Any) -> T | Any:
    """Return JSON as a type.

    Raises
    ------
    InputError
        If it is not JSON, is nested too deeply, is not text or not of this type.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except RecursionError:
        raise InputError(f"{where}: JSON is nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise InputError(f"{where}: {show(str(error))}") from None
