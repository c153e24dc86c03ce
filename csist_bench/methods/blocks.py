"""Trajectories in blocks, worked on side by side and handed on in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Block = tuple[int, int]  # first trajectory, and that after the last
Result = TypeVar("Result")

PER_THREAD = 4  # blocks, where there are enough: so that the threads end together


def blocks_of(total: int, threads: int, least: int, largest: int, chunk: int) -> list[Block]:
    """Divide trajectories among threads.

    Parameters
    ----------
    total : int
        Trajectories.
    threads : int
    least, largest : int
        Trajectories of a block, where there are that many; `least` leaves threads idle before blocks get smaller.
    chunk : int
        Trajectories that a store compresses together; blocks that are as long are of whole chunks, as a chunk is
        decoded whole for any part of it.
    """
    count = max(1, min(PER_THREAD * threads, total // least))
    if count > threads:
        count -= count % threads
    length = max(1, min(-(-total // count), largest))
    if chunk <= length:
        length = min(round(length / chunk), largest // chunk) * chunk
    return [(start, min(start + length, total)) for start in range(0, total, length)]


def in_order(answer: Callable[[Block], Result], blocks: list[Block], threads: int) -> Iterator[Result]:
    """Yield the answers to blocks in their order, working on a few ahead."""
    if threads == 1:
        yield from map(answer, blocks)
        return
    with ThreadPoolExecutor(threads) as pool:
        ahead: list[Future[Result]] = []
        for block in blocks:
            ahead.append(pool.submit(answer, block))
            if len(ahead) > 2 * threads:
                yield ahead.pop(0).result()
        for future in ahead:
            yield future.result()
