"""Plain .npy arrays and NPZ archives of others: their headers are checked first, blocks bound memory."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from csist_bench.errors import InputError, must, show
from csist_bench.files.sources import require_file

LARGEST_UNPACKED = 256 * 2**20  # bytes; more is unpacked only from files that are no small fraction of it
LARGEST_RATIO = 50


@dataclass(frozen=True, eq=False)
class ArrayHeader:
    """What a .npy header says, and where the numbers begin in it."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool

    @property
    def nbytes(self) -> int:
        """Size of the numbers."""
        return int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize


def read_header(file: IO[bytes], where: str) -> ArrayHeader:
    """Read a .npy header; the file then stands at the first number.

    Raises
    ------
    InputError
        If it is not the header of a plain array of numbers or text.
    """
    try:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, dtype = read(file)
    except OSError:
        raise
    except Exception as error:  # its text is parsed as Python: tokens, numbers and nesting fail in many ways
        raise InputError(f"{where}: not a plain .npy array ({show(str(error) or repr(error))})") from None
    if dtype.hasobject:
        raise InputError(f"{where}: not a plain .npy array (it holds objects, which are never unpickled)")
    if any(not 0 <= n < 2**62 for n in shape):
        raise must(where, "hold an array of numbers", f"{dtype} {shape}")
    return ArrayHeader(tuple(int(n) for n in shape), dtype, fortran)


def read_npy(path: Path, mapped: bool = False) -> NDArray[Any]:
    """Read a .npy file, or map it into memory; the numbers that its header names have to be there.

    Raises
    ------
    InputError
        If it is not a plain .npy array of numbers, or shorter than its shape.
    """
    require_file(path)
    with path.open("rb") as file:
        header = read_header(file, str(path))
        there = path.stat().st_size - file.tell()
        if header.nbytes > there:
            raise InputError(
                f"{path}: not a plain .npy array (the shape {header.shape} needs {header.nbytes} bytes,"
                f" the file has {there}); write it again"
            )
        if mapped and header.nbytes:
            order: Literal["F", "C"] = "F" if header.fortran else "C"
            return np.memmap(path, header.dtype, mode="r", offset=file.tell(), shape=header.shape, order=order)
        values = np.fromfile(file, dtype=header.dtype, count=int(np.prod(header.shape, dtype=object)))
    return values.reshape(header.shape, order="F" if header.fortran else "C")


def refuse_bomb(where: str, packed: int, size: int) -> None:
    """Refuse what is to be read whole but is far larger than the file that holds it; sizes in bytes."""
    if size > max(LARGEST_UNPACKED, LARGEST_RATIO * packed):
        raise must(where, f"not unpack to over {LARGEST_RATIO} times its size", f"{packed} to {size} bytes")


class Archive:
    """The arrays of an NPZ file, each read as it is asked for."""

    def __init__(self, file: zipfile.ZipFile, where: str) -> None:
        self.file, self.where = file, where
        self.names = [name.removesuffix(".npy") for name in file.namelist()]

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def header(self, name: str) -> ArrayHeader:
        """Return what the header of an array says."""
        with _errors(self.where), self.file.open(f"{name}.npy") as member:
            return read_header(member, f"{self.where}: {name}")

    def unpacked(self, names: list[str]) -> None:
        """Refuse arrays that are to be read whole but are far larger than the file that holds them."""
        packed = sum(self.file.getinfo(f"{name}.npy").compress_size for name in names)
        refuse_bomb(self.where, packed, sum(self.header(name).nbytes for name in names))

    def read(self, name: str) -> NDArray[Any]:
        """Return a whole array."""
        shape = self.header(name).shape
        (values,) = self.blocks(name, max(1, shape[0]) if shape else 1)
        return values

    def blocks(self, name: str, length: int) -> Iterator[NDArray[Any]]:
        """Yield an array in blocks of `length` along its first axis (whole, where it is in Fortran order)."""
        with _errors(self.where), self.file.open(f"{name}.npy") as member:
            header = read_header(member, f"{self.where}: {name}")
            shape = header.shape or (1,)  # a scalar is read as one row
            rest, total = shape[1:], shape[0]
            if header.fortran and len(header.shape) > 1:
                self.unpacked([name])
                length = max(1, total)
            for start in range(0, total, length) or [0]:
                count = min(length, total - start)
                size = count * int(np.prod(rest, dtype=object)) * header.dtype.itemsize
                raw = bytearray(size)
                if _fill(member, raw) != size:
                    raise InputError(f"{self.where}: array {name!r} is shorter than its shape {header.shape}")
                values = np.frombuffer(raw, dtype=header.dtype)
                now = (count, *rest) if header.shape else ()
                yield values.reshape(now, order="F" if header.fortran else "C")


def _fill(member: IO[bytes], raw: bytearray) -> int:
    view, done = memoryview(raw), 0
    while done < len(raw) and (part := member.read(min(2**20, len(raw) - done))):
        view[done : done + len(part)] = part
        done += len(part)
    return done


@contextmanager
def open_npz(path: Path) -> Iterator[Archive]:
    """Open an NPZ file for reading its arrays one at a time.

    Raises
    ------
    InputError
        If it is not a readable ZIP archive.
    """
    require_file(path)
    with _errors(str(path)), zipfile.ZipFile(path) as file:
        yield Archive(file, str(path))


@contextmanager
def _errors(where: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except MemoryError:
        raise InputError(f"{where}: an array of the NPZ file does not fit into memory") from None
    except Exception as error:  # zipfile, zlib and the header's parser raise many types, OSError of odd places too
        raise InputError(f"{where}: not a readable NPZ file ({show(str(error) or repr(error))})") from None
