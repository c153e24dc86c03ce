from __future__ import annotations

import hashlib
import json
import math
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from csist_bench.datasets import Dataset
from csist_bench.errors import InputError
from csist_bench.methods import registry
from csist_bench.methods.networks.base import NetworkRunner, build_network
from csist_bench.methods.networks.common.sampling import pseudo_inverse
from csist_bench.methods.networks.weights import load_card, load_weights, read_tensors, save_weights
from csist_bench.simulation.optics import Optics
from csist_bench.training.log import read_log
from csist_bench.training.loop import TrainingDiverged
from csist_bench.training.recipe import training_hash, training_recipe
from csist_bench.training.run import Options, Outcome, train
from csist_bench.training.start import Start
from csist_bench.training.training_set import training_set
from csist_bench.training.validation import Validation

ESPCN = {"features": 6, "mapped": 4}
AT_ONCE = 1e-9  # minutes: pause after every step

# Recipes that between them use all that a resumed run must take up.
RECIPES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "plain": ("espcn", ESPCN, {"steps": 6, "batch_frames": 16, "lr": 1e-2}),
    "all options": (
        "espcn",
        ESPCN,
        {"steps": 6, "batch_frames": 16, "ema": 0.9, "noise": 2.0, "augment": True, "optimiser": "adamw",
         "weight_decay": 0.1, "schedule": "one-cycle", "clip_norm": 1.0, "precision": "bfloat16"},
    ),
    "muon": ("espcn", ESPCN, {"steps": 6, "batch_frames": 16, "optimiser": "muon", "weight_decay": 0.1}),
    "float16": ("espcn", ESPCN, {"steps": 6, "batch_frames": 16, "precision": "float16", "clip_norm": 1.0}),
    "window": ("srcnn", {"features": 4, "mapped": 4},
               {"steps": 2, "batch_frames": 16, "ema": 0.5, "window.steps": 3, "window.lr": 1e-3,
                "window.validate_every": 0.3}),
    "trajectories": ("tdan", {"features": 4, "blocks_before": 1, "blocks_after": 1, "deform_groups": 2},
                     {"steps": 4, "batch_trajectories": 2}),
    "adversarial": ("srgan", {"features": 4, "blocks": 1, "critic_features": 2},
                    {"steps": 4, "batch_frames": 8, "adversarial.warmup_steps": 2, "ema": 0.5, "optimiser": "muon"}),
}  # fmt: skip


def go(
    store: Dataset,
    folder: Path,
    name: str,
    settings: dict[str, Any],
    table: dict[str, Any],
    say: Callable[[str], None] = lambda line: None,
    **options: Any,
) -> Outcome:
    recipe = training_recipe({"log_every": 1, "validate_every": 0.5, **table})
    where = Options(folder, **options)
    return train(registry.find(name), store, settings, recipe, where, torch.device("cpu"), say)


@pytest.mark.parametrize("kind", RECIPES)
def test_a_paused_and_resumed_run_ends_as_an_uninterrupted_one(tiny: Dataset, tmp_path: Path, kind: str) -> None:
    whole = go(tiny, tmp_path / "whole", *RECIPES[kind])
    assert whole.finished
    outcome = go(tiny, tmp_path / "parts", *RECIPES[kind], max_minutes=AT_ONCE)
    pauses = 1
    while not outcome.finished:
        outcome = go(tiny, tmp_path / "parts", *RECIPES[kind], max_minutes=AT_ONCE, resume=True)
        pauses += 1
    assert pauses >= 3
    assert (outcome.steps, outcome.best) == (whole.steps, whole.best)
    for name in ("best", "last", "resume"):
        parts, single = (read_tensors(tmp_path / run / f"{name}.safetensors")[0] for run in ("parts", "whole"))
        assert parts.keys() == single.keys()
        assert [key for key in parts if not torch.equal(parts[key], single[key])] == []
    logs = [read_log(tmp_path / run) for run in ("parts", "whole")]
    assert logs[0].scores == logs[1].scores
    assert [line["total"] for line in logs[0].losses] == [line["total"] for line in logs[1].losses]


def test_a_killed_run_goes_on_from_its_last_save(tiny: Dataset, tmp_path: Path) -> None:
    whole = go(tiny, tmp_path / "whole", *RECIPES["plain"])
    run = tmp_path / "killed"
    go(tiny, run, *RECIPES["plain"], max_minutes=AT_ONCE)
    saved = (run / "resume.safetensors").read_bytes()
    go(tiny, run, *RECIPES["plain"], max_minutes=AT_ONCE, resume=True)
    # As a kill leaves it: the log and the best weights are ahead of the state, and a write was under way.
    (run / "resume.safetensors").write_bytes(saved)
    (run / "resume.safetensors.1.partial").write_bytes(saved[:100])
    outcome = go(tiny, run, *RECIPES["plain"], resume=True)
    assert (outcome.finished, outcome.best) == (True, whole.best)
    for name in ("best", "last"):
        killed, single = (read_tensors(folder / f"{name}.safetensors")[0] for folder in (run, tmp_path / "whole"))
        assert [key for key in single if not torch.equal(killed[key], single[key])] == []
    assert [line["step"] for line in read_log(run).losses] == [1, 2, 3, 4, 5, 6]


