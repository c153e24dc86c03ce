"""Frames without targets, from the user's own files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.datasets.array_files import read_npy
from csist_bench.errors import must
from csist_bench.recipes import DataRecipe, convert, load_data_recipe, resolved


@dataclass(frozen=True, eq=False)
class BareFrames:
    """Frames without targets, shape (N, T, H, W), in grey levels; `recipe` says what is assumed of the imager."""

    frames: NDArray[Any]
    recipe: DataRecipe
    name: str = "frames"

    @property
    def n_trajectories(self) -> int:
        """Number of trajectories."""
        return len(self.frames)

    @property
    def n_frames(self) -> int:
        """Frames of each trajectory."""
        return int(self.frames.shape[1])

    @property
    def scored_frames(self) -> range:
        """All frames."""
        return range(self.n_frames)

    @property
    def chunk_trajectories(self) -> int:
        """Trajectories that are read together."""
        return 1

    def read(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Return trajectories start..stop-1."""
        return np.asarray(self.frames[start:stop])


def read_bare_frames(path: str | Path) -> BareFrames:
    """Read a .npy file of frames, (N, T, H, W), (T, H, W) or (H, W); the optics of `seqcsist` are assumed.

    Raises
    ------
    InputError
        If the file is not a .npy file, or holds anything but square frames of numbers.
    """
    frames = read_npy(Path(path))
    square = 2 <= frames.ndim <= 4 and frames.shape[-1] == frames.shape[-2]
    if not square or frames.dtype.kind not in "fiu" or not frames.size:
        rule = "hold square frames (N, T, H, W), (T, H, W) or (H, W) of numbers"
        raise must(f"{path}", rule, f"{frames.dtype} {frames.shape}")
    frames = frames.reshape((1,) * (4 - frames.ndim) + frames.shape)
    kind = frames.dtype.name if frames.dtype.name in ("uint8", "uint16") else "float32"
    shown = {
        "size": frames.shape[-1],
        "frames": frames.shape[1],
        "scored_frames": ":",
        "dtype": kind,
        "bits": {"uint8": 8, "uint16": 16}.get(kind, 0),
    }
    recipe = convert({**resolved(load_data_recipe("seqcsist")), **shown}, DataRecipe, f"{path}: frames")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as such
        return BareFrames(frames.astype(kind), recipe, str(path))
