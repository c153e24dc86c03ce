"""The laws are the same on NumPy arrays and on torch tensors, and follow the reference point."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from csist_bench.recipes import load_data_recipe  # noqa: E402
from csist_bench.simulation import scene_law  # noqa: E402
from csist_bench.simulation.optics import label_nodes  # noqa: E402
from csist_bench.simulation.scenes import draw_scenes  # noqa: E402

RECIPE = load_data_recipe("seqcsist", ["rotate=true"])
M, T, K = 200, 20, 4


@pytest.fixture
def uniforms():
    rng = np.random.default_rng(0)
    return lambda *shape: rng.random(shape)


def both(law, *arrays):
    """Return what a law gives of arrays and of tensors of them, as arrays."""
    ours = law(np, *arrays)
    theirs = law(torch, *(torch.from_numpy(a) if isinstance(a, np.ndarray) else a for a in arrays))
    pairs = zip(ours, theirs) if isinstance(ours, tuple) else [(ours, theirs)]
    return [(np.asarray(a), b.numpy()) for a, b in pairs]


@pytest.mark.parametrize("curve", list(scene_law.CURVES))
def test_curves_are_alike(curve, uniforms):
    x, u = 1 + 8 * uniforms(M, T), [uniforms(M, 1) for _ in range(scene_law.CURVE_DRAWS[curve])]
    with np.errstate(invalid="ignore"):
        ours = scene_law.CURVES[curve](np, RECIPE, x, u)
    theirs = scene_law.CURVES[curve](torch, RECIPE, torch.from_numpy(x), [torch.from_numpy(v) for v in u])
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=1e-12, atol=1e-12)
    kept = scene_law.is_path(np, RECIPE, *ours)
    assert 0 < kept.sum() < M
    np.testing.assert_array_equal(kept, scene_law.is_path(torch, RECIPE, *theirs).numpy())


@pytest.mark.parametrize("curve", list(scene_law.CURVES))
def test_each_uniform_of_a_curve_counts(curve, uniforms):
    x, u = np.full((50, 1), 5.5), [uniforms(50, 1) for _ in range(scene_law.CURVE_DRAWS[curve])]
    with np.errstate(invalid="ignore"):
        y, _ = scene_law.CURVES[curve](np, RECIPE, x, u)
        for drawn in range(len(u)):
            other = [uniforms(50, 1) if i == drawn else v for i, v in enumerate(u)]
            assert not np.array_equal(scene_law.CURVES[curve](np, RECIPE, x, other)[0], y, equal_nan=True), drawn


def test_paths_lie_within_their_bounds():
    """Those of the published curve exclude the bounds of y; a slope may be the steepest, a turned path at a bound."""
    low, high, steepest = RECIPE.path_min, RECIPE.path_max, RECIPE.slope_max
    y = np.array([[5.0, 5.0], [low, 5.0], [5.0, high], [5.0, 5.0], [5.0, 5.0], [np.nan, 5.0]])
    slope = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [steepest, -steepest], [0.0, 1.001 * steepest], [0.0, 0.0]])
    assert scene_law.is_path(np, RECIPE, y, slope).tolist() == [True, False, False, True, False, False]
    turned = np.array([[[5, 5], [low, high]], [[5, 5], [5, 9.001]], [[0.999, 5], [5, 5]], [[5, 0.999], [9.001, 5]]])
    assert scene_law.is_turned_path(np, RECIPE, turned).tolist() == [True, False, False, False]


def test_motion_turns_arms_and_discs_are_alike(uniforms):
    start, frame, angle = 1 + np.floor(9 * uniforms(M, 1)), np.arange(T), 2 * np.pi * uniforms(M)
    points, direction = uniforms(M, T, 2), uniforms(M, K, 2)
    cases = [
        both(lambda xp, s, t: scene_law.first_coordinates(xp, RECIPE, s, t), start, frame),
        both(lambda xp, p, a: scene_law.turned(xp, p, a, 5.0), points, angle),
        both(lambda xp, d, n, u: scene_law.grown(xp, RECIPE, d, n, u), direction, uniforms(M, K), uniforms(M, T, K)),
        both(lambda xp, u, v: scene_law.in_disc(xp, 0.5, u, v), uniforms(M), uniforms(M)),
        both(lambda xp, p: scene_law.is_turned_path(xp, RECIPE, p), 1 + 8.2 * points),
    ]
    for pairs in cases:
        for ours, theirs in pairs:
            # A step is a bare number, which torch takes in single precision.
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-7)


def test_label_nodes_are_alike(uniforms):
    xy = np.concatenate([12 * uniforms(M, 2) - 1, [[np.nan, np.nan], [0.5 / 3, 1.5 / 3], [-0.5, 10.5]]])
    with np.errstate(invalid="raise"):
        for ours, theirs in both(lambda xp, p: label_nodes(xp, p, 3, 33), xy):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("size", "centre", "shift"), [(33, None, 11.0), (33, 5.0, 0.0), (11, 7.5, 2.5)])
def test_scenes_follow_the_reference_point(size, centre, shift):
    plain = draw_scenes(RECIPE, range(10))
    changes = [f"size={size}", "rotate=true", *([f"centre={centre}"] if centre is not None else [])]
    moved = draw_scenes(load_data_recipe("seqcsist", changes), range(10))
    np.testing.assert_allclose(moved.xy, plain.xy + shift, atol=2e-6)
    np.testing.assert_array_equal(moved.intensity, plain.intensity)
