"""The training log: one JSON object a line, read back as columns for a curve."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csist_bench.errors import InputError, show
from csist_bench.files import replace_file

LOG = "log.jsonl"


@dataclass(frozen=True)
class TrainingLog:
    """Lines of a log, in order of steps.

    `losses` hold at least `step` (over all stages), `stage`, `epoch`, `lr` and `total`, averaged since the line before;
    `scores` hold `step`, `stage` and `cso_map`, `ap05` .. `ap25` in percent.
    """

    losses: list[dict[str, Any]]
    scores: list[dict[str, Any]]


def append_line(folder: Path, line: dict[str, Any]) -> None:
    """Add one line to the log of a run."""
    with (folder / LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def read_log(path: str | Path) -> TrainingLog:
    """Read the log of a run: its folder, or the file itself.

    Raises
    ------
    InputError
        If there is none, or a line is not a JSON object with a step.
    """
    path = Path(path)
    path = path / LOG if path.is_dir() else path
    if not path.is_file():
        raise InputError(f"training log {path} not found")
    lines = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        line = _decoded(text)
        if line is None:
            raise InputError(f"{path}:{number}: line must be a JSON object with an integer 'step', got {show(text)}")
        lines.append(line)
    return TrainingLog([x for x in lines if "total" in x], [x for x in lines if "cso_map" in x])


def rewind_log(folder: Path, step: int) -> None:
    """Drop the lines after a step: a run that was killed writes them again when it is resumed."""
    path = folder / LOG
    if not path.is_file():
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [text for text in lines if (line := _decoded(text)) is not None and line["step"] <= step]
    replace_file(path, "".join(f"{text}\n" for text in kept).encode())


def _decoded(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and isinstance(line.get("step"), int) else None
