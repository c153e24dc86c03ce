"""Bayes lines: what a decision made for CSO-mAP scores, given the exact knowledge of a prior tier.

The posterior of every frame under the tier's own law is sampled, and answers are placed where they are expected to hit
most targets over the five thresholds (`evaluation.bayes_decisions`). Unlike a Cramer-Rao line a Bayes line is reached,
by construction; the best decision scores no less. Three kinds of answers are scored:

- *K answers*: as many as there are targets, by the posterior's own count;
- *free answers*: every one that is worth its place, which is what CSO-mAP rewards;
- *from above*: free answers decided anew for each threshold alone, which no single list of answers can do.

Tier D is for groups on the four axes; tiers B and C for data drawn from their own law, targets anywhere in a disc.
These have no line from above: what lies within 0.05 px alone is too little for as many samples as chains leave.

Lines are scored on the very frames that methods are scored on, in parts that are kept, so that work that was cut short
goes on. The error of a line is that of the noise in these frames, by a jackknife that leaves out each frame number of
all trajectories in turn: noise is drawn anew in every frame. What the choice of trajectories does to a score it does to
the line and to the methods alike.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Sequence
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
from csist_bench.evaluation.bayes_decisions import EFFORTS, decide_freely, decide_on_arms
from csist_bench.evaluation.matching import match
from csist_bench.evaluation.truth import Truth
from csist_bench.files import replace_file
from csist_bench.methods.group_map._kernels.answering import Choice
from csist_bench.methods.group_map.posterior_answers import MOST_ANSWERS, WORTH
from csist_bench.recipes import DataRecipe
from csist_bench.simulation.camera import Camera

Floats = NDArray[np.float64]
Decision = Literal["K answers", "free answers", "from above"]
Progress = Callable[[int, int], None]

SAMPLES = 512  # of each frame's posterior; 2,048 move no line by 0.05
PART = 50  # trajectories decided at a time, but for chains
PART_OF_CHAINS = 5
VERSION = 4  # of what is kept; another method raises it
MOST_ANSWERS_FREELY = 32  # where targets can be anywhere
CONVERGED = 1.1  # R-hat up to which the chains of a frame agree
COLUMNS = ("trajectory", "frame", "x", "y", "score")


@dataclass(frozen=True)
class Knowledge:
    """What is known: the prior tier, a name, how many frames are used, where the reference point sets off."""

    prior_tier: Literal["B", "C", "D"]
    name: str
    frames: int
    start: Literal["free", "integer"] = "free"


ON_ARMS = (
    Knowledge("D", "1 frame", 1),
    Knowledge("D", "1 frame, its index and integer start", 1, "integer"),
)
FREELY = (Knowledge("B", "1 frame", 1), Knowledge("C", "5 frames, rigid group", 5))
DECISIONS: dict[Decision, slice] = {"K answers": slice(0, 1), "free answers": slice(1, 2), "from above": slice(2, 7)}


@dataclass(frozen=True)
class BayesLine:
    """One line: what is known and what is decided."""

    knowledge: Knowledge
    decision: Decision

    @property
    def label(self) -> str:
        """What the line is called beside a leaderboard."""
        return f"Bayes, {self.decision}, tier {self.knowledge.prior_tier}: {self.knowledge.name}"


def decisions_of(known: Knowledge) -> dict[Decision, slice]:
    """Return the decisions that are scored, each with its place among the `choices`."""
    return DECISIONS if known in ON_ARMS else {name: DECISIONS[name] for name in ("K answers", "free answers")}


BAYES_LINES = tuple(BayesLine(known, decision) for known in (*ON_ARMS, *FREELY) for decision in decisions_of(known))


def choices(known: Knowledge) -> tuple[Choice, ...]:
    """Return how answers are chosen: as many as targets, freely, and, on arms, freely for each threshold alone."""
    last, most = len(THRESHOLDS), MOST_ANSWERS if known in ON_ARMS else MOST_ANSWERS_FREELY
    alone = [Choice(False, most, WORTH, d, d + 1, SAMPLES) for d in range(last)] if known in ON_ARMS else []
    return (
        Choice(True, most, 0.0, 0, last, SAMPLES),
        Choice(False, most, WORTH, 0, last, SAMPLES),
        *alone,
    )


@dataclass(frozen=True)
class BayesRow:
    """A line's score: CSO-mAP and its standard error, percent, AP at each threshold, and what it was scored on.

    `converged` is the percentage of frames whose chains agree (R-hat at most CONVERGED), None where there are none.
    """

    line: BayesLine
    cso_map: float
    error: float
    ap: tuple[float, ...]
    trajectories: int
    answers_per_frame: float
    converged: float | None = None

    @property
    def remark(self) -> str:
        """What it was scored on, and whether its chains agree."""
        said = f"{self.trajectories} trajectories, {self.answers_per_frame:.1f} answers a frame"
        if self.converged is None:
            return said
        return f"{said}, R-hat at most {CONVERGED:g} in {self.converged:.0f} % of frames"


def bayes_table(
    split: Split,
    camera: Camera,
    work: Path,
    *,
    known: Sequence[Knowledge] | None = None,
    trajectories: int | None = None,
    progress: Progress | None = None,
) -> list[BayesRow]:
    """Score Bayes decisions on the trajectories of a split.

    Parameters
    ----------
    split : Split
        Of a set that follows the law of tier D, or that of tiers B and C.
    work : Path
        Folder of the parts that are done; parts of the same frames and camera that are there are not done again.
    known : knowledge to score, by default whatever fits the set's law
    trajectories : int, optional
        How many of the split's, from the first on; by default all.
    progress : callable, optional
        Called with the trajectories decided and those in all, over all kinds of knowledge.

    Raises
    ------
    InputError
        If the set follows another law, or fewer than two frames are scored.
    """
    known = known_of(split.recipe) if known is None else known
    n = min(split.n_trajectories, trajectories or split.n_trajectories)
    if len(split.scored_frames) < 2:
        raise must("scored_frames", "be at least 2, for an error to be known", len(split.scored_frames))
    truth = Truth.from_split(split)
    truth = Truth.from_arrays(truth.xy[:n], truth.intensity[:n], truth.count[:n], truth.frames)
    table, done = [], 0
    for each in known:
        parts: list[Part] = []
        step = PART if each in ON_ARMS else PART_OF_CHAINS
        for first in range(0, n, step):
            stop = min(first + step, n)
            parts.append(_part(each, split, camera, work, (first, stop)))
            done += stop - first
            if progress:
                progress(done, n * len(known))
        convergence = np.concatenate([part.convergence.ravel() for part in parts])
        converged = 100 * float((convergence <= CONVERGED).mean()) if len(convergence) else None
        decided = [concatenate(list(one)) for one in zip(*(part.found for part in parts))]
        for decision, which in decisions_of(each).items():
            table.append(scored(BayesLine(each, decision), decided[which], truth, converged))
    return table


def known_of(recipe: DataRecipe) -> tuple[Knowledge, ...]:
    """Return the kinds of knowledge that are the law of a recipe.

    Raises
    ------
    InputError
        If there are none.
    """
    plain = not (recipe.bits or recipe.saturation or recipe.shot_gain or recipe.background != "none")
    if recipe.directions == "axes" and not recipe.rotate and recipe.radius_max == recipe.radius_min:
        return ON_ARMS
    if (
        recipe.directions == "free"
        and recipe.separation_min == 0
        and recipe.k_min >= 2
        and plain
        and recipe.noise_sigma
    ):
        return FREELY
    raise InputError(
        f"{recipe.name}: Bayes lines are computed for groups on the four axes, not turned (seqcsist, seqcsist-8bit,"
        " seqcsist-noise: tier D), and for freely placed ones with plain read noise (seqcsist-free with --set"
        " separation_min=0 --set noise_sigma=5: tiers B and C)"
    )


def scored(line: BayesLine, decided: Sequence[Detections], truth: Truth, converged: float | None = None) -> BayesRow:
    """Score a line: one list of answers for all thresholds, or one for each."""
    ranked = [match(found, truth) for found in decided]
    hits = [ranked[d % len(ranked)].hits[d] for d in range(len(THRESHOLDS))]
    frames = len(truth.frames)
    group = [ranked[d % len(ranked)].frame % frames for d in range(len(THRESHOLDS))]
    ap = [100 * average_precision(row, truth.n_targets) for row in hits]
    error = jackknife_error(hits, group, truth.frame_count.reshape(-1, frames).sum(axis=0))
    answers = float(np.mean([len(found) for found in decided])) / truth.n_frames
    return BayesRow(line, float(np.mean(ap)), error, tuple(ap), len(truth.trajectories), answers, converged)


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


@dataclass(frozen=True, eq=False)
class Part:
    """The answers of some trajectories, a list for each choice, and R-hat of each frame where chains were run."""

    found: list[Detections]
    convergence: Floats


def _part(known: Knowledge, split: Split, camera: Camera, work: Path, span: tuple[int, int]) -> Part:
    """Return the part of some trajectories: the one that is kept, or one that is decided now and kept."""
    frames = split.read("frames", *span)
    # Named by what it is of, so that other frames, another camera or a change of the method never meet it.
    about = f"{camera} {split.recipe} {known} {VERSION} {choices(known)} {EFFORTS}"
    digest = hashlib.sha256(np.ascontiguousarray(frames).tobytes() + about.encode()).hexdigest()[:16]
    path = work / f"{known.prior_tier}-{known.frames}-{known.start}-{span[0]:05d}-{digest}.npz"
    if path.is_file():
        return _kept(path, span[0])
    convergence = np.zeros(0)
    if known in ON_ARMS:
        found = decide_on_arms(frames, split.scored_frames, camera, known.start, choices(known))
    else:
        scored_frames, recipe = split.scored_frames, split.recipe
        found, convergence = decide_freely(frames, span[0], scored_frames, camera, recipe, known.frames, choices(known))
    _keep(path, Part(found, convergence))
    return Part([one.shifted(span[0]) for one in found], convergence)


def _keep(path: Path, part: Part) -> None:
    columns = {f"{name}{i}": getattr(one, name) for i, one in enumerate(part.found) for name in COLUMNS}
    buffer = io.BytesIO()
    np.savez(buffer, convergence=part.convergence, **columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, buffer.getvalue())


def _kept(path: Path, first: int) -> Part:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            stored: dict[str, NDArray[Any]] = {name: file[name] for name in file.files}
        lists = len(stored) // len(COLUMNS)
        found = [Detections(*(stored[f"{name}{i}"] for name in COLUMNS)) for i in range(lists)]
        return Part([one.shifted(first) for one in found], stored["convergence"])
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a part of a Bayes line ({error}); delete it and run again") from None
