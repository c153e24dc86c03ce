"""The parts of the benchmark, and what each measures; those of networks are in `networks`."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench import datasets
from csist_bench.datasets.generation import generate
from csist_bench.detections import Detections
from csist_bench.errors import unknown
from csist_bench.evaluation.report import evaluate
from csist_bench.evaluation.truth import Truth
from csist_bench.methods.inference import unmix_each
from csist_bench.methods.networks.weight_files import shipped_weights
from csist_bench.methods.registry import METHODS, Method, build_training_free, torch_works
from csist_bench.methods.scope import Scope, Unmixed
from csist_bench.predictions import Header, read_predictions, write_predictions
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets, frames_from_targets_numpy
from csist_bench.simulation.scenes import draw_scenes
from csist_bench.speed.measures import Measure, NetworkOptions, Step, best_of

FRAMES = 100_000
QUADRATURE_FRAMES = 1
MANY_DETECTIONS = 1_000_000


# --- rendering -------------------------------------------------------------------------------------------------------


def _rendering() -> Iterator[Measure]:
    scenes = draw_scenes(load_data_recipe("seqcsist"), range(FRAMES // 20))
    optics = Optics()
    frames_from_targets(scenes.xy[:1], scenes.intensity[:1], optics, np.float32)
    kernel = best_of(lambda: frames_from_targets(scenes.xy, scenes.intensity, optics, np.float32))
    oracle = best_of(lambda: frames_from_targets_numpy(scenes.xy, scenes.intensity, optics), 2)
    xy, light = scenes.xy[0, :QUADRATURE_FRAMES], scenes.intensity[0, :QUADRATURE_FRAMES]
    began = time.perf_counter()
    exact = quadrature_frames(xy, light, optics)
    quadrature = (time.perf_counter() - began) / QUADRATURE_FRAMES * FRAMES
    error = np.abs(frames_from_targets(xy, light, optics) - exact).max() / np.nanmax(light)
    yield Measure("render 100,000 frames, one core", kernel, "s", "<= 0.15")
    yield Measure("  faster than NumPy/SciPy", oracle / kernel, "x", ">= 3")
    yield Measure("  faster than a double integral per pixel", quadrature / kernel, "x", ">= 10,000")
    yield Measure("  largest error against quadrature", float(error), "of the intensity", "< 1e-9")


def quadrature_frames(xy: NDArray[np.float64], intensity: NDArray[np.float64], optics: Optics) -> NDArray[np.float64]:
    """Render frames (F, K, 2), (F, K) by a numeric double integral per pixel and target (the published way)."""
    from scipy.integrate import dblquad

    frames = np.zeros((len(xy), optics.size, optics.size))
    scale = 1 / (2 * optics.psf_sigma**2)
    for f, k in zip(*np.nonzero(np.isfinite(intensity))):
        x, y = xy[f, k]

        def density(v: float, u: float, x: float = x, y: float = y) -> float:
            return math.exp(-scale * ((u - x) ** 2 + (v - y) ** 2)) * scale / math.pi

        for i, j in np.ndindex(optics.size, optics.size):
            value, _ = dblquad(density, j - 0.5, j + 0.5, i - 0.5, i + 0.5, epsabs=1e-12, epsrel=1e-10)
            frames[f, i, j] += intensity[f, k] * value
    return frames


# --- generate --------------------------------------------------------------------------------------------------------


def _generate() -> Iterator[Measure]:
    with tempfile.TemporaryDirectory() as folder:
        path, recipe = Path(folder) / "set.zarr", load_data_recipe("seqcsist")
        wall = best_of(lambda: _command("generate", "--out", str(path), "--overwrite"), 2)
        inside = best_of(lambda: generate(path, recipe, overwrite=True), 2)
        splits = datasets.open_dataset(path).splits
        arrays = {s: {n: part.read(n) for n in datasets.ARRAYS} for s, part in splits.items()}
        writing = best_of(lambda: _write_alone(Path(folder) / "alone.zarr", recipe, arrays), 2)
        yield Measure("generate the full set, with start-up", wall, "s", "<= 3")
        yield Measure("  work after imports, of writing alone", inside / writing, "x", "<= 8")
        once = _peak_memory("generate", "--out", str(Path(folder) / "a.zarr"))
        ten = _peak_memory(
            "generate", "--out", str(Path(folder) / "b.zarr"), "--set", "trajectories=50000", "--executor", "serial"
        )
        yield Measure("  peak memory", once, "MB", "< 400")
        yield Measure("  peak memory, ten times the set", ten, "MB", "< 400")


def _write_alone(path: Path, recipe: Any, arrays: dict[str, dict[str, NDArray[Any]]]) -> None:
    """Write equal arrays to an equal store, nothing else."""
    import shutil

    shutil.rmtree(path, ignore_errors=True)
    datasets.create_dataset(path, recipe, recipe.split_sizes())
    datasets.write_whole(path, arrays)


def _command(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "csist_bench", *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def _peak_memory(*arguments: str) -> float:
    """Return the peak resident memory of a command, MB, measured by a process that has no other child."""
    code = (
        "import resource, subprocess, sys;"
        "subprocess.run([sys.executable, '-m', 'csist_bench', *sys.argv[1:]], check=True, capture_output=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
    per_mb = 1024.0 if sys.platform != "darwin" else 1024.0**2
    return float(done.stdout) / per_mb


# --- evaluate --------------------------------------------------------------------------------------------------------


def _evaluate() -> Iterator[Measure]:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "set.zarr"
        generate(data, load_data_recipe("seqcsist"))
        split = datasets.open_dataset(data).split("test")
        truth = Truth.from_split(split)
        few, many = _jittered(truth, 1), _jittered(truth, MANY_DETECTIONS // truth.n_targets)
        preds = Path(folder) / "preds.json"
        write_predictions(preds, few, Header(n_frames=12_000, split="test"))
        evaluate(few, truth)
        yield Measure(
            "evaluate 12,000 frames, with start-up",
            best_of(lambda: _command("evaluate", str(preds), "--data", str(data))),
            "s",
            "<= 1",
        )
        yield Measure("  scoring itself", 1000 * best_of(lambda: evaluate(few, truth), 5), "ms", "< 30")
        yield Measure(
            "  with all figures and intervals", best_of(lambda: evaluate(few, truth, full=True), 1), "s", "< 5"
        )
        large = Path(folder) / "many.json"
        write_predictions(large, many, Header(n_frames=12_000, split="test"))

        def read_and_score() -> None:
            read = read_predictions(large, frames_per_trajectory=20, n_trajectories=split.n_trajectories)
            evaluate(read.detections, truth)

        yield Measure(f"  {len(many):,} detections, read and scored", best_of(read_and_score, 1), "s", "< 4")


def _jittered(truth: Truth, copies: int) -> Detections:
    """Return every target `copies` times, moved by 0.1 px at random."""
    rng = np.random.default_rng(0)
    frame, slot = np.nonzero(np.arange(truth.frame_xy.shape[1]) < truth.frame_count[:, None])
    frame, slot = np.repeat(frame, copies), np.repeat(slot, copies)
    trajectory, offset = np.divmod(frame, len(truth.frames))
    xy = truth.frame_xy[frame, slot] + rng.normal(0, 0.1, (len(frame), 2))
    score = rng.random(len(frame))
    return Detections(truth.trajectories[trajectory], offset + truth.frames.start, xy[:, 0], xy[:, 1], score)


# --- methods and start-up --------------------------------------------------------------------------------------------

_LIMITS = {"ista": 5, "bid": 20}


def _methods() -> Iterator[Measure]:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "set.zarr"
        generate(data, load_data_recipe("seqcsist-noise", ["trajectories=1000"]))
        opened = datasets.open_dataset(data)
        split = opened.split("test")
        for name, method in METHODS.items():
            if method.trainable and not (shipped_weights(name) and torch_works()):
                continue
            if method.trainable and method.output == "points":
                whole = opened.split("train")  # 11,200 frames: fewer are not worth all cores
                rate = max(_rate_on_all_cores(whole, name) for _ in range(3))
                yield Measure(f"{name}: frames per second", rate, "frames/s", "> 50,000 on two cores")
                yield _latency(method, split)
                continue
            limit = _LIMITS.get(name, 40 if method.output == "grid" else 150)
            _unmixed(split, name, 1)
            done = _unmixed(split, name, limit, workers=1)
            yield Measure(
                f"{name}: frames per second",
                done.n_frames / done.seconds,
                "frames/s, one core" if not method.trainable else "frames/s",
            )
            if name == "ista":
                yield Measure(
                    "  12,000 frames on all cores", 12_000 / _rate_on_all_cores(split, name, 4 * limit), "s", "<= 120"
                )
            if method.output == "points":
                yield _latency(method, split)


def _latency(method: Method, split: datasets.Split) -> Measure:
    one = split.read("frames", 0, 1)[:, 2:3]
    detect = partial(_fitter(method).detect, one, Camera.from_recipe(split.recipe))
    return Measure("  latency of one frame", 1000 * best_of(detect, 30), "ms", "" if method.trainable else "< 1")


def _fitter(method: Method) -> Any:
    """Return a method that answers points, a network with its shipped weights."""
    weights = shipped_weights(method.name)
    if not method.trainable or weights is None:
        return build_training_free(method)
    from csist_bench.methods.networks.points import BatchedPointNetwork
    from csist_bench.methods.networks.weights import load_weights

    return BatchedPointNetwork(load_weights(weights, method.name)[0])


def _rate_on_all_cores(split: datasets.Split, name: str, limit: int | None = None) -> float:
    done = _unmixed(split, name, limit)
    return done.n_frames / done.seconds


def _unmixed(split: datasets.Split, name: str, first: int | None, workers: int | None = None) -> Unmixed:
    return unmix_each(split, name, ["grid"], scope=Scope(first=first, workers=workers))[0]


def _start() -> Iterator[Measure]:
    yield Measure("csist-bench --help", best_of(lambda: _command("--help"), 5), "s", "< 0.3")


# --- which parts, in which steps -------------------------------------------------------------------------------------

_PARTS: dict[str, Callable[[], Iterator[Measure]]] = {
    "rendering": _rendering,
    "generate": _generate,
    "evaluate": _evaluate,
    "methods": _methods,
    "start": _start,
}
NETWORKS = "networks"
PARTS = ("rendering", "generate", "evaluate", "methods", NETWORKS, "start")


def steps_of(parts: Sequence[str] = (), networks: NetworkOptions | None = None) -> list[Step]:
    """Return the steps of some of `PARTS`, by default of all: one a part, of networks one each.

    Without PyTorch there are none of networks.

    Raises
    ------
    InputError
        If a part is unknown, or the device or a network that is asked for.
    """
    steps = []
    for part in parts or PARTS:
        if part == NETWORKS:
            steps += _network_steps(networks or NetworkOptions())
        elif part in _PARTS:
            steps.append(Step(part, _PARTS[part]))
        else:
            raise unknown("part", part, PARTS)
    return steps


def _network_steps(options: NetworkOptions) -> list[Step]:
    if not torch_works():
        return []
    from csist_bench.speed.networks import network_steps
    from csist_bench.speed.way import Way

    return network_steps(Way.of(options.device, options.precision, options.compile), options.methods)
