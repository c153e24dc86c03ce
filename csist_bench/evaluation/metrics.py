"""Metrics beside AP: operating points, cardinality, localisation error and OSPA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.evaluation.average_precision import average_precision
from csist_bench.evaluation.image_quality import ImageQuality
from csist_bench.evaluation.matching import Matched, by_frame, positions
from csist_bench.evaluation.truth import Truth

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

OSPA_CUTOFF = 0.25  # px

DEFINITIONS = {
    "AP": "area under the precision-recall curve (all recall points, precision made monotone from the right); percent",
    "CSO-mAP": "mean of AP05, AP10, AP15, AP20 and AP25; percent",
    "interval": "2.5 to 97.5 percentile over trajectories drawn with replacement",
    "best F1": "the score threshold with the highest F1 = 2 P R / (P + R); precision, recall, false alarms per frame"
    " and cardinality are of the detections with at least that score",
    "cardinality": "share of frames with as many detections as targets; percent",
    "RMSE": "root mean square distance of all true positives to their targets at a threshold; px",
    "OSPA": f"mean over frames of the optimal sub-pattern assignment distance, cut-off {OSPA_CUTOFF} px, order 2"
    " (all detections of the file count); px",
    "PSNR": "10 log10(255^2 / mean squared error) of the label grid of the detections (intensity at the nearest node)"
    " against that of the targets, one mean over all frames; dB",
    "SSIM": "mean structural similarity of the same grids, Gaussian window of 11 x 11 nodes and sigma 1.5, range 255",
    "separation": "the smallest distance between any two targets of a frame; px",
}


@dataclass(frozen=True)
class OperatingPoint:
    """What one score threshold gives; percent but for `false_alarms` (per frame) and `score`."""

    threshold: float  # px
    score: float
    precision: float
    recall: float
    f1: float
    false_alarms: float
    cardinality: float


@dataclass(frozen=True)
class Metrics:
    """All metrics of a set of scored frames; NaN where one is not defined (no target, no hit, no intensity)."""

    label: str
    frames: int
    targets: int
    detections: int
    ap: tuple[float, ...]  # percent
    points: tuple[OperatingPoint, ...]
    rmse: tuple[float, ...]  # px, per threshold
    cardinality: float  # percent
    ospa: float  # px
    psnr: float  # dB
    ssim: float

    @property
    def cso_map(self) -> float:
        """Mean of the APs, percent."""
        return float(np.mean(self.ap))


@dataclass(frozen=True, eq=False)
class PerFrame:
    """Metrics that are means over scored frames: OSPA (F,) px and the image quality, if intensities are known."""

    ospa: Floats
    quality: ImageQuality | None


def metrics(label: str, matched: Matched, truth: Truth, per_frame: PerFrame, chosen: Bools | None = None) -> Metrics:
    """Return the metrics of the scored frames picked by a mask (F,), or of all."""
    if chosen is None:
        chosen = np.ones(truth.n_frames, dtype=bool)
    rows = chosen[matched.frame]
    hits, distance, frame = matched.hits[:, rows], matched.distance[:, rows], matched.frame[rows]
    score = matched.detections.score[rows]
    count = truth.frame_count[chosen]
    renumbered = (np.cumsum(chosen) - 1)[frame]
    n_targets = int(count.sum())
    quality = per_frame.quality
    return Metrics(
        label=label,
        frames=len(count),
        targets=n_targets,
        detections=len(score),
        ap=tuple(100 * average_precision(row, n_targets) if n_targets else float("nan") for row in hits),
        points=tuple(best_f1(t, score, row, renumbered, count) for t, row in zip(matched.thresholds, hits)),
        rmse=tuple(rmse(values[row]) for values, row in zip(distance, hits)),
        cardinality=100 * cardinality(renumbered, count),
        ospa=float(per_frame.ospa[chosen].mean()),
        psnr=quality.psnr(chosen) if quality else float("nan"),
        ssim=float(quality.ssim[chosen].mean()) if quality else float("nan"),
    )


def best_f1(threshold: float, score: Floats, hits: Bools, frame: Ints, count: Ints) -> OperatingPoint:
    """Return the operating point of highest F1 among all score thresholds; of equal ones the highest score.

    Parameters
    ----------
    score, hits, frame : ndarray, shape (n,)
        Ranked detections, whether each is a true positive, and its frame in 0..F-1.
    count : ndarray, shape (F,)
        Targets per frame.
    """
    n_targets = int(count.sum())
    # A threshold takes all detections of one score or none: only the last of each run can be its end.
    ends = np.flatnonzero(np.append(score[1:] != score[:-1], True)) if len(score) else np.zeros(0, dtype=np.int64)
    if not len(ends) or not n_targets:
        return OperatingPoint(threshold, float("nan"), 0.0, 0.0, 0.0, 0.0, 100 * cardinality(frame[:0], count))
    true = np.cumsum(hits)[ends]
    f1 = 2 * true / (ends + 1 + n_targets)
    best = int(np.argmax(f1))
    last, found = int(ends[best]), int(true[best])
    return OperatingPoint(
        threshold=threshold,
        score=float(score[last]),
        precision=100 * found / (last + 1),
        recall=100 * found / n_targets,
        f1=100 * float(f1[best]),
        false_alarms=(last + 1 - found) / len(count),
        cardinality=100 * cardinality(frame[: last + 1], count),
    )


def cardinality(frame: Ints, count: Ints) -> float:
    """Return the share of frames (F,) that have as many detections (`frame` (n,) numbers theirs) as targets."""
    return float((np.bincount(frame, minlength=len(count)) == count).mean())


def rmse(distance: Floats) -> float:
    """Return the root mean square of distances; NaN if there are none."""
    return float(np.sqrt(np.mean(distance**2))) if len(distance) else float("nan")


def ospa(matched: Matched, truth: Truth, cutoff: float = OSPA_CUTOFF) -> Floats:
    """Return the OSPA distance of order 2 of every scored frame, shape (F,), px (Schuhmacher, Vo and Vo, 2008)."""
    from csist_bench.evaluation import _kernels as kernel

    order, start = by_frame(matched.frame, truth.n_frames)
    out = np.empty(truth.n_frames)
    xy: NDArray[Any] = positions(matched.detections)[order]
    kernel.ospa(xy, start, truth.frame_xy, truth.frame_count, cutoff, out)
    return out
