"""Bayes lines: what a decision made for CSO-mAP scores, given the exact knowledge of a prior tier.

The posterior of every frame under the tier's own law is sampled, and answers are placed where they are expected to hit
most targets over the five thresholds (`methods.group_map.posterior_answers`). Unlike a Cramer-Rao line a Bayes line is
reached, by construction; the best decision scores no less. Three kinds of answers are scored:

- *K answers*: as many as there are targets, by the posterior's own count;
- *free answers*: every one that is worth its place, which is what CSO-mAP rewards;
- *from above*: free answers decided anew for each threshold alone, which no single list of answers can do.

Lines are scored on the very frames that methods are scored on, in parts that are kept, so that work that was cut short
goes on. The error of a line is that of the noise in these frames, by a jackknife that leaves out each frame number of
all trajectories in turn: noise is drawn anew in every frame. What the choice of trajectories does to a score it does to
the line and to the methods alike.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from csist_bench.conventions import THRESHOLDS
from csist_bench.datasets import Split
from csist_bench.detections import Detections, concatenate
from csist_bench.errors import InputError, must
from csist_bench.evaluation.average_precision import average_precision
from csist_bench.evaluation.matching import match
from csist_bench.evaluation.truth import Truth
from csist_bench.files import replace_file
from csist_bench.methods.group_map._kernels.answering import Choice
from csist_bench.methods.group_map.method import GroupMap
from csist_bench.methods.group_map.posterior_answers import MOST_ANSWERS, WORTH
from csist_bench.simulation.camera import Camera

Floats = NDArray[np.float64]
Decision = Literal["K answers", "free answers", "from above"]

SAMPLES = 512  # of each frame's posterior; 2,048 move no line by 0.05
PART = 50  # trajectories decided at a time
VERSION = 1  # of what is kept; another method raises it


@dataclass(frozen=True)
class BayesLine:
    """One line: what is known (`prior_tier`, `name`, where the reference point sets off) and what is decided."""

    decision: Decision
    prior_tier: Literal["D"]
    name: str
    start: Literal["free", "integer"]

    @property
    def label(self) -> str:
        """What the line is called beside a leaderboard."""
        return f"Bayes, {self.decision}, tier {self.prior_tier}: {self.name}"

    @property
    def key(self) -> str:
        """The line's name in names of files."""
        return f"{self.prior_tier}-{self.start}-{self.decision.replace(' ', '-')}"

    def choices(self) -> tuple[Choice, ...]:
        """Return how answers are chosen: once for all thresholds, or once for each."""
        if self.decision == "K answers":
            return (Choice(True, MOST_ANSWERS, 0.0, 0, len(THRESHOLDS), SAMPLES),)
        if self.decision == "free answers":
            return (Choice(False, MOST_ANSWERS, WORTH, 0, len(THRESHOLDS), SAMPLES),)
        return tuple(Choice(False, MOST_ANSWERS, WORTH, d, d + 1, SAMPLES) for d in range(len(THRESHOLDS)))


ONE_FRAME, WITH_INDEX = "1 frame", "1 frame, its index and integer start"
KNOWN: tuple[tuple[str, Literal["free", "integer"]], ...] = ((ONE_FRAME, "free"), (WITH_INDEX, "integer"))
DECISIONS: tuple[Decision, ...] = ("K answers", "free answers", "from above")
BAYES_LINES = tuple(BayesLine(decision, "D", name, start) for name, start in KNOWN for decision in DECISIONS)


@dataclass(frozen=True)
class BayesRow:
    """A line's score: CSO-mAP and its standard error, percent, AP at each threshold, and what it was scored on."""

    line: BayesLine
    cso_map: float
    error: float
    ap: tuple[float, ...]
    trajectories: int
    answers_per_frame: float


