"""MAT files of MATLAB, version 5 (`save` with -v6 or -v7)."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

from csist_bench.datasets.array_files import LARGEST_RATIO, LARGEST_UNPACKED, refuse_bomb
from csist_bench.datasets.frame_axes import Stored, one_of
from csist_bench.errors import InputError, must, show
from csist_bench.files.sources import first_bytes, require_file

SIZES = {"double": 8, "single": 4, **{f"{sign}int{bits}": bits // 8 for sign in ("", "u") for bits in (8, 16, 32, 64)}}
HEADER = 128  # bytes
COMPRESSED = 15
_PIECE = 2**20


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
    _refuse_bombs(path, "little" if head[126:128] == b"IM" else "big")
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
    with path.open("rb") as file:
        file.seek(HEADER)
        while len(tag := file.read(8)) == 8:
            kind, size = (int.from_bytes(tag[i : i + 4], order) for i in (0, 4))
            after = file.tell() + size
            if size > packed:
                raise InputError(f"{path}: not a readable MAT file (an element of {size} bytes in {packed})")
            if kind == COMPRESSED:
                total += _unfolded(file, size, bound - total)
                if total > bound:
                    refuse_bomb(str(path), packed, total)
            file.seek(after)


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
