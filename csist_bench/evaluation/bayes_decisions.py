"""Answers that are expected to score most over the posterior of every frame, for `evaluation.bayes_lines`.

Posteriors of groups on known arms are those of `group-map`; those of freely placed groups are sampled by Markov chains
(`methods.posterior`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.methods.fitting.answers import FrameAnswers
from csist_bench.methods.group_map._kernels.answering import Choice, decide_frame
from csist_bench.methods.group_map._kernels.sampling import ABSENT, Samples
from csist_bench.methods.group_map.method import GroupMap
from csist_bench.methods.group_map.posterior_answers import room_for, samples_for
from csist_bench.methods.posterior.chains import Effort, FramePosterior, FreeLaw, sample_frame
from csist_bench.recipes import DataRecipe
from csist_bench.simulation.camera import Camera

Floats = NDArray[np.float64]

CELL = 0.05  # px; the search for an answer sets off from cells of this size that hold targets of samples
CANDIDATES = 256
# Longer windows have more to find out, and narrower posteriors.
EFFORTS = {1: Effort(16_000, 6_000, 256), 5: Effort(32_000, 12_000, 256)}


def decide_on_arms(
    frames: NDArray[Any], scored: range, camera: Camera, start: Literal["free", "integer"], choices: Sequence[Choice]
) -> list[Detections]:
    """Answer the scored frames of sequences (B, T, H, W) of groups on known arms, each alone, once for each choice."""
    method = GroupMap(frames=1, start=start)
    found = [method.decide(frames, camera, choice) for choice in choices]
    return [one.select((one.frame >= scored.start) & (one.frame < scored.stop)) for one in found]


def decide_freely(
    frames: NDArray[Any],
    first: int,
    scored: range,
    camera: Camera,
    recipe: DataRecipe,
    window: int,
    choices: Sequence[Choice],
) -> tuple[list[Detections], Floats]:
    """Answer the scored frames of sequences (B, T, H, W) of freely placed groups, once for each choice.

    Parameters
    ----------
    first : int
        Number of the first sequence; what is drawn for a frame depends on its numbers alone.
    window : int
        Frames that are used together, one or five.

    Returns
    -------
    lists of answers, and R-hat of every frame, shape (B, frames)
    """
    law = FreeLaw.of(recipe)
    b, t = frames.shape[:2]
    answers = [FrameAnswers.empty(b * t, choice.most) for choice in choices]
    convergence = np.empty((b, len(scored)))
    for i in range(b):
        for place, frame in enumerate(scored):
            seed = [recipe.seed, first + i, frame, window]
            found = sample_frame(frames[i], frame, window, camera, law, seed, EFFORTS[window])
            convergence[i, place] = found.r_hat
            samples, number, centres = samples_of(found)
            for choice, table in zip(choices, answers):
                room = room_for(choice, samples, CANDIDATES)
                decide_frame(samples, number, centres, choice, room, i * t + frame, table)
    return [table.detections(b, t) for table in answers], convergence


def samples_of(found: FramePosterior) -> tuple[Samples, int, int]:
    """Return all chains' samples of one frame as equal ones, their number, and the number of centres."""
    count = found.place.shape[2]
    place, light = found.place.reshape(-1, count, 2), found.light.reshape(-1, count)
    number = len(place)
    samples = samples_for(number, count, CANDIDATES)
    samples.weight[:], samples.targets[:] = 1 / number, count
    samples.x[:], samples.y[:], samples.intensity[:] = place[..., 0].T, place[..., 1].T, light.T
    cells, often = np.unique(np.rint(place.reshape(-1, 2) / CELL).astype(np.int64), axis=0, return_counts=True)
    fullest = np.argsort(-often, kind="stable")[:CANDIDATES]
    samples.centres[:] = ABSENT
    samples.centres[: len(fullest)] = cells[fullest] * CELL
    return samples, number, len(fullest)
