"""What the likelihood knows of the camera."""

import math

import pytest

from csist_bench.methods.fitting.noise_model import noise_model_of
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics


def test_levels_count_from_the_background_and_rounded_pixels_clip_half_a_level_early():
    camera = Camera(Optics(), noise_sigma=2.0, shot_gain=0.5, saturation=255.0, background=5.0)
    assert noise_model_of(camera, True)[1:5] == (4.0, 0.5, 250.0, 249.5)
    assert noise_model_of(camera, False).edge == 250.0
    assert noise_model_of(Camera(Optics()), True).edge == math.inf


@pytest.mark.parametrize("sigma", [0.0, 0.05, 3.0])
def test_the_least_noise_is_a_floor(sigma):
    camera = Camera(Optics(), noise_sigma=sigma)
    assert noise_model_of(camera, False).variance == sigma**2
    assert noise_model_of(camera, False, 0.05).variance == max(sigma, 0.05) ** 2
