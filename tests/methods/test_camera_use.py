"""What methods make of a camera that they cannot use in full, and what they say of it."""

import numpy as np
import pytest

from csist_bench.methods.camera_use import (
    FITTED,
    FITTED_OVER_TIME,
    GRID,
    GROUP,
    plainly,
    unused,
    without_unknown_background,
)
from csist_bench.simulation.camera import PixelMaps
from csist_bench.simulation.spline_psf import SplinePsf
from tests.helpers.foreign_sequences import SIZE, camera, sequences

ROW, COLUMN = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
BAD = np.zeros((SIZE, SIZE), dtype=bool)
BAD[2, 3] = True


def everything():
    return camera(
        (0.6, 0.5),
        psf=SplinePsf.from_gaussian(0.6, 0.5),
        psf_sigma_error=(0.01, 0.02),
        maps=PixelMaps(bad=BAD, noise_sigma=np.full((SIZE, SIZE), 2.0)),
        intensity_free=True,
        background_law="plane",
    )


def test_a_known_level_leaves_the_frames_themselves():
    frames = sequences(1, count=1, frames=2, level=30.0).frames
    for plain in (camera(background=30.0), camera(maps=PixelMaps(noise_sigma=np.full((SIZE, SIZE), 3.0)))):
        assert without_unknown_background(frames, plain) is frames


@pytest.mark.parametrize("known", [0.0, 30.0])
def test_the_known_level_stays_where_an_unknown_background_is_taken_off(known):
    made = sequences(2, count=3, frames=2, level=55.0, slope=(1.0, 2.0), noise=0.05)
    found = without_unknown_background(made.frames, camera(background=known, background_law="plane"))
    dark = made.frames - (55 + COLUMN + 2 * ROW)
    assert found.shape == made.frames.shape
    assert np.abs(found - known - dark).max() < 0.1


def test_bad_pixels_are_filled_in_whole_numbers_too():
    frames = np.full((1, 1, SIZE, SIZE), 100, dtype=np.uint16)
    frames[..., 2, 3] = 65535
    found = without_unknown_background(frames, camera(background=100.0, maps=PixelMaps(bad=BAD)))
    np.testing.assert_array_equal(found, 100.0)


def test_plainly_is_the_camera_of_what_is_left():
    plain = plainly(everything())
    assert (plain.background_law, plain.maps) == ("level", None)
    assert plain.psf is not None
    assert plain.widths == (0.6, 0.5)
    frames = sequences(3, count=1, frames=1).frames
    assert without_unknown_background(frames, plain) is frames


def test_each_kind_says_what_it_leaves_unused():
    told = everything()
    words = {
        "two PSF widths",
        "a PSF that is no Gaussian",
        "the error of the PSF's width",
        "the noise of single pixels",
        "that intensities are unknown",
    }
    assert set(unused(told, GRID)) == words
    assert set(unused(told, GROUP)) == words - {"two PSF widths"}
    assert unused(told, FITTED) == ("the error of the PSF's width",)
    assert unused(told, FITTED_OVER_TIME) == ()
    assert unused(camera(), GRID) == ()
    assert unused(camera(maps=PixelMaps(bad=BAD)), GRID) == ()


@pytest.mark.parametrize("width,said", [(0.5, 0), (0.45, 1)])
def test_weights_of_another_width_are_named(width, said):
    found = unused(camera(), GRID, width)
    assert len(found) == said
    assert all("0.45 px" in text and "0.5 px" in text for text in found)
