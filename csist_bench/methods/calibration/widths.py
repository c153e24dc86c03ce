"""The PSF's widths from groups of targets: where a sequence fit explains the frames best.

A width that is told too small makes a fit invent targets, one too large makes it merge them; the log evidence of
`ml-seq`, summed over many sequences, has its maximum at the truth. Number of targets by number, that is a smooth curve:
so sequences whose number is certain are fitted with it about the maximum, and a quadric through the log evidence gives
both widths and their errors.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.methods.fitting.frames import window_side
from csist_bench.methods.ml_seq.method import SequenceFit, SequenceMaximumLikelihood
from csist_bench.simulation.camera import Camera

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COARSE = (0.28, 0.41, 0.59, 0.85, 1.22)  # px
NARROWING = (1.2, 1.1, 1.05)  # factors about the best so far, before the quadric
QUADRIC_STEP = 0.015  # relative, of the grid of 3 x 3 widths
ROUNDS = 6  # of the quadric, until its top is this near to the grid's middle, in steps
NEAR = 0.3
FARTHEST = 4.0  # steps that one round moves at most
ROUGH_SEQUENCES, ROUGH_FRAMES = 16, 10  # that the rough width is sought with
MOST_TARGETS = 5  # that a sequence is tried with; a width told too small would invent more
AGREEMENT, AGREEING_ROUNDS = 9.0, 10  # largest chi^2 of two by which a sequence departs from the common top
CERTAIN = 6.0  # of log evidence, by which a number of targets must beat the others
# Relative error of a width, for the share of sequences that are left out: the more there are, the more of those that
# agree have another number of targets than they are fitted with. Measured on eight draws of three imagers each, of
# groups within 0.4 to 0.8 PSF widths, where two thirds are left out and 0.3 to 1.6 % is the error.
MISCOUNTED = 0.015
LEAST_CERTAIN = 8  # sequences; fewer: all are used
CURVE = np.linspace(-0.08, 0.08, 9)  # relative widths of the curves that are drawn


@dataclass(frozen=True, eq=False)
class Widths:
    """The PSF's widths along x and y, px, with errors, and -2 log evidence along each axis about them.

    `counts` (B,) are the numbers of targets of the sequences that agree, 0 of others. `relative` (R,) are factors of a
    width, `curves` (2, R) their cost above the least; empty until `with_curves`.
    """

    sigma: tuple[float, float]
    error: tuple[float, float]
    counts: Ints
    relative: Floats = field(default_factory=lambda: np.zeros(0))
    curves: Floats = field(default_factory=lambda: np.zeros((2, 0)))


class _Quadrics(NamedTuple):
    """-2 log evidence of S sequences about a point, in steps of the grid: gradients (S, 2) and Hessians (S, 2, 2).

    `rows` (S,) are the sequences' numbers, `counts` (S,) their numbers of targets.
    """

    rows: Ints
    counts: Ints
    gradient: Floats
    hessian: Floats

    @property
    def clear(self) -> NDArray[np.bool_]:
        """Which have a top, (S,)."""
        return np.asarray(np.linalg.eigvalsh(self.hessian)[:, 0] > 0)

    def top(self, kept: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Return where the sum of the kept quadrics has its top, in steps, and the standard errors, each (2,)."""
        hessian = self.hessian[kept].sum(axis=0)
        # The cost is -2 log evidence: its covariance is twice the inverse Hessian.
        error = np.sqrt(np.diag(2 * np.linalg.inv(hessian)))
        return -np.linalg.solve(hessian, self.gradient[kept].sum(axis=0)), error

    def spread(self, kept: NDArray[np.bool_], top: Floats) -> float:
        """Return by how much the kept quadrics' tops scatter more than their Hessians say; 1: as they say, or less."""
        gradient = self.gradient[kept] + self.hessian[kept] @ top
        chi2 = 0.5 * np.einsum("si,sij,sj->", gradient, np.linalg.inv(self.hessian[kept]), gradient)
        return float(np.sqrt(max(1.0, chi2 / max(2 * (int(kept.sum()) - 1), 1))))

    def agreeing(self) -> NDArray[np.bool_]:
        """Return the sequences that agree on a top; those whose targets were miscounted stand apart.

        A sequence's gradient at the common top has the covariance 2 H, so d' H^-1 d / 2 is a chi^2 of two.
        """
        clear = self.clear
        if not clear.any():
            return clear
        each = np.zeros_like(self.gradient)
        each[clear] = -np.linalg.solve(self.hessian[clear], self.gradient[clear][..., None])[..., 0]
        top, kept = np.median(each[clear], axis=0), clear
        for _ in range(AGREEING_ROUNDS):
            away = each - top
            chi2 = 0.5 * np.einsum("si,sij,sj->s", away, self.hessian, away)
            kept = clear & (chi2 < AGREEMENT)
            if not kept.any():
                return np.asarray(kept)
            top = self.top(kept)[0]
        return np.asarray(kept)


def with_widths(camera: Camera, x: float, y: float) -> Camera:
    """Return the camera with another PSF: a Gaussian of widths x and y, px."""
    optics = replace(camera.optics, psf_sigma=float((x * y) ** 0.5))
    return replace(camera, optics=optics, psf_sigma_xy=None if x == y else (float(x), float(y)), psf_sigma_error=(0, 0))


def window_of(frames: NDArray[Any], camera: Camera) -> int:
    """Return the side of the windows that sequences (B, T, n, n) are fitted in, px, with room for a wider PSF."""
    return int(min(window_side(0, camera, frames.shape[2:]) + 2, frames.shape[3]))


