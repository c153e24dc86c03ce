"""Networks' speed on a device: forward, through a step of training, DeRefNet against its published loop, the stream.

Weights may have any values: they change no time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from csist_bench import datasets
from csist_bench.datasets.generation import generate
from csist_bench.errors import must, unknown
from csist_bench.methods.networks.base import BatchedGridNetwork, build_network, evaluated
from csist_bench.methods.networks.points import BatchedPointNetwork, told_of
from csist_bench.methods.networks.unfolding.derefnet import DeRefNet
from csist_bench.methods.registry import METHODS, Method
from csist_bench.recipes import load_data_recipe, load_method_recipe
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import render_shard
from csist_bench.speed.device_clock import first_call_s, peak_mb, seconds_of, wait_for
from csist_bench.speed.loop_derefnet import loop_forward, loop_loss
from csist_bench.speed.measures import Measure, Step, best_of
from csist_bench.speed.way import Way
from csist_bench.training.adversarial import AdversarialLearner
from csist_bench.training.distributed import World
from csist_bench.training.learner import Learner
from csist_bench.training.recipe import TrainingRecipe, training_recipe
from csist_bench.training.stream import SceneStream
from csist_bench.training.training_set import TrainingData, training_data

# Frames of a training step and trajectories of the set, on a CPU, where more take minutes; a GPU gets whole batches.
STEP_FRAMES, SET_TRAJECTORIES = 16, 16
GPU_SET_TRAJECTORIES, POINT_STEP_FRAMES = 100, 256
# Frames that OffGrid-Net answers: a pass on a CPU, the passes that are tried on a GPU, and those of a whole run.
CPU_PASS, GPU_PASSES, CPU_RUN, GPU_RUN = 2048, (4096, 16384, 65536), 8192, 400_000
LOOP_TRAJECTORIES = 8  # on a GPU; a CPU takes one
TRAJECTORY, SCORED = 20, range(2, 18)
SYMMETRY = "symmetry_weight=0.01"  # that of the paper, which the loop always computes
STREAM_SCENES = 1024  # of a draw
HOST_TRAJECTORIES = 500


def network_steps(way: Way, names: tuple[str, ...] = ()) -> list[Step]:
    """Return the steps that measure networks, of all or of those named, with what belongs to each.

    Raises
    ------
    InputError
        If a name is that of no network.
    """
    networks = {name: method for name, method in METHODS.items() if method.trainable and not method.outside}
    for name in names:
        if name not in METHODS:
            raise unknown("method", name, networks)
        if name not in networks:
            raise must("--method", "be a network", name)
    steps = []
    for name in names or networks:
        measure = network_speed if networks[name].output == "grid" else point_network_speed
        steps.append(Step(f"networks {name}", partial(_on_small_set, measure, networks[name], way)))
        if name == "derefnet":
            steps.append(Step("networks derefnet against the loop", partial(loop_speed, way)))
        if networks[name].output == "points":
            steps.append(Step("networks stream", partial(stream_speed, way)))
    return steps


def _on_small_set(
    measure: Callable[[Method, datasets.Dataset, Way], Iterator[Measure]], method: Method, way: Way
) -> Iterator[Measure]:
    with small_set(GPU_SET_TRAJECTORIES if way.on_gpu else SET_TRAJECTORIES) as store:
        yield from measure(method, store, way)


@contextmanager
def small_set(trajectories: int) -> Iterator[datasets.Dataset]:
    """Make a set of so many trajectories for a while."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.zarr"
        generate(path, load_data_recipe("seqcsist", [f"trajectories={trajectories}"]))
        yield datasets.open_dataset(path)


# --- networks of heat maps -------------------------------------------------------------------------------------------


def network_speed(method: Method, store: datasets.Dataset, way: Way) -> Iterator[Measure]:
    """Yield the rates of a network of heat maps: from frames to maps, both in the program's memory, and of a step.

    A CPU answers one trajectory, a GPU the training split, and there the network alone as well. The step is that of the
    method's recipe, critic included, on a CPU with at most `STEP_FRAMES` frames.
    """
    split = store.split("train")
    camera = Camera.from_recipe(split.recipe)
    runner = BatchedGridNetwork(build_network(method.name, camera.optics), way.device, dtype=way.dtype)
    if way.compile:
        runner.model.compile()
    frames = split.read("frames", 0, split.n_trajectories if way.on_gpu else 1)
    answer = partial(runner.heat_maps, frames, camera)
    yield from _compiling(way, answer)
    forward = seconds_of(answer, way.device, 2)
    yield Measure(f"{method.name}: forward", frames.shape[0] * frames.shape[1] / forward, _unit(way))
    if way.on_gpu:
        yield from _resident(runner, frames, way)
    yield from step_speed(method, store, way, runner.model)