def test_training_lowers_the_loss_and_the_best_weights_score_what_the_card_says(tiny: Dataset, tmp_path: Path) -> None:
    outcome = go(tiny, tmp_path / "run", "espcn", ESPCN, {"steps": 60, "batch_frames": 28, "lr": 1e-2})
    losses = [line["total"] for line in read_log(tmp_path / "run").losses]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    model, card = load_weights(tmp_path / "run" / "best.safetensors", "espcn")
    assert card.cso_map == outcome.best
    assert card.fingerprint == tiny.fingerprint
    assert card.recipe["steps"] == 60
    validation = Validation.from_split(tiny.split("val"), 0, 64)
    assert validation.score(model, torch.device("cpu"))["cso_map"] == card.cso_map


def test_the_average_is_what_is_kept(tiny: Dataset, tmp_path: Path) -> None:
    go(tiny, tmp_path / "run", "espcn", ESPCN, {"steps": 4, "batch_frames": 16, "ema": 0.9})
    state, _ = read_tensors(tmp_path / "run" / "resume.safetensors")
    last, _ = read_tensors(tmp_path / "run" / "last.safetensors")
    key = next(name for name in last if name.endswith("weight"))
    assert torch.equal(last[key], state[f"average.{key}"])
    assert not torch.equal(last[key], state[f"model.{key}"])


def test_the_window_stage_leaves_a_network_for_full_frames(tiny: Dataset, tmp_path: Path) -> None:
    go(tiny, tmp_path / "run", *RECIPES["window"])
    log = read_log(tmp_path / "run")
    assert [line["stage"] for line in log.losses] == ["window"] * 3 + ["full"] * 2
    assert [line["lr"] for line in log.losses][:1] == [1e-3]
    assert log.scores[0]["stage"] == "window"
    model, card = load_weights(tmp_path / "run" / "last.safetensors")
    frames = tiny.split("val").frames[:1]
    from csist_bench.simulation.camera import Camera

    assert NetworkRunner(model, "cpu").heat_maps(frames, Camera(card.optics)).shape[-1] == 33


def test_full_frames_start_from_the_average_of_the_window_stage(tiny: Dataset, tmp_path: Path) -> None:
    name, settings, _ = RECIPES["window"]
    at_the_change: dict[str, torch.Tensor] = {}

    def watch(line: str) -> None:
        if line.startswith("full:"):
            at_the_change.update(read_tensors(tmp_path / "run" / "resume.safetensors")[0])

    table = {"steps": 1, "batch_frames": 16, "ema": 0.5, "lr": 1e-12, "window.steps": 3, "window.lr": 1e-2}
    go(tiny, tmp_path / "run", name, settings, table, watch)
    after, _ = read_tensors(tmp_path / "run" / "last.safetensors")
    averages = {key.removeprefix("average."): t for key, t in at_the_change.items() if key.startswith("average.")}
    assert averages
    for key, average in averages.items():
        torch.testing.assert_close(after[key], average, rtol=0, atol=1e-9)
    assert any((after[key] - at_the_change[f"model.{key}"]).abs().max() > 1e-4 for key in averages)


def test_the_window_stage_is_validated_as_often_as_the_recipe_says(tiny: Dataset, tmp_path: Path) -> None:
    name, settings, table = RECIPES["window"]
    for every, wanted in ((0.3, [2, 3]), (0.0, [3])):  # 84 frames in batches of 16: two steps are 0.4 epochs
        go(tiny, tmp_path / str(every), name, settings, {**table, "window.validate_every": every})
        scored = [line["step"] for line in read_log(tmp_path / str(every)).scores if line["stage"] == "window"]
        assert scored == wanted


def test_noise_reaches_the_frames(tiny: Dataset, tmp_path: Path) -> None:
    losses = {}
    for noise in (0.0, 20.0):
        table = {"steps": 1, "batch_frames": 64, "noise": noise}
        go(tiny, tmp_path / str(noise), "ista-net", {"phases": 1, "features": 4}, table)
        losses[noise] = read_log(tmp_path / str(noise)).losses[0]["mse"]
    # Q passes on noise of variance s^2 |Q|^2 / nodes a node; the one phase that follows takes little of it back.
    q = pseudo_inverse(Optics.from_recipe(tiny.recipe).axis_matrix)
    assert losses[20.0] - losses[0.0] > 0.3 * 20.0**2 * (q**2).sum() / len(q)


