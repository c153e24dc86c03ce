"""ISTA against the dense iteration."""

import numpy as np
import pytest

from csist_bench.methods.grid import _kernels
from csist_bench.methods.grid.ista import least_squares, lipschitz
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets
from tests.helpers.grid_solvers import CAMERA, solve
from tests.reference.naive_grid_solvers import naive_ista

OPTICS = CAMERA.optics
SMALL = Optics(size=5)


def objective(x, frame, penalty):
    return np.sum((frame - OPTICS.sample(x.astype(np.float64))) ** 2) / 2 + penalty * np.abs(x).sum()


@pytest.mark.parametrize("penalty", [1.0, 20.0])
def test_ista_equals_the_dense_iteration_in_double_precision(frames, penalty):
    found = solve("ista", frames[:1], "iterations=150", f"lambda={penalty}", "tolerance=0")
    for t in range(4):
        expected, _ = naive_ista(frames[0, t].astype(np.float64), OPTICS.sampling_matrix, penalty, 150)
        assert np.abs(found[0, t] - expected).max() < 5e-3


def test_ista_never_raises_its_objective(frames):
    steps = [1, 2, 5, 10, 20, 50, 100, 200]
    values = [objective(solve("ista", frames[:1, :1], f"iterations={n}")[0, 0], frames[0, 0], 1.0) for n in steps]
    assert (np.diff(values) < 0).all()
    _, expected = naive_ista(frames[0, 0].astype(np.float64), OPTICS.sampling_matrix, 1.0, 200)
    assert (np.diff(expected) < 0).all()
    assert values[-1] == pytest.approx(expected[-1], rel=0.01)


def test_ista_ends_where_the_subgradient_vanishes():
    camera = Camera(SMALL)
    frame = frames_from_targets(np.array([[2.1, 1.8], [2.4, 2.3]]), np.array([230.0, 240.0]), SMALL)
    x = solve("ista", frame[None, None], "iterations=30000", "lambda=30", camera=camera)[0, 0]
    slope = SMALL.adjoint(frame - SMALL.sample(x.astype(np.float64)))
    assert np.abs(slope).max() <= 30 * 1.01
    assert slope[x > 1] == pytest.approx(30, rel=0.01)
    assert 0 < (x != 0).sum() < 20


def test_the_step_is_one_over_the_largest_eigenvalue():
    phi = OPTICS.sampling_matrix
    assert lipschitz(OPTICS) == pytest.approx(np.linalg.eigvalsh(phi @ phi.T).max(), rel=1e-12)


def test_the_start_is_the_pseudo_inverse(frames):
    dense = (frames[0].reshape(4, -1) @ np.linalg.pinv(OPTICS.sampling_matrix).T).reshape(4, 33, 33)
    assert np.abs(least_squares(frames[0], OPTICS) - dense).max() < 1e-8


def test_each_frame_of_ista_stops_by_itself(frames):
    mixed = np.concatenate([np.zeros_like(frames[:1]), frames[:1]])
    flat = mixed.reshape(-1, 11, 11)
    x = least_squares(flat, OPTICS).astype(np.float32)
    matrix = OPTICS.axis_matrix.astype(np.float32)
    stopped = _kernels.ista(flat, matrix, 1 / lipschitz(OPTICS), 1.0, 30, 1e-4, x)
    assert stopped == 4  # the blank ones
    assert not x[:4].any()
    loose, stepped = (solve("ista", frames, *given) for given in (["tolerance=1e6"], ["iterations=1"]))
    np.testing.assert_array_equal(loose, stepped)


def test_a_stopping_rule_that_is_met_leaves_the_iterate_of_that_step(frames):
    tolerance = 0.5
    found = solve("ista", frames[:1], f"tolerance={tolerance}")
    for t in range(4):
        expected, steps = naive_ista(
            frames[0, t].astype(np.float64), OPTICS.sampling_matrix, 1.0, 3000, tolerance=tolerance
        )
        assert 1 < len(steps) < 3000
        assert np.abs(found[0, t] - expected).max() < tolerance
