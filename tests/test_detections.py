import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csist_bench.detections import Detections, concatenate, detections_from_grid, detections_from_slots


def table(n, seed=0, **optional):
    rng = np.random.default_rng(seed)
    trajectory, frame = rng.integers(0, 3, n), rng.integers(0, 4, n)
    return Detections(trajectory, frame, *rng.uniform(0, 10, (3, n)), **optional)


def rows_of(detections):
    columns = detections.columns()
    return [tuple(columns[name][i] for name in columns) for i in range(len(detections))]


# --- heat maps ----------------------------------------------------------------------------------------------------


@given(st.integers(0, 10**6), st.sampled_from([1, 3, 5]), st.integers(1, 4))
@settings(max_examples=50, deadline=None)
def test_decoding_equals_a_loop_over_nodes(seed, c, size):
    rng = np.random.default_rng(seed)
    maps = rng.choice([0.0, 69.999, 70.0, 200.0], (2, 3, c * size, c * size))
    expected = [
        (b, t, (j - (c - 1) / 2) / c, (i - (c - 1) / 2) / c, maps[b, t, i, j], maps[b, t, i, j])
        for b, t, i, j in np.ndindex(*maps.shape)
        if maps[b, t, i, j] >= 70
    ]
    assert rows_of(detections_from_grid(maps, c)) == expected


def test_decoding_takes_single_precision_and_another_threshold():
    maps = np.full((1, 1, 3, 3), 50, np.float32)
    maps[0, 0, 0, 2] = 49.99
    found = detections_from_grid(maps, 3, 50)
    assert len(found) == 8
    assert {column.dtype for column in (found.x, found.y, found.score, found.intensity)} == {np.dtype(np.float64)}
    assert {column.dtype for column in (found.trajectory, found.frame)} == {np.dtype(np.int64)}
    assert len(detections_from_grid(maps, 3)) == 0


def test_nan_nodes_are_no_detections():
    assert len(detections_from_grid(np.full((1, 1, 3, 3), np.nan), 3)) == 0


# --- slots --------------------------------------------------------------------------------------------------------


def test_used_slots_become_rows():
    rng = np.random.default_rng(0)
    b, t, k = 2, 3, 4
    xy, score, light = rng.normal(size=(b, t, k, 2)), rng.normal(size=(b, t, k)), rng.normal(size=(b, t, k))
    sigma, sigma_light = rng.random((b, t, k, 2)), rng.random((b, t, k))
    count = rng.integers(0, k + 1, (b, t))
    found = detections_from_slots(xy, score, count, light, sigma, sigma_light)
    expected = [
        (n, f, *xy[n, f, j], score[n, f, j], light[n, f, j], *sigma[n, f, j], sigma_light[n, f, j])
        for n, f in np.ndindex(b, t)
        for j in range(count[n, f])
    ]
    assert rows_of(found) == expected
    assert list(detections_from_slots(xy, score, count).columns()) == ["trajectory", "frame", "x", "y", "score"]


# --- tables -------------------------------------------------------------------------------------------------------


def test_optional_columns_are_listed_only_where_they_are():
    assert list(table(2).columns()) == ["trajectory", "frame", "x", "y", "score"]
    assert list(table(2, sigma_x=np.ones(2)).columns())[-1] == "sigma_x"


def test_selection_keeps_rows_whole():
    found = table(6, intensity=np.arange(6.0))
    assert rows_of(found.select(np.array([4, 1]))) == [rows_of(found)[4], rows_of(found)[1]]
    assert rows_of(found.select(found.intensity > 3)) == rows_of(found)[4:]


def test_shifting_moves_both_indices_and_nothing_else():
    found = table(5)
    moved = found.shifted(10, 2)
    assert (moved.trajectory - found.trajectory == 10).all()
    assert (moved.frame - found.frame == 2).all()
    np.testing.assert_array_equal(moved.x, found.x)
    assert rows_of(moved.shifted(-10, -2)) == rows_of(found)


@given(st.integers(0, 40), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_the_canonical_order_forgets_the_order_given(n, shuffler):
    found = table(n)
    order = list(range(n))
    shuffler.shuffle(order)
    ordered = found.ordered()
    assert rows_of(found.select(np.array(order, dtype=int)).ordered()) == rows_of(ordered)
    assert [row[:4] for row in rows_of(ordered)] == sorted(row[:4] for row in rows_of(found))


def test_joining_keeps_what_every_part_has():
    first, second = table(3, intensity=np.ones(3), sigma_x=np.ones(3)), table(2, 1, intensity=np.zeros(2))
    joined = concatenate([first, Detections.empty(), second])
    assert list(joined.columns()) == ["trajectory", "frame", "x", "y", "score", "intensity"]
    assert joined.intensity.tolist() == [1, 1, 1, 0, 0]
    assert rows_of(concatenate([first])) == rows_of(first)


@pytest.mark.parametrize("parts", [[], [Detections.empty()], [Detections.empty()] * 2])
def test_nothing_joined_is_an_empty_table(parts):
    joined = concatenate(parts)
    assert len(joined) == 0
    assert joined.trajectory.dtype == np.int64
    assert rows_of(joined.ordered().shifted(1)) == []
