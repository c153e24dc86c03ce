"""`.ci/habits.py`: this repository keeps them, and a page that does not is named."""

from __future__ import annotations

import pytest

from tests.helpers.scripts import ROOT, loaded_script

if not (ROOT / ".git").exists():
    pytest.skip("not a checkout", allow_module_level=True)
habits = loaded_script("habits", ROOT / ".ci")


@pytest.mark.parametrize("name", habits.CHECKS)
def test_this_repository_is_well(name):
    assert list(habits.CHECKS[name]()) == []


@pytest.mark.parametrize(
    ("link", "fault"),
    [
        ("other.md", ""),
        ("other.md#two-words--more-and-code", ""),
        ("other.md#two-words--more-and-code-1", ""),
        ("#here", ""),
        ("https://example.org/none", ""),
        ("none.md", "link to none.md: no such file"),
        ("other.md#nowhere", "link to other.md#nowhere: no such heading"),
        ("#nowhere", "link to #nowhere: no such heading"),
        ("../none.png", "link to ../none.png: no such file"),
    ],
)
def test_a_link_leads_somewhere(tmp_path, link, fault):
    (tmp_path / "other.md").write_text("# Two words, & more [and `code`](x)\n```\n# nowhere\n```\n" * 2)
    page = tmp_path / "page.md"
    page.write_text("# Here\n")
    assert habits.fault_of(page, link) == fault


def test_links_in_code_are_none_and_others_are_found_by_line(tmp_path, monkeypatch):
    monkeypatch.setattr(habits, "ROOT", tmp_path)
    monkeypatch.setattr(habits, "tracked", lambda: ["page.md"])
    (tmp_path / "page.md").write_text("```\n[a](b)\n```\n`[a](b)` and\n[text](gone.md), ![picture](gone.png)\n")
    assert list(habits.links()) == [
        "page.md:5: link to gone.md: no such file",
        "page.md:5: link to gone.png: no such file",
    ]


def test_large_files_and_a_long_readme_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(habits, "ROOT", tmp_path)
    names = ["README.md", "docs/a.png", "csist_bench/weights/a.safetensors", "b.bin"]
    monkeypatch.setattr(habits, "tracked", lambda: names)
    for name, size in zip(names, (300, 200_001, 1_000_001, 1_000_001)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"\n" * size)
    assert list(habits.large()) == [
        "docs/a.png: must be at most 200,000 bytes, got 200,001",
        "b.bin: must be at most 1,000,000 bytes, got 1,000,001",
    ]
    assert list(habits.readme()) == ["README.md: must be at most 150 lines, got 300; move the rest to docs/"]
