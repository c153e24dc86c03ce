"""The leaderboard of this repository: its rows are well, and its pages are what the command makes of them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from csist_bench.leaderboard import published_rows, read_rows, standing
from csist_bench.leaderboard.board import Board, board, ranks_by_table
from csist_bench.leaderboard.check import check
from csist_bench.leaderboard.folder_check import check_submission, sets
from csist_bench.leaderboard.lines import read_lines
from csist_bench.leaderboard.page import page_text
from csist_bench.leaderboard.schemas import schema_text
from csist_bench.leaderboard.table import markdown_text

FOLDER = Path(__file__).parents[2] / "leaderboard"


@pytest.fixture(scope="module")
def shown() -> Board:
    rows = standing(read_rows(FOLDER / "leaderboard.csv"))
    ranks = ranks_by_table(rows, FOLDER / "leaderboard.csv")
    return board(rows, published_rows(), lines=read_lines(FOLDER), ranks=ranks)


@pytest.mark.parametrize(("name", "text_of"), [("README.md", markdown_text), ("index.html", page_text)])
def test_a_page_is_what_the_command_makes_of_the_rows(shown, name, text_of):
    remedy = "csist-bench leaderboard --markdown leaderboard/README.md --html leaderboard/index.html"
    assert text_of(shown) == (FOLDER / name).read_text(encoding="utf-8"), f"make it again: {remedy}"


@pytest.mark.parametrize("folder", sorted((FOLDER / "submissions").glob("[!.]*")), ids=lambda path: path.name)
def test_every_submission_passes_the_check(folder):
    with sets() as known:
        checked = check_submission(folder, known, read_rows(FOLDER / "leaderboard.csv"))
    assert checked.faults == ()
    jsonschema.validate(tomllib.loads((folder / "row.toml").read_text()), json.loads(schema_text("submission")))


def test_every_row_passes_the_check():
    count, problems = check(FOLDER / "leaderboard.csv")
    assert count > 400
    assert problems == []
