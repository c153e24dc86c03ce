"""A method made ready to answer frames: one runner a kind, chosen by the registry row.

- `FitterRunner`: training-free methods that answer points (`ml`, `ml-seq`, `group-map`).
- `GridRunner`: what answers heat maps (networks, ISTA, BID) with a decoder behind it.
- `PointRunner`: networks that answer points.

Heat maps can be decoded in more than one way; a runner then solves once and decodes by each of its decoders.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from csist_bench import __version__
from csist_bench.conventions import DECODERS, GRID_THRESHOLD, Decoder
from csist_bench.detections import Detections, detections_from_grid
from csist_bench.errors import must, unknown
from csist_bench.methods.camera_use import (
    FITTED,
    FITTED_OVER_TIME,
    GRID,
    GROUP,
    plainly,
    unused,
    without_unknown_background,
)
from csist_bench.methods.networks.shipped import trained
from csist_bench.methods.outside import OutsideMethod
from csist_bench.methods.registry import Method, build_training_free, load_class
from csist_bench.simulation.camera import Camera

if TYPE_CHECKING:
    from csist_bench.methods.networks.base import RunDtype

# Answers off the grid are judged by rendering them: as fits of the frames, or as what a network answers; None: not.
Judged = Literal["fit", "network"] | None
Answered = tuple[list[Detections], list[float]]
HeatMaps = Callable[[NDArray[Any]], NDArray[Any]]

_USED_BY_FITTERS = {"ml-seq": FITTED_OVER_TIME, "group-map": GROUP}

# Trajectories answered by one call at most, and a network's frames per pass; more of one that answers points, of which
# a core takes 30,000 single frames a second, and no fewer frames than make a pass worth its many small steps.
LARGEST_BLOCK, FRAMES_PER_PASS = 50, 512
LARGEST_BLOCK_OF_POINTS, FRAMES_PER_PASS_OF_POINTS = 200, 4096
LEAST_FRAMES_OF_POINTS = 1024
# On a GPU a pass is 650 calls of some microseconds, whatever its size, and a frame takes 20 kB.
LARGEST_BLOCK_ON_GPU, FRAMES_PER_PASS_ON_GPU = 1000, 16_384


@dataclass(frozen=True)
class RunOptions:
    """How a method is run.

    `settings` are the method's own, by name. `weights` (a path, the name of a variant, or an address with the digest
    `sha256`), `device`, `batch` (frames per pass) and `dtype` (of products and convolutions) are a network's;
    `threshold` (grey levels) is the grid decoder's; None: that of the data set.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    weights: str | Path | None = None
    device: str = "auto"
    batch: int | None = None
    dtype: RunDtype = "float32"
    threshold: float | None = None
    sha256: str = ""


class Runner(ABC):
    """A method bound to a camera.

    `about` says for each decoder what a prediction file tells of the method; `alone` whether each frame is answered by
    itself; `threads` how many may use the runner at once, within `side_by_side` of their number. A block of work is
    `largest_block` trajectories at most, and `least_frames` frames at least. `unused` says in words what is told of the
    camera that the method does not use; `judged` how what its answers leave of the frames is judged.
    """

    alone: bool
    about: list[dict[str, Any]]
    judged: Judged = None
    unused: tuple[str, ...] = ()
    threads: int = 1
    largest_block: int = LARGEST_BLOCK
    least_frames: int = 1

    def judged_as(self, which: int) -> Judged:
        """Return how what the answers of a decoder leave of the frames is judged: not, where they stand on a grid."""
        decoder = self.about[which].get("decoder")
        return "fit" if decoder == "polish" else None if decoder == "grid" else self.judged

    def together(self, frames: int) -> int:
        """Return how many of the `frames` of a sequence are fitted together."""
        return 1

    @abstractmethod
    def solve(self, frames: NDArray[Any]) -> Any:
        """Return what the decoders take, of frames (B, T, S, S) in grey levels."""

    @abstractmethod
    def decode(self, which: int, solved: Any, frames: NDArray[Any]) -> Detections:
        """Return the detections of the decoder of that index."""

    def side_by_side(self, threads: int) -> AbstractContextManager[None]:
        """Prepare for so many threads at once."""
        return nullcontext()

    def answer(self, frames: NDArray[Any]) -> Detections:
        """Return the first decoder's detections in frames (B, T, S, S)."""
        return self.decode(0, self.solve(frames), frames)

    def answer_each(self, frames: NDArray[Any]) -> Answered:
        """Return each decoder's detections in frames (B, T, S, S), and how long its decoding took, s."""
        solved, found, seconds = self.solve(frames), [], []
        for which in range(len(self.about)):
            began = time.perf_counter()
            found.append(self.decode(which, solved, frames))
            seconds.append(time.perf_counter() - began)
        return found, seconds


