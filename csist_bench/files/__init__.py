"""Files, for everybody: those that travel with the package, atomic writes, locks, and the user's cache folder.

A reader of users' files takes their bytes from `sources`, their text from `text`, and the columns of a table from
`tables` and `numbers`, so that one dialect, one bound and one wording hold for all of them.

In an installed wheel recipes and tables lie inside the package; in a source checkout they are the folders `recipes/`
and `leaderboard/` beside it.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from csist_bench.errors import InputError, must

PACKAGE = Path(__file__).resolve().parents[1]
PARTIAL = ".partial"
HOLDER = ".holder"
MAKER_WAIT_S = 0.2  # a second maker of one path is a mistake
WAIT_OR_STOP = "wait for it or stop it"
_INSTALLED = {"recipes": "recipes_data", "leaderboard": "leaderboard_data", "weights": "weights"}


def packaged(kind: str) -> Path:
    """Return the folder of shipped 'recipes', 'leaderboard' tables or 'weights'."""
    installed = PACKAGE / _INSTALLED[kind]
    return installed if installed.is_dir() else PACKAGE.parent / kind


def require_local(path: str | Path) -> Path:
    """Return a path on this machine; an address, which would come out as an odd folder, is refused."""
    path = Path(path)
    if len(path.parts) > 1 and re.fullmatch(r"[a-z][a-z0-9+.-]+:", path.parts[0], re.IGNORECASE):
        remedy = "copy it there, or see docs/object-stores.md for what writes to s3://"
        raise must("place to write to", "be a path on this machine", f"an address of {path.parts[0]}//", remedy)
    return path


def replace_file(path: str | Path, data: bytes) -> None:
    """Write a file whole or not at all: under a hidden name beside it, synced to the disk, then moved into place."""
    path = require_local(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def require_place(path: str | Path, overwrite: bool = True) -> None:
    """Refuse a file that cannot be written, or exists and must not be replaced; called before long work.

    Raises
    ------
    InputError
        Naming the path and what is in its way.
    """
    path = require_local(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file")
    if path.exists() and not overwrite:
        raise InputError(f"{path}: the file exists; pass --overwrite to replace it, or choose another name")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"{path}: cannot be written; {folder} is not a folder that you may write to")


def require_new_folder(folder: Path) -> None:
    """Refuse a folder that holds anything, or a link to one; called before long work."""
    require_local(folder)
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise must(f"{folder}", "be a new or empty folder", "a link, or one with content", "choose another")


@contextmanager
def locked(path: Path, busy: str, wait_s: float) -> Iterator[None]:
    """Hold the lock file `path`; raise `busy` where another process holds it for longer than `wait_s` seconds.

    The error says by whom: process, machine and since when, from a note beside the lock. The system frees the lock of
    a process that died, and the next holder writes a note of its own. The lock file stays: removing it could leave a
    waiting process with a lock that nobody else sees.
    """
    import filelock

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path)
    holder = path.with_name(path.name + HOLDER)
    try:
        lock.acquire(timeout=wait_s)
    except filelock.Timeout:
        raise InputError(f"{busy} ({_read_holder(holder)})") from None
    try:
        note = {"pid": os.getpid(), "host": platform.node(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        holder.write_text(json.dumps(note), encoding="utf-8")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _read_holder(path: Path) -> str:
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        return f"process {note['pid']} on {note['host']}, since {note['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "its process is not known"


def place_lock(path: Path) -> Path:
    """Return the lock of whoever makes `path`: a hidden file beside it, the same one for every link to it."""
    place = Path(os.path.realpath(path))
    return place.with_name(f".{place.name}.lock")


@contextmanager
def built_beside(path: Path) -> Iterator[Path]:
    """Yield where to make a folder that shall stand at `path` whole or not at all; it is moved there at the end.

    Held by one process at a time (see `place_lock`); what a killed one left behind is removed first.

    Raises
    ------
    InputError
        If another process makes `path`, or something came to stand there meanwhile.
    """
    require_local(path)
    building = path.with_name(f".{path.name}.building{PARTIAL}")
    with locked(place_lock(path), f"{path}: another process is making it; {WAIT_OR_STOP}", MAKER_WAIT_S):
        remove_leftover(building)
        try:
            yield building
            if path.is_symlink() or (path.exists() and (not path.is_dir() or any(path.iterdir()))):
                raise InputError(f"{path}: came to exist meanwhile; it is left alone, choose another name")
            building.rename(path)  # replaces an empty folder
        finally:
            remove_leftover(building)


def remove_leftover(path: Path) -> None:
    """Remove a temporary tree of ours, if it is there; a link is removed itself, never what it points to."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def cache_folder() -> Path:
    """Return the user's folder for what can be made again; it need not exist."""
    for base in (os.environ.get("XDG_CACHE_HOME", ""), os.path.expanduser("~/.cache")):
        if os.path.isabs(base):
            return Path(base) / "csist-bench"
    return Path(os.devnull)  # no home folder: nothing can be kept
