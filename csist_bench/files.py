"""Files, for everybody: those that travel with the package, atomic writes, locks, and the user's cache folder.

In an installed wheel recipes and tables lie inside the package; in a source checkout they are the folders `recipes/`
and `leaderboard/` beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from csist_bench.errors import InputError

PACKAGE = Path(__file__).resolve().parent
PARTIAL = ".partial"
_INSTALLED = {"recipes": "recipes_data", "leaderboard": "leaderboard_data", "weights": "weights"}


def packaged(kind: str) -> Path:
    """Return the folder of shipped 'recipes', 'leaderboard' tables or 'weights'."""
    installed = PACKAGE / _INSTALLED[kind]
    return installed if installed.is_dir() else PACKAGE.parent / kind


def replace_file(path: str | Path, data: bytes) -> None:
    """Write a file whole or not at all: under a hidden name beside it, synced to the disk, then moved into place."""
    path = Path(path)
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


@contextmanager
def locked(path: Path, busy: str, wait_s: float) -> Iterator[None]:
    """Hold the lock file `path`; raise `busy` where another process holds it for longer than `wait_s` seconds.

    The file stays: removing it could leave a waiting process with a lock that nobody else sees.
    """
    import filelock

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=wait_s)
    except filelock.Timeout:
        raise InputError(busy) from None
    try:
        yield
    finally:
        lock.release()


def cache_folder() -> Path:
    """Return the user's folder for what can be made again; it need not exist."""
    for base in (os.environ.get("XDG_CACHE_HOME", ""), os.path.expanduser("~/.cache")):
        if os.path.isabs(base):
            return Path(base) / "csist-bench"
    return Path(os.devnull)  # no home folder: nothing can be kept
