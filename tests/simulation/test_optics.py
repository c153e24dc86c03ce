import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csist_bench.detections import detections_from_grid
from csist_bench.errors import InputError
from csist_bench.simulation.optics import Optics, grid_from_targets, label_nodes, nearest_node
from csist_bench.simulation.rendering import frames_from_targets, frames_from_targets_numpy
from tests.reference.quadrature import frame_by_quadrature

OPTICS = Optics()
coordinates = st.floats(-3, 14, allow_nan=False)


def one_frame(targets, optics=OPTICS, render=frames_from_targets):
    xy = np.array([[x, y] for x, y, _ in targets], dtype=float).reshape(-1, 2)
    return render(xy, np.array([s for _, _, s in targets], dtype=float), optics)


def test_kernel_agrees_with_quadrature_to_a_billionth_of_the_intensity():
    targets = [(1.3, 3.77, 231.0), (-0.2, 2.5, 250.0)]
    optics = Optics(size=5)
    error = np.abs(one_frame(targets, optics) - frame_by_quadrature(targets, 0.5, 5))
    assert error.max() < 1e-9 * 220


@pytest.mark.parametrize(("psf_sigma", "size"), [(0.5, 11), (0.2, 7), (1.7, 16), (6.0, 9)])
def test_kernel_equals_the_numpy_oracle(psf_sigma, size):
    rng = np.random.default_rng(5)
    optics = Optics(psf_sigma, size, 3)
    xy = rng.uniform(-2, size + 1, (300, 5, 2))
    intensity = rng.uniform(1, 300, (300, 5))
    xy[rng.random((300, 5)) < 0.2] = np.nan
    fast, oracle = frames_from_targets(xy, intensity, optics), frames_from_targets_numpy(xy, intensity, optics)
    assert np.abs(fast - oracle).max() < 1e-11 * 300 * 5


@given(coordinates, coordinates, st.floats(1, 1e4))
@settings(max_examples=200, deadline=None)
def test_a_frame_holds_the_light_that_falls_inside(x, y, intensity):
    frame = one_frame([(x, y, intensity)])
    assert (frame >= 0).all()
    assert frame.sum() <= intensity * (1 + 1e-12)
    if 4 <= x <= 6 and 4 <= y <= 6:
        assert frame.sum() == pytest.approx(intensity, rel=1e-10)


def test_the_centroid_has_no_offset_but_the_ripple_of_sampling():
    phases = (np.arange(64) + 0.5) / 64
    x, y = 4.5 + phases, 5.5 - phases
    frames = frames_from_targets(np.stack([x, y], axis=-1)[:, None], np.full((64, 1), 240.0), OPTICS)
    pixel, light = np.arange(11), frames.sum(axis=(1, 2))
    errors = np.array([frames.sum(axis=1) @ pixel / light - x, frames.sum(axis=2) @ pixel / light - y])
    assert np.abs(errors.mean(axis=1)).max() < 1e-9
    # A Gaussian of 0.5 px sampled once per pixel: the first alias is exp(-2 pi^2 sigma^2) / pi = 0.0023 px.
    assert np.abs(errors).max() == pytest.approx(np.exp(-2 * np.pi**2 * 0.25) / np.pi, rel=0.01)


def test_rendering_is_linear_and_blind_to_order():
    a, b = (3.3, 4.4, 100.0), (6.1, 5.0, 200.0)
    both = one_frame([a, b])
    assert np.allclose(both, one_frame([a]) + one_frame([b]), atol=1e-12)
    assert np.allclose(both, one_frame([b, a]), atol=1e-12)
    assert np.allclose(one_frame([(3.3, 4.4, 300.0)]), 3 * one_frame([a]), rtol=1e-12)


def test_whole_pixel_shifts_shift_the_frame_and_x_is_the_column():
    frame, right = one_frame([(4.2, 5.4, 240.0)]), one_frame([(5.2, 5.4, 240.0)])
    down = one_frame([(4.2, 6.4, 240.0)])
    assert np.allclose(frame[:, 1:9], right[:, 2:10], atol=1e-9)
    assert np.allclose(frame[1:9, :], down[2:10, :], atol=1e-9)
    assert not np.allclose(right, down, atol=1)


@pytest.mark.parametrize("c", [1, 3, 5])
def test_a_column_of_the_sampling_matrix_is_the_frame_of_a_unit_target_on_that_node(c):
    optics = Optics(c=c)
    rng = np.random.default_rng(c)
    for node in rng.integers(0, optics.grid_size**2, 20):
        row, column = divmod(int(node), optics.grid_size)
        frame = one_frame([(optics.nodes[column], optics.nodes[row], 1.0)], optics)
        assert np.abs(optics.sampling_matrix[:, node] - frame.ravel()).max() < 1e-11


