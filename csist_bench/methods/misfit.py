"""Whether answers explain the frames they are of: chi^2 per pixel, frame by frame, and what is said of it.

Answers off the grid are rendered by the camera that the method was told of, and compared with the frames. Where the
camera is right, chi^2 of a fit is the number of pixels less that of the unknowns. Positions snapped to a grid would
leave chi^2 of 4 per pixel at sigma 2 even if all were found: they are not judged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.methods.fitting.misfit import explain
from csist_bench.methods.fitting.noise_model import BACKGROUND_UNKNOWNS
from csist_bench.simulation.camera import NOISE_FLOOR_INTEGER, Camera, PixelMaps

Floats = NDArray[np.float64]

SURE = 4.0  # standard errors by which chi^2 must be too high to be said
LEAST_EXCESS = 0.01  # of the expected chi^2, for what a count of unknowns does not say exactly
LEAST_SHORTAGE = 0.03  # likewise too low
LEAST_EXCESS_OF_NETWORKS = 0.10  # their answers are not the best that the frames allow
SHARE_OF_PEAK = 1e-3  # of the brightest pixel: what noise-free frames may leave unexplained
LARGEST_WHOLE = 33  # px a side: larger frames are compared in windows
WINDOW_SIGMAS = 9.0  # of the PSF, that a window reaches
GREY_LEVELS = "grey levels"
SPARE_UNKNOWNS = 8.0  # of a sequence, beyond three a target: path and growth
CENTRE_UNKNOWNS = 2.0  # where a group stands, beside the light of each target


@dataclass(frozen=True, eq=False)
class Misfit:
    """What B x T frames leave unexplained.

    `per_frame` (B, T) is the root mean square of residuals in units of their standard deviation, squared (chi^2 per
    pixel), or in grey levels where the frames are free of noise (`unit`). `chi2` is its sum over all pixels, `expected`
    that of a right camera, `error` the standard error of that; `limit` is what `chi2` may be at most before it is
    said, in grey levels squared where those are the unit, `least` at least. `fitted` tells fits from answers of a
    network.
    """

    per_frame: Floats
    unit: str
    chi2: float
    expected: float
    error: float
    limit: float
    pixels: int
    fitted: bool = True
    least: float = 0.0
    n_frames: int = 0  # where `per_frame` is empty, being too long to keep

    def sums(self) -> dict[str, Any]:
        """Return what is kept of a part of the frames: all but `per_frame`; see `joined`."""
        kept = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("per_frame", "error")}
        plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in kept.items()}
        return plain | {"n_frames": self.per_frame.size}

    @classmethod
    def joined(cls, parts: Sequence[Mapping[str, Any]]) -> Misfit | None:
        """Return the misfit of all frames from the `sums` of its parts; None where there are none."""
        if not parts:
            return None
        total = {
            name: sum(part[name] for part in parts)
            for name in ("chi2", "expected", "pixels", "limit", "least", "n_frames")
        }
        unit, fitted = parts[0]["unit"], parts[0]["fitted"]
        none = np.zeros((0, 0))
        if unit == GREY_LEVELS:
            return cls(none, unit, error=0.0, fitted=fitted, **total)
        expected, error = total["expected"], _error_of(total["expected"])
        # What a fit may have taken beyond the unknowns that count: a part's lowest, less its own margin.
        taken = sum(part["expected"] - part["least"] - _margin_below(part["expected"]) for part in parts)
        total["limit"] = expected + _margin_above(expected, fitted)
        total["least"] = expected - taken - _margin_below(expected)
        return cls(none, unit, error=error, fitted=fitted, **total)

    def table(self) -> dict[str, Any]:
        """Return what a prediction file keeps of it; numbers of frames with four digits, in the order of the frames."""
        digits = [[float(f"{value:.4g}") for value in row] for row in self.per_frame]
        of_frames = {"per_frame": digits} if digits else {}
        return {"unit": self.unit, "mean": round(self.chi2 / max(self.pixels, 1), 5), **of_frames}

    @property
    def fits(self) -> bool:
        """Whether the camera explains the frames as far as can be told."""
        return self.least <= self.chi2 <= self.limit

    def text(self) -> str:
        """Return in one line what does not fit; empty where nothing is to be said."""
        if self.fits or not self.pixels:
            return ""
        frames = f"{self.per_frame.size or self.n_frames:,} frames"
        ask = "is the PSF right? the noise, the background? see csist-bench calibrate"
        if not self.fitted:
            ask = f"are these scenes that the network knows? {ask}"
        if self.unit == GREY_LEVELS:
            left, allowed = math.sqrt(self.chi2 / self.pixels), math.sqrt(self.limit / self.pixels)
            return (
                f"the frames do not fit the camera told: {left:.3g} grey levels rms are left over {frames}, "
                f"{allowed:.3g} expected at most: {ask}"
            )
        sure = (self.chi2 - self.expected) / self.error
        if sure < 0:
            ask = "is the noise or the gain told too high? see csist-bench calibrate"
        return (
            f"the frames do not fit the camera told: chi^2 {self.chi2 / self.pixels:.3f} per pixel over {frames}, "
            f"{self.expected / self.pixels:.3f} expected, {abs(sure):.0f} standard errors too "
            f"{'high' if sure > 0 else 'low'}: {ask}"
        )


@dataclass(frozen=True, eq=False)
class BlockMisfit:
    """Sums of one block, each (B, T): chi^2, squared residuals, pixels, peak light, targets, background unknowns."""

    chi2: Floats
    squares: Floats
    pixels: NDArray[np.int64]
    peak: Floats
    targets: NDArray[np.int64]
    background: NDArray[np.int64]

    @classmethod
    def empty(cls, b: int, t: int) -> BlockMisfit:
        """Return the sums of nothing."""
        none, count = np.zeros((b, t)), np.zeros((b, t), np.int64)
        return cls(none, none.copy(), count, none.copy(), count.copy(), count.copy())


def misfit_of_block(frames: NDArray[Any], found: Detections, camera: Camera) -> BlockMisfit | None:
    """Compare the answers of a block of frames (B, T, H, W) with them; None where they cannot be judged.

    Large frames are compared in windows about their groups, each with a plane as background; those whose noise was not
    told are not judged.
    """
    if len(found) and found.intensity is None:
        return None
    height, width = frames.shape[2:]
    if height != width or height > LARGEST_WHOLE:
        return None if "noise_sigma" in camera.assumed else _in_windows(frames, found, camera)
    shape = frames.shape[:2]
    explained = explain(frames, found, camera)
    targets = np.bincount(found.trajectory * shape[1] + found.frame, minlength=shape[0] * shape[1])
    return BlockMisfit(
        explained.chi2.reshape(shape),
        explained.squares.reshape(shape),
        explained.pixels.reshape(shape),
        explained.light.max(axis=(1, 2)).reshape(shape),
        targets.reshape(shape),
        np.full(shape, BACKGROUND_UNKNOWNS[camera.background_law]),
    )


def _in_windows(frames: NDArray[Any], found: Detections, camera: Camera) -> BlockMisfit:
    """Compare the answers of large frames in a window about each group."""
    b, t, height, width = frames.shape
    side = min(2 * math.ceil(WINDOW_SIGMAS * camera.optics.psf_sigma) + 1, height, width)
    sums = BlockMisfit.empty(b, t)
    index = found.trajectory * t + found.frame
    order = np.argsort(index, kind="stable")
    frames_seen, starts = np.unique(index[order], return_index=True)
    for one, rows in zip(frames_seen, np.split(order, starts[1:])):
        here = found.select(rows)
        of_group = np.zeros(len(here), np.int64) if here.group is None else here.group
        origins = []
        for each in np.unique(of_group):
            x, y = here.x[of_group == each].mean(), here.y[of_group == each].mean()
            corner = np.rint([y, x]).astype(int) - side // 2
            origins.append(np.clip(corner, 0, [height - side, width - side]))
        place = divmod(int(one), t)
        for row, column in np.unique(origins, axis=0):
            window = frames[place][row : row + side, column : column + side]
            moved = replace(
                here, trajectory=np.zeros_like(here.trajectory), frame=np.zeros_like(here.frame),
                x=here.x - column, y=here.y - row,
            )  # fmt: skip
            near = (np.abs(moved.x - side / 2) < side) & (np.abs(moved.y - side / 2) < side)
            told = replace(camera, background_law="plane", maps=_part_of(camera.maps, row, column, side))
            explained = explain(window[None, None], moved.select(near), told)
            sums.chi2[place] += explained.chi2[0]
            sums.squares[place] += explained.squares[0]
            sums.pixels[place] += explained.pixels[0]
            sums.background[place] += BACKGROUND_UNKNOWNS["plane"]
            sums.peak[place] = max(sums.peak[place], explained.light.max())
        sums.targets[place] = len(here)
    return sums


def _part_of(maps: PixelMaps | None, row: int, column: int, side: int) -> PixelMaps | None:
    if maps is None:
        return None
    part = (slice(row, row + side), slice(column, column + side))
    bad, noise = maps.bad, maps.noise_sigma
    return PixelMaps(None if bad is None else bad[part], None if noise is None else noise[part])


def misfit_of(blocks: Sequence[BlockMisfit], camera: Camera, together: int, length: int, fitted: bool) -> Misfit:
    """Return the misfit of all blocks.

    Parameters
    ----------
    together : int
        Frames that were fitted together; 1: each by itself. Fewer than the `length` of a sequence are a window about
        each frame.
    fitted : bool
        The answers are fits of these frames; else those of a network.
    """
    chi2, squares, pixels, peak, targets, background = (
        np.concatenate([getattr(block, name) for block in blocks])
        for name in ("chi2", "squares", "pixels", "peak", "targets", "background")
    )
    total = int(pixels.sum())
    if without_noise(camera):
        allowed = float(allowed_square(np.median(peak), camera)) * total
        per_frame = np.sqrt(squares / np.maximum(pixels, 1))
        return Misfit(per_frame, GREY_LEVELS, float(squares.sum()), 0.0, 0.0, allowed, total, fitted)
    least, most = _taken(targets, together if fitted else 1, length)
    known = total - float(background.sum())
    expected = known - least
    error = _error_of(expected)
    limit = expected + _margin_above(expected, fitted)
    # Too little is left where noise is told too high; answers may have taken as much as they have unknowns.
    lowest = known - most - _margin_below(expected)
    per_frame = chi2 / np.maximum(pixels, 1)
    chi2_in_all = float(chi2.sum())
    return Misfit(per_frame, "chi2 per pixel", chi2_in_all, expected, error, limit, total, fitted, lowest)


def _taken(targets: NDArray[np.int64], together: int, length: int) -> tuple[float, float]:
    """Return how much of chi^2 the unknowns of frames (B, T) with so many targets took, at least and at most."""
    there, every = float((targets > 0).sum()), 3.0 * float(targets.sum())
    if together == 1:
        # Answers of single frames are not always the best fit: priors and samples of the posterior leave some more, as
        # much as the unknowns would take.
        return 0.0, every
    whole = every + SPARE_UNKNOWNS * there
    # The frame in the middle of a window tells less of a path than those at its ends, and priors tell the rest.
    middle = float(targets.sum()) + CENTRE_UNKNOWNS * there
    return (middle if together < length else whole) / together, whole / together


def without_noise(camera: Camera) -> bool:
    """Return whether frames are as good as free of noise, so that what is left is counted in grey levels."""
    return camera.noise_sigma <= camera.noise_floor and not camera.shot_gain


def allowed_square(peak: Any, camera: Camera) -> Any:
    """Return what frames free of noise with this peak light may leave in a pixel, squared grey levels."""
    rounding = NOISE_FLOOR_INTEGER if camera.noise_floor >= NOISE_FLOOR_INTEGER else 0.0
    return np.maximum(1.1 * rounding, SHARE_OF_PEAK * peak) ** 2


def _error_of(expected: float) -> float:
    """Return the standard error of chi^2."""
    return math.sqrt(2.0 * max(expected, 1.0))


def _margin_above(expected: float, fitted: bool) -> float:
    least = LEAST_EXCESS if fitted else LEAST_EXCESS_OF_NETWORKS
    return max(SURE * _error_of(expected), least * expected)


def _margin_below(expected: float) -> float:
    return max(SURE * _error_of(expected), LEAST_SHORTAGE * expected)
