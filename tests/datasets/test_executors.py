"""Executors whose workers die, or whose cluster is not there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from csist_bench.datasets.executors import CONNECT_S, PENDING_PER_WORKER, Dask, opened
from csist_bench.datasets.generation import generate
from csist_bench.errors import InputError
from tests.helpers.tiny_sets import tiny_recipe


def squared(number: int) -> int:
    return number * number


def threads_of_torch(_number: int) -> int:
    import torch

    time.sleep(0.2)  # so that the other worker takes the other call
    return torch.get_num_threads()


def killed(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.1)
    return number


@pytest.mark.parametrize("name", ["serial", "processes"])
def test_every_call_is_made_once(name: str) -> None:
    with opened(name, workers=2) as pool:
        assert sorted(pool.run(squared, [(i,) for i in range(20)])) == [i * i for i in range(20)]
        assert list(pool.run(squared, [])) == []


def test_a_cluster_makes_every_call_once_whatever_is_handed_out_at_a_time() -> None:
    distributed = pytest.importorskip("distributed")
    alone = {"processes": False, "n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.Client(**alone) as client:
        pool = Dask(client, "here")
        for count in (0, 1, PENDING_PER_WORKER, 2 * PENDING_PER_WORKER + 1):
            assert sorted(pool.run(squared, [(i,) for i in range(count)])) == [i * i for i in range(count)]


def test_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    cores = os.cpu_count() or 1
    with opened("processes", workers=2) as pool:
        assert list(pool.run(threads_of_torch, [(0,), (1,)])) == [max(1, cores // 2)] * 2
    with opened("processes", workers=2) as pool:  # one call needs one worker, which has all cores
        assert list(pool.run(threads_of_torch, [(0,)])) == [cores]


def test_a_killed_worker_ends_in_one_line_that_says_how_to_go_on() -> None:
    with opened("processes", workers=2) as pool, pytest.raises(InputError) as caught:
        list(pool.run(killed, [(i,) for i in range(8)]))
    assert str(caught.value) == (
        "a worker process was killed (for want of memory? try fewer --workers); the shards that are done are kept; go"
        " on with --resume"
    )


def test_a_scheduler_that_does_not_answer_is_given_up_and_nothing_is_left_behind(tmp_path) -> None:
    pytest.importorskip("distributed")
    with socket.socket() as silent:  # it takes connections and never says a word
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        began = time.perf_counter()
        with pytest.raises(InputError, match=f"no Dask scheduler answers at {address} within 5 s"):
            generate(tmp_path / "set.zarr", tiny_recipe(), executor=f"dask:{address}")
        assert time.perf_counter() - began < 4 * CONNECT_S
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="no Dask scheduler answers at nonsense://x"):
        generate(tmp_path / "set.zarr", tiny_recipe(), executor="dask:nonsense://x")


SCHEDULER = """
from distributed import LocalCluster
if __name__ == "__main__":
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)
    print(cluster.scheduler_address, flush=True)
    input()
"""


def test_a_scheduler_that_is_lost_ends_in_one_line_that_says_how_to_go_on(tmp_path) -> None:
    pytest.importorskip("distributed")
    (tmp_path / "cluster.py").write_text(SCHEDULER)
    words = [sys.executable, str(tmp_path / "cluster.py")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    cluster = subprocess.Popen(words, text=True, start_new_session=True, **pipes)
    try:
        address = cluster.stdout.readline().strip()
        with opened(f"dask:{address}") as pool:
            made = pool.run(time.sleep, [(0.3,)] * 200)  # what workers can import
            next(made)
            os.killpg(cluster.pid, signal.SIGKILL)
            with pytest.raises(InputError, match=f"the Dask scheduler {address} was lost; the shards that are done"):
                list(made)
    finally:
        cluster.wait()
        cluster.stdin.close()
        cluster.stdout.close()


def test_whoever_opens_an_executor_says_what_to_do_when_it_is_lost():
    with opened("processes", 1, "do it again") as pool, pytest.raises(InputError, match=r"was killed .*; do it again$"):
        list(pool.run(os._exit, [(1,)]))
