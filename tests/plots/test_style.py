"""What pictures share: formats, fonts, and figures as parts of a page."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from matplotlib.figure import Figure

from csist_bench.plots.style import inline_svg, save


def drawn():
    figure = Figure(figsize=(3, 2))
    panel = figure.add_subplot()
    panel.plot([0, 1], [0, 1], color="#0072B2")
    panel.grid(color="0.9")
    panel.set_xlabel("words")
    return figure


def test_pdf_files_have_true_type_fonts(tmp_path):
    save(drawn(), tmp_path / "a.pdf")
    content = (tmp_path / "a.pdf").read_bytes()
    assert b"/CIDFontType2" in content
    assert b"/Type3" not in content


def test_a_drawing_of_a_page_takes_the_colours_and_fonts_of_the_page():
    text = inline_svg(drawn(), "first", "What it shows")
    root = ET.fromstring(text.replace("xlink:href", "href"))
    assert (root.get("role"), root.get("aria-label")) == ("img", "What it shows")
    assert root.get("width") is None
    assert root.get("viewBox")
    assert "words</text>" in text
    assert "currentColor" in text
    assert "var(--grid)" in text
    assert "#0072b2" in text
    assert "#000000" not in text
    ids = {element.get("id") for element in root.iter()} - {None}
    assert ids
    assert all(value.startswith("first-") for value in ids)
    assert inline_svg(drawn(), "first", "What it shows") == text
    others = {e.get("id") for e in ET.fromstring(inline_svg(drawn(), "second", "x").replace("xlink:", "")).iter()}
    assert not ids & others
