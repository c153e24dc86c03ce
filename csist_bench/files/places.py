"""Where named files lie: in a local folder, or under a prefix of an object store. Each is whole or not there at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from csist_bench.files import replace_file
from csist_bench.files.objects import Objects, is_address


class Place(Protocol):
    """Files by name, relative to a folder or prefix; `str` gives its path or address."""

    def where(self, name: str) -> str:
        """Return the path or address of one, for messages."""
        ...

    def read(self, name: str) -> bytes | None:
        """Return the content of one; None where there is none."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write one whole or not at all."""
        ...

    def names(self, under: str = "") -> list[str]:
        """Return the names of the files that begin so, a folder's name and a slash, in order."""
        ...


@dataclass(frozen=True)
class Folder:
    """A local folder."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def where(self, name: str) -> str:
        """Return the path of one."""
        return str(self.path / name)

    def read(self, name: str) -> bytes | None:
        """Return the content of one; None where there is none."""
        try:
            return (self.path / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, name: str, data: bytes) -> None:
        """Write one beside its place, then move it there."""
        replace_file(self.path / name, data)

    def names(self, under: str = "") -> list[str]:
        """Return the names of the files of a folder, in order."""
        folder = self.path / under
        return sorted(f"{under}{entry.name}" for entry in folder.iterdir()) if folder.is_dir() else []


def place_of(path: str | Path | Folder | Objects) -> Folder | Objects:
    """Return the place of a path or address."""
    if isinstance(path, Folder | Objects):
        return path
    return Objects(path) if isinstance(path, str) and is_address(path) else Folder(Path(path))
