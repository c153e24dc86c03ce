from __future__ import annotations

from pathlib import Path

import pytest

from csist_bench.errors import InputError
from csist_bench.training.log import LOG, append_line, read_log, rewind_log


def test_lines_come_back_as_losses_and_scores(tmp_path: Path) -> None:
    loss, score = {"step": 1, "stage": "full", "total": 2.5}, {"step": 2, "stage": "full", "cso_map": 50.0}
    append_line(tmp_path, loss)
    append_line(tmp_path, score)
    for path in (tmp_path, tmp_path / LOG):
        assert read_log(path).losses == [loss]
        assert read_log(path).scores == [score]


def test_rewinding_drops_what_came_after_a_step_and_a_torn_last_line(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        append_line(tmp_path, {"step": step, "total": 0.0})
    with (tmp_path / LOG).open("a") as file:
        file.write('{"step": 4, "tot')
    rewind_log(tmp_path, 2)
    assert [line["step"] for line in read_log(tmp_path).losses] == [1, 2]


def test_a_run_without_a_log_is_rewound_to_nothing(tmp_path: Path) -> None:
    rewind_log(tmp_path, 2)
    assert list(tmp_path.iterdir()) == []


def test_bad_logs_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not found"):
        read_log(tmp_path)
    (tmp_path / LOG).write_text('{"step": 1, "total": 1}\n{"total": 1}\n')
    with pytest.raises(InputError, match=r"log\.jsonl:2: line must be a JSON object with an integer 'step'"):
        read_log(tmp_path)
