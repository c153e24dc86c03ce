"""Do two prediction files differ by more than chance? The paired bootstrap over trajectories.

All files are scored on the same resamples, so that what is common to them (an easy trajectory is easy for all) leaves
their difference. A difference is always second minus first.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.conventions import AP_NAMES
from csist_bench.detections import Detections
from csist_bench.errors import must
from csist_bench.evaluation.breakdown import masks_by_separation, masks_by_targets
from csist_bench.evaluation.matching import Matched, match
from csist_bench.evaluation.resampling import INTERVAL_PERCENTILES, draws, resampled_scores
from csist_bench.evaluation.truth import Truth
from csist_bench.simulation.camera import Camera

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SCORES = ("cso_map", *AP_NAMES)
RIGHT_WITHIN = 0.25  # px
SNR_BINS = 4
Z_95 = NormalDist().inv_cdf(INTERVAL_PERCENTILES[1] / 100)


@dataclass(frozen=True)
class Difference:
    """One score of two methods and their difference (second minus first), percent; the interval is of 95 %.

    `p` is two-sided: how often chance alone makes a difference as large. NaN where nothing can be said.
    """

    score: str
    values: tuple[float, float]
    low: float
    high: float
    p: float

    @property
    def difference(self) -> float:
        """Second minus first, percent."""
        return self.values[1] - self.values[0]

    def to_dict(self) -> dict[str, Any]:
        """Return the difference as a plain table; what is not defined is None."""
        table = {"score": self.score, "first": self.values[0], "second": self.values[1], "difference": self.difference}
        table |= {"low": self.low, "high": self.high, "p": self.p}
        return {name: None if value != value else value for name, value in table.items()}


@dataclass(frozen=True)
class Group:
    """The difference in CSO-mAP in some of the frames."""

    kind: str  # "targets", "separation" or "snr"
    label: str
    frames: int
    difference: Difference

    def to_dict(self) -> dict[str, Any]:
        """Return the group as a plain table."""
        return {"by": self.kind, "group": self.label, "frames": self.frames, **self.difference.to_dict()}


@dataclass(frozen=True, eq=False)
class RightFrames:
    """Which frames both, one or neither of two files get right; `only_*` (n, 2) hold trajectory and frame.

    A frame is right if there are as many answers as targets, and each target is hit within 0.25 px.
    """

    both: int
    neither: int
    only_first: Ints
    only_second: Ints

    def to_dict(self) -> dict[str, Any]:
        """Return the counts and the frames as plain lists."""
        frames = {"only_first": self.only_first.tolist(), "only_second": self.only_second.tolist()}
        return {"both": self.both, "neither": self.neither, **frames}


@dataclass(frozen=True, eq=False)
class Pair:
    """Two files compared: every score over all frames, CSO-mAP by group, and who gets which frames right."""

    first: str
    second: str
    differences: tuple[Difference, ...]
    groups: tuple[Group, ...] = ()
    frames: RightFrames | None = None

    @property
    def main(self) -> Difference:
        """The difference in CSO-mAP."""
        return self.differences[0]

    def to_dict(self) -> dict[str, Any]:
        """Return the pair as a plain table."""
        table: dict[str, Any] = {"first": self.first, "second": self.second}
        table["differences"] = [item.to_dict() for item in self.differences]
        table["groups"] = [item.to_dict() for item in self.groups]
        table["frames_right"] = self.frames.to_dict() if self.frames else None
        return table


@dataclass(frozen=True)
class Contender:
    """One of the compared: its name and scores (percent), with 95 % intervals where they are known."""

    name: str
    scores: tuple[float, ...]  # CSO-mAP, then the APs
    intervals: tuple[tuple[float, float], ...] = ()
    answers_per_frame: float | None = None
    published: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the scores as a plain table."""
        intervals = {name: list(pair) for name, pair in zip(SCORES, self.intervals)}
        table = {"name": self.name, "published": self.published, "answers_per_frame": self.answers_per_frame}
        return {**table, **dict(zip(SCORES, self.scores)), "intervals": intervals}


