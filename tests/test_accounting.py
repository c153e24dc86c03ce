import sys

import pytest

from csist_bench.accounting import method_row, method_rows
from csist_bench.registry import METHODS
from tests.test_contract import PARAMETERS

NODES, PIXELS = 33 * 33, 11 * 11


@pytest.fixture(scope="module")
def rows():
    return {row["name"]: row for row in method_rows()}


def test_every_method_has_a_row(rows):
    assert list(rows) == list(METHODS)
    for name, row in rows.items():
        assert set(row) >= {"name", "title", "family", "parameters", "macs_per_frame", "prior_tier", "paper"}
        assert (row["title"], row["family"]) == (METHODS[name].title, METHODS[name].family)


def test_parameters_are_those_of_the_full_sizes(rows):
    assert {name: row["parameters"] for name, row in rows.items() if row["trainable"]} == PARAMETERS
    assert {row["parameters"] for row in rows.values() if not row["trainable"]} == {0}


def test_multiplications_of_plain_networks_are_those_counted_by_hand(rows):
    srcnn = NODES * (81 * 32 + 25 * 32 * 16 + 25 * 16)  # three convolutions on the label grid
    assert rows["srcnn"]["macs_per_frame"] == pytest.approx(srcnn + NODES * PIXELS, rel=0.01)  # and x0 = Q y
    espcn = PIXELS * (25 * 64 + 9 * 64 * 32 + 9 * 32 * 9)  # three convolutions on the frame
    assert rows["espcn"]["macs_per_frame"] == pytest.approx(espcn, rel=1e-9)


def test_training_free_methods_have_no_count_of_multiplications(rows):
    assert all((row["macs_per_frame"] is None) == (not row["trainable"]) for row in rows.values())
    assert all(row["macs_per_frame"] > 1e5 for row in rows.values() if row["trainable"])


def test_without_torch_the_costs_are_left_blank(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    row = method_row(METHODS["srcnn"])
    assert (row["parameters"], row["macs_per_frame"]) == (None, None)
    assert method_row(METHODS["ista"])["parameters"] == 0
