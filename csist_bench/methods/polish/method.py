"""`polish`: a decoder that carries any heat map off the grid.

The flux tells how many targets there are. As many are taken out of the map, strongest node first, without suppressing
neighbours: nearly every target of SeqCSIST has another one in an adjacent node. Each is then refined by a maximum a
posteriori fit to the frame whose prior is its cell: N(node, tau^2) with tau^2 = 1 / (12 c^2) + error^2, the variance of
a uniform position in a cell of 1 / c px plus that of the method's own error, beside the brightness law. Without the
cell's prior a fit at strong noise would be worse than the grid.

A method that answers points with error bars is polished from those, its own errors being the prior.

A map that holds fewer targets than the flux asks for is not believed: the caller's `fallback` answers that frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from csist_bench.detections import Detections, concatenate
from csist_bench.errors import must, require_finite
from csist_bench.methods.fitting.answers import FrameAnswers
from csist_bench.methods.fitting.background import targets_alone
from csist_bench.methods.fitting.counts import BrightnessLaw
from csist_bench.methods.fitting.dense_images import dense_workspace
from csist_bench.methods.fitting.frames import pixels_from_frames, window_side
from csist_bench.methods.fitting.levenberg import StoppingRule
from csist_bench.methods.fitting.noise_model import noise_model_of
from csist_bench.methods.polish._kernels import polish_frames, polish_points, polish_workspace, set_cell_prior
from csist_bench.simulation.camera import Camera

Floats = NDArray[np.float64]

# What answers frames (B, T, H, W) by themselves.
FrameMethod = Callable[[NDArray[Any], Camera], Detections]


class Polish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The decoder's settings."""

    error: Annotated[float, Meta(ge=0)] = 0.05  # px along each axis: what the method misses a target's cell by
    max_targets: Annotated[int, Meta(ge=1, le=12)] = 8
    iterations: Annotated[int, Meta(ge=1, le=1000)] = 30
    tolerance: Annotated[float, Meta(gt=0)] = 0.01

    def decode(
        self, heat_maps: NDArray[Any], frames: NDArray[Any], camera: Camera, fallback: FrameMethod
    ) -> Detections:
        """Decode heat maps with the frames they were made from.

        Parameters
        ----------
        heat_maps : ndarray, shape (B, T, c H, c W), grey levels per node
        frames : ndarray, shape (B, T, H, W), grey levels
        camera : Camera
        fallback : callable (frames, camera) -> Detections
            Answers the frames whose map holds fewer targets than the flux asks for; each is given as a sequence of one.

        Returns
        -------
        Detections
            With intensity and standard errors; as many in each frame as the flux asks for.

        Raises
        ------
        InputError
            If shapes do not belong together or a value is not finite.
        """
        pixels = pixels_from_frames(frames, camera)
        maps, c = _checked_maps(heat_maps, pixels)
        b, t, k = pixels.shape[0], pixels.shape[1], self.max_targets
        answers, found = FrameAnswers.empty(b * t, k), np.zeros(b * t, np.int64)
        raw = pixels.reshape(b * t, *pixels.shape[2:])
        side, noise_model = window_side(0, camera, pixels.shape[2:]), noise_model_of(camera, frames.dtype.kind in "iu")
        work = polish_workspace(k, side)
        law = BrightnessLaw(camera.intensity_min, camera.intensity_max, False)
        set_cell_prior(1 / (12 * c**2) + self.error**2, law, work)
        polish_frames(
            maps.reshape(b * t, *maps.shape[2:]), targets_alone(raw, camera), raw, c,
            noise_model, law, self._stop, work, answers, found,
            dense_workspace(k, side) if noise_model.dense else None,
        )  # fmt: skip
        short = found < answers.targets
        polished = answers._replace(targets=np.where(short, 0, answers.targets)).detections(b, t)
        return concatenate([polished, _without_map(frames, short.reshape(b, t), camera, fallback)]).ordered()

    @property
    def _stop(self) -> StoppingRule:
        return StoppingRule(self.iterations, self.tolerance)

    def refine(self, found: Detections, frames: NDArray[Any], camera: Camera) -> Detections:
        """Carry the answers of a method that gives error bars to the frames' own likelihood.

        Each target's prior is the answer itself with its errors; scores stay the method's. Prior and likelihood are of
        the same frame, so errors that the noise sets come out too small, by up to the root of 2; what is gained is
        where the method itself is coarser than the data.

        Parameters
        ----------
        found : Detections
            With intensity and errors of x, y and intensity.
        frames : ndarray, shape (B, T, H, W), grey levels
        """
        pixels = pixels_from_frames(frames, camera)
        b, t = pixels.shape[:2]
        answers = _as_answers(found.ordered(), b, t)
        raw = pixels.reshape(b * t, *pixels.shape[2:])
        k, side = answers.score.shape[1], window_side(0, camera, pixels.shape[2:])
        noise_model = noise_model_of(camera, frames.dtype.kind in "iu")
        polish_points(
            targets_alone(raw, camera),
            raw,
            noise_model,
            self._stop,
            polish_workspace(k, side),
            answers,
            dense_workspace(k, side) if noise_model.dense else None,
        )
        return answers.detections(b, t)


def _as_answers(found: Detections, b: int, t: int) -> FrameAnswers:
    """Return detections of B x T frames, ordered by frame, as the kernels take them; room is left with errors of 1."""
    columns = found.columns()
    if not {"intensity", "sigma_x", "sigma_y", "sigma_intensity"} <= columns.keys():
        raise must("detections", "have intensity and errors to be polished", ", ".join(columns))
    index = found.trajectory * t + found.frame
    count = np.bincount(index, minlength=b * t).astype(np.int64)
    place = np.arange(len(found)) - np.repeat(np.cumsum(count) - count, count)
    answers = FrameAnswers.empty(b * t, int(count.max(initial=1)))
    answers.targets[:], answers.sigma[:] = count, 1.0
    answers.theta[index, place] = np.stack([columns[name] for name in ("x", "y", "intensity")], axis=-1)
    answers.sigma[index, place] = np.stack([columns[f"sigma_{name}"] for name in ("x", "y", "intensity")], axis=-1)
    answers.score[index, place] = found.score
    return answers


def _without_map(frames: NDArray[Any], short: NDArray[np.bool_], camera: Camera, fallback: FrameMethod) -> Detections:
    """Return the fallback's answer for the frames (b, t) whose map holds too few targets."""
    trajectory, frame = np.nonzero(short)
    if not len(trajectory):
        return Detections.empty()
    alone = fallback(np.asarray(frames)[short][:, None], camera)
    return replace(alone, trajectory=trajectory[alone.trajectory], frame=frame[alone.trajectory])


def _checked_maps(heat_maps: NDArray[Any], pixels: Floats) -> tuple[Floats, int]:
    """Return heat maps as a writable float64 copy, and their nodes per pixel."""
    heat_maps = np.asarray(heat_maps)
    c = heat_maps.shape[-1] // pixels.shape[-1] if heat_maps.ndim == 4 else 0
    expected = (*pixels.shape[:2], c * pixels.shape[2], c * pixels.shape[3])
    if c < 1 or c % 2 == 0 or heat_maps.shape != expected:
        rule = f"have shape (B, T, c H, c W), c odd, for frames of shape {pixels.shape}"
        raise must("heat_maps", rule, heat_maps.shape)
    maps = np.array(heat_maps, dtype=np.float64, order="C")
    require_finite("heat_maps", maps)
    return maps, c