def _resident(runner: BatchedGridNetwork, frames: np.ndarray[Any, Any], way: Way) -> Iterator[Measure]:
    """Yield the rate of the network alone, one pass of frames that lie on the device already."""
    t = frames.shape[1]
    units = frames if runner.whole_trajectories else frames.reshape(-1, 1, *frames.shape[2:])
    per_pass = max(1, runner.batch // t) if runner.whole_trajectories else runner.batch
    pixels = torch.from_numpy(np.ascontiguousarray(units[:per_pass], dtype=np.float32)).to(way.device)
    with evaluated(runner.model), torch.inference_mode(), way.rounding():
        seconds = seconds_of(lambda: runner.model(pixels), way.device)
    yield Measure("  of it the network alone", pixels.shape[:2].numel() / seconds, "frames/s")


def step_speed(
    method: Method, store: datasets.Dataset, way: Way, model: nn.Module | None = None, most: int = STEP_FRAMES
) -> Iterator[Measure]:
    """Yield the rate of a training step of the method's recipe, and the memory that it takes of a GPU.

    A CPU takes at most `most` frames of a batch.
    """
    recipe = way.changed(training_recipe(load_method_recipe(method.name).training))
    data = training_data(method, store, recipe, way.device)
    by_frame = data.sequence_length == 1
    units = recipe.batch_frames if by_frame else recipe.batch_trajectories
    if not way.on_gpu:
        units = max(1, min(units, most // data.sequence_length)) if by_frame else units
    batch = batch_of(data, min(units, len(data)))
    learner = learner_of(method, model, recipe, data.scored, way)

    def step() -> Tensor:
        return learner.step(*batch, 0.0, 1)["total"]

    yield from _compiling(way, step)
    seconds = seconds_of(step, way.device, 2)
    yield Measure("  training step", batch[0].shape[:2].numel() / seconds, "frames/s")
    peak = peak_mb(step, way.device)
    if peak is not None:
        yield Measure("  memory of a step", peak, "MB")


def batch_of(data: TrainingData, units: int) -> tuple[Tensor, Any]:
    """Return frames and labels of the first units, or of scenes of a stream."""
    if isinstance(data, SceneStream):
        frames, labels = data.draw(units, 0)
        return frames, labels
    picked: tuple[Tensor, Tensor] = data.batch(torch.arange(units, device=data.device))
    return picked


def learner_of(method: Method, model: nn.Module | None, recipe: TrainingRecipe, scored: slice, way: Way) -> Learner:
    """Return what takes the steps of a recipe with a network, by default one of the recipe's own settings."""
    chosen = model if model is not None else build_network(method.name, Optics())
    kind = AdversarialLearner if recipe.adversarial else Learner
    return kind(chosen.to(way.device).train(), recipe, recipe.lr, scored, World(), way.device)


def _compiling(way: Way, call: Callable[[], Any]) -> Iterator[Measure]:
    if way.compile:
        yield Measure("  compiling", first_call_s(call, way.device), "s")


def _unit(way: Way) -> str:
    told = f"frames/s, {way.device.type}"
    return told if way.dtype == "float32" else f"{told}, {way.dtype}"


# --- networks of points ----------------------------------------------------------------------------------------------


def point_network_speed(
    method: Method, store: datasets.Dataset, way: Way, frames_of_run: int = 0, passes: Sequence[int] = ()
) -> Iterator[Measure]:
    """Yield the rates of a network of points: alone, from frames to detections, and through a step of its recipe.

    On a GPU passes of several sizes are tried; the fastest also answers the whole run, of `frames_of_run` frames.
    """
    split = store.split("train")
    camera = Camera.from_recipe(split.recipe)
    model = build_network(method.name, camera.optics)
    if way.compile:
        model.compile()
    if not passes:
        # A compiled network is compiled anew for another size.
        passes = (CPU_PASS,) if not way.on_gpu else GPU_PASSES[1:2] if way.compile else GPU_PASSES
    frames = _tiled(
        split.read("frames", 0, split.n_trajectories), frames_of_run or (GPU_RUN if way.on_gpu else CPU_RUN)
    )
    rates = {}
    for size in passes:
        network = BatchedPointNetwork(model, way.device, size, way.dtype)
        pixels = torch.from_numpy(frames[:size]).to(way.device)
        told = told_of(camera, len(pixels), way.device)
        with evaluated(model), torch.inference_mode(), way.rounding():
            alone = partial(model, pixels, told)
            yield from _compiling(way, alone)
            rates[size] = len(pixels) / seconds_of(alone, way.device)
            peak = peak_mb(alone, way.device)
        goal = "2,000,000 on one GPU" if way.device.type == "cuda" else ""
        yield Measure(f"{method.name}: {size:,} frames a pass", rates[size], _unit(way), goal)
        if peak is not None:
            yield Measure("  memory of a pass", peak, "MB")
    network = BatchedPointNetwork(model, way.device, max(rates, key=lambda size: rates[size]), way.dtype)
    whole = best_of(partial(network.detect, frames, camera), 2)
    yield Measure("  frames to detections, one thread", len(frames) / whole, "frames/s")
    yield from step_speed(method, store, way, most=POINT_STEP_FRAMES)


def _tiled(frames: np.ndarray[Any, Any], count: int) -> np.ndarray[Any, Any]:
    """Return `count` frames (count, 1, S, S), those given over and over."""
    flat = frames.reshape(-1, 1, *frames.shape[2:]).astype(np.float32)
    return np.ascontiguousarray(np.resize(flat, (count, *flat.shape[1:])))


# --- DeRefNet against its published loop -----------------------------------------------------------------------------


def loop_speed(way: Way, overrides: tuple[str, ...] = (), rounds: int = 3) -> Iterator[Measure]:
    """Yield how much faster DeRefNet is than one call per centre and neighbour, forward and through a step.

    Both run on one set of weights, turn about in one process, so that other work on the machine hits both. A step is
    loss and gradient; what an optimiser does is the same either way.
    """
    torch.manual_seed(0)
    optics = Optics()
    model = build_network("derefnet", optics, [SYMMETRY, *overrides]).to(way.device)
    assert isinstance(model, DeRefNet)
    count = LOOP_TRAJECTORIES if way.on_gpu else 1
    frames, labels = (250 * torch.rand(count, TRAJECTORY, n, n) for n in (optics.size, optics.grid_size))
    frames, labels = frames.to(way.device), labels.to(way.device)
    scored, shown = slice(SCORED.start, SCORED.stop), count * TRAJECTORY
    with evaluated(model), torch.no_grad(), way.rounding():
        batched, looped = partial(model, frames), partial(loop_forward, model, frames)
        error = (batched() - looped()).abs().max() / looped().abs().max()
        fast, slow = _turn_about(batched, looped, way, rounds)
    yield Measure("derefnet: forward", shown / fast, _unit(way))
    yield Measure("  one call per centre and neighbour", shown / slow, "frames/s")
    yield Measure("  faster than that", slow / fast, "x", _loop_goal(way, ">= 2.5"))
    yield Measure(
        "  largest difference", float(error), "of the largest value", "< 1e-4" if way.dtype == "float32" else ""
    )

    def step(loss: Callable[[], Tensor]) -> None:
        with way.rounding():
            total = loss()
        model.zero_grad(set_to_none=True)
        torch.autograd.backward(total)

    fast, slow = _turn_about(
        lambda: step(lambda: model.loss(frames, labels, scored)["total"]),
        lambda: step(lambda: loop_loss(model, frames, labels, SCORED)),
        way,
        rounds,
    )
    yield Measure("derefnet: loss and gradient", shown / fast, _unit(way))
    yield Measure("  one call per centre and neighbour", shown / slow, "frames/s")
    yield Measure("  faster than that", slow / fast, "x", _loop_goal(way, ">= 4"))


def _turn_about(fast: Callable[[], Any], slow: Callable[[], Any], way: Way, rounds: int) -> tuple[float, float]:
    """Return the least time of either call, s, taken in turn."""
    times = [
        (seconds_of(fast, way.device, 1, warm=bool(n)), seconds_of(slow, way.device, 1, warm=bool(n)))
        for n in range(rounds)
    ]
    return min(a for a, _ in times), min(b for _, b in times)


def _loop_goal(way: Way, on_cpu: str) -> str:
    return ">= 20 on one GPU" if way.device.type == "cuda" else on_cpu


# --- the stream ------------------------------------------------------------------------------------------------------


def stream_speed(way: Way, scenes: int = STREAM_SCENES) -> Iterator[Measure]:
    """Yield how fast training scenes are drawn on the device, what share of a step that is, and how fast a core is.

    The stream is that of OffGrid-Net's recipe: drawn, rendered, sensed and labelled where the network learns.
    """
    method = METHODS["offgrid-net"]
    recipe = way.changed(training_recipe(load_method_recipe(method.name).training))
    with small_set(SET_TRAJECTORIES) as store:
        data = training_data(method, store, recipe, way.device)
    assert isinstance(data, SceneStream)
    drawing = seconds_of(lambda: data.draw(scenes, 0), way.device)
    yield Measure("stream: drawn, rendered and sensed", scenes * data.sequence_length / drawing, _unit(way))
    batch, learner = data.draw(scenes, 0), learner_of(method, None, recipe, data.scored, way)
    step = seconds_of(lambda: learner.step(*batch, 0.0, 1), way.device, 2)
    wait_for(way.device)
    yield Measure("  of the time of a step and its scenes", 100 * drawing / (drawing + step), "%")
    host = load_data_recipe("seqcsist-noise", ["noise_sigma=5"])
    render_shard(host, range(1))
    seconds = best_of(lambda: render_shard(host, range(HOST_TRAJECTORIES)), 2)
    yield Measure("  rendered by one core of the host", HOST_TRAJECTORIES * host.frames / seconds, "frames/s")
    yield Measure("  cores that would feed the steps", scenes / step / (HOST_TRAJECTORIES * host.frames / seconds), "")
