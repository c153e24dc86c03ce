"""Metrics beside AP: operating points, CSO-F1, cardinality, localisation error, OSPA and GOSPA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.evaluation.average_precision import average_precision
from csist_bench.evaluation.estimates import EFFICIENCY_ALPHA, Estimates, Pairs
from csist_bench.evaluation.gospa import GOSPA_CUTOFF, Gospa
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
    "answers per frame": "detections in scored frames, by scored frames",
    "CSO-F1": "mean of F1 at 0.05 to 0.25 px, all at the one score threshold where that mean is highest; percent",
    "interval": "2.5 to 97.5 percentile over trajectories drawn with replacement",
    "best F1": "the score threshold with the highest F1 = 2 P R / (P + R); precision, recall, false alarms per frame"
    " and cardinality are of the detections with at least that score",
    "cardinality": "share of frames with as many detections as targets; percent",
    "RMSE": "root mean square distance of all true positives to their targets at a threshold; px",
    "OSPA": f"mean over frames of the optimal sub-pattern assignment distance, cut-off {OSPA_CUTOFF} px, order 2"
    " (all detections of the file count); px",
    "GOSPA": f"mean over frames of the generalised OSPA distance, cut-off {GOSPA_CUTOFF} px, order 2, alpha 2: the"
    f" root of the sum of squared distances of pairs and {GOSPA_CUTOFF}^2 / 2 for each missed target and each false"
    " detection; its parts are each frame's distance shared out as its square is made up, and add up to it; px",
    "Jaccard": "true positives within 0.25 px by all of true positives, false detections and missed targets; percent",
    "efficiency": "100 - sqrt((100 - Jaccard)^2 + (alpha RMSE)^2), RMSE within 0.25 px,"
    f" alpha = {EFFICIENCY_ALPHA:g} per px",
    "intensity bias and RMSE": "of the intensity of true positives within 0.25 px, relative to their targets'; percent",
    "NEES": "mean of (dx^2 / sigma_x^2 + dy^2 / sigma_y^2) / 2 of the same, 1 where errors are as large as claimed",
    "coverage": "share of them inside the ellipses that claim to hold 68 and 95 percent; percent",
    "PSNR": "10 log10(255^2 / mean squared error) of the label grid of the detections (intensity at the nearest node)"
    " against that of the targets, one mean over all frames; dB",
    "SSIM": "mean structural similarity of the same grids, Gaussian window of 11 x 11 nodes and sigma 1.5, range 255",
    "PSNR and SSIM, public code": "as published code has them: of each image by itself, rounded and clipped to 8 bits,"
    " equal images taken as 100 dB, averaged over images",
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
class CommonCut:
    """CSO-F1: the mean F1 over the thresholds, percent, at the one score threshold where it is highest.

    `score` is that threshold (NaN without detections), `f1` the F1 at each of the five, percent.
    """

    score: float
    f1: tuple[float, ...]

    @property
    def cso_f1(self) -> float:
        """Mean of the F1s, percent."""
        return float(np.mean(self.f1))


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
    answers_per_frame: float
    cso_f1: float  # percent
    gospa: float  # px, and its parts
    gospa_localisation: float
    gospa_missed: float
    gospa_false: float
    estimates: Estimates
    psnr_public_code: float  # dB
    ssim_public_code: float

    @property
    def cso_map(self) -> float:
        """Mean of the APs, percent."""
        return float(np.mean(self.ap))


@dataclass(frozen=True, eq=False)
class PerFrame:
    """Metrics that are means over scored frames: OSPA (F,) px, GOSPA, and image quality if intensities are known.

    Also the pairs of targets and detections, whose errors are taken together over frames.
    """

    ospa: Floats
    gospa: Gospa
    pairs: Pairs
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
    gospa = per_frame.gospa.means(chosen)
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
        answers_per_frame=len(score) / len(count),
        cso_f1=common_cut(score, hits, n_targets).cso_f1,
        gospa=gospa.distance,
        gospa_localisation=gospa.localisation,
        gospa_missed=gospa.missed,
        gospa_false=gospa.false,
        estimates=per_frame.pairs.estimates(rows, n_targets),
        psnr_public_code=float(quality.psnr_8bit[chosen].mean()) if quality else float("nan"),
        ssim_public_code=float(quality.ssim_8bit[chosen].mean()) if quality else float("nan"),
    )


def common_cut(score: Floats, hits: Bools, n_targets: int) -> CommonCut:
    """Return F1 at every threshold, at the one score threshold of highest mean F1; of equal ones the highest score.

    Parameters
    ----------
    score : ndarray, shape (n,)
        Of ranked detections.
    hits : ndarray, shape (D, n)
        Whether each is a true positive, per threshold.
    """
    ends = _ends(score)
    if not len(ends) or not n_targets:
        return CommonCut(float("nan"), (0.0,) * len(hits))
    # F1 only falls from a place to the next one without a hit, so that it is highest at the first place or at a hit.
    places = np.flatnonzero(hits.any(axis=0))
    ends = np.unique(np.append(ends[0], ends[np.searchsorted(ends, places)]))
    true = np.zeros((len(hits), len(places) + 1), dtype=np.int64)
    np.cumsum(hits[:, places], axis=1, out=true[:, 1:])
    f1 = 2 * true[:, np.searchsorted(places, ends, side="right")] / (ends + 1 + n_targets)
    best = int(np.argmax(f1.mean(axis=0)))
    return CommonCut(float(score[ends[best]]), tuple(100 * float(value) for value in f1[:, best]))


def _ends(score: Floats) -> Ints:
    """Return the last place of every run of equal scores: a threshold takes all detections of one score or none."""
    if not len(score):
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(np.append(score[1:] != score[:-1], True))


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
    ends = _ends(score)
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
