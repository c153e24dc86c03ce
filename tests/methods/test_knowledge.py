"""What a method knows of the scenes: by its settings, or by the laws that it was trained on."""

from __future__ import annotations

import pytest

from csist_bench.methods.knowledge import most_known, tier_of_law, tier_of_weights
from csist_bench.methods.registry import METHODS, build_training_free
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics


@pytest.mark.parametrize(
    ("name", "overrides", "tier"),
    [
        ("seqcsist", (), "D"),
        ("seqcsist-dense", (), "D"),
        ("csist-100k", (), "D"),
        ("csist-pairs", (), "D"),
        ("seqcsist", ("rotate=true",), "D-rotated"),
        ("seqcsist-rotated-scaled", (), "D-rotated"),
        ("seqcsist-rotated-scaled", ("rotate=false",), "D"),
        ("seqcsist-free", (), "B+spacing"),
        ("seqcsist-free", ("separation_min=0",), "B"),
        ("seqcsist", ("directions=free",), "B"),
    ],
)
def test_the_fields_of_a_data_recipe_tell_the_tier_and_its_name_does_not(name, overrides, tier):
    assert load_data_recipe(name, overrides).prior_tier == tier


@pytest.mark.parametrize(
    ("told", "dataset", "training", "tier"),
    [
        ("", "seqcsist", {}, "D"),
        ("", "seqcsist-rotated", {}, "D-rotated"),
        ("", "seqcsist", {"stream": None}, "D"),
        ("", "seqcsist", {"stream": {"scenes": {"seqcsist-free": 1.0}}}, "B+spacing"),
        ("", "", {"stream": {"scenes": {"seqcsist-free": 1.0, "seqcsist-rotated": 2.0}}}, "D-rotated"),
        ("", "", {"stream": {"scenes": {"seqcsist-rotated": 1.0, "seqcsist": 1.0}}}, "D"),
        ("", "a set of my own", {}, "D"),
        ("C", "seqcsist", {}, "C"),
    ],
)
def test_the_card_of_weights_tells_what_they_know(told, dataset, training, tier):
    assert tier_of_weights(told, dataset, training) == tier


def test_to_know_the_axes_is_more_than_to_know_them_up_to_a_rotation():
    assert most_known(["D-rotated", "B", "C"]) == "D-rotated"
    assert most_known(["B+spacing", "B"]) == "B+spacing"
    assert most_known(["B+spacing", "C"]) == "C"
    assert most_known(["D-rotated", "D"]) == "D"
    assert tier_of_law("no such recipe") == "D"


@pytest.mark.parametrize(
    ("name", "settings", "tier"),
    [
        ("ml", (), "B"),
        ("ml", ("brightness=free",), "A"),
        ("group-map", (), "D"),
        ("group-map", ("directions=compass",), "D"),
        ("group-map", ("axes=rotated",), "D-rotated"),
    ],
)
def test_the_settings_of_a_method_without_training_tell_what_it_knows(name, settings, tier):
    assert build_training_free(METHODS[name], settings).prior_tier == tier


def test_the_usual_settings_are_of_the_tier_that_the_registry_shows():
    for method in METHODS.values():
        if not method.trainable:
            assert getattr(build_training_free(method), "prior_tier", method.prior_tier) == method.prior_tier


@pytest.mark.parametrize(
    ("method", "weights", "tier", "pretrained", "begun_from"),
    [
        ("offgrid-net", "offgrid-net", "D", False, ""),
        ("offgrid-net", "offgrid-net-free", "B+spacing", False, ""),
        ("offgrid-net", "offgrid-net-rotated", "D-rotated", True, "sha256:786269400455"),
        ("offgrid-net", "offgrid-net-rotated-20", "D-rotated", True, "offgrid-net sha256:c9e671e3db4e"),
        ("derefnet", "derefnet", "D", True, "ista-net"),
    ],
)
def test_a_prediction_file_says_what_its_weights_know_and_where_they_began(
    method, weights, tier, pretrained, begun_from
):
    pytest.importorskip("torch")
    from csist_bench.methods.networks.shipped import trained

    told = trained(METHODS[method], Camera(Optics()), {}, weights)[1]
    assert (told["prior_tier"], told["pretrained"], told["begun_from"]) == (tier, pretrained, begun_from)
