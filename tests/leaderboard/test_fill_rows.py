"""Rows run again: what they lacked is filled, what they held stays, and a run that does not agree changes nothing."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from csist_bench.cli import main
from csist_bench.datasets import open_dataset
from csist_bench.datasets.generation import generate
from csist_bench.leaderboard import Claim, read_rows, submit
from csist_bench.leaderboard.rows import write_rows
from csist_bench.leaderboard.trajectories import influence_path, kept_influence
from csist_bench.recipes import load_data_recipe
from tests.helpers.scripts import loaded_script

SCRIPT = Path(__file__).parents[2] / "leaderboard" / "fill_rows.py"
NEW = ("answers_per_frame", "cso_f1", "gospa", "gospa_localisation", "gospa_missed", "gospa_false")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return loaded_script("fill_rows")


@pytest.fixture(scope="module")
def submitted(tmp_path_factory):
    """Return a folder with a data set, and a board of ML by score and by brightness."""
    folder = tmp_path_factory.mktemp("fill")
    recipe = load_data_recipe("seqcsist-noise", ["noise_sigma=5", "trajectories=12", "splits=[0.0, 0.34, 0.66]"])
    generate(folder / "set.zarr", recipe)
    board = folder / "board" / "leaderboard.csv"
    with pytest.raises(SystemExit):
        main(["run", "ml", "--data", str(folder / "set.zarr"), "--out", str(folder / "ml.json")])
    for rank in ("score", "brightness"):
        submit(folder / "ml.json", open_dataset(folder / "set.zarr"), Claim(status="reproduced", rank=rank), board)
    return folder, read_rows(board)


@pytest.fixture
def emptied(submitted, tmp_path):
    """Return a board whose rows lack what evaluator 1.1 adds, and the rows as they were."""
    _, rows = submitted
    board = tmp_path / "leaderboard.csv"
    write_rows(board, [msgspec.structs.replace(row, **dict.fromkeys(NEW)) for row in rows])
    return board, rows


def fill(script, board, *more: str) -> int:
    return int(script.main(["--leaderboard", str(board), "--data", str(board.parent / "data"), *more]))


def test_what_rows_lacked_is_what_their_submission_gave(script, emptied, capsys):
    board, rows = emptied
    assert fill(script, board) == 0
    assert read_rows(board) == rows
    for row in rows:
        assert kept_influence(board, row).cso_map.any()
    assert "1 of 1: ML" in capsys.readouterr().out
    assert fill(script, board) == 0
    assert capsys.readouterr().out == ""


def test_a_run_that_does_not_agree_changes_nothing(script, emptied, capsys):
    board, rows = emptied
    wrong = [msgspec.structs.replace(row, cso_map=row.cso_map + 0.5, **dict.fromkeys(NEW)) for row in rows]
    write_rows(board, wrong)
    before = board.read_bytes()
    assert fill(script, board) == 1
    assert board.read_bytes() == before
    assert not influence_path(board, wrong[0]).exists()
    assert "2 rows were not met again and stay as they are" in capsys.readouterr().out


def test_rows_of_other_methods_are_passed_over(script, emptied, capsys):
    board, _ = emptied
    assert fill(script, board, "--method", "BID") == 0
    assert capsys.readouterr().out == ""