def test_a_network_tied_to_the_grid_has_no_window_stage(tiny: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="window must be left out for lamp"):
        go(tiny, tmp_path / "run", "lamp", {"layers": 1}, {"steps": 1, "window.size": 5})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["lista", "liht", "lamp", "tilista"])
def test_layers_stacked_in_one_parameter_are_not_for_muon(tiny: Dataset, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"optimiser must be adam or adamw for {name}"):
        go(tiny, tmp_path / "run", name, {"layers": 1}, {"steps": 1, "optimiser": "muon"})


def test_an_adversarial_recipe_needs_a_critic(tiny: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="adversarial must be left out for espcn"):
        go(tiny, tmp_path / "run", "espcn", ESPCN, {"steps": 1, "adversarial.pixel": 1.0})


def test_the_critic_rests_during_its_warmup(tiny: Dataset, tmp_path: Path) -> None:
    go(tiny, tmp_path / "run", *RECIPES["adversarial"])
    critic = [line["critic"] for line in read_log(tmp_path / "run").losses]
    assert critic[:2] == [0.0, 0.0]
    assert min(critic[2:]) > 0


def test_fine_tuning_starts_from_given_weights(tiny: Dataset, tmp_path: Path) -> None:
    go(tiny, tmp_path / "first", *RECIPES["plain"])
    start = str(tmp_path / "first" / "last.safetensors")
    model, card = load_weights(start)
    save_weights(Path(start), model, msgspec.structs.replace(card, minutes=60.0))
    table = {"steps": 1, "batch_frames": 16, "lr": 1e-12}
    own = go(tiny, tmp_path / "second", "espcn", ESPCN, table, initial_weights=start).minutes
    assert own < 5.0
    assert load_card(tmp_path / "second" / "last.safetensors").minutes == pytest.approx(60.0 + own, abs=0.01)
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


def test_a_run_that_spells_out_a_setting_removed_since_is_resumed(tiny: Dataset, tmp_path: Path) -> None:
    small, table = {"phases": 1, "features": 4}, {"steps": 1, "batch_frames": 16}
    go(tiny, tmp_path / "run", "fista-net", small, table)
    path = tmp_path / "run" / "recipe.json"
    saved = json.loads(path.read_text())
    saved["settings"]["sparsity_weight"] = 0.001
    path.write_text(json.dumps(saved))
    assert go(tiny, tmp_path / "run", "fista-net", small, table, resume=True).finished


def test_a_network_without_shared_layers_cannot_be_started_from(tiny: Dataset, tmp_path: Path) -> None:
    go(tiny, tmp_path / "first", *RECIPES["plain"])
    start = str(tmp_path / "first" / "last.safetensors")
    with pytest.raises(InputError, match="start_from must be a network with layers of the same names"):
        go(tiny, tmp_path / "run", "ista-net", {}, {"steps": 1, "start_from": "espcn"}, initial_weights=start)
    with pytest.raises(InputError, match="start_from = 'lista' needs weights, and none are shipped"):
        go(tiny, tmp_path / "run", "ista-net", {}, {"steps": 1, "start_from": "lista"})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["fitted", "pseudo-inverse"])
def test_the_first_guess_is_the_one_that_the_recipe_names(tiny: Dataset, tmp_path: Path, kind: str) -> None:
    table = {"steps": 1, "batch_frames": 16, "initialiser": kind, "initialiser_ridge": 1e-3}
    go(tiny, tmp_path / "run", "ista-net", {"phases": 1, "features": 4}, table)
    q = read_tensors(tmp_path / "run" / "last.safetensors")[0]["sampling.initialiser"].numpy()
    optics = Optics.from_recipe(tiny.recipe)
    units = training_set(tiny.split("train"), training_recipe({}), False, torch.device("cpu"))
    wanted = units.initialiser(1e-3) if kind == "fitted" else pseudo_inverse(optics.axis_matrix)
    np.testing.assert_allclose(q, wanted, atol=1e-5 * np.abs(wanted).max())


def test_a_run_that_is_older_than_a_field_can_be_taken_up(tiny: Dataset, tmp_path: Path) -> None:
    table = {"steps": 2, "batch_frames": 16}
    go(tiny, tmp_path / "run", "espcn", ESPCN, table, max_minutes=AT_ONCE)
    path = tmp_path / "run" / "recipe.json"
    saved = json.loads(path.read_text())
    del saved["training"]["start_from"]
    path.write_text(json.dumps(saved))
    assert go(tiny, tmp_path / "run", "espcn", ESPCN, table, resume=True).finished


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_stops(tiny: Dataset, tmp_path: Path, number: signal.Signals) -> None:
    before = signal.getsignal(number)

    def interrupt(line: str) -> None:
        os.kill(os.getpid(), number)

    table = {"steps": 5, "batch_frames": 16}
    outcome = go(tiny, tmp_path / "run", "espcn", ESPCN, table, interrupt)
    assert (outcome.finished, outcome.steps) == (False, 1)
    assert number.name in outcome.reason
    assert signal.getsignal(number) == before
    assert go(tiny, tmp_path / "run", "espcn", ESPCN, table, resume=True).finished


