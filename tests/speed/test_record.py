"""The record of a benchmark: saved step by step, taken up again, and what becomes of a step that fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from csist_bench.errors import InputError, must
from csist_bench.speed import record as module
from csist_bench.speed.measures import Measure, Step
from csist_bench.speed.record import Record, carry_out

OPTIONS = {"device": "cpu", "compile": False}


def steps(calls: list[str], failing: tuple[str, ...] = ()) -> list[Step]:
    def measured(name: str):
        def measure():
            calls.append(name)
            yield Measure(f"{name} first", 1.0, "s")
            if name in failing:
                raise ValueError("no\nluck")
            yield Measure(f"{name} second", 2.0, "s", "< 3")

        return measure

    return [Step(name, measured(name)) for name in "abc"]


def test_figures_are_saved_after_each_step_with_machine_and_options(tmp_path: Path) -> None:
    seen = []
    record = Record.opened(tmp_path / "f.json", OPTIONS)

    def say(line: str) -> None:
        seen.append(json.loads((tmp_path / "f.json").read_text())["done"] if record.done else [])

    carry_out(steps([]), record, say)
    assert seen[2:] == [["a"], ["a"], ["a", "b"], ["a", "b"]]
    table = json.loads((tmp_path / "f.json").read_text())
    assert table["options"] == OPTIONS
    assert table["machine"]["cores"] >= 1
    assert table["measures"][1] == {"name": "a second", "value": 2.0, "unit": "s", "goal": "< 3", "step": "a"}
    assert len(table["measures"]) == 6


def test_a_step_that_fails_is_told_in_one_line_and_the_next_goes_on(tmp_path: Path) -> None:
    said: list[str] = []
    record = Record.opened(tmp_path / "f.json", OPTIONS)
    carry_out(steps([], ("b",)), record, said.append)
    assert (record.done, record.failed) == (["a", "c"], {"b": "ValueError: no"})
    assert "b: failed: ValueError: no" in said


def test_only_what_is_missing_is_measured_when_a_record_is_taken_up(tmp_path: Path) -> None:
    carry_out(steps([], ("b",)), Record.opened(tmp_path / "f.json", OPTIONS), print)
    calls: list[str] = []
    record = Record.opened(tmp_path / "f.json", OPTIONS, resume=True)
    carry_out(steps(calls), record, print)
    assert calls == ["b"]
    assert record.failed == {}
    assert sorted(m.name for m in record.measures) == sorted(f"{s} {n}" for s in "abc" for n in ("first", "second"))
    assert Record.read(tmp_path / "f.json").of("b") == record.of("b")


def test_no_step_is_begun_when_the_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, 1.0, 59.0, 60.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(ticks))
    record = Record({}, None)
    carry_out(steps([]), record, print, minutes=1.0)
    assert record.done == ["a", "b"]
    assert record.left_out == {"c": "the 1 minutes were over"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda table: table | {"options": {"device": "cuda"}}, r"options must be compile=False, device=cpu to go on"),
        (lambda table: table | {"machine": table["machine"] | {"cores": 999}}, "must be of this machine, whose cores"),
        (lambda table: {"figures": []}, "must hold figures as bench writes them"),
    ],
)
def test_a_record_of_other_figures_is_not_taken_up(tmp_path: Path, change, says: str) -> None:
    path = tmp_path / "f.json"
    carry_out(steps([]), Record.opened(path, OPTIONS), print)
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(InputError, match=says):
        Record.opened(path, OPTIONS, resume=True)


def test_without_a_file_there_is_nothing_to_take_up(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--resume needs --out"):
        Record.opened(None, OPTIONS, resume=True)
    assert Record.opened(tmp_path / "none.json", OPTIONS, resume=True).measures == []


def test_reasons_are_short_lines() -> None:
    assert module.reason_of(must("size", "be 1", 2)) == "size must be 1, got 2"
    assert module.reason_of(KeyError()) == "KeyError: "
    assert len(module.reason_of(RuntimeError("x" * 999))) == module.LONGEST_REASON
