"""A report as a page that stands by itself."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from csist_bench.errors import InputError
from csist_bench.evaluation.report import evaluate
from csist_bench.plots.report_page import write_report_page
from tests.helpers.reports import ANSWERS, TARGETS, read_image, report_of
from tests.helpers.scenes import detections_of, truth_of

FIGURES = {"precision_recall", "errors", "breakdown", "frames"}
VOID = {"meta", "link", "br", "image", "circle", "path", "use", "rect", "stop", "line", "polygon"}


class Page(HTMLParser):
    """Collects tags, ids, references and text, and checks that every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.references, self.words = [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href"):
                self.references.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("report")
    write_report_page(report_of(warnings=("a <warning>",), unverified="of & about"), path, read_image)
    return path


@pytest.fixture(scope="module")
def page(folder):
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def test_the_page_holds_everything_it_shows_and_runs_nothing(page, folder):
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "iframe", "img", "object")]
    assert not [a for _, attributes in page.tags for a in attributes if a.startswith("on")]
    outside = [ref for ref in page.references if not ref.startswith(("#", "data:image/png;base64,"))]
    assert not outside
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert not re.findall(r"url\((?!#)|@import|https?://(?!www\.w3\.org)", text)


def test_ids_are_unique_and_every_reference_has_one(page):
    assert len(page.ids) == len(set(page.ids)) > 20
    assert {ref[1:] for ref in page.references if ref.startswith("#")} <= set(page.ids)


def test_text_of_a_file_is_text(page, folder):
    words = " ".join(page.words)
    assert "My <b>net</b>: CSO-mAP" in words
    assert "a <warning>" in words
    assert "UNVERIFIED: of & about" in words
    assert "<b>net" not in (folder / "report.html").read_text(encoding="utf-8")


def test_what_went_wrong_is_counted_and_drawn(page):
    words = " ".join(" ".join(page.words).split())
    assert "Something went wrong in 4 of 6 frames" in words
    drawn = [a["aria-label"] for tag, a in page.tags if tag == "svg" and a.get("aria-label", "").startswith("Traj")]
    assert sorted(drawn) == [
        "Trajectory 1, frame 0: 1 missed, 1 false",
        "Trajectory 2, frame 0: 1 merged",
        "Trajectory 3, frame 0: 1 displaced",
        "Trajectory 4, frame 0: 1 doubled",
    ]


def test_figures_are_drawn_in_the_page_and_as_pdf_with_true_type_fonts(page, folder):
    named = {tag_id.split("-")[0] for tag_id in page.ids}
    assert named >= FIGURES
    files = {path.stem: path.read_bytes() for path in (folder / "figures").iterdir()}
    assert set(files) == FIGURES | {"worst_frames"}
    for content in files.values():
        assert content.startswith(b"%PDF-")
        assert b"/CIDFontType2" in content
        assert b"/Type3" not in content


def test_dark_and_light_share_one_drawing(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "prefers-color-scheme:dark" in text
    drawings = "".join(re.findall(r'<svg viewBox="[^"]*" role="img" aria-label="[PEMC].*?</svg>', text, re.DOTALL))
    assert drawings.count("currentColor") > 50
    assert "#000000" not in drawings


@pytest.mark.long
def test_all_right_and_all_wrong_have_pages_too(tmp_path):
    right = [(t, 0, *xy, 1.0) for t, group in enumerate(TARGETS) for xy in group]
    write_report_page(report_of(rows=right, sigma=None), tmp_path / "right", read_image)
    text = (tmp_path / "right" / "report.html").read_text(encoding="utf-8")
    assert "Nothing went wrong in any frame." in text
    assert "NEES of claimed errors" not in text
    assert "Intensity bias, %" in text
    assert "worst_frames.pdf" not in {path.name for path in (tmp_path / "right" / "figures").iterdir()}
    write_report_page(report_of(rows=[]), tmp_path / "nothing", read_image)
    text = (tmp_path / "nothing" / "report.html").read_text(encoding="utf-8")
    Page(text)
    assert "Something went wrong in 6 of 6 frames" in text
    assert "nan" not in re.sub(r"data:image[^\"]*", "", text)


@pytest.mark.long
def test_a_hint_is_said_and_nothing_changed(tmp_path):
    swapped = [(t, f, y, x, s) for t, f, x, y, s in [(0, 0, 3, 8, 1), (1, 0, 2, 7, 1), (2, 0, 4, 9, 1)]]
    truth = truth_of([[(3, 8)], [(2, 7)], [(4, 9)]], 3, 1)
    report = evaluate(detections_of(swapped), truth, full=True)
    write_report_page(report, tmp_path, lambda trajectory, frame: np.zeros((11, 11)))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Hint: if the file has x and y swapped" in text
    assert "CSO-mAP 0.00 %" in text


def test_a_report_without_details_is_refused(tmp_path):
    plain = evaluate(detections_of(ANSWERS), truth_of(TARGETS, 6, 1))
    with pytest.raises(InputError, match="report must hold details to be a page"):
        write_report_page(plain, tmp_path, read_image)
