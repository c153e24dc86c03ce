"""Kernels compiled by a second process: the same ones that the run needs, and nothing else depends on it."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from csist_bench.methods import ahead
from csist_bench.methods.ahead import CALIBRATION, METHODS, START, Told, compile_ahead, steps
from csist_bench.methods.registry import METHODS as REGISTRY
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.camera import Camera
from tests.helpers.sets import tiny_set

CAMERA = Camera.from_recipe(load_data_recipe("seqcsist"), 5.0)
DENSE = replace(CAMERA, background_law="constant", psf_sigma_error=(0.02, 0.01))

# Calls every step as plain Python.
PLAIN = """
from csist_bench.methods.ahead import CALIBRATION, METHODS, Told, compile_own, steps
for method in (*METHODS, CALIBRATION):
    for dense in (False, True):
        camera = Told(method, dense, 5.0, (0.01, 0.01)).camera
        for step in steps(method, camera):
            step()
            print(method, dense)
        compile_own(method, camera)
"""

# A run that starts a second process, says which, and goes on.
PARENT = """
import time
from tests.methods.test_ahead import CAMERA
from csist_bench.methods import ahead
ahead.cores = lambda: 2
print(ahead.compile_ahead("ml", CAMERA).pid, flush=True)
time.sleep(60)
"""

# Compiles what a second process does, and what a run does beside it, and prints the functions and types.
COUNTED = """
import sys
from numba.core import event
compiled = []

class Listener(event.Listener):
    def on_start(self, begun):
        function = begun.data["dispatcher"].py_func
        if (function.__module__ or "").startswith("csist_bench") and function.__qualname__ != "_reader.<locals>.read":
            compiled.append(f"{function.__module__} {function.__qualname__} {begun.data['args']}")
    def on_end(self, _):
        pass

event.register("numba:compile", Listener())
"""
SECOND = (
    COUNTED
    + """
from importlib import import_module
from csist_bench.methods.ahead import METHODS, Told, steps
from tests.methods.test_ahead import CAMERA, DENSE
camera = Told.of(sys.argv[1], DENSE if sys.argv[2] == "dense" else CAMERA).camera
for step in (*steps(sys.argv[1], camera), *import_module(METHODS[sys.argv[1]]).own_steps(camera)):
    step()
print(*compiled, sep="\\n")
"""
)
RUN = (
    COUNTED
    + """
import csist_bench as cb
from tests.methods.test_ahead import CAMERA, DENSE
camera = DENSE if sys.argv[2] == "dense" else CAMERA
cb.unmix(cb.open_dataset(sys.argv[3]).test, sys.argv[1], camera=camera)
print(*compiled, sep="\\n")
"""
)
FEW = (
    COUNTED
    + """
from csist_bench.methods.ahead import answer_few
answer_few(sys.argv[1], 2.0)
print(len(compiled))
"""
)


def said(code, *arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=os.environ | {name: str(value) for name, value in environment.items()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def alive(process):
    """Return whether a process is there and has not ended; one that nobody has waited for yet has."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(process):
    """Return whether a process ends within some seconds."""
    for _ in range(200):
        if not alive(process):
            return True
        time.sleep(0.05)
    return False


def test_every_step_takes_the_arguments_it_is_given():
    lines = said(PLAIN, CSIST_BENCH_NO_NUMBA=1)
    assert {line.split()[0] for line in lines} == {*METHODS, CALIBRATION}
    assert set(METHODS) <= set(REGISTRY)
    assert lines.count("ml False") == 4  # the posterior too, where there is noise
    assert len(list(steps("ml", Told.of("ml", replace(CAMERA, noise_sigma=0.1)).camera))) == 3


@pytest.mark.parametrize("camera", [CAMERA, DENSE], ids=["plain", "dense"])
def test_what_is_told_survives_the_way(camera):
    told = Told.of("ml-seq", camera)
    assert Told.of("ml-seq", Told(**json.loads(json.dumps(told._asdict()))).camera) == told


def test_no_second_process_where_it_would_not_help(monkeypatch):
    monkeypatch.setattr(ahead, "cores", lambda: 1)
    assert compile_ahead("ml", CAMERA) is None
    monkeypatch.setattr(ahead, "cores", lambda: 2)
    assert compile_ahead("ista", CAMERA) is None


def test_a_process_that_cannot_start_changes_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(ahead, "cores", lambda: 2)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    assert compile_ahead("ml", CAMERA) is None


def test_a_failure_is_silent():
    told = Told.of("ml", CAMERA)._replace(method="nothing")._asdict() | {"path": sys.path}
    # Its input stays open: it ends by itself.
    with subprocess.Popen([sys.executable, "-c", START, json.dumps(told)], stdin=subprocess.PIPE) as process:
        assert process.wait(60) == 0


@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGINT])
def test_no_process_is_left_behind(ended_by, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},  # nothing compiled is at hand: it would work for long
        text=True,
    ) as parent:
        second = int(parent.stdout.readline())
        assert alive(second)
        parent.send_signal(ended_by)
    assert gone(second)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "kind"),
    [("ml", "plain"), ("ml", "dense"), ("ml-seq", "plain"), ("ml-seq", "dense"), ("group-map", "plain")],
)
def test_what_is_compiled_ahead_is_a_good_part_of_what_a_run_needs(method, kind, tmp_path):
    data = tiny_set(tmp_path / "set.zarr", "seqcsist", "noise_sigma=5")
    needed = said(RUN, method, kind, data, NUMBA_CACHE_DIR=tmp_path / "run")
    ready = said(SECOND, method, kind, NUMBA_CACHE_DIR=tmp_path / "ahead")
    assert len(set(ready)) == len(ready) > 12
    assert set(ready) <= set(needed)
    assert len(ready) > 0.35 * len(needed)
    assert not set(ready) & set(said(RUN, method, kind, data, NUMBA_CACHE_DIR=tmp_path / "ahead"))


@pytest.mark.parametrize(
    ("method", "family"),
    [
        pytest.param("group-map", ".group_map.", marks=pytest.mark.long),
        pytest.param("ml-seq", ".ml_seq.", marks=pytest.mark.slow),
    ],
)
def test_a_few_answers_call_for_all_that_a_run_compiles(method, family, tmp_path):
    """Once they are given, a run of the same method finds its kernels in the cache."""
    cache = {"NUMBA_CACHE_DIR": tmp_path / "cache"}
    data = tiny_set(tmp_path / "set.zarr", "seqcsist-noise", "noise_sigma=2")
    assert int(said(FEW, method, **cache)[-1]) > 20
    left = said(RUN, method, "plain", data, **cache)
    assert not [line for line in left if family in line]
