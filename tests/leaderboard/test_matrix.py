"""The overview: methods by data sets."""

from __future__ import annotations

import pytest

from csist_bench.leaderboard import published_rows
from csist_bench.leaderboard.board import board
from csist_bench.leaderboard.matrix import SETS, matrix
from tests.helpers.rows import row


def scores(method, **by_set):
    """Rows of a method at noise 0, 2 and 5 and so on."""
    about = {"method": method, "prior_tier": by_set.pop("tier", "D"), "decoder": by_set.pop("decoder", "own")}
    return [row(dataset=SETS[name.replace("_", " ")], cso_map=score, **about) for name, score in by_set.items()]


def lines_of(*rows, published=()):
    return [(section.tier, [line.name for line in section.lines]) for section in matrix(board(rows, published))]


def test_sections_follow_the_tiers_and_lines_the_mean_over_the_three_noise_levels():
    low = scores("Low", noise_0=100, noise_2=10, noise_5=10)
    high = scores("High", noise_0=50, noise_2=50, noise_5=50)
    told = scores("Told", noise_0=1, noise_2=1, noise_5=1, tier="A")
    assert lines_of(*low, *high, *told) == [("A", ["Told"]), ("D", ["High", "Low"])]


def test_lines_at_noise_0_alone_follow_those_with_a_mean_and_have_none():
    alone, best = scores("Alone", noise_0=90, rotated=99), scores("Best", noise_0=95, noise_2=99)
    whole = scores("Whole", noise_0=5, noise_2=5, noise_5=5)
    dense = scores("Dense", dense=100)
    rows = [*alone, *best, *whole, *dense]
    assert lines_of(*rows) == [("D", ["Whole", "Best", "Alone", "Dense"])]
    by_name = {line.name: line for line in matrix(board(rows, ()))[0].lines}
    assert by_name["Whole"].mean == 5
    assert by_name["Best"].mean is None
    assert [by_name[name].alone for name in ("Whole", "Best", "Alone", "Dense")] == [False, True, True, False]
    assert by_name["Alone"].score("noise 2") is None


def test_a_cell_holds_the_better_decoder_first():
    grid, polish = scores("Net", noise_0=50, decoder="grid"), scores("Net", noise_0=97, decoder="polish")
    (section,) = matrix(board([*grid, *polish], ()))
    assert [(one.decoder, one.cso_map) for one in section.lines[0].cells["noise 0"]] == [("polish", 97), ("grid", 50)]


def test_variants_published_and_submitted_rows_are_lines_of_their_own():
    rows = [*scores("ISTA", noise_0=35, tier="A"), row(method="ISTA", settings="lambda=3", prior_tier="A", cso_map=36)]
    rows += [row(method="ISTA", prior_tier="A", tier="submitted", cso_map=20)]
    found = matrix(board(rows, [one for one in published_rows() if one.method == "ISTA"]))
    assert [(line.name, line.first.status) for line in found[0].lines] == [
        ("ISTA, lambda 3", "reproduced"), ("ISTA", "reproduced"), ("ISTA", "submitted"), ("ISTA", "published"),
    ]  # fmt: skip


def test_unverified_rows_and_other_rankings_are_left_out():
    assert lines_of(row(), row(rank="brightness"), row(method="X", tier="unverified")) == [("B", ["ML"])]
    assert lines_of(row(rank="brightness")) == [("B", ["ML, by brightness"])]


def test_a_split_or_set_that_is_not_of_the_overview_makes_none():
    assert matrix(board([row(split="val"), row(dataset="mine")], ())) == []


@pytest.mark.parametrize("precision", ["", "precision=bfloat16"])
def test_how_products_are_rounded_parts_no_line(precision):
    rows = [*scores("Net", noise_0=50), row(method="Net", prior_tier="D", settings=precision, dataset=SETS["rotated"])]
    assert lines_of(*rows) == [("D", ["Net"])]
