"""The leaderboard as bars: few enough for a page, and no name cut."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest
from PIL import Image

from csist_bench import files
from csist_bench.leaderboard import published_rows, read_rows, standing
from csist_bench.leaderboard.lines import Line
from csist_bench.plots.leaderboard import MOST, leaderboard_picture
from tests.helpers.rows import FINGERPRINT, LINES, row

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def texts(tmp_path):
    """Draw, and return every text of the picture."""

    def drawn(rows, lines=()):
        with matplotlib.rc_context({"svg.fonttype": "none"}):
            counts = leaderboard_picture(rows, tmp_path / "picture.svg", lines, "title")
        root = ET.fromstring((tmp_path / "picture.svg").read_text())
        return counts, ["".join(text.itertext()).strip() for text in root.iter(f"{SVG}text")]

    return drawn


def test_a_bar_is_the_best_row_of_a_variant(texts):
    net = {"method": "Net", "family": "unfolding", "prior_tier": "D"}
    rows = [row(**net, decoder="grid", cso_map=50.0), row(**net, decoder="polish", cso_map=90.0), row()]
    counts, said = texts([*rows, row(rank="brightness"), row(settings="brightness=free")])
    assert counts == (3, 3)
    assert said.count("Net, polish") == said.count("ML") == said.count("ML, brightness free") == 1
    assert "Net" not in said
    assert "ML, by brightness" not in said


def test_of_many_variants_each_method_has_one_bar_and_the_best_are_shown(texts):
    names = [f"Method {n:02d}" for n in range(40)]
    rows = [row(method=m, cso_map=float(n), settings=s) for n, m in enumerate(names) for s in ("", "a=1")]
    counts, said = texts(rows)
    assert counts == (MOST, 80)
    shown = [text for text in said if text.startswith("Method")]
    assert len(shown) == MOST == len({text.partition(",")[0] for text in shown})
    assert "Method 39" in {text.partition(",")[0] for text in shown}
    assert "Method 14" not in {text.partition(",")[0] for text in shown}


def test_methods_that_were_only_published_fill_what_is_left(texts):
    counts, said = texts([row(), *published_rows()])
    assert counts[0] == MOST - 1 == len({r.method for r in published_rows() if r.dataset == "seqcsist"}) + 1
    assert "DeRefNet" in said


def test_reference_lines_have_one_entry_of_the_legend_a_kind(texts):
    about = {"dataset": "s", "split": "test", "kind": "limit", "dataset_fingerprint": FINGERPRINT}
    many = [Line(label=f"l{n}", cso_map=9.0 * n, **about) for n in range(9)]
    _, said = texts([row()], [*LINES, *many])
    assert said.count("Cramer-Rao line") == said.count("ceiling of the grid") == 1


def test_no_name_of_the_committed_tables_is_cut(tmp_path):
    rows = standing(read_rows(files.packaged("leaderboard") / "leaderboard.csv"))
    for dataset in ("seqcsist", "seqcsist-noise sigma=5", "seqcsist-rotated"):
        leaderboard_picture([r for r in rows if r.dataset == dataset], tmp_path / "picture.png", LINES, dataset)
        with Image.open(tmp_path / "picture.png") as picture:
            pixels = np.asarray(picture.convert("L"))
        for edge in (pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:]):
            assert edge.min() == 255
        assert pixels.shape[0] < 1.3 * pixels.shape[1]  # fit for a page


def test_an_unverified_row_says_so(texts):
    assert "ML, unverified" in texts([row(tier="unverified")])[1]
