"""Background frames of the user's own: a folder of grey images, a .npy array or another data set.

Each trajectory takes a window of the imager's size, at a place and a start frame from its own random stream, and the
following frames; a source shorter than the trajectory stands still.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.datasets.array_files import read_npy
from csist_bench.datasets.pictures import read_picture
from csist_bench.errors import InputError, must, require_finite
from csist_bench.recipes import DataRecipe
from csist_bench.simulation.scenes import stream

BACKGROUND_STREAM = 2
IMAGE_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".pgm", ".jpg", ".jpeg")
BUILT_IN = ("none", "constant", "clutter")


@dataclass(frozen=True, eq=False)
class BackgroundFrames:
    """A source of windows: `frames` (M, H', W') grey levels, for an imager of `size` px under a `seed`."""

    frames: NDArray[Any]
    size: int
    seed: int

    def __call__(self, index: int, count: int) -> NDArray[np.float64]:
        """Return `count` windows for trajectory `index` of the set, shape (count, size, size)."""
        rng = stream(self.seed, index, BACKGROUND_STREAM)
        m, height, width = self.frames.shape
        y, x = int(rng.integers(height - self.size + 1)), int(rng.integers(width - self.size + 1))
        first = int(rng.integers(max(1, m - count + 1)))
        picked = np.minimum(np.arange(first, first + count), m - 1)
        return self.frames[picked, y : y + self.size, x : x + self.size].astype(np.float64)

    @property
    def digest(self) -> str:
        """sha256 of the source, part of the data set's fingerprint."""
        return hashlib.sha256(np.ascontiguousarray(self.frames).data).hexdigest()


def open_background(recipe: DataRecipe) -> BackgroundFrames | None:
    """Open the background that a recipe names by path; None for the built-in kinds (none, constant, clutter).

    Raises
    ------
    InputError
        If there is nothing usable at the path, or its frames are smaller than the imager's.
    """
    if recipe.background in BUILT_IN:
        return None
    path = Path(recipe.background)
    if not path.exists():
        raise must("background", f"be one of {', '.join(BUILT_IN)} or an existing folder, .npy file or data set", path)
    frames = _read(path)
    if frames.ndim != 3 or min(frames.shape[1:]) < recipe.size:
        raise must(f"background {path}", f"hold frames of at least {recipe.size} x {recipe.size} px", frames.shape)
    require_finite(f"background {path}", frames)
    return BackgroundFrames(frames, recipe.size, recipe.seed)


def _read(path: Path) -> NDArray[Any]:
    if path.suffix == ".npy":
        try:
            frames = read_npy(path, mapped=True)
        except InputError as error:
            raise InputError(f"background {error}") from None
        if frames.dtype.kind not in "fiu":
            raise InputError(f"background {path}: expected one array of real numbers (M, H, W)")
        return frames[None] if frames.ndim == 2 else frames
    if (path / "zarr.json").is_file():
        from csist_bench.datasets import open_dataset

        splits = open_dataset(path).splits.values()
        return np.concatenate([s.frames.reshape(-1, *s.frames.shape[2:]) for s in splits])
    if not path.is_dir():
        raise InputError(f"background {path}: expected a folder of images, a .npy file or a data set")
    return _read_images(path)


def _read_images(folder: Path) -> NDArray[Any]:
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise InputError(f"background {folder}: holds no images ({', '.join(IMAGE_SUFFIXES)})")
    images = []
    for file in files:
        images.append(read_picture(file, f"background {file}", ("L", "I;16", "I", "F")))
        if images[-1].shape != images[0].shape:
            raise must(f"background {file}", f"have the shape of the first image {images[0].shape}", images[-1].shape)
    return np.stack(images)
