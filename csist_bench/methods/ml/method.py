"""`ml`: maximum likelihood of point targets in a single frame, off the grid.

The model is the imaging equation itself, z = G(x, y) s plus noise (SeqCSIST, TGRS 2025, eq. 1-3), fitted in the
unknowns of every target. With `brightness = "law"` (prior tier B) the intensities' range is known, and the flux tells
the number of targets; with "free" (tier A) only the optics are, and evidence decides.

Rules for what the model does not cover: one group of targets is sought, about the brightest blob; a frame without
light is answered with no detection; where the flux asks for more than `max_targets`, that many are fitted, with an
equal share of the flux as their expected intensity. `score` is the expected share of CSO-mAP's five thresholds that
the position meets.
"""

from __future__ import annotations

import functools
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from csist_bench.conventions import PriorTier
from csist_bench.detections import Detections
from csist_bench.methods.fitting.answers import FrameAnswers
from csist_bench.methods.fitting.background import targets_alone
from csist_bench.methods.fitting.counts import BrightnessLaw
from csist_bench.methods.fitting.dense_images import dense_workspace
from csist_bench.methods.fitting.frames import pixels_from_frames, window_side
from csist_bench.methods.fitting.levenberg import StoppingRule
from csist_bench.methods.fitting.noise_model import NoiseModel, noise_model_of, plain_noise_model
from csist_bench.methods.ml._kernels.posterior import Draws, draws_from_generator
from csist_bench.methods.ml._kernels.search import SearchSettings, decide_frames, find_frames, state_frames
from csist_bench.methods.ml._kernels.workspace import search_workspace
from csist_bench.simulation.camera import Camera

Floats = NDArray[np.float64]

WIDEST_LAW = 2.0  # ratio of the brightest to the faintest target up to which the flux counts targets
TABLE_FACTOR = 16  # rows of the random tables over the samples of a frame
LEAST_SAMPLED = 4  # targets; up to three the mode is as good an answer as the posterior's (measured)


class MaximumLikelihood(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Single-frame maximum likelihood with data-driven starts; the fields are its settings."""

    brightness: Literal["law", "free"] = "law"
    max_targets: Annotated[int, Meta(ge=1, le=12)] = 8
    window: Annotated[int, Meta(ge=0, le=63)] = 0  # px a side, odd; 0: from the PSF
    starts: Annotated[int, Meta(ge=1, le=5)] = 3  # per count; a single one would favour the orientation it was given
    iterations: Annotated[int, Meta(ge=1, le=1000)] = 40
    tolerance: Annotated[float, Meta(gt=0)] = 0.1  # of the cost, at which a fit ends
    samples: Annotated[int, Meta(ge=0, le=1_000_000)] = 256  # of the posterior; 0: the mode is the answer
    sampled_above: Annotated[float, Meta(ge=0)] = 0.25  # px: predicted error from which the posterior is sampled
    seed: Annotated[int, Meta(ge=0)] = 0  # of the samples' fixed random tables

    @property
    def prior_tier(self) -> PriorTier:
        """What it knows: the optics, and the brightness law unless that is free (also where the camera says so)."""
        return "B" if self.brightness == "law" else "A"

    def detect(self, frames: NDArray[Any], camera: Camera) -> Detections:
        """Unmix every frame by itself.

        Parameters
        ----------
        frames : ndarray, shape (B, T, H, W), grey levels
            Any real type; H and W at least 3.

        Returns
        -------
        Detections
            `trajectory` = b, `frame` = t, with intensity and standard errors.

        Raises
        ------
        InputError
            If the shape is wrong or a pixel is not finite.
        """
        pixels = pixels_from_frames(frames, camera)
        b, t = frames.shape[:2]
        answers = FrameAnswers.empty(b * t, self.max_targets)
        noise_model = noise_model_of(camera, frames.dtype.kind in "iu")
        self._answer(pixels.reshape(b * t, *pixels.shape[2:]), camera, noise_model, answers)
        return answers.detections(b, t)

    def _answer(self, raw: Floats, camera: Camera, noise_model: NoiseModel, answers: FrameAnswers) -> None:
        # A law this wide does not separate one target from two: evidence has to.
        wide = camera.intensity_max > WIDEST_LAW * camera.intensity_min
        free = wide or camera.intensity_free or self.brightness == "free"
        law = BrightnessLaw(camera.intensity_min, camera.intensity_max, free)
        frames = targets_alone(raw, camera)
        stop = StoppingRule(self.iterations, self.tolerance)
        settings = SearchSettings(self.max_targets, self.starts, stop, camera.optics.psf_sigma)
        side = window_side(self.window, camera, frames.shape[1:])
        scratch = search_workspace(self.max_targets, side, max(self.samples, 1))
        dense = dense_workspace(self.max_targets, side) if noise_model.dense else None
        origin, worst = np.zeros((len(frames), 2), np.int64), np.zeros(len(frames))
        find_frames(frames, raw, noise_model, law, settings, scratch, origin, answers, dense)
        state_frames(frames, raw, noise_model, law, settings, scratch, origin, answers, worst, dense)
        unsure = np.flatnonzero((answers.targets >= LEAST_SAMPLED) & (worst > self.sampled_above) & np.isfinite(worst))
        # Samples are weighed by series of Gaussian responses on pixels that are alike; else the mode is the answer.
        if self.samples and len(unsure) and camera.maps is None and not len(noise_model.spline):
            tables = draws(self.seed, self.samples, self.max_targets)
            plain = plain_noise_model(noise_model)
            decide_frames(frames, unsure, plain, law, settings, tables, scratch, origin, answers)


@functools.lru_cache(maxsize=4)
def draws(seed: int, samples: int, targets: int) -> Draws:
    """Return the random tables of a run, large enough for frames to use different rows."""
    return draws_from_generator(np.random.default_rng(seed), TABLE_FACTOR * samples, targets)
