"""CITATION.cff: what the Citation File Format 1.2.0 asks for, and what the package says elsewhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
yaml = pytest.importorskip("yaml")
KEYS = {
    "abstract", "authors", "cff-version", "commit", "contact", "date-released", "doi", "identifiers", "keywords",
    "license", "license-url", "message", "preferred-citation", "references", "repository", "repository-artifact",
    "repository-code", "title", "type", "url", "version",
}  # fmt: skip
REFERENCE = {
    "authors", "collection-title", "conference", "doi", "end", "identifiers", "journal", "pages", "start", "title",
    "type", "url", "year",
}  # fmt: skip


@pytest.fixture(scope="module")
def cited():
    return yaml.load((ROOT / "CITATION.cff").read_text(), Loader=yaml.BaseLoader)


def test_it_is_complete(cited):
    assert set(cited) <= KEYS
    assert {"cff-version", "message", "title", "authors", "abstract", "version", "license", "keywords"} <= set(cited)
    assert (cited["cff-version"], cited["type"]) == ("1.2.0", "software")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", cited["date-released"])


def test_people_have_names_and_papers_what_finds_them(cited):
    assert {one["type"] for one in cited["references"]} == {"article", "conference-paper"}
    for one in cited["references"]:
        assert set(one) <= REFERENCE
        assert all(set(author) == {"family-names", "given-names"} for author in one["authors"])
        assert one["title"]
        assert re.fullmatch(r"\d{4}", one["year"])
        assert "url" in one or {"start", "end"} <= set(one)
    assert all(set(author) == {"name"} for author in cited["authors"])


def test_it_agrees_with_the_package(cited):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert cited["license"] == project["license"]
    assert [author["name"] for author in cited["authors"]] == [author["name"] for author in project["authors"]]
    # The last version that was released, not the one in the making.
    released = re.findall(r"^## (\d+\.\d+\.\d+)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert cited["version"] == released[0]
