"""A method of the registry, run group by group."""

from __future__ import annotations

import copy
import threading
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from csist_bench.conventions import Decoder
from csist_bench.detections import Detections, concatenate
from csist_bench.errors import must
from csist_bench.methods.groups.answering import GroupAnswers
from csist_bench.methods.groups.policy import Groups, Way, require_false_alarms, way_of, with_separate_spots
from csist_bench.methods.groups.windows import LEAST_SIDE, least_side
from csist_bench.methods.registry import Method
from csist_bench.methods.runners import Answered, GridRunner, Runner, RunOptions, runner_of
from csist_bench.simulation.camera import Camera

LEAVES_PIXELS_OUT = ("ml", "ml-seq")


class GroupRunner:
    """Runs a method over frames of any size, as one group each or group by group.

    Parameters
    ----------
    row : Method
    camera : Camera
        Of the whole frames.
    decoders, options
        As of `runner_of`.
    way : {"one", "many", "look"}
        As `way_of` says.
    shape : (H, W)
        Of the frames.
    false_alarms : float
        False groups a frame of noise alone may have, on average.

    Attributes
    ----------
    whole : Runner
        The method as it is run on whole frames, or on windows of the usual side where `way` is "many".
    """

    def __init__(
        self,
        row: Method,
        camera: Camera,
        decoders: Sequence[Decoder],
        options: RunOptions,
        searched: tuple[Way, tuple[int, int], float],
    ) -> None:
        self.way, shape, false_alarms = searched
        require_false_alarms(false_alarms)
        self.row, self.camera, self.decoders, self.options = row, camera, decoders, options
        only = None
        if self.way == "many":
            only = _side_of_weights(row, options) if row.trainable else None
            side = only or least_side(camera)
            if only is not None and min(shape) < only:
                raise must("frames", f"be at least the {only} px that the weights take a side", shape)
            camera = _sized(camera, side)
        elif row.trainable:
            only = camera.optics.size
        self.whole = runner_of(row, camera, decoders, options)
        self._solvers: dict[tuple[int, int], Runner] = {}
        self._lock = threading.Lock()
        self._answers = GroupAnswers(
            self.camera,
            self._made,
            not self.whole.alone,
            only,
            false_alarms,
            censors=not isinstance(self.whole, GridRunner),
            masks=row.name in LEAVES_PIXELS_OUT,
        )

    def answer_each(
        self, frames: NDArray[Any], threads: int = 1, progress: Callable[[float], None] | None = None
    ) -> Answered:
        """Return each decoder's detections in frames (B, T, H, W), and how long its decoding took, s.

        `progress` is called with the share of a trajectory that is done, where all frames are searched.
        """
        if self.way == "one":
            return self.whole.answer_each(frames)
        if self.way == "many":
            return self._answers.answer_each(frames, threads, progress)
        apart = with_separate_spots(frames, self.camera)
        if not apart.any():
            return self.whole.answer_each(frames)
        many, spent = self._answers.answer_each(frames[apart], threads)
        many = [_renumbered(one, np.flatnonzero(apart)) for one in many]
        if apart.all():
            return many, spent
        one, spent_too = self.whole.answer_each(frames[~apart])
        rest = [in_one_group(_renumbered(found, np.flatnonzero(~apart))) for found in one]
        seconds = [a + b for a, b in zip(spent, spent_too)]
        return [concatenate(pair).ordered() for pair in zip(many, rest)], seconds

    def _made(self, camera: Camera, fit: int) -> Runner:
        """Return the method for windows of a camera; `fit` is the side that the light needs, 0: the method's own."""
        if isinstance(self.whole, GridRunner):
            return self.whole if self.row.trainable else self._solver(camera, fit)
        runner = copy.copy(self.whole)
        runner.camera = camera  # type: ignore[attr-defined]
        if fit and getattr(getattr(runner, "method", None), "window", None) == 0:
            runner.method = msgspec.structs.replace(runner.method, window=fit)  # type: ignore[attr-defined]
        return runner

    def _solver(self, camera: Camera, fit: int) -> Runner:
        """Return the runner of a solver on grids, whose sampling matrix belongs to the side of the window."""
        key = (camera.optics.size, fit)
        with self._lock:
            if key not in self._solvers:
                self._solvers[key] = runner_of(self.row, camera, self.decoders, self.options)
            return self._solvers[key]


def in_one_group(found: Detections) -> Detections:
    """Return detections with a column `group`: 0 where they have none."""
    return found if found.group is not None else replace(found, group=np.zeros(len(found), np.int64))


def search_of(
    groups: Groups, shape: tuple[int, int], camera: Camera, made_here: bool, false_alarms: float
) -> tuple[Way, tuple[int, int], float]:
    """Return how frames are searched, as `GroupRunner` takes it."""
    return way_of(groups, shape, camera, made_here), shape, require_false_alarms(false_alarms)


def _renumbered(found: Detections, trajectories: NDArray[np.int64]) -> Detections:
    return replace(found, trajectory=trajectories[found.trajectory])


def _sized(camera: Camera, side: int) -> Camera:
    return replace(camera, optics=replace(camera.optics, size=side), background=0.0, maps=None, centre=(side - 1) / 2)


def _side_of_weights(row: Method, options: RunOptions) -> int:
    """Return the side of the frames that a network's weights take, px; weights behind an address: the published one."""
    from csist_bench.methods.networks.weight_files import weights_file
    from csist_bench.methods.networks.weights import load_weights

    if urllib.parse.urlsplit(str(options.weights or "")).scheme in ("http", "https"):
        return LEAST_SIDE
    return int(load_weights(weights_file(row, options.weights, options.sha256), row.name)[1].optics.size)
