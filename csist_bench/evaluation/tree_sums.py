"""Sums of parts that are, to the bit, NumPy's sum of the whole.

NumPy adds n values pairwise: it halves them, the first half a multiple of eight long, down to runs of at most 128.
Which values a node of that tree covers depends on n alone. So whoever holds a part of the values adds up the nodes that
lie within it, keeps the values of runs that cross its bounds, and the sums are joined later in NumPy's own order. It is
what lets shards be scored apart and give the very figures of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RUN = 128  # values that NumPy adds in one go
AT_A_TIME = 1 << 20


@dataclass(frozen=True, eq=False)
class TreeSum:
    """What a part of n values brings to their sum: nodes (start, stop) within it, and values at its bounds by start."""

    nodes: dict[tuple[int, int], float] = field(default_factory=dict)
    values: dict[int, Floats] = field(default_factory=dict)


def tree_sum(values: Floats, first: int, n: int) -> TreeSum:
    """Return what values first..first+len-1 of n bring to the sum."""
    found, stop = TreeSum(), first + len(values)

    def visit(low: int, high: int) -> None:
        inner_low, inner_high = max(low, first), min(high, stop)
        if inner_low >= inner_high:
            return
        inside = values[inner_low - first : inner_high - first]
        if (inner_low, inner_high) == (low, high):
            found.nodes[low, high] = float(inside.sum())
        elif high - low <= RUN:
            found.values[inner_low] = np.array(inside)
        else:
            middle = _middle(low, high)
            visit(low, middle)
            visit(middle, high)

    visit(0, n)
    return found


def joined_sum(parts: Sequence[TreeSum], n: int) -> float:
    """Return the sum of n values from what parts that cover them, each value once, bring to it."""
    nodes = {span: total for part in parts for span, total in part.nodes.items()}
    values = {start: run for part in parts for start, run in part.values.items()}

    def visit(low: int, high: int) -> float:
        if (low, high) in nodes:
            return nodes[low, high]
        if high - low <= RUN:
            run = [values[start] for start in sorted(start for start in values if low <= start < high)]
            return float(np.concatenate(run).sum())
        middle = _middle(low, high)
        return visit(low, middle) + visit(middle, high)

    return visit(0, n) if n else 0.0


def sum_in_turn(n: int, take: Callable[[int], Floats]) -> float:
    """Return the sum of n values that `take(k)` gives one after another, k at a time."""
    if n <= AT_A_TIME:
        return float(take(n).sum())
    half = _middle(0, n)
    return sum_in_turn(half, take) + sum_in_turn(n - half, take)


def _middle(low: int, high: int) -> int:
    half = (high - low) // 2
    return low + half - half % 8
