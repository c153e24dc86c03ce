"""Which frames are fitted together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from csist_bench.methods.fitting.counts import varying_trajectories
from csist_bench.methods.fitting.survey import Survey
from csist_bench.simulation.camera import Camera

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LONGEST_GROUP = 64  # frames fitted jointly at most; longer sequences are cut into equal runs


@dataclass(frozen=True, eq=False)
class Plan:
    """Groups of m frames to fit jointly: `members` (G, m), -1 = left out, from frame `first` (G,) of the sequence on.

    Frame `frames[i]` is answered from its offset `frame_offsets[i]` within group `groups[i]`.
    """

    members: Ints
    first: Ints
    frames: Ints
    groups: Ints
    frame_offsets: Ints


def plan_groups(blank: Bools, trajectories: Ints, frames: int, length: int) -> Plan:
    """Group the frames of trajectories (of `frames` frames each) for joint fits of about `length` frames.

    A length that spans the sequence takes it whole (up to LONGEST_GROUP frames, beyond that in equal runs); a shorter
    one slides, each frame being answered by the window centred on it, or the nearest one that lies inside.
    """
    if length >= frames:
        runs = -(-frames // LONGEST_GROUP)
        m = -(-frames // runs)
        starts = np.minimum(np.arange(runs) * m, frames - m)
        of_frame = np.minimum(np.arange(frames) // m, runs - 1)
    else:
        m = length
        starts = np.arange(frames - m + 1)
        of_frame = np.clip(np.arange(frames) - m // 2, 0, frames - m)
    index = trajectories[:, None, None] * frames + starts[None, :, None] + np.arange(m)[None, None, :]
    members = np.where(blank[index], -1, index).reshape(-1, m)
    every = trajectories[:, None] * frames + np.arange(frames)[None, :]
    groups = np.arange(len(trajectories))[:, None] * len(starts) + of_frame[None, :]
    frame_offsets = np.broadcast_to(np.arange(frames) - starts[of_frame], every.shape)
    kept = ~blank[every]
    return Plan(
        members, np.tile(starts, len(trajectories)), every[kept], groups[kept], frame_offsets[kept].astype(np.int64)
    )


def plans_of(survey: Survey, blank: Bools, shape: tuple[int, int], length: int, camera: Camera) -> Iterator[Plan]:
    """Yield plans that answer all frames of B trajectories of T frames but the blank ones, in groups of `length`.

    A trajectory whose number of targets varies is answered frame by frame.
    """
    alone = varying_trajectories(survey, blank, shape, camera) if length > 1 else np.zeros(shape[0], np.bool_)
    for trajectories, together in ((np.flatnonzero(~alone), length), (np.flatnonzero(alone), 1)):
        plan = plan_groups(blank, trajectories, shape[1], together)
        if len(plan.frames):
            yield plan
