"""Which paths hold frames without targets: told by the suffix of a file, and by what lies in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from csist_bench.datasets.foreign_zarr import array_names
from csist_bench.errors import InputError

FrameForm = Literal["npy", "npz", "tiff", "png", "fits", "mat", "zarr", "folder"]

_SUFFIXES: dict[str, FrameForm] = {
    ".npy": "npy",
    ".npz": "npz",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".png": "png",
    ".fits": "fits",
    ".fit": "fits",
    ".fts": "fits",
    ".mat": "mat",
}
PICTURES = tuple(suffix for suffix, form in _SUFFIXES.items() if form in ("png", "tiff"))
FRAMES_READ = ".npy, .npz, .tif, .png, .fits or .mat files, folders of PNG or TIFF pictures, Zarr arrays"


def frame_form(path: str | Path) -> FrameForm | None:
    """Return the form of bare frames that a path holds; None for a data set, and for what is not known."""
    path = Path(path)
    try:
        if path.is_dir() and (form := _form_of_folder(path)):
            return form
    except (OSError, ValueError):  # ValueError: a null byte in the name
        return None
    return _SUFFIXES.get(path.suffix.lower())


def _form_of_folder(path: Path) -> FrameForm | None:
    try:
        if array_names(path):
            return "zarr"
    except InputError:  # whoever opens the store says what is wrong with it
        return None
    if any((path / name).exists() for name in ("zarr.json", ".zgroup", ".zarray")):
        return None
    return "folder" if any(file.suffix.lower() in PICTURES for file in path.iterdir()) else None


def is_bare_frames(path: str | Path) -> bool:
    """Tell bare frames from a data set."""
    return frame_form(path) is not None
