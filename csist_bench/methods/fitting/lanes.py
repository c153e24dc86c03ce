"""Eight numbers side by side, in registers of the processor: short loops over the pixels of a window, taken at once.

To a compiler, a loop over five pixels of arrays that may overlap is one of single numbers. `load` takes LANES
neighbouring entries of a row, + - * / act on each of them by itself (a number beside them counts for all), and `store`
writes them back. Each entry's arithmetic is what a loop would do, in the same order, to the same bits.

Rows are as long as `padded` says; what stands beyond the window's pixels is never read as one of them. Where kernels
are not compiled, lanes are NumPy arrays of LANES entries.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import NO_NUMBA, jit, jit_inner

Floats = NDArray[np.float64]
Place = int | tuple[int, int] | tuple[int, int, int]

LANES = 8


@jit_inner
def padded(n: int) -> int:
    """Return the length of rows that hold n entries: the next multiple of LANES."""
    return (n + LANES - 1) // LANES * LANES


@jit_inner
def zeros(rows: int, columns: int) -> Floats:
    """Return zeros, shape (rows, columns); rows of LANES numbers, or twice as many, lie in lines of the cache.

    np.zeros is compiled anew in each process, a quarter of a second for every number of axes; this is kept. A bare
    constant as an argument would be a type of its own, compiled once more.
    """
    whole = np.zeros(rows * columns + LANES)
    first = -int(whole.ctypes.data // 8) % LANES
    return whole[first : first + rows * columns].reshape(rows, columns)


@jit
def room(rows: int) -> Floats:
    """Return room for rows of LANES numbers, (rows, LANES), each of them within one line of the processor's cache."""
    whole = np.empty((rows + 1) * LANES)
    first = -int(whole.ctypes.data // 8) % LANES
    return whole[first : first + rows * LANES].reshape(rows, LANES)


def load(array: Floats, place: Place) -> Floats:
    """Return the LANES entries of a row that begin at an index."""
    *row, first = place if isinstance(place, tuple) else (place,)
    lanes: Floats = array[tuple(row)][first : first + LANES].copy()
    return lanes


def store(array: Floats, place: Place, lanes: Floats) -> None:
    """Write lanes to the entries of a row that begin at an index."""
    *row, first = place if isinstance(place, tuple) else (place,)
    array[tuple(row)][first : first + LANES] = lanes


def turn(rows: Floats, first: int, out: Floats, which: int) -> None:
    """Write LANES columns of `rows` (LANES, padded), from `first` on, as those rows of out[which] (padded, LANES)."""
    out[which, first : first + LANES] = rows[:, first : first + LANES].T


def lanes_of(number: float) -> Floats:
    """Return a number in all lanes."""
    return np.full(LANES, number)


def lane(lanes: Floats, which: int) -> float:
    """Return the entry of one lane."""
    return float(lanes[which])


if not NO_NUMBA:
    from csist_bench.methods.fitting.lane_compiler import teach

    teach(load, store, turn, lanes_of, lane)
