"""The card of a run's weights says what the network knows: of the data, and from the weights that it began from."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from csist_bench.datasets import Dataset
from csist_bench.methods.networks.weights import load_weights
from csist_bench.methods.registry import find
from csist_bench.training.recipe import training_recipe
from csist_bench.training.run import Options, _prior_tier, train
from csist_bench.training.start import Start
from tests.helpers.tiny_sets import tiny_store

FREE, TURNED = {"scenes": {"seqcsist-free": 1.0}}, {"scenes": {"seqcsist-rotated": 1.0, "seqcsist-free": 1.0}}


@pytest.mark.parametrize(
    ("stream", "began", "tier"),
    [
        (None, None, "D"),
        ({"scenes": {"stored": 1.0}}, None, "D"),
        (FREE, None, "B+spacing"),
        (TURNED, None, "D-rotated"),
        (FREE, "A", "B+spacing"),
        (FREE, "D", "D"),
        (TURNED, "B", "D-rotated"),
    ],
)
def test_a_network_knows_its_scenes_and_what_its_first_weights_knew(tiny: Dataset, stream: Any, began: Any, tier: str):
    recipe = training_recipe({"stream": stream} if stream else {})
    start = Start({}, True, "", "", 0.0, began) if began else None
    assert _prior_tier(tiny, recipe, start) == tier


def test_the_card_bears_the_tier_of_the_data_that_were_trained_on(tmp_path):
    store = tiny_store(tmp_path / "turned.zarr", 20, "rotate=true")
    recipe = training_recipe({"steps": 1, "batch_frames": 4})
    train(find("espcn"), store, {}, recipe, Options(folder=tmp_path / "run"), torch.device("cpu"), lambda line: None)
    assert load_weights(tmp_path / "run" / "last.safetensors")[1].prior_tier == "D-rotated"