class FitterRunner(Runner):
    """Runs a training-free method that answers points; its kernels run without the interpreter's lock."""

    def __init__(self, row: Method, camera: Camera, decoders: Sequence[Decoder], options: RunOptions) -> None:
        if len(decoders) > 1:
            raise must("decoders", "be one for a method that answers points", ", ".join(decoders))
        _require_float32(options)
        self.method = _training_free(row, options.settings)
        self.camera = camera
        self.alone = row.context == "frame"
        self.threads = _threads(row)
        tier = getattr(self.method, "prior_tier", row.prior_tier)
        if tier == "B" and camera.intensity_free:
            tier = "A"  # what B knows beyond A is the law of brightness
        self.unused = () if row.outside else unused(camera, _USED_BY_FITTERS.get(row.name, FITTED))
        self.judged = getattr(self.method, "judged", "fit")
        about = {"prior_tier": tier, "settings": dict(options.settings)}
        self.about = [_named(row) | about | {"decoder": "own"}]

    def together(self, frames: int) -> int:
        """Return how many of the `frames` of a sequence are fitted together."""
        asked = getattr(self.method, "frames", "all")
        return 1 if self.alone else min(frames, asked) if isinstance(asked, int) else frames

    def solve(self, frames: NDArray[Any]) -> Detections:
        """Return the method's detections."""
        found: Detections = self.method.detect(frames, self.camera)
        return found

    def decode(self, which: int, solved: Detections, frames: NDArray[Any]) -> Detections:
        """Return the method's own detections."""
        return solved


class GridRunner(Runner):
    """Runs what answers heat maps, and decodes them."""

    def __init__(self, row: Method, camera: Camera, decoders: Sequence[Decoder], options: RunOptions) -> None:
        self.alone = row.context == "frame"
        if row.trainable:
            self._heat_maps, about, width = _network_heat_maps(row, camera, options)
        else:
            _require_float32(options)
            method = _training_free(row, options.settings)
            plain = plainly(camera)
            self._heat_maps = lambda frames: np.asarray(method.heat_maps(frames, plain))
            self.threads = _threads(row)
            about, width = {"prior_tier": row.prior_tier, "settings": dict(options.settings)}, None
        self.camera, self.unused = camera, unused(camera, GRID, width)
        threshold = GRID_THRESHOLD if options.threshold is None else options.threshold
        named: dict[Decoder, dict[str, Any]] = {
            "grid": {"decoder": "grid", "threshold": threshold},
            "polish": {"decoder": "polish"},
        }
        self._decoders = [_decoder_of_maps(name, camera, threshold) for name in decoders]
        self.about = [_named(row) | about | named[name] for name in decoders]

    def solve(self, frames: NDArray[Any]) -> NDArray[Any]:
        """Return heat maps (B, T, c S, c S), grey levels."""
        return self._heat_maps(without_unknown_background(frames, self.camera))

    def decode(self, which: int, solved: NDArray[Any], frames: NDArray[Any]) -> Detections:
        """Return the detections that one decoder finds in heat maps."""
        return self._decoders[which](solved, frames)


