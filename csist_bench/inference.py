"""From a method and frames to detections: the one way every method is run."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from csist_bench import __version__, resources
from csist_bench.checks import InputError, must, require_finite, show
from csist_bench.detections import GRID_THRESHOLD, Detections, concatenate, detections_from_grid
from csist_bench.predictions.header import Header
from csist_bench.recipes import DataRecipe, convert, frame_range, load_data_recipe, parse_overrides, resolved
from csist_bench.registry import METHODS, Method, build_training_free, find
from csist_bench.sensor import Instrument

Decoder = Literal["grid", "polish"]
Progress = Callable[[int, int], None]
Detect = Callable[[NDArray[Any]], Detections]

LARGEST_BLOCK = 50  # trajectories answered by one call
BLOCKS_PER_THREAD = 4  # at least, so that the threads end together


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
    def read(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[Any]: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class BareFrames:
    """Frames without targets, shape (N, T, H, W), in grey levels; `recipe` says what is assumed of the imager."""

    frames: NDArray[Any]
    recipe: DataRecipe
    name: str = "frames"

    @property
    def n_trajectories(self) -> int:
        """Number of trajectories."""
        return len(self.frames)

    @property
    def n_frames(self) -> int:
        """Frames of each trajectory."""
        return int(self.frames.shape[1])

    @property
    def scored_frames(self) -> range:
        """All frames."""
        return range(self.n_frames)

    def read(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Return trajectories start..stop-1."""
        return np.asarray(self.frames[start:stop])


@dataclass(frozen=True, eq=False)
class Unmixed:
    """Detections of the frames answered, how many those were, how long it took, and what made them."""

    detections: Detections
    n_frames: int
    seconds: float
    frames: range
    method: dict[str, Any]


def read_bare_frames(path: str | Path) -> BareFrames:
    """Read a .npy file of frames, (N, T, H, W), (T, H, W) or (H, W); the optics of `seqcsist` are assumed.

    Raises
    ------
    InputError
        If the file is not a .npy file, or holds anything but square frames of numbers.
    """
    try:
        with Path(path).open("rb") as file:
            frames = np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InputError(f"{path}: not a plain .npy array ({show(str(error))})") from None
    square = 2 <= frames.ndim <= 4 and frames.shape[-1] == frames.shape[-2]
    if not square or frames.dtype.kind not in "fiu" or not frames.size:
        rule = "hold square frames (N, T, H, W), (T, H, W) or (H, W) of numbers"
        raise must(f"{path}", rule, f"{frames.dtype} {frames.shape}")
    frames = frames.reshape((1,) * (4 - frames.ndim) + frames.shape)
    kind = frames.dtype.name if frames.dtype.name in ("uint8", "uint16") else "float32"
    shown = {
        "size": frames.shape[-1],
        "frames": frames.shape[1],
        "scored_frames": ":",
        "dtype": kind,
        "bits": {"uint8": 8, "uint16": 16}.get(kind, 0),
    }
    recipe = convert({**resolved(load_data_recipe("seqcsist")), **shown}, DataRecipe, f"{path}: frames")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as such
        return BareFrames(frames.astype(kind), recipe, str(path))


