"""Frames as single-frame fits take them."""

import numpy as np
import pytest

from csist_bench.errors import InputError
from csist_bench.methods.fitting.frames import pixels_from_frames, window_side
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics


def test_the_background_is_taken_off_a_copy():
    frames = np.full((1, 1, 11, 11), 40, np.uint8)
    assert (pixels_from_frames(frames, Camera(Optics(), background=50.0)) == -10.0).all()
    assert (frames == 40).all()
    with pytest.raises(InputError, match="frames must be at least 3 pixels a side"):
        pixels_from_frames(frames[..., :2], Camera(Optics()))


@pytest.mark.parametrize("asked, psf_sigma, side", [(0, 0.5, 5), (0, 1.0, 9), (0, 2.0, 11), (7, 0.5, 7), (63, 0.5, 11)])
def test_the_window_follows_the_psf_and_fits_the_image(asked, psf_sigma, side):
    assert window_side(asked, Camera(Optics(psf_sigma)), (11, 11)) == side
