"""The leaderboard as one self-contained page."""

from __future__ import annotations

import pytest

from csist_bench.leaderboard import published_rows
from csist_bench.leaderboard.board import board
from csist_bench.leaderboard.columns import PAGE_COLUMNS
from csist_bench.leaderboard.page import page_text
from tests.helpers.outline import Outline
from tests.helpers.rows import LINES, row


@pytest.fixture(scope="module")
def page() -> tuple[str, Outline]:
    hostile = row(method='<script>alert("x")</script>', note="</script><img src=x onerror=alert(1)>", tier="submitted",
                  paper='https://example.org/"onmouseover="alert(1)')  # fmt: skip
    noisy = row(dataset="seqcsist-noise sigma=2", note="noisy")
    text = page_text(board([row(), hostile, noisy], published_rows(), lines=LINES))
    outline = Outline()
    outline.feed(text)
    return text, outline


def test_the_page_nests_and_holds_every_row(page):
    _, outline = page
    assert not outline.open
    rows = [attributes for attributes in outline.all("tr") if "data-dataset" in attributes]
    assert len(rows) == 3 + len(published_rows())
    heads = [attributes for attributes in outline.all("th") if attributes.get("scope") == "col"]
    assert len(heads) == len(PAGE_COLUMNS) == len(outline.all("button"))
    cells = len(outline.all("td")) + len([a for a in outline.all("th") if a.get("scope") == "row"])
    assert cells == len(rows) * len(PAGE_COLUMNS)


def test_the_page_fetches_nothing(page):
    _, outline = page
    for _tag, attributes in outline.elements:
        assert not {"src", "srcset", "data", "poster"} & set(attributes)
    assert not outline.all("link")
    assert not outline.all("img")
    assert "url(" not in "".join(outline.text)
    assert "@import" not in "".join(outline.text)


def test_the_page_runs_no_text_of_a_row(page):
    _, outline = page
    assert len(outline.all("script")) == 1
    assert not any(name.startswith("on") for _, attributes in outline.elements for name in attributes)
    assert '<script>alert("x")</script>' in "".join(outline.text)


def test_published_rows_are_labelled_on_the_page(page):
    _, outline = page
    published = [a for a in outline.all("tr") if a.get("data-tier") == "published"]
    assert len(published) == len(published_rows())
    assert all(a["class"] == "published" for a in published)
    hollow = [a for a in outline.all("circle") if "published" in (a["class"] or "").split()]
    assert {a["data-tier"] for a in hollow} == {"published"}


def test_the_page_is_the_same_every_time(page):
    hostile_free = [row(), row(note="b")]
    assert page_text(board(hostile_free, published_rows())) == page_text(board(hostile_free, published_rows()))


def test_no_text_of_a_row_turns_the_order_of_others(page):
    turned = page_text(board([row(method="My\u202eNet", note="a\u2067b")], ()))
    assert not {"\u202e", "\u2067"} & set(turned)
    assert "My\\u202eNet" in turned
