"""Lanes: the same numbers compiled, as NumPy arrays, and one by one."""

import numba
import numpy as np
import pytest

from csist_bench.jit import NO_NUMBA
from csist_bench.methods.fitting.lanes import LANES, lane, lanes_of, load, padded, room, store, turn

compiled = numba.njit(error_model="numpy")
if_compiled = pytest.mark.skipif(NO_NUMBA, reason="CSIST_BENCH_NO_NUMBA is set: nothing tells numba of lanes")


def polynomial(table, place, factor, out):
    """Write each operation's outcome to a row of `out`."""
    a, b = load(table, (place, 3)), load(table, (0, place, 1)[1:])
    store(out, (0, 2), a + b)
    store(out, (1, 2), a - factor)
    store(out, (2, 2), factor * (a * b))
    store(out, (3, 2), a / b - lanes_of(factor) * b)
    out[4, 0] = lane(a, place)


def filled(function):
    table = np.random.default_rng(1).standard_normal((3, 24))
    out = np.full((5, 24), 7.0)
    function(table, 2, 0.3, out)
    return table, out


@if_compiled
def test_lanes_are_the_same_numbers_compiled_and_not():
    table, plain = filled(polynomial)
    a, b = table[2, 3:11], table[2, 1:9]
    expected = np.full((5, 24), 7.0)
    expected[:4, 2:10] = a + b, a - 0.3, 0.3 * (a * b), a / b - 0.3 * b
    expected[4, 0] = a[2]
    assert plain.tobytes() == expected.tobytes()
    assert filled(compiled(polynomial))[1].tobytes() == expected.tobytes()


@if_compiled
def test_lanes_of_a_vector_begin_anywhere():
    def moved(vector, out):
        for i in range(0, 16, LANES):
            store(out, i, load(vector, i + 3))

    for function in (moved, compiled(moved)):
        vector, out = np.arange(20.0), np.zeros(16)
        function(vector, out)
        assert out.tolist() == list(range(3, 19))


@pytest.mark.parametrize(("n", "length"), [(0, 0), (1, 8), (7, 8), (8, 8), (9, 16), (63, 64)])
def test_rows_are_padded_to_whole_lanes(n, length):
    assert padded(n) == length


@if_compiled
def test_rows_are_turned_into_columns():
    def turned(rows, out):
        turn(rows, 8, out, 1)

    rows = np.random.default_rng(2).standard_normal((LANES, 24))
    for function in (turned, compiled(turned)):
        out = np.full((3, 24, LANES), 7.0)
        function(rows, out)
        assert np.array_equal(out[1, 8:16], rows[:, 8:16].T)
        out[1, 8:16] = 7.0
        assert (out == 7.0).all()


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_room_begins_with_a_line_of_the_cache(rows):
    for _ in range(10):
        made = room(rows)
        assert made.shape == (rows, LANES)
        assert made.ctypes.data % 64 == 0
