"""What went wrong in every scored frame: its counts, hits and distances, and what became of its targets and answers.

All detections count, and hits are the protocol's within the widest threshold (0.25 px). A target is

- found: hit;
- displaced: not hit, but an answer that belongs to no other target lies within 0.5 px;
- merged: not hit, and the nearest answer within 0.5 px is another target's: one answer stands for two targets;
- missed: not hit, and no answer within 0.5 px.

An answer is a hit, displaced (of such a target), doubled (its nearest target, within 0.25 px, has a better answer) or
false. Displaced answers are given to targets by rising distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.conventions import ap_name
from csist_bench.evaluation.breakdown import separation
from csist_bench.evaluation.gospa import Gospa
from csist_bench.evaluation.matching import Matched, hit_slots, nearest_targets
from csist_bench.evaluation.truth import Truth

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

REACH = 0.5  # px, within which an answer may be meant for a target
FOUND, DISPLACED, MERGED, MISSED, ABSENT = range(5)  # of targets; ABSENT pads frames of fewer targets
HIT, MOVED, DOUBLED, FALSE = range(4)  # of answers
WRONGS = ("missed", "doubled", "merged", "displaced", "false")


@dataclass(frozen=True, eq=False)
class FrameTable:
    """Columns of F scored frames, and what became of each target (F, K) and of each ranked answer (n,)."""

    columns: dict[str, NDArray[Any]]
    targets: Ints
    answers: Ints

    def wrong(self, index: int) -> str:
        """Return what went wrong in a frame: '2 merged, 1 false', or nothing."""
        counts = ((name, int(self.columns[name][index])) for name in WRONGS)
        return ", ".join(f"{count} {name}" for name, count in counts if count)

    @property
    def n_wrong(self) -> int:
        """Number of frames in which anything went wrong."""
        return int(np.any([self.columns[name] > 0 for name in WRONGS], axis=0).sum())

    def totals(self) -> dict[str, int]:
        """Return the sums over frames of what became of targets and answers."""
        return {name: int(self.columns[name].astype(np.int64).sum()) for name in ("targets", "answers", *WRONGS)}


def frame_table(matched: Matched, truth: Truth, ospa: Floats, gospa: Gospa) -> FrameTable:
    """Return the table of all scored frames, with their OSPA (F,) px and GOSPA."""
    targets, answers = fates(matched, truth)
    n = truth.n_frames
    hits = {
        f"hits{ap_name(threshold)[2:]}": np.bincount(matched.frame[row], minlength=n)
        for threshold, row in zip(matched.thresholds, matched.hits)
    }
    fate_of_targets = {name: (targets == fate).sum(axis=1) for name, fate in (("missed", MISSED), ("merged", MERGED))}
    fate_of_answers = {
        name: np.bincount(matched.frame[answers == fate], minlength=n)
        for name, fate in (("doubled", DOUBLED), ("displaced", MOVED), ("false", FALSE))
    }
    return FrameTable(
        {
            "trajectory": truth.trajectories[truth.frame_trajectory],
            "frame": np.tile(np.array(truth.frames), len(truth.trajectories)),
            "targets": truth.frame_count,
            "answers": np.bincount(matched.frame, minlength=n),
            "separation": separation(truth),
            **hits,
            "ospa": ospa,
            "gospa": gospa.distance,
            "gospa_localisation": gospa.localisation,
            "gospa_missed": gospa.missed,
            "gospa_false": gospa.false,
            **{name: (fate_of_targets | fate_of_answers)[name] for name in WRONGS},
        },
        targets,
        answers,
    )


def fates(matched: Matched, truth: Truth) -> tuple[Ints, Ints]:
    """Return what became of each target, shape (F, K), and of each ranked answer, shape (n,)."""
    slots = truth.frame_xy.shape[1]
    targets = np.where(np.arange(slots) < truth.frame_count[:, None], MISSED, ABSENT)
    answers = np.full(len(matched.frame), FALSE)
    rows, slot = hit_slots(matched, truth)
    targets[matched.frame[rows], slot] = FOUND
    answers[rows] = HIT
    nearest, distance = nearest_targets(matched.detections, matched.frame, truth)
    within = distance <= matched.thresholds[-1]
    beside = np.zeros(len(answers), dtype=bool)
    beside[within] = targets[matched.frame[within], nearest[within]] == FOUND
    answers[(answers == FALSE) & beside] = DOUBLED
    _give_displaced(matched, truth, targets, answers)
    answered = _answered(matched, truth, targets)
    targets[answered & (targets == MISSED)] = MERGED
    return targets, answers


def _apart(matched: Matched, truth: Truth, rows: Ints, slot: int) -> Floats:
    target = truth.frame_xy[matched.frame[rows], slot]
    dx, dy = matched.detections.x[rows] - target[:, 0], matched.detections.y[rows] - target[:, 1]
    return np.asarray(np.hypot(dx, dy))


def _give_displaced(matched: Matched, truth: Truth, targets: Ints, answers: Ints) -> None:
    """Give answers that belong to no target to targets that have none within reach, by rising distance."""
    spare = np.flatnonzero(answers == FALSE)
    parts = []
    for k in range(targets.shape[1]):
        wanting = spare[targets[matched.frame[spare], k] == MISSED]
        apart = _apart(matched, truth, wanting, k)
        near = apart <= REACH
        parts.append((apart[near], wanting[near], np.full(int(near.sum()), k)))
    apart, answer, slot = (np.concatenate(column) for column in zip(*parts))
    for place in np.lexsort((slot, answer, apart)):
        row, k = answer[place], slot[place]
        frame = matched.frame[row]
        if answers[row] == FALSE and targets[frame, k] == MISSED:
            answers[row], targets[frame, k] = MOVED, DISPLACED


def _answered(matched: Matched, truth: Truth, targets: Ints) -> Bools:
    """Return which missed targets have an answer within reach; shape (F, K)."""
    answered = np.zeros(targets.shape, dtype=bool)
    everything = np.arange(len(matched.frame))
    for k in range(targets.shape[1]):
        rows = everything[targets[matched.frame, k] == MISSED]
        near = rows[_apart(matched, truth, rows, k) <= REACH]
        answered[matched.frame[near], k] = True
    return answered
