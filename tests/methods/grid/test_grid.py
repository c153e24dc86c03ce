import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csist_bench.errors import InputError
from csist_bench.methods.grid import _kernels
from csist_bench.methods.grid.ista import least_squares, lipschitz
from csist_bench.methods.registry import METHODS, build_training_free
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets, render_shard
from tests.helpers.sets import tiny_recipe
from tests.reference.naive_grid_solvers import naive_deconvolution, naive_ista, naive_upsampling

INSTRUMENT = Camera.from_recipe(tiny_recipe())
OPTICS = INSTRUMENT.optics
SMALL = Optics(size=5)


@pytest.fixture(scope="module")
def frames():
    """Frames (5, 4, 11, 11): twenty frames fill one block of the solver and begin another."""
    return render_shard(tiny_recipe(), range(5)).frames


def solve(name, frames, *overrides, camera=INSTRUMENT):
    return build_training_free(METHODS[name], overrides).heat_maps(frames, camera)


def objective(x, frame, penalty):
    return np.sum((frame - OPTICS.sample(x.astype(np.float64))) ** 2) / 2 + penalty * np.abs(x).sum()


# --- ISTA ---------------------------------------------------------------------------------------------------------


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


# --- BID ----------------------------------------------------------------------------------------------------------


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


# --- both ---------------------------------------------------------------------------------------------------------

BOTH = pytest.mark.parametrize("name", ["ista", "bid"])


@BOTH
def test_the_company_of_a_frame_does_not_matter(frames, name):
    together = solve(name, frames, "iterations=50")
    backwards = solve(name, frames[::-1], "iterations=50")[::-1]
    alone = np.stack([solve(name, frames[n : n + 1, t : t + 1], "iterations=50")[0, 0] for n, t in np.ndindex(5, 4)])
    assert np.abs(together - backwards).max() < 1e-3
    assert np.abs(together.reshape(20, 33, 33) - alone).max() < 1e-3


@BOTH
def test_blank_frames_give_blank_grids(name):
    assert not solve(name, np.zeros((2, 3, 11, 11), np.float32)).any()


@BOTH
def test_a_constant_background_is_taken_off(frames, name):
    raised = Camera(OPTICS, background=40.0)
    plain, lifted = (
        solve(name, frames[:1], "iterations=20"),
        solve(name, frames[:1] + 40, "iterations=20", camera=raised),
    )
    assert np.abs(plain - lifted).max() < 0.01


@BOTH
def test_integer_frames_are_taken_as_they_are(frames, name):
    counts = np.rint(np.clip(frames[:1], 0, 255))
    floats, integers = (solve(name, counts.astype(kind), "iterations=20") for kind in (np.float32, np.uint8))
    np.testing.assert_array_equal(floats, integers)


@BOTH
def test_the_transposed_frame_has_the_transposed_grid(frames, name):
    grid, turned = (solve(name, f, "iterations=50") for f in (frames[:1], frames[:1].swapaxes(2, 3)))
    assert np.abs(grid.swapaxes(2, 3) - turned).max() < 2e-3


@BOTH
def test_the_brightest_node_lies_next_to_a_lone_target(name):
    frame = frames_from_targets(np.array([[[7.2, 3.4]]]), np.array([[240.0]]), OPTICS)
    grid = solve(name, frame[None], "iterations=300")[0, 0]
    row, column = np.unravel_index(grid.argmax(), grid.shape)
    assert np.hypot(OPTICS.nodes[column] - 7.2, OPTICS.nodes[row] - 3.4) < 0.5


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [
        ("ista", "lambda=-1", "ista settings: lambda must be float >= 0"),
        ("ista", "penalty=1", "ista settings: unknown field 'penalty'"),
        ("ista", "iterations=2.5", "ista settings: iterations must be int"),
        ("bid", "alpha=3", "bid settings: alpha must be float <= 2"),
        ("bid", "kernel_sigma=0", "bid settings: kernel_sigma must be float > 0"),
    ],
)
def test_settings_out_of_range_are_named(name, override, message):
    with pytest.raises(InputError, match=message):
        build_training_free(METHODS[name], [override])