@dataclass(frozen=True)
class Comparison:
    """Several methods on the same frames, each compared with the first; `basis` says what the intervals rest on."""

    contenders: tuple[Contender, ...]
    pairs: tuple[Pair, ...]
    data: str
    basis: str

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as a plain table."""
        return {
            "data": self.data,
            "basis": self.basis,
            "methods": [item.to_dict() for item in self.contenders],
            "pairs": [pair.to_dict() for pair in self.pairs],
        }


def compare_files(
    files: Sequence[tuple[str, Detections]],
    truth: Truth,
    *,
    camera: Camera | None = None,
    resamples: int = 1000,
    seed: int = 0,
    data: str = "",
) -> Comparison:
    """Compare detections with the first of them by the exact paired bootstrap.

    Parameters
    ----------
    files : sequence of (name, Detections), at least two
    camera : Camera, optional
        Adds groups by signal-to-noise ratio, where the data have noise.

    Raises
    ------
    InputError
        If there are fewer than two files, or a detection lies in a frame that does not exist.
    """
    if len(files) < 2:
        raise must("files", "be at least two", len(files))
    matched = [match(detections, truth) for _, detections in files]
    weights = draws(len(truth.trajectories), resamples, seed)
    masks = [("all", "all frames", np.ones(truth.n_frames, dtype=bool)), *_groups(truth, camera)]
    with ThreadPoolExecutor(os.cpu_count()) as threads:  # the kernel lets go of the interpreter
        drawing = [
            [threads.submit(resampled_scores, one, truth, weights, mask) for _, _, mask in masks] for one in matched
        ]
        samples = [[future.result() for future in futures] for futures in drawing]
    once = np.ones((1, len(truth.trajectories)), dtype=np.int64)
    scores = [[resampled_scores(one, truth, once, mask)[0] for _, _, mask in masks] for one in matched]
    contenders = tuple(
        _contender(name, score[0], sample[0], len(one.detections) / truth.n_frames)
        for (name, _), one, score, sample in zip(files, matched, scores, samples)
    )
    right = [right_frames(one, truth) for one in matched]
    pairs = []
    for k in range(1, len(files)):
        drawn = [(samples[0][g], samples[k][g]) for g in range(len(masks))]
        found = [(scores[0][g], scores[k][g]) for g in range(len(masks))]
        pairs.append(
            Pair(
                files[0][0],
                files[k][0],
                _differences(found[0], drawn[0]),
                tuple(
                    Group(kind, label, int(mask.sum()), _differences(found[g], drawn[g])[0])
                    for g, (kind, label, mask) in enumerate(masks)
                    if g
                ),
                _who_is_right(right[0], right[k], truth),
            )
        )
    basis = f"paired bootstrap over {len(truth.trajectories):,} trajectories, {resamples:,} resamples, seed {seed}"
    return Comparison(contenders, tuple(pairs), data, basis)


def _contender(name: str, scores: Floats, samples: Floats, answers: float) -> Contender:
    low, high = _scores_first(np.percentile(samples, INTERVAL_PERCENTILES, axis=0))
    return Contender(name, tuple(map(float, _scores_first(scores))), tuple(zip(low.tolist(), high.tolist())), answers)


def _scores_first(values: Floats) -> Floats:
    """Return the APs and their mean with the mean in front."""
    return np.roll(values, 1, axis=-1)


def _differences(scores: tuple[Floats, Floats], samples: tuple[Floats, Floats]) -> tuple[Difference, ...]:
    values = [_scores_first(score) for score in scores]
    drawn = _scores_first(samples[1] - samples[0])
    low, high = np.percentile(drawn, INTERVAL_PERCENTILES, axis=0)
    return tuple(
        Difference(name, (float(values[0][i]), float(values[1][i])), float(low[i]), float(high[i]), p)
        for i, (name, p) in enumerate(zip(SCORES, map(p_value, drawn.T)))
    )


def p_value(drawn: Floats) -> float:
    """Return the two-sided p of no difference from resampled differences (B,): how often they change their sign.

    Equal files give 1. The smallest possible value is 2 / (B + 1).
    """
    below, above = np.count_nonzero(drawn <= 0), np.count_nonzero(drawn >= 0)
    return float(min(1.0, 2 * (1 + min(below, above)) / (1 + len(drawn))))


def linear_difference(score: str, values: tuple[float, float], influence: tuple[Floats, Floats]) -> Difference:
    """Return the difference of a score from the influences (M,) of the same trajectories on both: a normal law."""
    spread = float(np.sqrt(np.sum((influence[1] - influence[0]) ** 2)))
    apart = values[1] - values[0]
    if spread == 0.0:
        return Difference(score, values, apart, apart, 1.0 if apart == 0 else 0.0)
    return Difference(
        score, values, apart - Z_95 * spread, apart + Z_95 * spread, math.erfc(abs(apart) / spread / math.sqrt(2))
    )


# --- groups of frames ------------------------------------------------------------------------------------------------


def _groups(truth: Truth, camera: Camera | None) -> list[tuple[str, str, Bools]]:
    kinds = {"targets": masks_by_targets(truth), "separation": masks_by_separation(truth)}
    if camera is not None:
        kinds["snr"] = _masks_by_snr(truth, camera)
    return [
        (kind, label, mask)
        for kind, masks in kinds.items()
        for label, mask in masks
        if truth.frame_count[mask].sum() and not mask.all()
    ]


def _masks_by_snr(truth: Truth, camera: Camera) -> list[tuple[str, Bools]]:
    """Return quarters of the frames by signal to noise: the faintest target's peak pixel over that pixel's noise."""
    faintest = np.nanmin(np.where(np.isnan(truth.frame_intensity), np.inf, truth.frame_intensity), axis=1)
    seen = np.isfinite(faintest)
    if not seen.any() or not camera.noise_sigma > camera.noise_floor:
        return []
    share = math.prod(math.erf(0.5 / width / math.sqrt(2)) for width in camera.widths)
    peak = np.where(seen, faintest, 0.0) * share
    snr = peak / np.sqrt(camera.noise_sigma**2 + camera.shot_gain * peak)
    edges = np.unique(np.quantile(snr[seen], np.linspace(0, 1, SNR_BINS + 1)))
    if len(edges) < SNR_BINS + 1:
        return []
    place = np.clip(np.searchsorted(edges, snr, side="right") - 1, 0, SNR_BINS - 1)
    return [(f"{edges[i]:.3g} to {edges[i + 1]:.3g}", (place == i) & seen) for i in range(SNR_BINS)]


# --- frames that are right -------------------------------------------------------------------------------------------


def right_frames(matched: Matched, truth: Truth) -> Bools:
    """Return which scored frames (F,) are right: as many answers as targets, and each target hit within 0.25 px."""
    widest = int(np.argmin(np.abs(np.asarray(matched.thresholds) - RIGHT_WITHIN)))
    hit = np.bincount(matched.frame[matched.hits[widest]], minlength=truth.n_frames)
    answers = np.bincount(matched.frame, minlength=truth.n_frames)
    return np.asarray((answers == truth.frame_count) & (hit == truth.frame_count))


def _who_is_right(first: Bools, second: Bools, truth: Truth) -> RightFrames:
    return RightFrames(
        int((first & second).sum()),
        int((~first & ~second).sum()),
        _places(first & ~second, truth),
        _places(second & ~first, truth),
    )


def _places(mask: Bools, truth: Truth) -> Ints:
    number = np.flatnonzero(mask)
    frame = number % len(truth.frames) + truth.frames.start
    return np.stack([truth.trajectories[number // len(truth.frames)], frame], axis=1)
