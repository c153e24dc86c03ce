"""Frames without targets, from the user's own files and arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from csist_bench.datasets.frame_axes import FrameLayout, Stored, arranged
from csist_bench.datasets.frame_kinds import FRAMES_READ, FrameForm, frame_form
from csist_bench.errors import InputError, must
from csist_bench.recipes import DataRecipe, load_data_recipe
from csist_bench.simulation.camera import NOISE_FLOOR_INTEGER

EXACT_IN_FLOAT32 = 2**24


@dataclass(frozen=True, eq=False)
class BareFrames:
    """Frames without targets, shape (N, T, H, W), in grey levels.

    `recipe` says what is assumed of the imager, `note` what was taken of a file, and how, in one line; `stored` is the
    type of numbers that it holds.
    """

    frames: NDArray[Any]
    recipe: DataRecipe
    name: str = "frames"
    note: str = ""
    stored: str = ""

    @classmethod
    def of(
        cls, array: ArrayLike, order: str | None = None, single: bool = False, name: str = "the array"
    ) -> BareFrames:
        """Return frames in memory: (H, W), (T, H, W) or (N, T, H, W) of real numbers.

        Parameters
        ----------
        array : array_like
            It is copied.
        order : str, optional
            Another order of its axes, such as "YXT".
        single : bool
            Take its frames as unrelated ones, N trajectories of one frame.
        name : str
            How errors call it.

        Raises
        ------
        InputError
            If it is none of these, or holds what is not finite.

        Examples
        --------
        >>> import csist_bench as cb
        >>> import numpy as np
        >>> cb.BareFrames.of(np.zeros((5, 11, 11))).frame_shape
        (5, 11, 11)
        """
        return _bare(Stored(np.asarray(array), habit="documented"), FrameLayout(order, None, single), name)

    @property
    def n_trajectories(self) -> int:
        """Number of trajectories."""
        return len(self.frames)

    @property
    def n_frames(self) -> int:
        """Frames of each trajectory."""
        return int(self.frames.shape[1])

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """Frames, rows and columns of a trajectory, (T, H, W)."""
        t, height, width = self.frames.shape[1:]
        return int(t), int(height), int(width)

    @property
    def scored_frames(self) -> range:
        """All frames."""
        return range(self.n_frames)

    @property
    def chunk_trajectories(self) -> int:
        """Trajectories that are read together."""
        return 1

    @property
    def assumed(self) -> tuple[str, ...]:
        """What `seqcsist` says of the imager and no file does, by the names of a camera's fields."""
        return ("psf_sigma", "noise_sigma", "gain", "background", "saturation", "intensity")

    def read(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Return trajectories start..stop-1."""
        return np.asarray(self.frames[start:stop])


def read_frames(
    path: str | Path, order: str | None = None, array: str | None = None, single: bool = False
) -> BareFrames:
    """Read frames without targets: .npy, .npz, TIFF, PNG, FITS, MAT, a folder of pictures, or a Zarr array.

    Parameters
    ----------
    path : path or str
    order : str, optional
        Order of the axes, such as "TYX", "YXT" or "NTYX"; needed where neither format nor shape tells it.
    array : str, optional
        Which of several arrays of an NPZ file, a MAT file or a Zarr group, or which HDU of a FITS file.
    single : bool
        Take the frames of a stack as unrelated ones: N trajectories of one frame, not one of T frames.

    Returns
    -------
    BareFrames
        Shape (N, T, H, W); the optics of the recipe `seqcsist` are assumed.

    Raises
    ------
    InputError
        If the file is none of these, does not tell which axis is what, or holds anything but finite real numbers.

    Examples
    --------
    >>> import csist_bench as cb
    >>> import numpy as np
    >>> np.save(tmp_path / "mine.npy", np.zeros((11, 11, 40), np.uint16))
    >>> cb.read_frames(tmp_path / "mine.npy", order="YXT").frame_shape
    (40, 11, 11)
    """
    return read_bare_frames(path, FrameLayout(order, array, single))


def read_bare_frames(path: str | Path, layout: FrameLayout | None = None) -> BareFrames:
    """Read frames as `read_frames` does, by a layout."""
    layout, form = layout or FrameLayout(), frame_form(path)
    if form is None:
        raise must(f"frames {path}", f"be {FRAMES_READ}", "none of these" if Path(path).exists() else "no such file")
    if layout.array is not None and form not in ("npz", "mat", "fits", "zarr"):
        raise must("--array", f"be left out for {path}, which holds one array", layout.array)
    try:
        return _bare(_readers(layout)[form](Path(path)), layout, str(path))
    except MemoryError:
        raise InputError(f"{path}: the frames do not fit into memory") from None


def _readers(layout: FrameLayout) -> dict[FrameForm, Callable[[Path], Stored]]:
    from csist_bench.datasets.frame_formats import arrays, fits, mat, pictures, tiff

    return {
        "npy": arrays.read_npy_frames,
        "npz": lambda path: arrays.read_npz_frames(path, layout.array),
        "zarr": lambda path: arrays.read_zarr_frames(path, layout.array),
        "tiff": tiff.read_tiff_frames,
        "png": pictures.read_png_frames,
        "fits": lambda path: fits.read_fits_frames(path, layout.array),
        "mat": lambda path: mat.read_mat_frames(path, layout.array),
        "folder": lambda path: pictures.read_folder_frames(path, layout.single),
    }


def _fits(frames: NDArray[Any], kind: str) -> bool:
    return int(frames.min()) >= 0 and int(frames.max()) <= np.iinfo(kind).max


def _bare(stored: Stored, layout: FrameLayout, name: str) -> BareFrames:
    frames, note = arranged(stored, layout, name)
    # Whole numbers of any type are steps of one grey level; those beyond 16 bits, or below 0, are kept as floats.
    whole = frames.dtype.kind in "iu"
    fits = [kind for kind in ("uint8", "uint16") if whole and _fits(frames, kind)]
    kind = frames.dtype.name if frames.dtype.name in ("uint8", "uint16") else fits[-1] if fits else "float32"
    bits = {"uint8": 8, "uint16": 16}.get(kind, 16 if whole and frames.max() < 2**16 else 0)
    shown: dict[str, Any] = {
        "name": "frames",
        "size": max(frames.shape[2:]),
        "frames": frames.shape[1],
        "scored_frames": ":",
        "dtype": kind,
        "bits": bits,
    }
    if whole and not bits:
        shown["noise_sigma"] = NOISE_FLOOR_INTEGER  # the step of numbers that no count of bits of a recipe can hold
    if whole and max(-int(frames.min()), int(frames.max())) > EXACT_IN_FLOAT32:
        note += "; grey levels beyond 2^24 are kept to 7 digits"
    # The bounds of what is drawn (size, frames) are not those of what is read.
    recipe = msgspec.structs.replace(load_data_recipe("seqcsist"), **shown)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as such
        values = frames.astype(kind, order="C")
    if kind == "float32":
        _require_finite(values, name)
    return BareFrames(values, recipe, name, note, stored.values.dtype.name)


def _require_finite(frames: NDArray[Any], name: str) -> None:
    bad = ~np.isfinite(frames)
    if not bad.any():
        return
    first = tuple(int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
    place = f"frame {first[1]}, row {first[2]}, column {first[3]}"
    place = f"trajectory {first[0]}, {place}" if len(frames) > 1 else place
    raise must(name, "be finite everywhere", f"{frames[first]} at {place} ({int(bad.sum())} such pixels)")
