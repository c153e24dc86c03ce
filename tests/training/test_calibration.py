"""The last stage of a run, which fits what a network says of its errors and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from csist_bench.datasets import Dataset
from csist_bench.errors import InputError
from csist_bench.methods import registry
from csist_bench.methods.networks.weights import in_half_precision, load_weights, read_tensors
from csist_bench.training.log import read_log
from csist_bench.training.recipe import CalibrationRecipe, training_recipe
from csist_bench.training.run import Options, Outcome, train

SMALL = {"width": 16, "depth": 1, "alternatives": 2}
TABLE = {"steps": 3, "batch_frames": 16, "half_weights": True, "optimiser": "muon", "lr": 1e-3, "log_every": 1}
STREAM = {"stream": {"length": 1, "noise": [0.0, 5.0], "noise_free": 0.1}}
CALIBRATION = {"calibration.steps": 3, "calibration.lr": 1e-2}
AT_ONCE = 1e-9  # minutes: pause after every step


def go(store: Dataset, folder: Path, table: dict[str, Any], name: str = "offgrid-net", **how: Any) -> Outcome:
    settings = how.pop("settings", SMALL if name == "offgrid-net" else {})
    recipe = training_recipe({**TABLE, **STREAM, **table})
    options = Options(folder, **how)
    return train(registry.find(name), store, settings, recipe, options, torch.device("cpu"), lambda line: None)


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    return read_tensors(folder / "last.safetensors")[0]


def test_only_errors_are_learned_and_for_the_weights_that_are_kept(tiny: Dataset, tmp_path: Path) -> None:
    assert go(tiny, tmp_path / "plain", {}).weights == "best.safetensors"
    outcome = go(tiny, tmp_path / "run", CALIBRATION)
    assert (outcome.steps, outcome.weights) == (6, "last.safetensors")
    plain, fitted = tensors_of(tmp_path / "plain"), tensors_of(tmp_path / "run")
    changed = {name for name in plain if not torch.equal(plain[name], fitted[name])}
    assert changed
    assert all(name.startswith("answer.rescale.") for name in changed)
    state = read_tensors(tmp_path / "run" / "resume.safetensors")[0]
    kept = in_half_precision({name.removeprefix("model."): x for name, x in state.items() if name.startswith("model.")})
    for name, tensor in kept.items():
        assert torch.equal(tensor, fitted[name])
        if tensor.is_floating_point() and not name.startswith("answer.rescale."):
            assert torch.equal(tensor.float(), state[f"model.{name}"])  # what was fitted to is what is kept
    stages = [line["stage"] for line in read_log(tmp_path / "run").losses]
    assert stages == ["full"] * 3 + ["calibration"] * 3


@pytest.mark.slow
@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_a_run_paused_at_every_step_ends_as_an_uninterrupted_one(tiny: Dataset, tmp_path: Path, ema: float) -> None:
    table = {**CALIBRATION, "ema": ema}
    whole = go(tiny, tmp_path / "whole", table)
    outcome = go(tiny, tmp_path / "parts", table, max_minutes=AT_ONCE)
    while not outcome.finished:
        outcome = go(tiny, tmp_path / "parts", table, max_minutes=AT_ONCE, resume=True)
    assert outcome.steps == whole.steps
    parts, single = tensors_of(tmp_path / "parts"), tensors_of(tmp_path / "whole")
    assert [name for name in single if not torch.equal(parts[name], single[name])] == []


def test_a_finished_run_may_be_calibrated_later_and_not_the_other_way_round(tiny: Dataset, tmp_path: Path) -> None:
    go(tiny, tmp_path / "whole", CALIBRATION)
    assert go(tiny, tmp_path / "later", {}).finished
    go(tiny, tmp_path / "later", CALIBRATION, resume=True)
    later, whole = tensors_of(tmp_path / "later"), tensors_of(tmp_path / "whole")
    assert [name for name in whole if not torch.equal(later[name], whole[name])] == []
    assert (tmp_path / "later" / "recipe.json").read_bytes() == (tmp_path / "whole" / "recipe.json").read_bytes()
    with pytest.raises(InputError, match=r"calibration.* must stay"):
        go(tiny, tmp_path / "later", {}, resume=True)
    with pytest.raises(InputError, match=r"calibration\.steps must stay 3"):
        go(tiny, tmp_path / "later", {**CALIBRATION, "calibration.steps": 4}, resume=True)


@pytest.mark.slow
def test_noise_free_scenes_are_drawn_as_often_as_the_stage_says(tiny: Dataset, tmp_path: Path) -> None:
    go(tiny, tmp_path / "few", {**CALIBRATION, "calibration.noise_free": 0.0})
    go(tiny, tmp_path / "many", {**CALIBRATION, "calibration.noise_free": 1.0})
    few, many = (read_log(tmp_path / run).losses for run in ("few", "many"))
    assert [line["total"] for line in few[:3]] == [line["total"] for line in many[:3]]
    assert all(a["total"] != b["total"] for a, b in zip(few[3:], many[3:], strict=True))


@pytest.mark.parametrize(("name", "settings"), [("offgrid-net", {"width": 16, "depth": 1}), ("espcn", {})])
def test_a_network_without_errors_that_can_be_fitted_has_no_such_stage(
    tiny: Dataset, tmp_path: Path, name: str, settings: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match=f"calibration must be false for {name}"):
        go(tiny, tmp_path / "run", CALIBRATION, name, settings=settings)
    assert not (tmp_path / "run").exists()


def without(folder: Path, name: str) -> bytes:
    """Take a setting out of what a run's folder says, as a run that is older than the setting; return what it says."""
    path = folder / "recipe.json"
    told = json.loads(path.read_bytes())
    del told["settings"][name]
    path.write_text(json.dumps(told))
    return path.read_bytes()


