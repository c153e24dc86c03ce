"""Trajectories in blocks, side by side."""

from __future__ import annotations

import threading

import pytest

from csist_bench.methods.blocks import blocks_of, in_order


@pytest.mark.parametrize(
    ("total", "threads", "least", "largest", "chunk", "lengths"),
    [
        (750, 2, 64, 200, 50, [100] * 7 + [50]),  # whole chunks
        (750, 1, 1, 50, 50, [50] * 15),
        (3500, 1, 64, 200, 70, [140] * 25),  # never above the largest
        (40, 2, 1, 200, 50, [5] * 8),  # too few for chunks
        (3, 8, 1, 50, 1, [1] * 3),
        (150, 2, 64, 200, 1, [75] * 2),  # as many for each thread
        (200, 2, 64, 200, 1, [100] * 2),
        (750, 64, 64, 200, 1, [69] * 10 + [60]),  # rather idle threads than smaller blocks
        (30, 2, 64, 200, 1, [30]),
        (1, 2, 64, 200, 50, [1]),
    ],
)
def test_blocks_are_even_and_of_whole_chunks_where_they_can_be(
    total: int, threads: int, least: int, largest: int, chunk: int, lengths: list[int]
) -> None:
    blocks = blocks_of(total, threads, least, largest, chunk)
    assert [stop - start for start, stop in blocks] == lengths
    assert [start for start, _ in blocks] == [0, *(stop for _, stop in blocks[:-1])]
    assert blocks[-1][1] == total


def test_answers_come_in_order_though_threads_work_at_once() -> None:
    both = threading.Barrier(2, timeout=30)

    def answer(block: tuple[int, int]) -> int:
        both.wait()  # passed only by two threads at a time
        return block[0]

    blocks = blocks_of(8, 2, 1, 1, 1)
    assert list(in_order(answer, blocks, threads=2)) == list(range(8))


def test_an_error_in_a_thread_is_raised() -> None:
    def answer(block: tuple[int, int]) -> int:
        return 1 // (3 - block[0])

    with pytest.raises(ZeroDivisionError):
        list(in_order(answer, blocks_of(8, 2, 1, 1, 1), threads=2))