def unmix(
    source: FrameSource,
    method: str,
    *,
    overrides: Iterable[str] = (),
    weights: str | Path | None = None,
    device: str = "auto",
    decoder: Decoder = "grid",
    threshold: float = GRID_THRESHOLD,
    noise_sigma: float | None = None,
    frames: range | None = None,
    limit: int | None = None,
    workers: int | None = None,
    batch: int = 512,
    progress: Progress | None = None,
) -> Unmixed:
    """Unmix the frames of a source with a method of the registry.

    Parameters
    ----------
    source : Split, BareFrames or alike
    method : str
        Name in the registry.
    overrides : iterable of 'name=value'
        Settings of the method.
    weights : path, optional
        Weights of a network; by default those shipped.
    decoder : {"grid", "polish"}
        How a heat map becomes detections; methods that answer points ignore it.
    threshold : float, grey levels
        Nodes at or above it are detections of the grid decoder.
    noise_sigma : float, optional, grey levels
        What fitters are told; by default the recipe's noise.
    frames : range, optional
        Frames to answer; by default the scored ones.
    limit : int, optional
        Answer only the first `limit` trajectories.
    workers : int, optional
        Threads of a training-free method; its kernels run without the interpreter's lock.

    Returns
    -------
    Unmixed
        With indices counted within the source, in canonical order.
    """
    row = find(method)
    instrument = Instrument.from_recipe(source.recipe, noise_sigma)
    detect, about = _detector(row, instrument, overrides, weights, device, decoder, threshold, batch)
    wanted = source.scored_frames if frames is None else frames
    total = min(source.n_trajectories, limit or source.n_trajectories)
    threads = 1 if row.trainable else workers or os.cpu_count() or 1
    length = max(1, min(LARGEST_BLOCK, total // (BLOCKS_PER_THREAD * threads)))
    blocks = [(start, min(start + length, total)) for start in range(0, total, length)]
    began, parts = time.perf_counter(), []

    def answer(block: tuple[int, int]) -> Detections:
        values = source.read("frames", *block)
        if values.dtype.kind == "f":
            require_finite(f"{source.name}: frames of trajectories {block[0]}..{block[1] - 1}", values)
        if row.context == "frame":
            return detect(values[:, wanted.start : wanted.stop]).shifted(block[0], wanted.start)
        found = detect(values)
        inside = (found.frame >= wanted.start) & (found.frame < wanted.stop)
        return found.select(inside).shifted(block[0])

    for index, part in enumerate(_in_order(answer, blocks, threads)):
        parts.append(part)
        if progress:
            progress(blocks[index][1] * len(wanted), total * len(wanted))
    seconds = time.perf_counter() - began
    about |= {"noise_sigma": instrument.noise_sigma, "seconds": round(seconds, 3), "hardware": _hardware(about)}
    return Unmixed(concatenate(parts).ordered(), total * len(wanted), seconds, wanted, about)


def _in_order(
    answer: Callable[[tuple[int, int]], Detections], blocks: list[tuple[int, int]], threads: int
) -> Iterator[Detections]:
    """Yield the answers in the order of the blocks, working on a few blocks ahead."""
    if threads == 1:
        yield from map(answer, blocks)
        return
    with ThreadPoolExecutor(threads) as pool:
        ahead: list[Future[Detections]] = []
        for block in blocks:
            ahead.append(pool.submit(answer, block))
            if len(ahead) > 2 * threads:
                yield ahead.pop(0).result()
        for future in ahead:
            yield future.result()


def _hardware(about: dict[str, Any]) -> str:
    return f"{about.get('device', 'cpu')} ({os.cpu_count()} cores, {platform.machine()})"


def _detector(
    row: Method,
    instrument: Instrument,
    overrides: Iterable[str],
    weights: str | Path | None,
    device: str,
    decoder: Decoder,
    threshold: float,
    batch: int,
) -> tuple[Detect, dict[str, Any]]:
    """Return the function from frames (B, T, S, S) to detections, and what the prediction file says of it."""
    overrides = list(overrides)
    about: dict[str, Any] = {"name": row.title, "registry_name": row.name, "code_version": __version__}
    if row.output == "points":
        points = build_training_free(row, overrides)
        return lambda frames: points.detect(frames, instrument), about | {
            "decoder": "own",
            "settings": parse_overrides(overrides),
        }
    if row.trainable:
        heat_maps, loaded = _network(row, instrument, overrides, weights, device, batch)
        about |= loaded
    else:
        solver = build_training_free(row, overrides)
        about["settings"] = parse_overrides(overrides)

        def heat_maps(frames: NDArray[Any]) -> NDArray[Any]:
            return np.asarray(solver.heat_maps(frames, instrument))

    about["decoder"] = decoder
    if decoder == "polish":
        from csist_bench.offgrid.polish import Polish

        polish = Polish()
        return lambda frames: polish.detect(heat_maps(frames), frames, instrument), about
    about["threshold"] = threshold
    return lambda frames: detections_from_grid(heat_maps(frames), instrument.optics.c, threshold), about


def _network(
    row: Method, instrument: Instrument, overrides: list[str], weights: str | Path | None, device: str, batch: int
) -> tuple[Callable[[NDArray[Any]], NDArray[Any]], dict[str, Any]]:
    if overrides:
        raise must("--set", "be left out for a network (its settings are in its weights)", overrides[0])
    path = Path(weights) if weights else shipped_weights(row.name)
    if path is None:
        have = [name for name in METHODS if METHODS[name].trainable and shipped_weights(name)]
        raise InputError(
            f"no trained weights of {row.name!r} are shipped; train it (csist-bench train {row.name}) or pass --weights"
            f" (shipped: {', '.join(have) or 'none'})"
        )
    from csist_bench.models.base import NetworkRunner
    from csist_bench.models.weights import load_weights

    model, card = load_weights(path, row.name)
    if card.optics != instrument.optics:
        raise must(f"{path}: optics of the weights", f"be those of the data {instrument.optics}", card.optics)
    runner = NetworkRunner(model, device, batch)
    about = {
        "device": str(runner.device),
        "settings": card.settings,
        "recipe_hash": card.recipe_hash,
        "trained_on": card.dataset,
        "training_minutes": round(card.minutes, 2),
        "training_device": card.device,
        "seed": card.recipe.get("seed"),
    }
    return lambda frames: runner.heat_maps(frames, instrument), about


def shipped_weights(name: str) -> Path | None:
    """Return the weights file that travels with the package, if there is one."""
    path = resources.folder("weights") / f"{name}.safetensors"
    return path if path.is_file() else None


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
    from csist_bench.store import open_store

    return open_store(path, allow_partial).split(split)


def chosen_frames(source: FrameSource, text: str | None) -> range:
    """Return the frames that a `--frames` text means for a source; None: the scored ones."""
    return source.scored_frames if text is None else frame_range(text, source.n_frames, "--frames")
