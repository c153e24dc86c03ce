"""Where shards are made: in this process, in processes of this machine, or by the workers of a Dask cluster.

An executor yields what its function returns, in the order in which the calls end. Workers that die and clusters that
are lost end in one line: every shard is written whole or not at all, so a resumed run goes on from there.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from typing import Any, TypeVar

from csist_bench import __version__
from csist_bench.errors import InputError, must, show

R = TypeVar("R")
Jobs = Sequence[tuple[Any, ...]]

PENDING_PER_WORKER = 4  # calls handed out ahead: a set of millions of shards is never all in flight
CONNECT_S = 5.0
GO_ON = "the shards that are done are kept; go on with --resume"


class Serial:
    """One call after another, in this process."""

    def run(self, function: Callable[..., R], jobs: Jobs) -> Iterator[R]:
        """Yield the results."""
        for job in jobs:
            yield function(*job)


class Processes:
    """Calls spread over processes of this machine, a bounded number of them in flight."""

    def __init__(self, workers: int, remedy: str) -> None:
        self.workers, self.remedy = workers, remedy

    def run(self, function: Callable[..., R], jobs: Jobs) -> Iterator[R]:
        """Yield the results.

        Raises
        ------
        InputError
            If a worker was killed.
        """
        workers = max(1, min(self.workers, len(jobs)))
        # Spawned, not forked: the parent's threads and locks stay out of the workers.
        pool = ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=_begin_worker, initargs=(os.getpid(), workers)
        )
        waiting, pending = iter(jobs), set[Future[R]]()
        try:
            while True:
                for job in waiting:
                    pending.add(pool.submit(function, *job))
                    if len(pending) >= PENDING_PER_WORKER * workers:
                        break
                if not pending:
                    return
                finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()
        except BrokenProcessPool:
            raise InputError(
                f"a worker process was killed (for want of memory? try fewer --workers); {self.remedy}"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _begin_worker(parent: int, workers: int) -> None:
    # Read when PyTorch is imported. Threads that wait for one another spin: with more of them than cores, all starve.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))
    _end_with_parent(parent)


def _end_with_parent(parent: int) -> None:
    """Watch the parent from a worker and leave when it has died, so that no orphan goes on writing."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Dask:
    """Calls on the workers of a Dask cluster, a bounded number of them in flight."""

    def __init__(self, client: Any, address: str, remedy: str = GO_ON) -> None:
        self.client, self.address, self.remedy = client, address, remedy

    def run(self, function: Callable[..., R], jobs: Jobs) -> Iterator[R]:
        """Yield the results.

        Raises
        ------
        InputError
            If the scheduler is lost, or a task took several workers down.
        """
        from distributed import KilledWorker, as_completed

        batch = PENDING_PER_WORKER * max(1, len(self.client.scheduler_info()["workers"]))
        same = partial(_by_the_same_version, __version__, function)
        try:
            for start in range(0, len(jobs), batch):
                futures = self.client.map(same, *zip(*jobs[start : start + batch]), pure=False)
                for future in as_completed(futures):
                    yield future.result()
        except KilledWorker as error:
            raise InputError(f"Dask workers were killed ({show(str(error))}); {self.remedy}") from None
        except (OSError, CancelledError, TimeoutError):
            raise InputError(f"the Dask scheduler {self.address} was lost; {self.remedy}") from None
        except (ImportError, AttributeError) as error:  # what this version calls is not there
            raise _other_version(show(str(error))) from None


def _by_the_same_version(version: str, function: Callable[..., R], *job: Any) -> R:
    """Call a function in a worker, unless the worker is of another version than who asks."""
    if version != __version__:
        raise _other_version(f"{__version__} there, {version} here")
    return function(*job)


def _other_version(found: str) -> InputError:
    return InputError(
        f"the workers of the cluster must have this version of csist-bench, got {found}; install it there"
    )


@contextmanager
def opened(executor: str, workers: int | None = None, remedy: str = GO_ON) -> Iterator[Serial | Processes | Dask]:
    """Give the executor of a name: serial, processes or dask:ADDRESS (an empty address starts a cluster here).

    `remedy` is what to do when its workers or its scheduler are lost.

    Raises
    ------
    InputError
        If there is no such executor, Dask is not installed, or no scheduler answers within 5 s.
    """
    if executor == "serial":
        yield Serial()
    elif executor == "processes":
        yield Processes(workers or os.cpu_count() or 1, remedy)
    elif executor.startswith("dask:"):
        yield from _dask(executor.removeprefix("dask:"), remedy)
    else:
        raise must("--executor", "be serial, processes or dask:ADDRESS", executor)


def _dask(address: str, remedy: str) -> Iterator[Dask]:
    try:
        import dask
        from distributed import Client
    except ModuleNotFoundError:
        raise InputError("--executor dask needs Dask; install it with: pip install 'csist-bench[dask]'") from None
    if not address:
        # What its processes say to one another while they stop is of no use to anybody.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        with Client(silence_logs=logging.CRITICAL) as client:
            yield Dask(client, "of this process", remedy)
        return
    # A scheduler that does not come back is given up as soon as one that never answered.
    with dask.config.set({"distributed.comm.timeouts.connect": CONNECT_S, "distributed.comm.retry.count": 0}):
        _require_scheduler(address)
        with Client(address, timeout=CONNECT_S) as client:
            yield Dask(client, address, remedy)


def _require_scheduler(address: str) -> None:
    """Raise unless something greets as Dask does; a client of what takes a connection and says nothing never ends."""
    from distributed.comm import connect

    async def greet() -> None:
        comm = await connect(address, timeout=CONNECT_S)
        comm.abort()

    try:
        asyncio.run(asyncio.wait_for(greet(), CONNECT_S))
    except (OSError, ValueError, TimeoutError) as error:
        reason = show(" ".join(str(error).split()) or type(error).__name__)
        raise InputError(
            f"no Dask scheduler answers at {address} within {CONNECT_S:g} s ({reason}); start one with: dask scheduler"
        ) from None
