"""The contract that every method keeps, tried on a few frames: `csist-bench check-method`.

Answers are of the right kind, the same however frames are batched and ordered, and leave frames and global random
numbers as they were; every parameter of a network learns. Networks are tried untrained, from a fixed seed.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections, concatenate
from csist_bench.errors import InputError
from csist_bench.methods.registry import Method, load_class
from csist_bench.methods.runners import RunOptions, runner_of
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.rendering import render_shard

Answers = NDArray[Any] | Detections
Answering = Callable[[NDArray[Any]], Answers]

TRAJECTORIES, FRAMES = 4, 6
RECIPE = ["noise_sigma=2", f"trajectories={TRAJECTORIES}", f"frames={FRAMES}", "scored_frames=1:5"]
# Products of float32 depend on how they are blocked, hence on the batch: grey levels, px, and relative.
GRID_ROUNDING, PLACE_ROUNDING, SCORE_ROUNDING = 0.02, 1e-4, 1e-4
LEAST_FALL = 0.02  # of the loss, which may be negative


@dataclass(frozen=True)
class Check:
    """One clause of the contract: whether it is kept, and what was found."""

    name: str
    passed: bool
    found: str = ""


def check_method(method: Method, settings: Mapping[str, Any]) -> Iterator[Check]:
    """Try a method clause by clause; the checks end with the first answers that can't be used at all.

    Raises
    ------
    InputError
        If the method can't be built with these settings.
    """
    recipe = load_data_recipe("seqcsist-noise", RECIPE)
    camera, frames = Camera.from_recipe(recipe), render_shard(recipe, range(TRAJECTORIES)).frames
    answering = _answering_of(method, camera, settings)
    given, state = frames.copy(), _random_state()
    try:
        began = time.perf_counter()
        first = answering(frames)
        seconds = time.perf_counter() - began
    except InputError as error:
        yield Check("answers are of the right kind", False, str(error))
        return
    yield Check("answers are of the right kind", *_kind(first))
    yield Check("frames are left as they were", bool((frames == given).all()))
    yield Check("global random numbers are left alone", _same_state(state, _random_state()))
    yield Check("the same frames get the same answers again", *_alike(first, answering(frames)))
    alone = [_one_trajectory(answering, frames, n) for n in range(TRAJECTORIES)]
    yield Check("each trajectory by itself gets the same answers", *_alike(first, _joined(alone)))
    turned = answering(np.ascontiguousarray(frames[::-1]))
    yield Check("the order of trajectories does not matter", *_alike(first, _reversed(turned, 0, TRAJECTORIES)))
    if method.context == "frame":
        turned = answering(np.ascontiguousarray(frames[:, ::-1]))
        yield Check("the order of frames does not matter", *_alike(first, _reversed(turned, 1, FRAMES)))
    if method.trainable:
        yield from _learning(method, camera, settings, frames)
    rate = TRAJECTORIES * FRAMES / max(seconds, 1e-9)
    yield Check("speed", True, f"{rate:,.0f} frames/s over {TRAJECTORIES * FRAMES} frames, with the first call")


def _answering_of(method: Method, camera: Camera, settings: Mapping[str, Any]) -> Answering:
    if not method.trainable:
        runner = runner_of(method, camera, ("grid",), RunOptions(settings))
        return runner.solve
    load_class(method)  # without PyTorch this is the clear error
    from csist_bench.methods.networks.base import BatchedGridNetwork
    from csist_bench.methods.networks.points import BatchedPointNetwork
    from csist_bench.methods.networks.trial import untrained

    model = untrained(method, camera.optics, settings)
    if method.output == "points":
        return lambda frames: BatchedPointNetwork(model, "cpu").detect(frames, camera)
    return lambda frames: BatchedGridNetwork(model, "cpu").heat_maps(frames, camera)


# --- what answers must be --------------------------------------------------------------------------------------------


def _kind(answers: Answers) -> tuple[bool, str]:
    if isinstance(answers, Detections):
        columns = answers.columns().values()
        return all(bool(np.isfinite(column).all()) for column in columns), f"{len(answers)} detections"
    return bool(np.isfinite(answers).all()), f"heat maps of shape {answers.shape}"


def _alike(first: Answers, second: Answers) -> tuple[bool, str]:
    if not isinstance(first, Detections) or not isinstance(second, Detections):
        apart = float(np.abs(np.asarray(first) - np.asarray(second)).max())
        return apart <= GRID_ROUNDING, "" if apart == 0 else f"apart by up to {apart:.2g} grey levels"
    if len(first) != len(second):
        return False, f"{len(first)} and {len(second)} detections"
    a, b = (_by_place(one) for one in (first, second))
    if (a.trajectory != b.trajectory).any() or (a.frame != b.frame).any():
        return False, "detections of other frames"
    apart = float(max(np.abs(a.x - b.x).max(initial=0), np.abs(a.y - b.y).max(initial=0)))
    scores = np.abs(a.score - b.score) > SCORE_ROUNDING * np.maximum(1, np.abs(a.score))
    passed = apart <= PLACE_ROUNDING and not scores.any()
    said = "" if apart == 0 else f"places apart by up to {apart:.2g} px"
    return passed, f"{said}; {scores.sum()} other scores".lstrip("; ") if scores.any() else said


def _by_place(found: Detections) -> Detections:
    """Return detections in an order that rounding of their places does not turn."""
    digits = [np.rint(column / (10 * PLACE_ROUNDING)) for column in (found.y, found.x)]
    return found.select(np.lexsort((*digits, found.frame, found.trajectory)))


def _one_trajectory(answering: Answering, frames: NDArray[Any], n: int) -> Answers:
    answers = answering(frames[n : n + 1])
    return answers.shifted(trajectory=n) if isinstance(answers, Detections) else answers


def _joined(parts: list[Answers]) -> Answers:
    tables = [part for part in parts if isinstance(part, Detections)]
    return concatenate(tables) if tables else np.concatenate([np.asarray(part) for part in parts])


def _reversed(answers: Answers, axis: int, length: int) -> Answers:
    if not isinstance(answers, Detections):
        return np.flip(answers, axis)
    name = ("trajectory", "frame")[axis]
    return replace(answers, **{name: length - 1 - getattr(answers, name)})


# --- what must not change, and what must -----------------------------------------------------------------------------


def _random_state() -> list[Any]:
    state: list[Any] = [random.getstate(), np.random.get_state()]  # noqa: NPY002
    torch = sys.modules.get("torch")
    return [*state, torch.get_rng_state().numpy().tobytes()] if torch else state


def _same_state(before: list[Any], after: list[Any]) -> bool:
    return repr(before[0]) == repr(after[0]) and all(
        np.array_equal(a, b) for a, b in zip((*before[1], *before[2:]), (*after[1], *after[2:]))
    )


def _learning(method: Method, camera: Camera, settings: Mapping[str, Any], frames: NDArray[Any]) -> Iterator[Check]:
    from csist_bench.methods.networks.trial import few_steps

    scenes = render_shard(load_data_recipe("seqcsist-noise", RECIPE), range(TRAJECTORIES)).scenes
    silent, losses = few_steps(method, camera, settings, frames, scenes)
    yield Check("every parameter receives gradient", not silent, ", ".join(silent))
    fell = bool(np.isfinite(losses).all()) and min(losses[-3:]) < losses[0] - LEAST_FALL * abs(losses[0])
    yield Check(f"{len(losses)} steps lower the loss", fell, f"{losses[0]:.4g} to {losses[-1]:.4g}")