def test_a_setting_younger_than_the_run_does_not_keep_it_from_being_resumed(tiny: Dataset, tmp_path: Path) -> None:
    go(tiny, tmp_path / "run", {}, max_minutes=AT_ONCE)
    without(tmp_path / "run", "smooth")
    assert go(tiny, tmp_path / "run", {}, resume=True).finished
    assert json.loads((tmp_path / "run" / "recipe.json").read_bytes())["settings"]["smooth"] is False


def test_a_younger_setting_that_changes_the_network_must_be_given(tiny: Dataset, tmp_path: Path) -> None:
    before = {**SMALL, "answers": "likeliest"}
    go(tiny, tmp_path / "run", {}, settings=before, max_minutes=AT_ONCE)
    told = without(tmp_path / "run", "answers")
    with pytest.raises(InputError, match=r"the saved state must be of this network .* --set settings\.NAME=VALUE"):
        go(tiny, tmp_path / "run", {}, resume=True)
    assert (tmp_path / "run" / "recipe.json").read_bytes() == told
    assert go(tiny, tmp_path / "run", {}, settings=before, resume=True).finished


def test_errors_are_fitted_whatever_the_weights_of_other_terms(tiny: Dataset, tmp_path: Path) -> None:
    table = {**CALIBRATION, "loss_weights": {"likelihood": 1.0, "correctness": 1.0}}
    assert go(tiny, tmp_path / "run", table).finished
    rescale = tensors_of(tmp_path / "run")["answer.rescale.4.bias"]
    assert rescale.abs().max() > 0  # they start as zeros


def test_true_asks_for_the_stage_as_it_usually_is() -> None:
    assert training_recipe({"calibration": True}).calibration == CalibrationRecipe()
    assert training_recipe({"calibration": False}).calibration is None


def test_the_card_names_every_device_of_a_run(tiny: Dataset, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        go(tiny, tmp_path / "run", {}, max_minutes=AT_ONCE)
        torch.set_num_threads(2)
        go(tiny, tmp_path / "run", {}, resume=True)
    finally:
        torch.set_num_threads(before)
    assert load_weights(tmp_path / "run" / "last.safetensors")[1].device == "cpu, 1 threads; cpu, 2 threads"