class WidthFinder:
    """Finds the widths from sequences (B, T, n, n), as the rest of the camera is told."""

    def __init__(self, frames: NDArray[Any], camera: Camera, window: int) -> None:
        self.frames, self.camera = frames, camera
        self.method = SequenceMaximumLikelihood(window=window)

    def fit(self, x: float, y: float, counts: Ints | None = None) -> SequenceFit:
        """Fit all sequences with the PSF's widths told."""
        return self.method.fit(self.frames, with_widths(self.camera, x, y), counts)

    def evidence(self, x: float, y: float, counts: Ints) -> float:
        """Return the log evidence of all sequences with numbers of targets that are known."""
        best = self.fit(x, y, counts).log_evidence.max(axis=1)
        return float(best[np.isfinite(best)].sum())

    def tried(self, x: float, y: float) -> Floats:
        """Return the log evidence of each sequence and number of targets, (B, MOST_TARGETS + 1), -inf: not tried.

        Numbers are tried upwards as long as more targets explain a sequence better.
        """
        found = np.full((len(self.frames), MOST_TARGETS + 1), -np.inf)
        growing = np.ones(len(self.frames), dtype=bool)
        for k in range(1, MOST_TARGETS + 1):
            if not growing.any():
                break
            fitted = self.fit(x, y, np.where(growing, k, 0)).log_evidence[:, k]
            before = found.max(axis=1)
            found[growing, k] = np.nan_to_num(fitted[growing], nan=-np.inf)
            growing &= found[:, k] > before
        return found

    def rough(self) -> float:
        """Return the best width that is the same along both axes, px, to a few percent."""
        some = np.unique(np.linspace(0, len(self.frames) - 1, ROUGH_SEQUENCES).astype(int))
        few = WidthFinder(self.frames[some, :ROUGH_FRAMES], self.camera, self.method.window)

        def total(width: float) -> float:
            best = few.tried(width, width).max(axis=1)
            return float(best[np.isfinite(best)].sum())

        known = {width: total(width) for width in COARSE}
        for factor in NARROWING:
            best = max(known, key=known.__getitem__)
            known |= {width: total(width) for width in (best / factor, best * factor)}
        return max(known, key=known.__getitem__)

    def certain_counts(self, x: float, y: float) -> Ints:
        """Return the number of targets of each sequence, 0 where it is not certain (all of them where few are)."""
        tried = self.tried(x, y)
        best = tried.argmax(axis=1)
        ranked = np.sort(tried, axis=1)
        with np.errstate(invalid="ignore"):
            certain = ranked[:, -1] - ranked[:, -2] > CERTAIN
        if certain.sum() < LEAST_CERTAIN:
            return np.asarray(best, dtype=np.int64)
        return np.where(certain, best, 0).astype(np.int64)

    def refine(self, x: float, y: float) -> Widths | None:
        """Return the top of the quadric through the log evidence about (x, y); None where it has none nearby."""
        for _ in range(ROUNDS):
            counts = self.certain_counts(x, y)
            quadric = self._quadrics(x, y, counts)
            kept = quadric.agreeing()
            if kept.sum() < LEAST_CERTAIN:  # far from the top, where few quadrics point the same way
                kept = quadric.clear
            if not kept.any():
                return None
            top, error = quadric.top(kept)
            error = error * quadric.spread(kept, top) * QUADRIC_STEP
            error = np.hypot(error, MISCOUNTED * (1 - kept.sum() / len(self.frames)))
            moved = np.abs(top).max()
            top = np.clip(top, -FARTHEST, FARTHEST) * QUADRIC_STEP
            x, y, sd = x * (1 + top[0]), y * (1 + top[1]), (float(x * error[0]), float(y * error[1]))
            # Which sequences agree can change from place to place: a move within the error is no move.
            if moved < NEAR or (moved < FARTHEST and (np.abs(top) < error).all()):
                counts = np.zeros_like(counts)
                counts[quadric.rows[kept]] = quadric.counts[kept]
                return Widths((x, y), sd, counts)
        return None

    def _quadrics(self, x: float, y: float, counts: Ints) -> _Quadrics:
        """Fit -2 log evidence of each sequence by a quadric over the grid of 3 x 3 widths about (x, y)."""
        places = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)], dtype=float)
        rows = np.flatnonzero(counts)
        cost = []
        for i, j in places:
            fit = self.fit(x * (1 + i * QUADRIC_STEP), y * (1 + j * QUADRIC_STEP), counts)
            cost.append(-2 * fit.log_evidence[rows, counts[rows]])
        values = np.array(cost)
        good = np.isfinite(values).all(axis=0)
        u, v = places.T
        design = np.stack([np.ones(9), u, v, u * u, u * v, v * v], axis=1)
        _, gx, gy, hxx, hxy, hyy = np.linalg.lstsq(design, values[:, good], rcond=None)[0]
        hessian = np.stack([np.stack([2 * hxx, hxy], -1), np.stack([hxy, 2 * hyy], -1)], -2)
        return _Quadrics(rows[good], counts[rows[good]], np.stack([gx, gy], -1), hessian)

    def with_curves(self, found: Widths) -> Widths:
        """Return widths with the curves that are drawn of them."""
        (x, y), counts = found.sigma, found.counts
        along_x = [-2 * self.evidence(x * (1 + r), y, counts) for r in CURVE]
        along_y = [-2 * self.evidence(x, y * (1 + r), counts) for r in CURVE]
        curves = np.array([along_x, along_y])
        return replace(found, relative=1 + CURVE, curves=curves - curves.min())
