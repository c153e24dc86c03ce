"""What the script of the page knows of each row."""

from __future__ import annotations

import json

from csist_bench.leaderboard import published_rows
from csist_bench.leaderboard.board import board
from csist_bench.leaderboard.matrix import matrix
from csist_bench.leaderboard.page_data import data_block, numbered
from tests.helpers.rows import row


def block(*rows, published=()):
    shown = board(rows, published)
    lines = [line for section in matrix(shown) for line in section.lines]
    return json.loads(data_block(numbered(shown), lines)), numbered(shown)


def text(data, number, field):
    group = next(group for group in data["groups"] if field in group["fields"])
    kept = group["records"][group["of"][number]][group["fields"].index(field)]
    return data["strings"][kept] if isinstance(kept, int) else kept


def test_every_text_stands_once_and_every_row_finds_its_own():
    rows = [row(note=f"note {n}", cso_map=90.0 - n, paper="https://example.org/a") for n in range(5)]
    data, tables = block(*rows)
    texts = [*data["strings"], *(t for g in data["groups"] for r in g["records"] for t in r if isinstance(t, str))]
    assert len(set(texts)) == len(texts)
    assert data["count"] == 5
    for number, entry in tables["seqcsist"].items():
        assert text(data, number, "note") == entry.row.note
        assert text(data, number, "paper") == "https://example.org/a"


def test_what_rows_share_is_kept_once():
    rows = [row(dataset=name, cso_map=90.0 - n) for n, name in enumerate("abc")]
    data, _ = block(*rows, row(dataset="c", rank="brightness"))
    assert [len(group["records"]) for group in data["groups"]] == [2, 3, 4, 1]


def test_rows_are_numbered_through_all_tables():
    _, tables = block(row(), row(dataset="a"), row(dataset="b", note="x"), row(dataset="b"))
    assert [list(entries) for entries in tables.values()] == [[0], [1, 2], [3]]


def test_the_overview_leads_to_the_rows_of_its_cells():
    grid, polish = (row(method="Net", decoder=d, cso_map=s) for d, s in (("grid", 50.0), ("polish", 90.0)))
    noisy = row(method="Net", dataset="seqcsist-noise sigma=5")
    data, tables = block(grid, polish, noisy)
    assert data["matrix"] == [[[0, 1], [], [2], [], []]]
    assert tables["seqcsist"][0].row == polish


def test_digests_are_shown_by_their_first_digits():
    data, _ = block(row())
    assert text(data, 0, "data fingerprint") == "sha256:" + "a" * 12 + "..."
    assert text(data, 0, "recipe hash") == ""


def test_commands_are_given_where_a_recipe_says_how():
    data, _ = block(row(), published=published_rows()[:1])
    assert text(data, 0, "repeat").startswith("csist-bench run ml --data")
    assert text(data, 0, "make the data") == "csist-bench generate --recipe seqcsist --out set.zarr"
    assert text(data, 1, "repeat") == text(data, 1, "make the data") == ""


def test_the_block_ends_no_script_and_holds_nothing_invisible():
    shown = board([row(method="</script><b>", note="a\u2028\u202eb&amp;", tier="submitted")], ())
    raw = data_block(numbered(shown), ())
    assert not set("<>&\u2028\u202e") & set(raw)
    assert text(json.loads(raw), 0, "name") == "</script><b>"


def test_a_board_without_rows_makes_a_block():
    data, _ = block()
    assert (data["count"], data["groups"], data["matrix"]) == (0, [], [])
