"""The correction of prior tiers: one column, of the rows whose settings or weights tell; the same when run again."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from csist_bench.leaderboard.rows import read_rows, write_rows
from tests.helpers.rows import digest, row
from tests.helpers.scripts import loaded_script

FOLDER = Path(__file__).parents[2] / "leaderboard"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return loaded_script("correct_prior_tiers")


def test_only_the_column_of_wrong_rows_changes(script, tmp_path):
    network = {"method": "OffGrid-Net", "prior_tier": "D", "recipe_hash": digest("turned"), "note": 'a "note", quoted'}
    rows = [
        row(**network),
        row(**network, rank="precision", settings="scenes=x"),
        row(**{**network, "recipe_hash": digest("unknown")}),
        row(settings="brightness=free"),
        row(settings="noise_sigma=2.0"),
        row(method="Group MAP", prior_tier="D", settings="axes=rotated radius=0.33"),
        row(method="Group MAP", prior_tier="D", settings="axes=rotated", tier="submitted"),
        row(method="Mine", prior_tier="C", tier="submitted"),
    ]
    path = tmp_path / "leaderboard.csv"
    write_rows(path, rows)
    trained = {digest("turned"): "D-rotated"}
    before = path.read_text()
    after, changes = script.corrected(before, rows, trained)
    path.write_text(after)
    assert [r.prior_tier for r in read_rows(path)] == ["D-rotated", "D-rotated", "D", "A", "B", "D-rotated", "D", "C"]
    assert [change.split(":")[0] for change in changes] == ["line 2", "line 3", "line 5", "line 7"]
    for old, new, was, now in zip(before.splitlines(), after.splitlines(), [None, *rows], [None, *read_rows(path)]):
        if was is None or was.prior_tier == now.prior_tier:
            assert old == new
        else:
            assert {**was.values(), "prior_tier": now.prior_tier} == now.values()
            assert len(new) - len(old) == len(now.prior_tier) - len(was.prior_tier)
    assert script.corrected(after, read_rows(path), trained) == (after, [])


def test_nothing_is_left_to_correct_in_this_repository(script, tmp_path, monkeypatch, capsys):
    path = tmp_path / "leaderboard.csv"
    shutil.copy(FOLDER / "leaderboard.csv", path)
    monkeypatch.setattr(sys, "argv", ["correct_prior_tiers.py", str(path)])
    script.main()
    assert capsys.readouterr().out == "nothing to correct\n"
    assert path.read_bytes() == (FOLDER / "leaderboard.csv").read_bytes()
