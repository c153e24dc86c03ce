"""`leaderboard/gpu_check.py`: its steps, tiny and on the CPU; what it does where one fails, hangs or has no time."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from csist_bench.speed import networks
from csist_bench.speed.measures import Measure
from csist_bench.speed.record import Record
from tests.helpers.scripts import ROOT


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT)
    return importlib.import_module("leaderboard.gpu_check")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TRAJECTORY": 5, "SCORED": range(2, 4), "POINT_STEP_FRAMES": 8, "STEP_FRAMES": 4}.items():
        monkeypatch.setattr(networks, name, value)
    monkeypatch.setattr(networks, "HOST_TRAJECTORIES", 20)


# What these call is run by tests/speed as well, tiny.
LONGER = ("derefnet against the loop", "offgrid-net", "train edsr", "ways of derefnet")


@pytest.mark.parametrize("name", ["train offgrid-net", *(pytest.param(n, marks=pytest.mark.slow) for n in LONGER)])
def test_a_step_runs_dry_in_its_process(script: ModuleType, small, tmp_path: Path, name: str) -> None:
    path = tmp_path / "f.json"
    assert script.main(["--out", str(path), "--step", name, "--dry-run"]) == 0
    record = Record.read(path)
    assert record.done == [name]
    assert len(record.of(name)) >= 2
    assert all(measure.value >= 0 for measure in record.measures)
    page = script.as_markdown(record)
    assert "**Not measured on a GPU.**" in page
    assert f"| {name} | {record.measures[0].name.strip()} |" in page


def test_what_compiling_took_is_held_against_what_it_saves(script: ModuleType) -> None:
    gain, paid = script._gain(200.0, 100.0, 30.0)
    assert gain.value == 2.0
    assert paid.value == pytest.approx(6000.0)  # of 5 ms saved a frame
    assert [m.value for m in script._gain(80.0, 100.0, 30.0)] == [0.8]
    assert [m.value for m in script._gain(200.0, 100.0, 0.0)] == [2.0]


def test_on_a_gpu_the_page_says_nothing_of_the_kind(script: ModuleType) -> None:
    told = {"device": "cuda: A GPU", "torch": "2", "dry_run": False}
    record = Record(
        told, None, [Measure("  rate", 2.5e6, "frames/s", ">= 2", "b")], ["b"], {"a": "broke"}, {"c": "late"}
    )
    page = script.as_markdown(record)
    assert "Not measured" not in page
    assert "dry run" not in page
    assert "| b | rate | 2,500,000 | frames/s | >= 2 |" in page
    assert "Failed:\n\n- a: broke\n" in page
    assert "Left out:\n\n- c: late\n" in page


@pytest.mark.long
def test_the_whole_runs_step_by_step_in_processes_and_is_taken_up(script: ModuleType, tmp_path: Path, capsys) -> None:
    path = tmp_path / "f.json"
    only = ["--only", "stream"]
    assert script.main(["--out", str(path), "--dry-run", *only]) == 0
    assert json.loads(path.read_text())["done"] == ["stream"]
    assert "Not measured on a GPU" in path.with_suffix(".md").read_text()
    before = path.read_bytes()
    assert script.main(["--out", str(path), "--dry-run", "--resume", *only]) == 0
    assert json.loads(path.read_bytes())["measures"] == json.loads(before)["measures"]
    assert capsys.readouterr().out.count("stream:\n") == 1


def test_what_has_no_time_is_left_out_and_what_hangs_is_stopped(
    script: ModuleType, tmp_path: Path, monkeypatch
) -> None:
    path = tmp_path / "f.json"
    monkeypatch.setattr(script, "_told", lambda plan: {"device": "cpu", "torch": "2", "dry_run": False})
    assert script.main(["--out", str(path), "--device", "cpu", "--minutes", "0.01"]) == 0
    record = Record.read(path)
    assert set(record.left_out) == set(script.TASKS)
    assert "s are the least" in record.left_out["stream"]
    monkeypatch.setattr(script, "START_S", 0.3)
    monkeypatch.setitem(script.TASKS, "stream", script.Task(script._stream, 0.0, 0.0))
    assert script.main(["--out", str(path), "--device", "cpu", "--only", "stream"]) == 1
    assert Record.read(path).failed == {"stream": "stopped after 0 s"}
    assert "- stream: stopped after 0 s" in path.with_suffix(".md").read_text()


def test_a_step_that_fails_is_told_and_the_next_goes_on(script: ModuleType, tmp_path: Path, monkeypatch) -> None:
    def broken(plan):
        yield Measure("first", 1.0, "s")
        raise RuntimeError("out of luck\nand more")

    monkeypatch.setitem(script.TASKS, "stream", script.Task(broken, 0.0, 9.0))
    path = tmp_path / "f.json"
    assert script.main(["--out", str(path), "--step", "stream", "--dry-run"]) == 1
    assert Record.read(path).failed == {"stream": "RuntimeError: out of luck"}
    # A process that is ended by more than an error leaves its code.
    monkeypatch.setattr(script.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, -11))
    assert script.main(["--out", str(path), "--dry-run", "--only", "stream", "--only", "offgrid-net"]) == 1
    ended = "the process ended with code -11"
    assert Record.read(path).failed == {"stream": ended, "offgrid-net": ended}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--only", "straem"], "unknown step 'straem'; did you mean 'stream'?"),
        (["--minutes", "0"], "--minutes must be positive, got 0.0"),
        (["--device", "cuda:9"], "device must be auto, cpu, or a GPU of this machine"),
    ],
)
def test_bad_input_ends_in_one_line(script: ModuleType, tmp_path: Path, capsys, arguments, says) -> None:
    assert script.main(["--out", str(tmp_path / "f.json"), *arguments]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "f.json").exists()


@pytest.mark.slow
def test_the_dry_run_carries_out_every_step(script: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    command = [sys.executable, "-m", "leaderboard.gpu_check", "--out", str(path), "--dry-run"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert Record.read(path).done == list(script.TASKS)
