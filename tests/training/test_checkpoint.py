"""A run's folder: what may be resumed, and what is left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from csist_bench.datasets import Dataset
from csist_bench.errors import InputError
from tests.helpers.training_runs import AT_ONCE, ESPCN, go


def test_a_run_that_spells_out_a_setting_removed_since_is_resumed(tiny: Dataset, tmp_path: Path) -> None:
    small, table = {"phases": 1, "features": 4}, {"steps": 1, "batch_frames": 16}
    go(tiny, tmp_path / "run", "fista-net", small, table)
    path = tmp_path / "run" / "recipe.json"
    saved = json.loads(path.read_text())
    saved["settings"]["sparsity_weight"] = 0.001
    path.write_text(json.dumps(saved))
    assert go(tiny, tmp_path / "run", "fista-net", small, table, resume=True).finished


def test_a_run_that_is_older_than_a_field_can_be_taken_up(tiny: Dataset, tmp_path: Path) -> None:
    table = {"steps": 2, "batch_frames": 16}
    go(tiny, tmp_path / "run", "espcn", ESPCN, table, max_minutes=AT_ONCE)
    path = tmp_path / "run" / "recipe.json"
    saved = json.loads(path.read_text())
    del saved["training"]["start_from"]
    path.write_text(json.dumps(saved))
    assert go(tiny, tmp_path / "run", "espcn", ESPCN, table, resume=True).finished


def test_a_run_is_not_overwritten_nor_resumed_with_another_recipe(tiny: Dataset, tmp_path: Path) -> None:
    table = {"steps": 1, "batch_frames": 16}
    go(tiny, tmp_path / "run", "espcn", ESPCN, table)
    with pytest.raises(InputError, match="holds a run; go on with --resume, or start anew with --overwrite"):
        go(tiny, tmp_path / "run", "espcn", ESPCN, table)
    with pytest.raises(InputError, match=r"training\.lr must stay 0\.001 to resume .*, got 0\.1"):
        go(tiny, tmp_path / "run", "espcn", ESPCN, {**table, "lr": 0.1}, resume=True)
    with pytest.raises(InputError, match="holds no run to resume"):
        go(tiny, tmp_path / "none", "espcn", ESPCN, table, resume=True)
    with pytest.raises(InputError, match="window size must be at most"):
        go(tiny, tmp_path / "run", "espcn", ESPCN, {**table, "window.size": 13}, overwrite=True)
    assert (tmp_path / "run" / "best.safetensors").exists(), "bad input must not cost an earlier run"
    assert go(tiny, tmp_path / "run", "espcn", ESPCN, {**table, "lr": 0.1}, overwrite=True).finished


def test_a_folder_of_something_else_is_left_alone(tiny: Dataset, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="must be an empty folder or a run's"):
        go(tiny, tmp_path / "mine", "espcn", ESPCN, {"steps": 1}, overwrite=True)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_a_damaged_state_is_told(tiny: Dataset, tmp_path: Path) -> None:
    table = {"steps": 3, "batch_frames": 16}
    go(tiny, tmp_path / "run", "espcn", ESPCN, table, max_minutes=AT_ONCE)
    state = tmp_path / "run" / "resume.safetensors"
    state.write_bytes(state.read_bytes()[:-9])
    with pytest.raises(InputError, match="not a whole safetensors file"):
        go(tiny, tmp_path / "run", "espcn", ESPCN, table, resume=True)
