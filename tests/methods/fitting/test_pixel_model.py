"""The pixel model against naive SciPy oracles."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.special import log_ndtr
from scipy.stats import norm

from csist_bench.methods.fitting import pixel_model as fitting
from csist_bench.simulation.optics import pixel_response
from tests.reference.naive_fitting import naive_model


@pytest.mark.parametrize("psf_sigma", [0.3, 0.5, 1.0, 2.3])
@given(position=st.floats(-3, 14), first=st.integers(-2, 6))
@settings(max_examples=60, deadline=None)
def test_the_table_gives_the_pixel_integral_and_its_slope(psf_sigma, position, first):
    q, dq = np.full((3, 16), np.nan), np.full((3, 16), np.nan)
    fitting.axis_response(position, first, fitting.psf_table(psf_sigma), 1, q, dq)
    assert np.isnan(q[[0, 2]]).all()
    assert np.isnan(dq[[0, 2]]).all()
    q, dq, pixel = q[1], dq[1], np.arange(first, first + 16)
    slope = (
        norm.pdf((pixel - position - 0.5) / psf_sigma) - norm.pdf((pixel - position + 0.5) / psf_sigma)
    ) / psf_sigma
    np.testing.assert_allclose(q, pixel_response(pixel, np.float64(position), psf_sigma), atol=4e-12)
    np.testing.assert_allclose(dq, slope, atol=2e-10)


def test_a_position_far_away_gives_no_light():
    q, dq = np.full((1, 8), np.nan), np.full((1, 8), np.nan)
    for position in (-1e300, -40.0, 60.0, 1e300):
        fitting.axis_response(position, 0, fitting.psf_table(0.5), 0, q, dq)
        assert not q.any()
        assert not dq.any()


@pytest.mark.parametrize("where", [(5.2, 4.9), (0.3, 10.1), (10.4, 0.0)])
def test_the_window_holds_the_blob_and_stays_inside(where):
    frame = naive_model(np.array([[*where, 235.0]]), np.arange(11), np.arange(11), 0.5) - 3.0
    row, column = fitting.window_origin(frame, 5)
    assert 0 <= row <= 6
    assert 0 <= column <= 6
    assert row <= round(where[1]) <= row + 4
    assert column <= round(where[0]) <= column + 4
    assert (row, column) == (min(max(round(where[1]) - 2, 0), 6), min(max(round(where[0]) - 2, 0), 6))


@pytest.mark.parametrize("shape", [(3, 3), (11, 11), (8, 17), (24, 9)])
def test_the_window_is_about_the_largest_sum_of_nine(shape):
    rng = np.random.default_rng(5)
    for _ in range(20):
        # Whole numbers, so that some sums are equal: the first one counts.
        frame = rng.integers(-2, 3, shape).astype(float)
        sums = ndimage.convolve(frame, np.ones((3, 3)), mode="constant")
        row, column = np.unravel_index(np.argmax(sums), shape)
        near = np.zeros(shape)
        part = np.s_[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        near[part] = np.maximum(frame[part], 0.0)
        if near.any():
            row, column = (math.floor(at + 0.5) for at in ndimage.center_of_mass(near))
        expected = tuple(min(max(at - 1, 0), length - 3) for at, length in zip((row, column), shape))
        assert fitting.window_origin(frame, 3) == expected


@given(z=st.floats(-200, 30))
@settings(max_examples=200, deadline=None)
def test_log_tail_equals_scipy(z):
    value, ratio = fitting.log_tail(z)
    assert value == pytest.approx(log_ndtr(z), rel=1e-8, abs=1e-15)
    assert ratio == pytest.approx(math.exp(norm.logpdf(z) - log_ndtr(z)), rel=1e-7)