def test_separable_products_equal_the_dense_matrix_and_the_adjoint_is_one():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 33, 33)), rng.normal(size=(4, 11, 11))
    assert np.allclose(OPTICS.sample(x).reshape(4, -1), x.reshape(4, -1) @ OPTICS.sampling_matrix.T)
    assert np.sum(OPTICS.sample(x) * y) == pytest.approx(np.sum(x * OPTICS.adjoint(y)), rel=1e-12)


def test_label_grids_place_each_target_on_its_nearest_node():
    xy = np.array([[[5.0, 4.0], [5.34, 4.0], [np.nan, np.nan]], [[0.0, 10.3], [-2.0, 3.0], [5.0, 5.0]]])
    grid = grid_from_targets(xy, np.array([230.0, 240.0, 250.0]), OPTICS)
    assert grid.shape == (2, 33, 33)
    assert grid[0, 13, 16] == 230
    assert grid[0, 13, 17] == 240
    assert grid[0].sum() == 470  # the absent target leaves nothing
    assert grid[1, 32, 1] == 230
    assert grid[1].sum() == 230 + 250  # (-2, 3) lies off the grid


def test_targets_on_one_node_add_up_or_overwrite():
    xy, intensity = np.array([[5.0, 5.0], [5.1, 5.1]]), np.array([230.0, 250.0])
    assert grid_from_targets(xy, intensity, OPTICS)[16, 16] == 480
    assert grid_from_targets(xy, intensity, OPTICS, "last")[16, 16] == 250
    with pytest.raises(InputError, match="label_collision must be 'sum' or 'last', got mean"):
        grid_from_targets(xy, intensity, OPTICS, "mean")


def test_half_way_between_nodes_rounds_to_even():
    assert nearest_node(np, np.array([0.5 / 3, 1.5 / 3]), 3).tolist() == [2, 2]


def test_a_label_grid_decodes_to_its_nodes():
    xy = np.array([[[[5.0, 4.0], [16 / 3, 4.0]]]])
    found = detections_from_grid(grid_from_targets(xy, np.array([230.0, 240.0]), OPTICS), 3)
    assert found.x.tolist() == pytest.approx([5.0, 16 / 3])
    assert found.y.tolist() == [4.0, 4.0]
    assert found.score.tolist() == [230.0, 240.0]


def test_bad_optics_and_targets_are_named():
    with pytest.raises(InputError, match="psf_sigma must be positive, got 0"):
        Optics(psf_sigma=0)
    with pytest.raises(InputError, match="c must be a positive odd number"):
        Optics(c=4)
    with pytest.raises(InputError, match="xy must have shape"):
        frames_from_targets(np.zeros((3, 3)), np.zeros(3), OPTICS)
    with pytest.raises(InputError, match="intensity must have shape"):
        frames_from_targets(np.zeros((3, 2)), np.zeros(4), OPTICS)
    with pytest.raises(InputError, match="infinite"):
        frames_from_targets(np.full((1, 2), np.inf), np.ones(1), OPTICS)


@pytest.mark.parametrize("lead", [(), (4,), (2, 3), (2, 1, 3)])
def test_targets_may_have_any_leading_shape(lead):
    xy, light = np.full((*lead, 3, 2), 5.0), np.full((*lead, 3), 100.0)
    xy[..., 2, :] = np.nan
    for render in (frames_from_targets, frames_from_targets_numpy):
        frames = render(xy, light, OPTICS)
        assert frames.shape == (*lead, 11, 11)
        np.testing.assert_allclose(frames.sum(axis=(-1, -2)), 200.0, rtol=1e-6)


def test_targets_of_another_shape_are_refused():
    for render in (frames_from_targets, frames_from_targets_numpy):
        with pytest.raises(InputError, match=r"xy must have shape \(\.\.\., K, 2\)"):
            render(np.zeros(2), np.zeros(1), OPTICS)
        with pytest.raises(InputError, match=r"xy must have shape \(\.\.\., K, 2\)"):
            render(np.zeros((2, 3)), np.zeros(2), OPTICS)


def test_a_target_off_the_grid_has_node_0_and_is_not_inside():
    xy = np.array([[np.nan, 5.0], [40.0, 5.0], [0.0, 1 / 3]])
    index, inside = label_nodes(np, xy, 3, 33)
    assert inside.tolist() == [False, False, True]
    assert index.tolist() == [0.0, 0.0, 2 * 33 + 1]
