"""Score shard by shard, in bounded memory: the figures are, to the bit, those of the whole scored at once.

Matching never crosses a frame. So each shard is matched by itself and brings its ranked detections as scores and hits;
they are merged by falling score, equal scores in the order of the shards, which is the protocol's ranking where shards
follow one another by trajectory. What is left of a detection is one byte.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from csist_bench.conventions import THRESHOLDS
from csist_bench.datasets import Split
from csist_bench.datasets.executors import Dask, Processes, Serial
from csist_bench.datasets.reading import reopen_dataset
from csist_bench.detections import Detections
from csist_bench.errors import InputError, must
from csist_bench.evaluation.gospa import GospaMeans, gospa
from csist_bench.evaluation.matching import best_of_each_frame, match
from csist_bench.evaluation.metrics import CommonCut
from csist_bench.evaluation.report import Provenance, Report, missing_frames
from csist_bench.evaluation.tree_sums import TreeSum, joined_sum, sum_in_turn, tree_sum
from csist_bench.evaluation.truth import Truth
from csist_bench.predictions.parts import Part, PartsFolder
from csist_bench.predictions.table import IndexBounds

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

WINDOW = 1 << 20  # rows of all shards together that are merged at a time


@dataclass(frozen=True)
class Rules:
    """How a shard is scored: by a matching, and of each frame so many answers (None: all); as one of `n_frames`."""

    n_frames: int
    matching: str = "nearest"
    max_answers: int | None = None


@dataclass(frozen=True, eq=False)
class Scoring:
    """Which frames of a split are scored, and how.

    `frames` of `trajectories` (M,), rising, of the `n_trajectories` that the split has; by a matching, and of each
    frame so many answers (None: all).
    """

    frames: range
    trajectories: Ints
    n_trajectories: int
    matching: str = "nearest"
    max_answers: int | None = None

    @classmethod
    def of_split(
        cls, split: Split, frames: range | None, trajectories: range | None, matching: str, max_answers: int | None
    ) -> Scoring:
        """Return the scoring of a split: of the frames that its recipe scores or others, all trajectories or some."""
        chosen = np.arange(split.n_trajectories) if trajectories is None else np.asarray(trajectories)
        scored = split.scored_frames if frames is None else frames
        return cls(scored, chosen, split.n_trajectories, matching, max_answers)

    @property
    def n_frames(self) -> int:
        """Number of scored frames."""
        return len(self.trajectories) * len(self.frames)

    @property
    def rules(self) -> Rules:
        """What a shard needs to know of it."""
        return Rules(self.n_frames, self.matching, self.max_answers)

    def within(self, first: int, stop: int) -> Ints:
        """Return which of the trajectories first..stop-1 are scored, counted from `first`."""
        low, high = np.searchsorted(self.trajectories, [first, stop])
        return self.trajectories[low:high] - first

    def frames_before(self, first: int) -> int:
        """Return how many scored frames lie before a trajectory."""
        return int(np.searchsorted(self.trajectories, first)) * len(self.frames)


@dataclass(frozen=True, eq=False)
class ShardScores:
    """What one shard brings.

    `falling` (n,) are its scores, sign turned, rising; `hits` (n,) has bit d set where a detection hits at threshold d.
    `gospa` are the sums of GOSPA and its three parts. `empty` counts scored frames without detections, `given` the
    detections read, `scored` those in scored frames.
    """

    falling: Floats
    hits: Bytes
    gospa: tuple[TreeSum, ...]
    targets: int
    empty: int
    given: int
    scored: int


def score_shard(detections: Detections, truth: Truth, first_frame: int, rules: Rules) -> ShardScores:
    """Match the detections of a shard.

    Parameters
    ----------
    detections, truth
        With trajectories counted within the shard.
    first_frame : int
        How many scored frames of the split come before those of the shard.
    """
    given, scored = len(detections), int((truth.scored_frame(detections) >= 0).sum())
    if rules.max_answers is not None:
        detections = best_of_each_frame(detections, rules.max_answers)
    matched = match(detections, truth, matching=rules.matching)
    per_frame = gospa(matched, truth)
    parts = (per_frame.distance, per_frame.localisation, per_frame.missed, per_frame.false)
    bits = np.zeros(len(matched.frame), np.uint8)
    for d, row in enumerate(matched.hits):
        bits |= row.astype(np.uint8) << d
    return ShardScores(
        falling=-matched.detections.score,
        hits=bits,
        gospa=tuple(tree_sum(part, first_frame, rules.n_frames) for part in parts),
        targets=truth.n_targets,
        empty=matched.frames_without_answer(truth.n_frames),
        given=given,
        scored=scored,
    )


def unscored(given: int) -> ShardScores:
    """Return what a shard brings of which no frame is scored."""
    return ShardScores(np.zeros(0), np.zeros(0, np.uint8), (TreeSum(),) * 4, 0, 0, given, 0)


def joined_report(shards: Sequence[ShardScores], scoring: Scoring, provenance: Provenance) -> Report:
    """Return the report of a split from its shards, in the order of their trajectories.

    Raises
    ------
    InputError
        If there are no targets.
    """
    n_targets = sum(shard.targets for shard in shards)
    if not n_targets:
        raise InputError("the scored frames hold no target at all, so there is nothing to score against")
    hits, cut = _ranked([shard.falling for shard in shards], [shard.hits for shard in shards], n_targets)
    sums = [joined_sum([shard.gospa[k] for shard in shards], scoring.n_frames) for k in range(4)]
    scored = sum(shard.scored for shard in shards)
    empty = sum(shard.empty for shard in shards)
    return Report(
        ap=tuple(100 * _average_precision(hits, d, n_targets) for d in range(len(THRESHOLDS))),
        thresholds=THRESHOLDS,
        matching=scoring.matching,
        frames=f"{scoring.frames.start}:{scoring.frames.stop}",
        trajectories=len(scoring.trajectories),
        frames_scored=scoring.n_frames,
        detections=len(hits),
        targets=n_targets,
        ignored_detections=sum(shard.given for shard in shards) - scored,
        missing_frames=missing_frames(empty, scoring.n_frames, scoring.frames, provenance.header),
        header=provenance.header,
        standard_frames=provenance.standard_frames and len(scoring.trajectories) == scoring.n_trajectories,
        unverified=provenance.unverified,
        warnings=provenance.warnings,
        details=None,
        cut=cut,
        gospa=GospaMeans(*(total / scoring.n_frames for total in sums)),
        conventions=provenance.conventions,
        max_answers=scoring.max_answers,
        dropped_answers=scored - len(hits),
    )


def merged(falling: Sequence[Floats], hits: Sequence[Bytes]) -> Iterator[tuple[Floats, Bytes]]:
    """Yield the rows of ranked tables as blocks of one ranked table; equal scores come in the order of the tables."""
    sizes = np.array([len(table) for table in falling])
    starts = np.zeros(len(sizes), dtype=np.int64)
    while left := np.flatnonzero(starts < sizes).tolist():
        window = max(1, WINDOW // len(left))
        ends = np.minimum(starts + window, sizes)
        cut = min((float(falling[i][ends[i] - 1]) for i in left if ends[i] < sizes[i]), default=math.inf)
        # No table has a row before the cut beyond its window.
        stops = {i: starts[i] + np.searchsorted(falling[i][starts[i] : ends[i]], cut, side="left") for i in left}
        keys = np.concatenate([falling[i][starts[i] : stops[i]] for i in left])
        order = np.argsort(keys, kind="stable")
        yield keys[order], np.concatenate([hits[i][starts[i] : stops[i]] for i in left])[order]
        # Rows at the cut itself are in order as they stand, however many there are.
        for i in left:
            stop = stops[i] + np.searchsorted(falling[i][stops[i] :], cut, side="right")
            for low in range(int(stops[i]), int(stop), WINDOW):
                part = slice(low, min(low + WINDOW, int(stop)))
                yield falling[i][part], hits[i][part]
            starts[i] = stop


def _ranked(falling: Sequence[Floats], hits: Sequence[Bytes], n_targets: int) -> tuple[Bytes, CommonCut]:
    """Return the hits (n,) of all detections as ranked, and CSO-F1 of them."""
    whole = np.empty(sum(map(len, falling)), np.uint8)
    search = _CutSearch(n_targets)
    for keys, codes in merged(falling, hits):
        if len(keys):
            whole[search.done : search.done + len(codes)] = codes
            search.take(keys, codes)
    search.take(np.array([math.inf]), np.zeros(1, np.uint8))  # ends the last run of equal scores
    return whole, search.best


class _CutSearch:
    """Finds the score threshold of highest mean F1, as `common_cut` does, from ranked blocks."""

    def __init__(self, n_targets: int) -> None:
        self.n_targets, self.done = n_targets, 0
        self.true = np.zeros((len(THRESHOLDS), 1), dtype=np.int64)  # hits so far
        self.last = -math.inf  # the last key so far
        self.highest = -1.0
        self.best = CommonCut(math.nan, (0.0,) * len(THRESHOLDS))

    def take(self, keys: Floats, codes: Bytes) -> None:
        """Go on by the next detections of the ranking."""
        hits = np.stack([codes >> d & 1 for d in range(len(THRESHOLDS))])
        true = np.concatenate([self.true, self.true + np.cumsum(hits, axis=1, dtype=np.int64)], axis=1)
        before = np.append(self.last, keys)
        # A cut takes all detections of one score or none: it lies where the next score is another one.
        ends = np.flatnonzero(before[1:] != before[:-1])
        ends = ends[1:] if not self.done and len(ends) else ends
        if len(ends):
            f1 = 2 * true[:, ends] / (self.done + ends + self.n_targets)
            mean = f1.mean(axis=0)
            place = int(np.argmax(mean))
            if mean[place] > self.highest:
                self.highest = float(mean[place])
                self.best = CommonCut(float(-before[ends[place]]), tuple(100 * float(value) for value in f1[:, place]))
        self.true, self.last, self.done = true[:, -1:], float(keys[-1]), self.done + len(keys)


def _average_precision(hits: Bytes, d: int, n_targets: int) -> float:
    """Return AP (a fraction) at threshold d, as `average_precision` computes it."""
    of_blocks = [int((hits[low : low + WINDOW] >> d & 1).sum()) for low in range(0, len(hits), WINDOW)]
    total = sum(of_blocks)
    if not total:
        return 0.0
    envelope = _Envelope(hits, d, total)
    return float(sum_in_turn(total, envelope.take) / n_targets)


class _Envelope:
    """The monotone precision at each hit, from the last hit to the first."""

    def __init__(self, hits: Bytes, d: int, total: int) -> None:
        self.hits, self.d, self.rank = hits, d, total
        self.stop, self.highest = len(hits), -math.inf
        self.ready = np.zeros(0)

    def take(self, count: int) -> Floats:
        parts, missing = [], count
        while missing:
            if not len(self.ready):
                self._fill()
            parts.append(self.ready[:missing])
            self.ready = self.ready[missing:]
            missing -= len(parts[-1])
        return np.concatenate(parts)

    def _fill(self) -> None:
        low = max(0, self.stop - WINDOW)
        places = np.flatnonzero(self.hits[low : self.stop] >> self.d & 1)[::-1] + low
        self.stop = low
        if not len(places):
            return
        precision = np.arange(self.rank, self.rank - len(places), -1) / (places + 1)
        self.rank -= len(places)
        self.ready = np.maximum.accumulate(np.maximum(precision, self.highest))
        self.highest = float(self.ready[-1])


def evaluate_parts(
    predictions: PartsFolder,
    split: Split,
    scoring: Scoring,
    provenance: Provenance,
    pool: Serial | Processes | Dask,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Score a folder of parts, each against its trajectories, by an executor.

    Parameters
    ----------
    scoring : Scoring
        Without the costly details, which need the whole.
    progress : callable, optional
        Called with the parts done and those in all.

    Raises
    ------
    InputError
        If a part is damaged, or answers what the split does not have.
    """
    manifest = predictions.manifest
    if manifest.trajectories > split.n_trajectories:
        rule = f"answer at most the {split.n_trajectories} trajectories of {split.name!r}"
        raise must(f"{predictions.folder}", rule, manifest.trajectories)
    tables: dict[int, ShardScores] = {}
    jobs = []
    spans = [manifest.span(index) for index in range(manifest.count)]
    # Trajectories that nobody answered have targets too.
    length, done = manifest.length, manifest.trajectories
    spans += [(low, min(low + length, split.n_trajectories)) for low in range(done, split.n_trajectories, length)]
    for index, (first, stop) in enumerate(spans):
        chosen = scoring.within(first, stop)
        if len(chosen):
            truth = Trajectories(split.guard.location, split.name, first, stop, scoring.frames, chosen)
            before = scoring.frames_before(first)
            jobs.append(
                (index, predictions.part(index) if index < manifest.count else None, truth, before, scoring.rules)
            )
        else:
            tables[index] = unscored(predictions.notes[index].rows if index < manifest.count else 0)
    for index, shard in pool.run(score_part, jobs):
        tables[index] = shard
        if progress:
            progress(len(tables), len(spans))
    return joined_report([tables[index] for index in sorted(tables)], scoring, provenance)


@dataclass(frozen=True, eq=False)
class Trajectories:
    """Which trajectories of a split a shard is, and which of its frames and trajectories, counted from it, count."""

    data: str
    split: str
    first: int
    stop: int
    frames: range
    chosen: Ints

    def truth(self) -> tuple[Truth, IndexBounds]:
        """Return the targets of the shard, and what its detections may be."""
        part = reopen_dataset(self.data).split(self.split)
        arrays = [part.read(name, self.first, self.stop) for name in ("target_xy", "target_intensity", "target_count")]
        truth = Truth.from_arrays(arrays[0], arrays[1], arrays[2], self.frames, self.chosen, whole=False)
        return truth, IndexBounds(part.n_frames, part.n_trajectories)


def score_part(
    index: int, part: Part | None, shard: Trajectories, first_frame: int, rules: Rules
) -> tuple[int, ShardScores]:
    """Score one part, or trajectories without an answer; run in a worker."""
    truth, bounds = shard.truth()
    found = Detections.empty() if part is None else part.read(bounds).shifted(-shard.first)
    return index, score_shard(found, truth, first_frame, rules)