def bayes_table(
    split: Split,
    camera: Camera,
    work: Path,
    *,
    lines: Sequence[BayesLine] = BAYES_LINES,
    trajectories: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[BayesRow]:
    """Score Bayes decisions on the trajectories of a split.

    Parameters
    ----------
    split : Split
        Of a set that follows the generator's law on fixed axes.
    work : Path
        Folder of the parts that are done; parts of the same frames and camera that are there are not done again.
    trajectories : int, optional
        How many of the split's, from the first on; by default all.
    progress : callable, optional
        Called with the trajectories decided and those in all, over all lines.

    Raises
    ------
    InputError
        If the set follows another law, or fewer than two frames are scored.
    """
    _require_law(split)
    n = min(split.n_trajectories, trajectories or split.n_trajectories)
    if len(split.scored_frames) < 2:
        raise must("scored_frames", "be at least 2, for an error to be known", len(split.scored_frames))
    truth = Truth.from_split(split)
    truth = Truth.from_arrays(truth.xy[:n], truth.intensity[:n], truth.count[:n], truth.frames)
    table, done, total = [], 0, n * len(lines)
    for line in lines:
        parts: list[list[Detections]] = []
        for first in range(0, n, PART):
            stop = min(first + PART, n)
            parts.append(_part(line, split, camera, work, (first, stop)))
            done += stop - first
            if progress:
                progress(done, total)
        decided = [concatenate(list(one)) for one in zip(*parts)]
        table.append(scored(line, decided, truth))
    return table


def scored(line: BayesLine, decided: Sequence[Detections], truth: Truth) -> BayesRow:
    """Score a line: one list of answers for all thresholds, or one for each."""
    ranked = [match(found, truth) for found in decided]
    hits = [ranked[d % len(ranked)].hits[d] for d in range(len(THRESHOLDS))]
    frames = len(truth.frames)
    group = [ranked[d % len(ranked)].frame % frames for d in range(len(THRESHOLDS))]
    ap = [100 * average_precision(row, truth.n_targets) for row in hits]
    error = jackknife_error(hits, group, truth.frame_count.reshape(-1, frames).sum(axis=0))
    answers = float(np.mean([len(found) for found in decided])) / truth.n_frames
    return BayesRow(line, float(np.mean(ap)), error, tuple(ap), len(truth.trajectories), answers)


def jackknife_error(
    hits: Sequence[NDArray[np.bool_]], group: Sequence[NDArray[np.int64]], targets: NDArray[np.int64]
) -> float:
    """Return the standard error of a mean AP, percent, by leaving out groups of frames in turn.

    Parameters
    ----------
    hits, group : per threshold, ranked answers (n,): whether each is right, and the group of its frame
    targets : ndarray, shape (G,)
        In the frames of each group.
    """
    means = np.empty(len(targets))
    for g in range(len(targets)):
        left = int(targets.sum() - targets[g])
        means[g] = np.mean([average_precision(row[of != g], left) if left else 0.0 for row, of in zip(hits, group)])
    return float(100 * np.sqrt((1 - 1 / len(targets)) * ((means - means.mean()) ** 2).sum()))


def _require_law(split: Split) -> None:
    recipe = split.recipe
    if recipe.directions != "axes" or recipe.rotate or recipe.radius_max > recipe.radius_min:
        raise InputError(
            f"{recipe.name}: Bayes lines of tier D are computed for groups on the four axes, of one radius and not"
            " turned (seqcsist, seqcsist-8bit, seqcsist-noise)"
        )


def _part(line: BayesLine, split: Split, camera: Camera, work: Path, span: tuple[int, int]) -> list[Detections]:
    """Return the answers of some trajectories, one list for each choice: those kept, or decided now and kept."""
    frames = split.read("frames", *span)
    # Named by what it is of, so that other frames, another camera or a change of the method never meet it.
    digest = hashlib.sha256(np.ascontiguousarray(frames).tobytes() + f"{camera} {VERSION} {SAMPLES}".encode())
    path = work / f"{line.key}-{span[0]:05d}-{digest.hexdigest()[:16]}.npz"
    if path.is_file():
        return _kept(path, span[0])
    method = GroupMap(frames=1, start=line.start)
    scored_frames = split.scored_frames
    found = []
    for choice in line.choices():
        every = method.decide(frames, camera, choice)
        found.append(every.select((every.frame >= scored_frames.start) & (every.frame < scored_frames.stop)))
    _keep(path, found)
    return [one.shifted(span[0]) for one in found]


def _keep(path: Path, found: Sequence[Detections]) -> None:
    columns = {
        f"{name}{i}": getattr(one, name)
        for i, one in enumerate(found)
        for name in ("trajectory", "frame", "x", "y", "score")
    }
    buffer = io.BytesIO()
    np.savez(buffer, **columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, buffer.getvalue())


def _kept(path: Path, first: int) -> list[Detections]:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            stored: dict[str, NDArray[Any]] = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a part of a Bayes line ({error}); delete it and run again") from None
    return [one.shifted(first) for one in _lists(stored)]


def _lists(stored: dict[str, NDArray[Any]]) -> Iterator[Detections]:
    for i in range(len(stored) // 5):
        yield Detections(*(stored[f"{name}{i}"] for name in ("trajectory", "frame", "x", "y", "score")))