class PointRunner(Runner):
    """Runs a network that answers points; "polish" carries its answers to each frame's own likelihood."""

    least_frames = LEAST_FRAMES_OF_POINTS

    def __init__(self, row: Method, camera: Camera, decoders: Sequence[Decoder], options: RunOptions) -> None:
        from csist_bench.methods.networks import points
        from csist_bench.methods.networks.base import resolve_device
        from csist_bench.methods.polish.method import Polish

        model, about, width = trained(row, camera, options.settings, options.weights, options.sha256)
        device = resolve_device(options.device)
        usual = FRAMES_PER_PASS_OF_POINTS if device.type == "cpu" else FRAMES_PER_PASS_ON_GPU
        batch = usual if options.batch is None else options.batch
        self.largest_block = LARGEST_BLOCK_OF_POINTS if device.type == "cpu" else LARGEST_BLOCK_ON_GPU
        self._network = points.BatchedPointNetwork(model, device, batch, options.dtype)
        if self._network.rounded:
            about["settings"]["precision"] = options.dtype
        self._polish = Polish()
        self.camera, self.unused, self.judged = camera, unused(camera, GRID, width), "network"
        self.alone = self._network.reach == 0
        self.threads = self._network.threads
        about |= {"device": str(self._network.device)}
        self._decoders = list(decoders)
        self.about = [
            _named(row) | about | {"decoder": "polish" if name == "polish" else "own"} for name in self._decoders
        ]

    def side_by_side(self, threads: int) -> AbstractContextManager[None]:
        """Give each of so many threads its share of the cores."""
        return self._network.side_by_side(threads)

    def solve(self, frames: NDArray[Any]) -> Detections:
        """Return the network's detections."""
        return self._network.detect(without_unknown_background(frames, self.camera), plainly(self.camera))

    def decode(self, which: int, solved: Detections, frames: NDArray[Any]) -> Detections:
        """Return the network's detections, polished where that was asked for."""
        if self._decoders[which] == "polish":
            return self._polish.refine(solved, frames, self.camera)
        return solved


def runner_of(row: Method, camera: Camera, decoders: Sequence[Decoder], options: RunOptions) -> Runner:
    """Return the runner of a method.

    Raises
    ------
    InputError
        If a setting, the decoders, the device or the weights are not such as the method can be run with.
    """
    for name in decoders:
        if name not in DECODERS:
            raise unknown("decoder", name, DECODERS)
    if not decoders or len(set(decoders)) < len(decoders):
        raise must("decoders", "be at least one, each once", ", ".join(decoders) or "none")
    if row.trainable:
        load_class(row)  # without PyTorch this is the clear error
    kind = GridRunner if row.output == "grid" else PointRunner if row.trainable else FitterRunner
    return kind(row, camera, decoders, options)


def _named(row: Method) -> dict[str, Any]:
    if not row.outside:
        return {"name": row.title, "registry_name": row.name, "code_version": __version__}
    said = {"name": row.title, "outside": row.outside, "family": row.family, "paper": row.paper}
    return said | {"prior_tier": row.prior_tier, "code_version": __version__}


def _training_free(row: Method, settings: Mapping[str, Any]) -> Any:
    return OutsideMethod(row, settings) if row.outside else build_training_free(row, settings)


def _threads(row: Method) -> int:
    """Return how many threads may use a method at once: one where it does not come from here and may mind."""
    return 1 if row.outside else os.cpu_count() or 1


def _require_float32(options: RunOptions) -> None:
    if options.dtype != "float32":
        raise must("precision", "be float32 for all but networks", options.dtype)


def _network_heat_maps(row: Method, camera: Camera, options: RunOptions) -> tuple[HeatMaps, dict[str, Any], float]:
    """Return what answers heat maps, what a prediction file says of it, and the PSF's width of the weights, px."""
    from csist_bench.methods.networks.base import BatchedGridNetwork

    model, about, width = trained(row, camera, options.settings, options.weights, options.sha256)
    batch = FRAMES_PER_PASS if options.batch is None else options.batch
    network = BatchedGridNetwork(model, options.device, batch, options.dtype)
    if network.rounded:
        about["settings"]["precision"] = options.dtype
    plain = plainly(camera)
    return lambda frames: network.heat_maps(frames, plain), about | {"device": str(network.device)}, width


def _decoder_of_maps(
    decoder: Decoder, camera: Camera, threshold: float
) -> Callable[[NDArray[Any], NDArray[Any]], Detections]:
    """Return the function from heat maps and their frames to detections."""
    if decoder == "polish":
        from csist_bench.methods.ml.method import MaximumLikelihood
        from csist_bench.methods.polish.method import Polish

        polish = Polish()
        alone = MaximumLikelihood(max_targets=polish.max_targets).detect
        return lambda heat_maps, frames: polish.decode(heat_maps, frames, camera, alone)
    return lambda heat_maps, frames: detections_from_grid(heat_maps, camera.optics.c, threshold)
