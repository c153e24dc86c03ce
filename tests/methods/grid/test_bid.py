"""BID against the naive iteration."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csist_bench.simulation.optics import Optics
from tests.helpers.grid_solvers import solve
from tests.reference.naive_grid_solvers import naive_deconvolution, naive_upsampling


@pytest.mark.parametrize(("alpha", "kernel_sigma"), [(0.001, 0.5), (0.5, 0.8)])
def test_bid_equals_the_naive_iteration(frames, alpha, kernel_sigma):
    found = solve("bid", frames[:1], "iterations=60", f"alpha={alpha}", f"kernel_sigma={kernel_sigma}", "tolerance=0")
    for t in range(4):
        expected = naive_deconvolution(frames[0, t].astype(np.float64), 3, alpha, kernel_sigma, 60)
        assert np.abs(found[0, t] - expected).max() < 0.01


def test_each_frame_of_bid_stops_by_itself(frames):
    tolerance = 20.0
    found = solve("bid", frames, "alpha=0.5", f"tolerance={tolerance}")
    for n, t in ((0, 0), (3, 2)):
        expected = naive_deconvolution(frames[n, t].astype(np.float64), 3, 0.5, 0.5, 1000, tolerance)
        assert np.abs(found[n, t] - expected).max() < 0.01
    assert np.abs(found - solve("bid", frames, "alpha=0.5")).max() > 1


@given(st.integers(3, 8), st.sampled_from([1, 3, 5]))
@settings(max_examples=15, deadline=None)
def test_upsampling_is_bilinear_with_the_border_repeated(size, c):
    from csist_bench.methods.grid.bid import upsample

    frame = np.random.default_rng(size * c).uniform(0, 100, (size, size)).astype(np.float32)
    found = upsample(frame[None], Optics(size=size, c=c))[0]
    assert np.abs(found - naive_upsampling(frame.astype(np.float64), c)).max() < 1e-4
