"""From a method and frames to detections: the one way every method is run."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from csist_bench import __version__
from csist_bench.conventions import GRID_THRESHOLD, Decoder
from csist_bench.datasets.frame_files import read_bare_frames
from csist_bench.detections import Detections, concatenate, detections_from_grid
from csist_bench.errors import must, require_finite, unknown
from csist_bench.methods.blocks import blocks_of, in_order
from csist_bench.methods.networks.shipped import trained
from csist_bench.methods.registry import Method, build_training_free, find
from csist_bench.predictions.header import Header
from csist_bench.recipes import DataRecipe, frame_range, parse_overrides
from csist_bench.simulation.sensor import Camera

if TYPE_CHECKING:
    from csist_bench.methods.networks.base import RunPrecision
    from csist_bench.methods.networks.points import PointRunner

Progress = Callable[[int, int], None]
HeatMaps = Callable[[NDArray[Any]], NDArray[Any]]
Answered = tuple[list[Detections], list[float]]
SideBySide = Callable[[int], AbstractContextManager[None]]

# Trajectories answered by one call at most, and a network's frames per pass; more of one that answers points, of which
# a core takes 30,000 single frames a second, and no fewer frames than make a pass worth its many small steps.
LARGEST_BLOCK, FRAMES_PER_PASS = 50, 512
LARGEST_BLOCK_OF_POINTS, FRAMES_PER_PASS_OF_POINTS = 200, 2048
LEAST_FRAMES_OF_POINTS = 1024


class FrameSource(Protocol):
    """What can be unmixed: a split of a store, or bare frames."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def recipe(self) -> DataRecipe: ...  # noqa: D102
    @property
    def n_trajectories(self) -> int: ...  # noqa: D102
    @property
    def n_frames(self) -> int: ...  # noqa: D102
    @property
    def scored_frames(self) -> range: ...  # noqa: D102
    @property
    def chunk_trajectories(self) -> int: ...  # noqa: D102
    def read(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[Any]: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class Unmixed:
    """Detections of the frames answered, how many those were, how long it took, and what made them."""

    detections: Detections
    n_frames: int
    seconds: float
    frames: range
    method: dict[str, Any]


def unmix(source: FrameSource, method: str, *, decoder: Decoder = "grid", **how: Any) -> Unmixed:
    """Unmix the frames of a source with a method of the registry.

    Parameters
    ----------
    source : Split, BareFrames or alike
    method : str
        Name in the registry.
    decoder : {"grid", "polish"}
        How a heat map becomes detections; methods that answer points ignore it.
    **how
        The keyword arguments of `unmix_each`.

    Returns
    -------
    Unmixed
        With indices counted within the source, in canonical order.
    """
    return unmix_each(source, method, [decoder], **how)[0]


def unmix_each(
    source: FrameSource,
    method: str,
    decoders: Sequence[Decoder],
    *,
    overrides: Iterable[str] = (),
    weights: str | Path | None = None,
    device: str = "auto",
    threshold: float = GRID_THRESHOLD,
    noise_sigma: float | None = None,
    frames: range | None = None,
    limit: int | None = None,
    workers: int | None = None,
    batch: int | None = None,
    precision: RunPrecision = "float32",
    progress: Progress | None = None,
) -> list[Unmixed]:
    """Unmix the frames of a source once, and decode the heat maps by each of several decoders.

    Parameters
    ----------
    source : Split, BareFrames or alike
    method : str
        Name in the registry.
    decoders : sequence of {"grid", "polish"}
        At least one, each once; a method that answers points takes one and ignores it.
    overrides : iterable of 'name=value'
        Settings of the method.
    weights : path, optional
        Weights of a network; by default those shipped.
    threshold : float, grey levels
        Nodes at or above it are detections of the grid decoder.
    noise_sigma : float, optional, grey levels
        What fitters are told; by default the recipe's noise.
    frames : range, optional
        Frames to answer; by default the scored ones.
    limit : int, optional
        Answer only the first `limit` trajectories.
    batch : int, optional
        Frames that a network answers at once.
    workers : int, optional
        Threads of a training-free method; its kernels run without the interpreter's lock.
    precision : {"float32", "bfloat16"}
        Of a network's products and convolutions; a network that answers points takes float32 alone.

    Returns
    -------
    list of Unmixed
        One a decoder, the same as of a run with that decoder alone; its seconds leave out the others' decoding.
    """
    row = find(method)
    camera = Camera.from_recipe(source.recipe, noise_sigma)
    largest, least, per_pass = LARGEST_BLOCK, 1, FRAMES_PER_PASS
    if row.trainable and row.output == "points":
        largest, least, per_pass = LARGEST_BLOCK_OF_POINTS, LEAST_FRAMES_OF_POINTS, FRAMES_PER_PASS_OF_POINTS
    batch = per_pass if batch is None else batch
    solver = _solver(row, camera, overrides, weights, device, decoders, threshold, batch, precision)
    wanted = source.scored_frames if frames is None else frames
    total = min(source.n_trajectories, limit or source.n_trajectories)
    threads = solver.threads if row.trainable else workers or solver.threads
    per_trajectory = max(1, len(wanted) if solver.alone else source.n_frames)
    blocks = blocks_of(total, threads, -(-least // per_trajectory), largest, source.chunk_trajectories)
    threads = max(1, min(threads, len(blocks)))
    with solver.side_by_side(threads):
        began = time.perf_counter()
        parts: list[list[Detections]] = []
        decoding = np.zeros(len(decoders))  # s
        answers = in_order(lambda block: _answer(source, solver, wanted, *block), blocks, threads)
        for (_, stop), (part, spent) in zip(blocks, answers, strict=True):
            parts.append(part)
            decoding += spent
            if progress:
                progress(stop * len(wanted), total * len(wanted))
        # Threads decode side by side, so that what the other decoders took of the wall time is their share.
        seconds = time.perf_counter() - began - (decoding.sum() - decoding) / threads
    done = []
    for d, (about, spent) in enumerate(zip(solver.about, seconds.tolist(), strict=True)):
        about |= {"noise_sigma": camera.noise_sigma, "seconds": round(spent, 3), "hardware": _hardware(about)}
        detections = concatenate([part[d] for part in parts]).ordered()
        done.append(Unmixed(detections, total * len(wanted), spent, wanted, about))
    return done


def _answer(source: FrameSource, solver: _Solver, wanted: range, start: int, stop: int) -> Answered:
    """Return each decoder's detections in the wanted frames of trajectories start..stop-1, and how long it took, s."""
    values = source.read("frames", start, stop)
    if values.dtype.kind == "f":
        require_finite(f"{source.name}: frames of trajectories {start}..{stop - 1}", values)
    if solver.alone:
        found, seconds = solver.answer(values[:, wanted.start : wanted.stop])
        return [one.shifted(start, wanted.start) for one in found], seconds
    found, seconds = solver.answer(values)
    inside = [one.select((one.frame >= wanted.start) & (one.frame < wanted.stop)) for one in found]
    return [one.shifted(start) for one in inside], seconds


def _hardware(about: dict[str, Any]) -> str:
    return f"{about.get('device', 'cpu')} ({os.cpu_count()} cores, {platform.machine()})"


@dataclass(frozen=True, eq=False)
class _Solver:
    """A method made ready: `solve` turns frames into what each of `decode` turns into detections, with the frames.

    `about` says for each decoder what its prediction file tells of the method, `alone` whether each frame is answered
    by itself. At most `threads` threads may solve at once, within `side_by_side` of their number.
    """

    solve: Callable[[NDArray[Any]], Any]
    decode: list[Callable[[Any, NDArray[Any]], Detections]]
    about: list[dict[str, Any]]
    alone: bool
    threads: int
    side_by_side: SideBySide

    def answer(self, frames: NDArray[Any]) -> Answered:
        """Return each decoder's detections in frames (B, T, S, S) and how long it took, s."""
        solved, found, seconds = self.solve(frames), [], []
        for decode in self.decode:
            began = time.perf_counter()
            found.append(decode(solved, frames))
            seconds.append(time.perf_counter() - began)
        return found, seconds


def _solver(
    row: Method,
    camera: Camera,
    overrides: Iterable[str],
    weights: str | Path | None,
    device: str,
    decoders: Sequence[Decoder],
    threshold: float,
    batch: int,
    precision: RunPrecision,
) -> _Solver:
    _require_different(decoders)
    overrides = list(overrides)
    about: dict[str, Any] = {"name": row.title, "registry_name": row.name, "code_version": __version__}
    if precision != "float32" and (row.output == "points" or not row.trainable):
        raise must("precision", "be float32 for all but networks that answer heat maps", precision)
    if row.output == "points" and row.trainable:
        runner, loaded = _point_network(row, camera, overrides, weights, device, batch)
        return _Solver(
            lambda frames: runner.detect(frames, camera),
            [_decode_points(name, camera) for name in decoders],
            [about | loaded | {"decoder": "polish" if name == "polish" else "own"} for name in decoders],
            runner.reach == 0,
            runner.threads,
            runner.side_by_side,
        )
    alone, cores = row.context == "frame", os.cpu_count() or 1  # kernels run without the interpreter's lock
    if row.output == "points":
        if len(decoders) > 1:
            raise must("decoders", "be one for a method that answers points", ", ".join(decoders))
        points = build_training_free(row, overrides)
        about |= {"decoder": "own", "settings": parse_overrides(overrides)}
        about["prior_tier"] = getattr(points, "prior_tier", row.prior_tier)
        return _Solver(
            lambda frames: points.detect(frames, camera),
            [lambda found, frames: found],
            [about],
            alone,
            cores,
            _as_they_are,
        )
    if row.trainable:
        heat_maps, loaded = _network(row, camera, overrides, weights, device, batch, precision)
        about |= loaded
    else:
        solver = build_training_free(row, overrides)
        about["settings"] = parse_overrides(overrides)
        about["prior_tier"] = getattr(solver, "prior_tier", row.prior_tier)

        def heat_maps(frames: NDArray[Any]) -> NDArray[Any]:
            return np.asarray(solver.heat_maps(frames, camera))

    told: dict[Decoder, dict[str, Any]] = {
        "grid": {"decoder": "grid", "threshold": threshold},
        "polish": {"decoder": "polish"},
    }
    return _Solver(
        heat_maps,
        [_decode(name, camera, threshold) for name in decoders],
        [about | told[name] for name in decoders],
        alone,
        1 if row.trainable else cores,
        _as_they_are,
    )


def _as_they_are(threads: int) -> AbstractContextManager[None]:
    """For solvers that need no preparation for several threads."""
    return nullcontext()


def _require_different(decoders: Sequence[Decoder]) -> None:
    for name in decoders:
        if name not in get_args(Decoder):
            raise unknown("decoder", name, get_args(Decoder))
    if not decoders or len(set(decoders)) < len(decoders):
        raise must("decoders", "be at least one, each once", ", ".join(decoders) or "none")


def _decode(decoder: Decoder, camera: Camera, threshold: float) -> Callable[[NDArray[Any], NDArray[Any]], Detections]:
    """Return the function from heat maps and their frames to detections."""
    if decoder == "polish":
        from csist_bench.methods.polish.method import Polish

        polish = Polish()
        return lambda heat_maps, frames: polish.detect(heat_maps, frames, camera)
    return lambda heat_maps, frames: detections_from_grid(heat_maps, camera.optics.c, threshold)


def _decode_points(decoder: Decoder, camera: Camera) -> Callable[[Detections, NDArray[Any]], Detections]:
    """Return the function from a network's own detections and their frames to detections."""
    if decoder == "polish":
        from csist_bench.methods.polish.method import Polish

        polish = Polish()
        return lambda found, frames: polish.refine(found, frames, camera)
    return lambda found, frames: found


def _network(
    row: Method,
    camera: Camera,
    overrides: list[str],
    weights: str | Path | None,
    device: str,
    batch: int,
    precision: RunPrecision,
) -> tuple[HeatMaps, dict[str, Any]]:
    from csist_bench.methods.networks.base import NetworkRunner

    model, about = trained(row, camera, overrides, weights)
    runner = NetworkRunner(model, device, batch, precision)
    if runner.rounded:
        about["settings"]["precision"] = precision
    return lambda frames: runner.heat_maps(frames, camera), about | {"device": str(runner.device)}


def _point_network(
    row: Method, camera: Camera, overrides: list[str], weights: str | Path | None, device: str, batch: int
) -> tuple[PointRunner, dict[str, Any]]:
    from csist_bench.methods.networks.points import PointRunner

    model, about = trained(row, camera, overrides, weights)
    runner = PointRunner(model, device, batch)
    return runner, about | {"device": str(runner.device)}


def header_of(source: FrameSource, unmixed: Unmixed) -> Header:
    """Return the header of the prediction file of a run."""
    return Header(
        method=unmixed.method,
        dataset=source.recipe.name,
        split=source.name,
        fingerprint=getattr(source, "fingerprint", None),
        n_frames=unmixed.n_frames,
        frames=f"{unmixed.frames.start}:{unmixed.frames.stop}",
    )


def open_source(path: str, split: str, allow_partial: bool = False) -> FrameSource:
    """Open a split of a data set, or a .npy file of bare frames."""
    if path.endswith(".npy"):
        return read_bare_frames(path)
    from csist_bench.datasets import open_store

    return open_store(path, allow_partial).split(split)


def chosen_frames(source: FrameSource, text: str | None) -> range:
    """Return the frames that a `--frames` text means for a source; None: the scored ones."""
    return source.scored_frames if text is None else frame_range(text, source.n_frames, "--frames")
