"""Weights that a run starts from."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest
import torch

from csist_bench.datasets import Dataset
from csist_bench.errors import InputError
from csist_bench.methods import registry
from csist_bench.methods.networks.base import build_network
from csist_bench.methods.networks.weights import load_weights, read_tensors, save_weights
from csist_bench.simulation.optics import Optics
from csist_bench.training.recipe import training_hash, training_recipe
from csist_bench.training.start import Start
from tests.helpers.training_runs import ESPCN, RECIPES, go


def test_fine_tuning_starts_from_given_weights(tiny: Dataset, tmp_path: Path) -> None:
    go(tiny, tmp_path / "first", *RECIPES["plain"])
    start = str(tmp_path / "first" / "last.safetensors")
    model, card = load_weights(start)
    save_weights(Path(start), model, msgspec.structs.replace(card, minutes=60.0))
    table = {"steps": 1, "batch_frames": 16, "lr": 1e-12}
    own = go(tiny, tmp_path / "second", "espcn", ESPCN, table, initial_weights=start).minutes
    assert own < 5.0
    assert load_weights(tmp_path / "second" / "last.safetensors")[1].minutes == pytest.approx(60.0 + own, abs=0.01)
    before, after = (read_tensors(tmp_path / run / "last.safetensors")[0] for run in ("first", "second"))
    for name in before:
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=1e-9)
    assert go(tiny, tmp_path / "second", "espcn", ESPCN, table, resume=True).finished
    other = str(tmp_path / "first" / "best.safetensors")
    with pytest.raises(InputError, match="initial_weights must stay"):
        go(tiny, tmp_path / "second", "espcn", ESPCN, table, resume=True, initial_weights=other)
    with pytest.raises(InputError, match="weights must be of method 'srcnn'"):
        go(tiny, tmp_path / "third", "srcnn", {}, table, initial_weights=start)


def test_layers_of_the_same_name_start_from_another_network(tiny: Dataset, tmp_path: Path) -> None:
    small = {"phases": 1, "features": 4}
    go(tiny, tmp_path / "phases", "ista-net", small, {"steps": 1, "batch_frames": 16})
    start = str(tmp_path / "phases" / "last.safetensors")
    table = {"steps": 1, "lr": 1e-12, "start_from": "ista-net"}
    go(tiny, tmp_path / "run", "derefnet", {**small, "blocks": 1}, table, initial_weights=start)
    before, after = (read_tensors(tmp_path / run / "last.safetensors")[0] for run in ("phases", "run"))
    assert before.keys() < after.keys()
    for name in before:
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=1e-9)
    assert go(tiny, tmp_path / "run", "derefnet", {**small, "blocks": 1}, table, resume=True).finished


def test_another_variant_of_a_network_gives_the_layers_that_both_have(tiny: Dataset, tmp_path: Path) -> None:
    go(tiny, tmp_path / "one", "ista-net", {"phases": 1, "features": 4}, {"steps": 1, "batch_frames": 16})
    start = str(tmp_path / "one" / "last.safetensors")
    table = {"steps": 1, "lr": 1e-12, "start_from": "ista-net"}
    go(tiny, tmp_path / "two", "ista-net", {"phases": 2, "features": 4}, table, initial_weights=start)
    before, after = (read_tensors(tmp_path / run / "last.safetensors")[0] for run in ("one", "two"))
    assert before.keys() < after.keys()
    for name in before:
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=1e-9)
    card = load_weights(tmp_path / "two" / "last.safetensors")[1]
    assert card.initial_weights == hashlib.sha256(Path(start).read_bytes()).hexdigest()
    recipe = training_recipe(card.recipe)
    expected = training_hash(registry.find("ista-net"), card.settings, recipe, card.initial_weights)
    assert (card.recipe_hash, card.hash_scheme) == (expected, 2)
    with pytest.raises(InputError):  # without start_from the weights must be of the very network
        go(tiny, tmp_path / "three", "ista-net", {"phases": 2, "features": 4}, {"steps": 1}, initial_weights=start)


def test_parts_that_are_of_no_use_by_halves_are_taken_whole_or_not_at_all() -> None:
    settings = ["width=16", "depth=2"]
    source, like, other = (build_network("offgrid-net", Optics(), [*settings, f"alternatives={a}"]) for a in (2, 2, 3))
    start = Start(source.state_dict(), whole=False, digest="", where="", minutes=0.0)
    untouched = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    start.fill(like)
    start.fill(other)
    for name, tensor in like.state_dict().items():
        assert torch.equal(tensor, source.state_dict()[name])
    for name, tensor in other.state_dict().items():
        kept = name.startswith("answer.") or name in ("head.weight", "head.bias")
        assert torch.equal(tensor, (untouched if kept else source.state_dict())[name])


def test_a_network_without_shared_layers_cannot_be_started_from(tiny: Dataset, tmp_path: Path) -> None:
    go(tiny, tmp_path / "first", *RECIPES["plain"])
    start = str(tmp_path / "first" / "last.safetensors")
    with pytest.raises(InputError, match="start_from must be a network with layers of the same names"):
        go(tiny, tmp_path / "run", "ista-net", {}, {"steps": 1, "start_from": "espcn"}, initial_weights=start)
    with pytest.raises(InputError, match="start_from = 'lista' needs weights, and none are shipped"):
        go(tiny, tmp_path / "run", "ista-net", {}, {"steps": 1, "start_from": "lista"})
    assert not (tmp_path / "run").exists()
