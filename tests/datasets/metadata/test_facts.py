"""The facts of a set."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from csist_bench.datasets.metadata.facts import AUTHORS, RELEASED, SOFTWARE, Facts
from csist_bench.recipes import load_data_recipe, shipped


def facts(recipe="seqcsist", *overrides, **changes):
    return Facts(load_data_recipe(recipe, overrides), {"test": 1}, "", "", "0.2.0.dev0", None, **changes)


@pytest.mark.parametrize(
    ("version", "semantic"), [("0.2.0.dev0", "0.2.0-dev0"), ("1.2.3", "1.2.3"), ("1.2.3rc1", "1.2.3-rc1"), ("", "")]
)
def test_versions_are_semantic(version, semantic):
    assert Facts(load_data_recipe("seqcsist"), {}, "", "", version, None).semantic_version == semantic


def test_licences_become_addresses():
    assert facts().license_address == "https://spdx.org/licenses/Apache-2.0.html"
    assert facts("seqcsist", "license=https://example.org/terms").license_address == "https://example.org/terms"
    assert Facts(load_data_recipe("seqcsist", ['license=""']), {}, "", "", "", None).license_address == ""


@pytest.mark.parametrize("recipe", shipped("data"))
def test_every_shipped_recipe_is_described(recipe):
    told = facts(recipe)
    assert re.match(r"1 trajectory of \d+ frames? of 11 x 11 px with .* Imaged by .* Simulated by", told.description())
    assert told.recipe.license
    assert len(told.citations) == 2


def test_the_sensor_is_named():
    told = facts("seqcsist", "background=clutter", "shot_gain=0.5", "noise_sigma=2", "bits=12").description()
    assert "clutter background, shot noise of gain 0.5, Gaussian read noise of sigma 2 grey levels, 12-bit" in told


def test_citation_and_release_agree_with_the_citation_file():
    text = (Path(__file__).parents[3] / "CITATION.cff").read_text()
    assert f"date-released: {RELEASED}" in text.replace('"', "")
    assert f"name: {AUTHORS}" in text
    assert SOFTWARE in text
