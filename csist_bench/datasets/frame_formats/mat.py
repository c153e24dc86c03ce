"""MAT files of MATLAB, version 5 (`save` with -v6 or -v7)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from csist_bench.datasets.array_files import LARGEST_RATIO, LARGEST_UNPACKED, refuse_bomb
from csist_bench.datasets.frame_axes import Stored, one_of
from csist_bench.errors import InputError, must, show
from csist_bench.files.sources import first_bytes, require_file

SIZES = {"double": 8, "single": 4, **{f"{sign}int{bits}": bits // 8 for sign in ("", "u") for bits in (8, 16, 32, 64)}}
HEADER = 128  # bytes
COMPRESSED = 15
NUMBERS = (1, 2, 3, 4, 5, 6, 7, 9, 12, 13)  # types of elements: int8 to uint32, single, double, int64, uint64
COMPLEX = 0x800  # a flag of an array
_PIECE = 2**20
_LONGEST_HEAD = 2**16  # bytes of an array that are looked at for its flags, lengths, name and type


def read_mat_frames(path: Path, array: str | None) -> Stored:
    """Read a variable of a MAT file; MATLAB writes frames as (H, W, T)."""
    from scipy.io import loadmat, whosmat

    require_file(path)
    where = str(path)
    head = first_bytes(path, count=HEADER)
    if head[124:128] in (b"\x00\x02IM", b"\x02\x00MI") or head.startswith(b"MATLAB 7.3") or head[:4] == b"\x89HDF":
        remedy = f"save it again in MATLAB: save('{path.name}', 'NAME', '-v7')"
        raise must(where, "be a MAT file of version 5", "one of version 7.3 (HDF5)", remedy)
    if head[124:128] not in (b"\x00\x01IM", b"\x01\x00MI"):
        raise InputError(f"{where}: not a MAT file of version 5; save it in MATLAB with: save(..., '-v7')")
    order = "little" if head[126:128] == b"IM" else "big"
    _refuse_bombs(path, order)
    try:
        variables = {name: (shape, kind) for name, shape, kind in whosmat(path)}
        shapes = {name: shape if kind in SIZES else None for name, (shape, kind) in variables.items()}
        name = one_of(shapes, array, where, "variable")
        shape, kind = variables[name]
        if kind not in SIZES:
            raise must(f"{where}: variable {name!r}", "be an array of real numbers", f"{kind} {shape}")
        if any(n < 0 for n in shape):
            raise must(f"{where}: variable {name!r}", "have lengths of 0 or more", shape)
        size = SIZES[kind]
        for n in shape:
            size *= n
        refuse_bomb(where, path.stat().st_size, size)
        _require_numbers(path, order, name)
        values: Any = loadmat(path, variable_names=[name])[name]
    except InputError:
        raise
    except MemoryError:
        raise InputError(f"{where}: variable {name!r} does not fit into memory") from None
    except Exception as error:  # the reader raises many types on damaged files
        if isinstance(error, OSError) and error.strerror:
            raise
        raise InputError(f"{where}: not a readable MAT file ({show(str(error) or repr(error))})") from None
    return Stored(values, f"variable {name!r}", habit="rows first")


def _refuse_bombs(path: Path, order: Any) -> None:
    """Unpack what is compressed piece by piece, to nowhere, and refuse what unfolds beyond all bounds."""
    packed = path.stat().st_size
    bound, total = max(LARGEST_UNPACKED, LARGEST_RATIO * packed), 0
    for file, kind, size in _elements(path, order):
        if size > packed:
            raise InputError(f"{path}: not a readable MAT file (an element of {size} bytes in {packed})")
        if kind == COMPRESSED:
            total += _unfolded(file, size, bound - total)
            if total > bound:
                refuse_bomb(str(path), packed, total)


def _elements(path: Path, order: Any) -> Iterator[tuple[IO[bytes], int, int]]:
    """Yield the file, at the data of each of its elements in turn, and the element's type and size."""
    with path.open("rb") as file:
        file.seek(HEADER)
        while len(tag := file.read(8)) == 8:
            kind, size = (int.from_bytes(tag[i : i + 4], order) for i in (0, 4))
            after = file.tell() + size
            yield file, kind, size
            file.seek(after)


def _require_numbers(path: Path, order: Any, name: str) -> None:
    """Refuse a variable whose numbers are of a type that MAT files do not have: SciPy's reader would crash on it."""
    for file, kind, size in _elements(path, order):
        head = file.read(min(size, _LONGEST_HEAD))
        if kind == COMPRESSED:
            head = zlib.decompressobj().decompress(head, _LONGEST_HEAD)[8:]  # behind the array's own type and size
        parts = list(_parts(head, order))
        if len(parts) < 3 or parts[2][1].decode("latin1") != name:
            continue
        stored = parts[3][0] if len(parts) > 3 else None
        if stored not in NUMBERS:
            raise InputError(f"{path}: not a readable MAT file (variable {name!r} holds numbers of type {stored})")
        if int.from_bytes(parts[0][1][:4], order) & COMPLEX:
            raise must(f"{path}: variable {name!r}", "hold whole or floating-point numbers", "complex ones")


def _parts(head: bytes, order: Any) -> Iterator[tuple[int, bytes]]:
    """Yield type and bytes of the parts of an array: its flags, lengths, name and numbers, as far as they are there."""
    at = 0
    while at + 8 <= len(head):
        kind, size = (int.from_bytes(head[i : i + 4], order) for i in (at, at + 4))
        if small := kind >> 16:  # size and type in one word, and up to four bytes behind it
            yield kind & 0xFFFF, head[at + 4 : at + 4 + small]
            at += 8
        else:
            yield kind, head[at + 8 : at + 8 + size]
            at += 8 + size + -size % 8


def _unfolded(file: Any, size: int, bound: int) -> int:
    """Return the unpacked size of a compressed element, or of a part of it that is over the bound."""
    unpack, total = zlib.decompressobj(), 0
    while size > 0 and total <= bound and (piece := file.read(min(_PIECE, size))):
        size -= len(piece)
        while piece and total <= bound:
            try:
                total += len(unpack.decompress(piece, _PIECE))
            except zlib.error:  # the reader says so
                return total
            piece = unpack.unconsumed_tail
    return total
