"""Frames without targets, from the user's own files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from csist_bench.datasets.array_files import read_npy
from csist_bench.errors import must
from csist_bench.recipes import DataRecipe, convert, load_data_recipe, resolved
from csist_bench.simulation.camera import NOISE_FLOOR_INTEGER


@dataclass(frozen=True, eq=False)
class BareFrames:
    """Frames without targets, shape (N, T, H, W), in grey levels; `recipe` says what is assumed of the imager."""

    frames: NDArray[Any]
    recipe: DataRecipe
    name: str = "frames"
    # Nothing tells of the imager of bare frames: these fields of a camera file are those of `seqcsist`.
    assumed: ClassVar[tuple[str, ...]] = (
        "psf_sigma",
        "noise_sigma",
        "gain",
        "background",
        "saturation",
        "intensity",
    )

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


def _fits(frames: NDArray[Any], kind: str) -> bool:
    return int(frames.min()) >= 0 and int(frames.max()) <= np.iinfo(kind).max


def is_bare_frames(path: str | Path) -> bool:
    """Tell a file of bare frames from a data set, by its name."""
    return str(path).lower().endswith(".npy")


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
    # Whole numbers of any type are steps of one grey level; those beyond 16 bits, or below 0, are kept as floats.
    whole = frames.dtype.kind in "iu"
    fits = [kind for kind in ("uint8", "uint16") if whole and _fits(frames, kind)]
    kind = frames.dtype.name if frames.dtype.name in ("uint8", "uint16") else fits[-1] if fits else "float32"
    shown: dict[str, Any] = {
        "size": frames.shape[-1],
        "frames": frames.shape[1],
        "scored_frames": ":",
        "dtype": kind,
        "bits": {"uint8": 8, "uint16": 16}.get(kind, 16 if whole and frames.max() < 2**16 else 0),
    }
    if whole and not shown["bits"]:
        shown["noise_sigma"] = NOISE_FLOOR_INTEGER  # the step of numbers that no count of bits of a recipe can hold
    recipe = convert({**resolved(load_data_recipe("seqcsist")), **shown}, DataRecipe, f"{path}: frames")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as such
        return BareFrames(frames.astype(kind), recipe, str(path))