def test_divergence_stops_with_a_clear_word_and_keeps_the_last_good_state(tiny: Dataset, tmp_path: Path) -> None:
    table = {"steps": 4, "batch_frames": 16}
    go(tiny, tmp_path / "run", "espcn", ESPCN, table, max_minutes=AT_ONCE)
    kept = (tmp_path / "run" / "resume.safetensors").read_bytes()
    tensors, _ = read_tensors(tmp_path / "run" / "last.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
    with pytest.raises(TrainingDiverged, match=r"the loss must stay finite, got total = (nan|inf) at step"):
        go(tiny, tmp_path / "bad", "espcn", ESPCN, {**table, "lr": 1e30})
    assert not (tmp_path / "bad" / "resume.safetensors").exists()
    assert (tmp_path / "run" / "resume.safetensors").read_bytes() == kept


def test_a_run_is_not_overwritten_nor_resumed_with_another_recipe(tiny: Dataset, tmp_path: Path) -> None:
    table = {"steps": 1, "batch_frames": 16}
    go(tiny, tmp_path / "run", "espcn", ESPCN, table)
    with pytest.raises(InputError, match="holds a run; go on with --resume, or start anew with --overwrite"):
        go(tiny, tmp_path / "run", "espcn", ESPCN, table)
    with pytest.raises(InputError, match=r"training\.lr must stay 0\.001 to resume .*, got 0\.1"):
        go(tiny, tmp_path / "run", "espcn", ESPCN, {**table, "lr": 0.1}, resume=True)
    with pytest.raises(InputError, match="holds no run to resume"):
        go(tiny, tmp_path / "none", "espcn", ESPCN, table, resume=True)
    with pytest.raises(InputError, match="window size must be at most"):
        go(tiny, tmp_path / "run", "espcn", ESPCN, {**table, "window.size": 13}, overwrite=True)
    assert (tmp_path / "run" / "best.safetensors").exists(), "bad input must not cost an earlier run"
    assert go(tiny, tmp_path / "run", "espcn", ESPCN, {**table, "lr": 0.1}, overwrite=True).finished


def test_a_folder_of_something_else_is_left_alone(tiny: Dataset, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="must be an empty folder or a run's"):
        go(tiny, tmp_path / "mine", "espcn", ESPCN, {"steps": 1}, overwrite=True)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_a_damaged_state_is_told(tiny: Dataset, tmp_path: Path) -> None:
    table = {"steps": 3, "batch_frames": 16}
    go(tiny, tmp_path / "run", "espcn", ESPCN, table, max_minutes=AT_ONCE)
    state = tmp_path / "run" / "resume.safetensors"
    state.write_bytes(state.read_bytes()[:-9])
    with pytest.raises(InputError, match="not a whole safetensors file"):
        go(tiny, tmp_path / "run", "espcn", ESPCN, table, resume=True)


def test_torchs_global_generator_is_left_as_it_was(tiny: Dataset, tmp_path: Path) -> None:
    before = torch.get_rng_state()
    go(tiny, tmp_path / "run", "espcn", ESPCN, {"steps": 1, "batch_frames": 16})
    assert torch.equal(before, torch.get_rng_state())


def test_the_seed_decides_the_result(tiny: Dataset, tmp_path: Path) -> None:
    totals = []
    for run, seed in (("a", 1), ("b", 1), ("c", 2)):
        go(tiny, tmp_path / run, "espcn", ESPCN, {"steps": 2, "batch_frames": 16, "seed": seed})
        totals.append([line["total"] for line in read_log(tmp_path / run).losses])
    assert totals[0] == totals[1] != totals[2]
    assert all(math.isfinite(total) for total in totals[2])


def test_the_recipe_of_the_run_is_spelled_out(tiny: Dataset, tmp_path: Path) -> None:
    go(tiny, tmp_path / "run", "espcn", {"features": 6}, {"steps": 1, "batch_frames": 16})
    recipe = json.loads((tmp_path / "run" / "recipe.json").read_text())
    assert recipe["settings"] == {"features": 6, "mapped": 32}
    assert recipe["training"]["beta2"] == 0.999
    assert recipe["fingerprint"] == tiny.fingerprint
