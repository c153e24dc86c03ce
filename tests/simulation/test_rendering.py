"""The rendering kernels as they are: in place, and far from the frame."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csist_bench.simulation import _kernels
from csist_bench.simulation.optics import pixel_response


@given(st.floats(-20, 20), st.floats(0.05, 5), st.integers(0, 10), st.integers(0, 10))
@settings(max_examples=200, deadline=None)
def test_pixel_integrals_keep_their_relative_precision(position, psf_sigma, first, count):
    out = np.full(30, -1.0)
    last = first + count
    _kernels.pixel_integrals(position, 1 / (psf_sigma * np.sqrt(2)), first, last, out)
    expected = pixel_response(np.arange(first, last), np.float64(position), psf_sigma)
    assert out[first:last] == pytest.approx(expected, rel=1e-9, abs=1e-300)
    assert (np.delete(out, np.s_[first:last]) == -1).all()


def test_a_target_is_added_to_what_is_there():
    frame, scratch = np.full((5, 5), 7.0), (np.empty(5), np.empty(5))
    _kernels.add_target(frame, 2.0, 2.0, 100.0, 0.5, *scratch)
    assert (frame >= 7).all()
    assert frame.sum() == pytest.approx(25 * 7 + 100, rel=1e-4)


@pytest.mark.parametrize("place", [1e6, -1e6, 1e300, -1e300])
def test_a_target_far_away_leaves_the_frame_as_it_is(place):
    frame, scratch = np.zeros((5, 5)), (np.empty(5), np.empty(5))
    _kernels.add_target(frame, place, 2.0, 250.0, 0.5, *scratch)
    _kernels.add_target(frame, 2.0, place, 250.0, 0.5, *scratch)
    assert not frame.any()


def test_no_targets_leave_blank_frames_and_old_content_is_overwritten():
    out, scratch = np.full((2, 4, 4), 9.0, np.float32), np.full((4, 4), 5.0)
    _kernels.render(np.full((2, 3, 2), np.nan), np.full((2, 3), np.nan), 0.5, scratch, out)
    assert not out.any()
    out[:] = 9
    _kernels.render(np.empty((2, 0, 2)), np.empty((2, 0)), 0.5, scratch, out)
    assert not out.any()


def test_frames_need_not_be_square():
    xy, out = np.array([[[6.0, 1.0]]]), np.empty((1, 3, 8))
    _kernels.render(xy, np.array([[100.0]]), 0.5, np.empty((3, 8)), out)
    assert np.unravel_index(out[0].argmax(), out[0].shape) == (1, 6)
