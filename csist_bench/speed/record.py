"""What a benchmark has measured so far: saved after each step, taken up again, whatever becomes of a step."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from csist_bench.errors import InputError, must
from csist_bench.files import replace_file
from csist_bench.speed.measures import Measure, Step, line_of, machine

LONGEST_REASON = 200  # characters
SAME = ("python", "machine", "cores")  # of two runs that go into one file


class _Saved(msgspec.Struct):
    """A record's file; fields that it lacks are of a version that did not write them."""

    machine: dict[str, Any]
    measures: list[Measure]
    options: dict[str, Any] = {}
    done: list[str] = []
    failed: dict[str, str] = {}
    left_out: dict[str, str] = {}


@dataclass
class Record:
    """Figures, in the order in which they were measured, and what became of each step.

    `options` say how they were measured; `done` names the steps that were carried out, `failed` and `left_out` the
    others with the reason. With a `path` the whole is written there by `save`.
    """

    options: dict[str, Any]
    path: Path | None = None
    measures: list[Measure] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @classmethod
    def opened(cls, path: Path | None, options: dict[str, Any], resume: bool = False) -> Record:
        """Begin a record, or with `resume` go on with that of the file, if there is one.

        Raises
        ------
        InputError
            If the file is no record, or is of another machine or other options.
        """
        if not resume:
            return cls(options, path)
        if path is None:
            raise InputError("--resume needs --out FILE, which says what has been measured")
        return cls.read(path, options) if path.exists() else cls(options, path)

    @classmethod
    def read(cls, path: Path, options: dict[str, Any] | None = None) -> Record:
        """Return the record of a file; `options`, if given, must be those that it was begun with."""
        try:
            saved = msgspec.json.decode(path.read_bytes(), type=_Saved)
        except msgspec.DecodeError as error:
            raise InputError(f"{path} must hold figures as bench writes them: {error}") from None
        here = machine()
        for name in SAME:
            if options is not None and saved.machine.get(name) != here[name]:
                rule, remedy = f"be of this machine, whose {name} is {here[name]}", "leave --resume out"
                raise must(str(path), rule, str(saved.machine.get(name)), remedy)
        if options is not None and saved.options != options:
            raise must(f"{path}: options", f"be {_told(options)} to go on", _told(saved.options), "leave --resume out")
        return cls(saved.options, path, saved.measures, saved.done, saved.failed, saved.left_out)

    def begin(self, step: str) -> None:
        """Forget what an earlier try at a step left."""
        self.measures = [measure for measure in self.measures if measure.step != step]
        for reasons in (self.failed, self.left_out):
            reasons.pop(step, None)

    def of(self, step: str) -> list[Measure]:
        """Return the figures of a step."""
        return [measure for measure in self.measures if measure.step == step]

    def as_json(self) -> str:
        """Return figures, machine and options as one JSON object."""
        saved = _Saved(machine(), self.measures, self.options, self.done, self.failed, self.left_out)
        return msgspec.json.format(msgspec.json.encode(saved), indent=1).decode()

    def save(self) -> None:
        """Write the whole, if there is a file to write it to."""
        if self.path is not None:
            replace_file(self.path, self.as_json().encode())


def carry_out(steps: Sequence[Step], record: Record, say: Callable[[str], None], minutes: float = 0.0) -> None:
    """Take steps in turn, but for those that the record has; none is begun after so many `minutes` (0: no limit)."""
    began = time.monotonic()
    for step in steps:
        if step.name in record.done:
            continue
        record.begin(step.name)
        if minutes and time.monotonic() - began >= 60 * minutes:
            record.left_out[step.name] = f"the {minutes:g} minutes were over"
        else:
            carry_out_one(step, record, say)
        record.save()


def carry_out_one(step: Step, record: Record, say: Callable[[str], None]) -> None:
    """Take one step; what it fails of is kept as its reason, and goes no further."""
    try:
        for measure in step.measure():
            record.measures.append(replace(measure, step=step.name))
            say(line_of(measure))
            record.save()
    except Exception as error:  # a step may fail of anything, its neighbours can be measured nevertheless
        record.failed[step.name] = reason_of(error)
        say(f"{step.name}: failed: {record.failed[step.name]}")
    else:
        record.done.append(step.name)


def reason_of(error: BaseException) -> str:
    """Return one line that says what went wrong."""
    lines = str(error).strip().splitlines()
    text = " ".join(lines[0].split()) if lines else ""
    kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
    return f"{kind}{text}"[:LONGEST_REASON]


def _told(options: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(options.items())) or "none"
