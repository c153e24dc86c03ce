from __future__ import annotations

import json
import math
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from csist_bench.datasets import Dataset
from csist_bench.methods.networks.base import BatchedGridNetwork
from csist_bench.methods.networks.common.sampling import pseudo_inverse
from csist_bench.methods.networks.weights import load_weights, read_tensors
from csist_bench.simulation.optics import Optics
from csist_bench.training.log import read_log
from csist_bench.training.loop import TrainingDiverged
from csist_bench.training.recipe import training_recipe
from csist_bench.training.training_set import training_set
from csist_bench.training.validation import Validation
from tests.helpers.training_runs import AT_ONCE, ESPCN, RECIPES, go


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

    assert BatchedGridNetwork(model, "cpu").heat_maps(frames, Camera(card.optics)).shape[-1] == 33


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


def test_the_critic_rests_during_its_warmup(tiny: Dataset, tmp_path: Path) -> None:
    go(tiny, tmp_path / "run", *RECIPES["adversarial"])
    critic = [line["critic"] for line in read_log(tmp_path / "run").losses]
    assert critic[:2] == [0.0, 0.0]
    assert min(critic[2:]) > 0


@pytest.mark.parametrize("kind", ["fitted", "pseudo-inverse"])
def test_the_first_guess_is_the_one_that_the_recipe_names(tiny: Dataset, tmp_path: Path, kind: str) -> None:
    table = {"steps": 1, "batch_frames": 16, "initialiser": kind, "initialiser_ridge": 1e-3}
    go(tiny, tmp_path / "run", "ista-net", {"phases": 1, "features": 4}, table)
    q = read_tensors(tmp_path / "run" / "last.safetensors")[0]["sampling.initialiser"].numpy()
    optics = Optics.from_recipe(tiny.recipe)
    units = training_set(tiny.split("train"), training_recipe({}), False, torch.device("cpu"))
    wanted = units.initialiser(1e-3) if kind == "fitted" else pseudo_inverse(optics.axis_matrix)
    np.testing.assert_allclose(q, wanted, atol=1e-5 * np.abs(wanted).max())


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
