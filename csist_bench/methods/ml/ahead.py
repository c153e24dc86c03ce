"""What of `ml` is compiled beside a run (`csist_bench.methods.ahead`): calls on no frames, or on no targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from csist_bench.methods.fitting.answers import FrameAnswers
from csist_bench.methods.fitting.counts import BrightnessLaw
from csist_bench.methods.fitting.dense_images import dense_workspace
from csist_bench.methods.fitting.levenberg import FrameWindow, Prior, StoppingRule, fit_frame, frame_workspace
from csist_bench.methods.fitting.noise_model import noise_model_of, plain_noise_model
from csist_bench.methods.ml._kernels.search import SearchSettings, decide_frames, state_frames
from csist_bench.methods.ml._kernels.workspace import search_workspace
from csist_bench.methods.ml.method import draws
from csist_bench.simulation.camera import Camera

UNSURE_NOISE = 1.5  # grey levels, from which a thousand frames hold one whose posterior is sampled
SIDE = 3  # px


def steps(camera: Camera) -> Iterator[Callable[[], object]]:
    """Yield the fit, which a run comes to after half of its compiling, and what it comes to after it."""
    noise_model = noise_model_of(camera, False)
    stop, law = StoppingRule(1, 1.0), BrightnessLaw(1.0, 2.0, False)
    settings = SearchSettings(1, 1, stop, 0.5)
    dense = dense_workspace(1, SIDE) if noise_model.dense else None
    frames, none, rows = np.zeros((0, SIDE, SIDE)), np.zeros((0, 3)), np.zeros(0, np.int64)
    origin, answers = np.zeros((0, 2), np.int64), FrameAnswers.empty(0, 1)

    def fit() -> None:
        window, prior = FrameWindow(np.zeros((SIDE, SIDE)), 0, 0), Prior(none, none, 0.0)
        fit_frame(none, window, noise_model, prior, stop, frame_workspace(1, SIDE), dense)

    def decide() -> None:
        plain, tables, scratch = plain_noise_model(noise_model), draws(0, 1, 1), search_workspace(1, SIDE, 1)
        decide_frames(frames, rows, plain, law, settings, tables, scratch, origin, answers)

    def state() -> None:
        scratch = search_workspace(1, SIDE, 1)
        state_frames(frames, frames, noise_model, law, settings, scratch, origin, answers, np.zeros(0), dense)

    yield fit
    if camera.noise_sigma >= UNSURE_NOISE and camera.maps is None and camera.psf is None:
        yield decide
    yield state
