"""The leaderboard as one self-contained page: what it is made of. Its script is tested in a browser beside this."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from csist_bench import files
from csist_bench.leaderboard import published_rows, read_rows, standing
from csist_bench.leaderboard.board import board
from csist_bench.leaderboard.columns import PAGE_COLUMNS
from csist_bench.leaderboard.lines import read_lines
from csist_bench.leaderboard.page import page_text
from tests.helpers.outline import Outline
from tests.helpers.rows import LINES, row

LARGEST = 400_000


@pytest.fixture(scope="module")
def page() -> tuple[str, Outline]:
    hostile = row(method='<script>alert("x")</script>', note="</script><img src=x onerror=alert(1)>", tier="submitted",
                  paper='https://example.org/"onmouseover="alert(1)', dataset='"><b id="r0">')  # fmt: skip
    noisy = row(dataset="seqcsist-noise sigma=2", note="noisy")
    text = page_text(board([row(), hostile, noisy], published_rows(), lines=LINES))
    outline = Outline()
    outline.feed(text)
    return text, outline


@pytest.fixture(scope="module")
def committed() -> str:
    folder = files.packaged("leaderboard")
    rows = standing(read_rows(folder / "leaderboard.csv"))
    return page_text(board(rows, published_rows(), lines=read_lines(folder)))


def test_the_page_nests_and_holds_every_row(page):
    _, outline = page
    assert not outline.open
    rows = [attributes["id"] for attributes in outline.all("tr") if "id" in attributes]
    assert rows == [f"r{n}" for n in range(3 + len(published_rows()))]
    ids = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)


def test_the_overview_comes_first_then_one_table_a_data_set(page):
    _, outline = page
    tables = [a.get("id") or a.get("class") for a in outline.all("table")]
    assert tables[0] == "matrix"
    sets = [a for a in outline.all("section") if a.get("class") == "set"]
    assert len(sets) == len({r.dataset for r in published_rows()}) + 1
    assert tables[-1] == "methods"
    anchors = {a["href"] for a in outline.all("a") if (a["href"] or "").startswith("#")}
    assert anchors == {f"#{a['id']}" for a in sets} | {"#overview", "#reading"}


def test_the_page_fetches_nothing_and_its_policy_allows_its_own_script_and_style_alone(page):
    text, outline = page
    for _tag, attributes in outline.elements:
        assert not {"src", "srcset", "data", "poster", "style"} & set(attributes)
    assert not outline.all("link")
    assert not outline.all("img")
    assert "url(" not in text
    assert "@import" not in text
    policy = next(a["content"] for a in outline.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; ")
    for tag in ("script", "style"):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_the_page_runs_no_text_of_a_row(page):
    _, outline = page
    assert [a.get("type") for a in outline.all("script")] == ["application/json", None]
    assert not any(name.startswith("on") for _, attributes in outline.elements for name in attributes)
    assert '<script>alert("x")</script>' in "".join(outline.text)


def test_published_rows_are_labelled_on_the_page(page):
    _, outline = page
    marked = [a for a in outline.all("tr") if a.get("class") == "published" and "id" in a]
    assert len(marked) == len(published_rows())
    assert "".join(outline.text).count("published") > len(published_rows())


def test_controls_are_hidden_until_the_script_shows_them(page):
    _, outline = page
    assert all("hidden" in a for a in outline.all("form"))
    assert all("hidden" in a for a in outline.all("div") if a.get("class") == "toolbar")


def test_the_page_is_the_same_every_time():
    rows = [row(), row(note="b")]
    assert page_text(board(rows, published_rows())) == page_text(board(rows, published_rows()))


def test_no_text_of_a_row_turns_the_order_of_others():
    turned = page_text(board([row(method="My\u202eNet", note="a\u2067b")], ()))
    assert not {"\u202e", "\u2067"} & set(turned)
    assert "My\\u202eNet" in turned


def test_a_board_without_rows_and_one_of_other_sets_make_a_page():
    for rows in ([], [row(dataset="mine")]):
        text = page_text(board(rows, ()))
        assert text.startswith("<!doctype html>")
        assert 'id="matrix"' not in text


def test_the_page_of_the_committed_leaderboard_is_under_400_kb(committed):
    assert len(committed.encode()) < LARGEST


def test_every_column_is_explained(committed):
    reading = committed.partition('id="reading"')[2]
    for column in PAGE_COLUMNS:
        assert f"<dt>{column.heading}</dt>" in reading
