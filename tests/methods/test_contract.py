"""The contract of `methods.registry`, held against every row: a row that does not run fails, none is skipped."""

from __future__ import annotations

import copy
import functools
import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from csist_bench.methods.networks.base import (
    BatchedGridNetwork,
    build_network,
    count_parameters,
    macs_per_frame,
    method_of,
)
from csist_bench.methods.networks.common.rendering import SceneLabels
from csist_bench.methods.networks.common.set_loss import COLUMNS
from csist_bench.methods.networks.points import BatchedPointNetwork, told_of
from csist_bench.methods.networks.weights import load_weights, save_weights
from csist_bench.methods.registry import METHODS, build_training_free
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics, grid_from_targets
from csist_bench.training.losses import Objective
from tests.helpers.cards import card_of
from tests.helpers.tiny_sets import tiny_recipe, tiny_shard

NETWORKS = [name for name, row in METHODS.items() if row.trainable]
TRAINING_FREE = [name for name, row in METHODS.items() if not row.trainable]
OPTICS = Optics()
CAMERA = Camera.from_recipe(tiny_recipe())
TRAJECTORIES = 4
SCORED = slice(1, 5)
# Grey levels: 1e-4 of the least target, 220. Float32 sums depend on how a product is blocked, hence on the batch.
ROUNDING = 0.02

# Sizes that keep the tests quick; the counts below are of the full sizes.
SMALL: dict[str, list[str]] = {
    "ista": ["iterations=100"],
    "bid": ["iterations=100"],
    "gmfn": ["features=8", "steps=2", "blocks=2", "layers=2"],
    "dbpn": ["wide=16", "features=8", "stages=2"],
    "srgan": ["features=8", "blocks=2", "critic_features=4"],
    "bsrgan": ["features=8", "growth=4", "blocks=1", "critic_features=4"],
    "esrgan": ["features=8", "growth=4", "blocks=1", "critic_features=4"],
    "rdn": ["features=8", "growth=8", "blocks=2", "layers=2"],
    "edsr": ["features=8", "blocks=2"],
    "tdan": ["features=8", "blocks_before=1", "blocks_after=1", "deform_groups=2"],
    "liht": ["layers=2"],
    "lamp": ["layers=2"],
    "lista": ["layers=2"],
    "tilista": ["layers=2"],
    "ista-net": ["phases=2", "features=8"],
    "ista-net+": ["phases=2", "features=8"],
    "ista-net++": ["phases=2", "features=8", "blocks=1"],
    "fista-net": ["phases=3", "features=8"],
    "dista-net": ["stages=2", "features=8"],
    "rpcanet": ["stages=2", "features=8"],
    "usrnet": ["iterations=2", "features=4", "blocks=1", "hidden=8"],
    "derefnet": ["phases=2", "features=8", "blocks=1"],
    "offgrid-net": ["width=32", "depth=2", "heads=2", "reach=2"],
}

# Trainable parameters of the predicting part, at full size: the published implementations' counts. Published as 1.55 M
# (srgan), 16.7 M (esrgan), 11.7 M (bsrgan), 1.07 M (usrnet), 2.179 M (dista-net); fista-net is published with 74,599,
# half of them in layers that nothing reads, and focus with about 0.06 M: their files say what differs. offgrid-net is
# this package's own.
PARAMETERS = {
    "srcnn": 15_841,
    "espcn": 22_729,
    "edsr": 389_025,
    "rdn": 22_305_729,
    "dbpn": 1_963_594,
    "gmfn": 2_796_518,
    "srgan": 1_552_193,
    "esrgan": 16_658_753,
    "bsrgan": 11_622_785,
    "tdan": 584_833,
    "focus": 46_037,
    "lista": 21_100_464,
    "liht": 21_100_464,
    "lamp": 2_125_728,
    "tilista": 2_125_744,
    "ista-net": 171_090,
    "ista-net+": 336_978,
    "ista-net++": 760_220,
    "fista-net": 37_607,
    "usrnet": 1_068_736,
    "rpcanet": 679_896,
    "dista-net": 2_177_322,
    "derefnet": 1_482_879,
    "offgrid-net": 522_334,
}


def build(name: str, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build_network(name, OPTICS, SMALL.get(name, ()))


@functools.cache
def network(name: str) -> nn.Module:
    return build(name)


@functools.cache
def scenes() -> tuple[np.ndarray, np.ndarray]:
    """Frames (4, 6, 11, 11) and their label grids."""
    shard = tiny_shard(TRAJECTORIES)
    return shard.frames, grid_from_targets(shard.scenes.xy, shard.scenes.intensity, OPTICS)


def answers(model: nn.Module, frames: np.ndarray, batch: int = 512) -> np.ndarray:
    """Heat maps, or slots where the network answers points."""
    if method_of(model).output == "points":
        return BatchedPointNetwork(model, "cpu", batch).slots(frames, CAMERA)
    return BatchedGridNetwork(model, "cpu", batch).heat_maps(frames, CAMERA)


def assert_alike(name: str, answer: np.ndarray, expected: np.ndarray) -> None:
    """Equal but for rounding: in grey levels, and in px for the positions of slots."""
    if METHODS[name].output == "points":
        np.testing.assert_allclose(answer[..., :2], expected[..., :2], atol=1e-4)
    np.testing.assert_allclose(answer, expected, atol=ROUNDING)


def units(name: str) -> tuple[torch.Tensor, Any, slice]:
    """Frames and labels as the training loop hands them to a network, and the slice of frames that counts."""
    frames, labels = (torch.from_numpy(array).float() for array in scenes())
    if METHODS[name].output == "points":
        truth = tiny_shard(TRAJECTORIES).scenes
        told = told_of(CAMERA, TRAJECTORIES, torch.device("cpu"))
        xy, intensity = (torch.from_numpy(array).float() for array in (truth.xy, truth.intensity))
        return frames, SceneLabels(xy, intensity, told.noise_sigma, told.saturation), SCORED
    if METHODS[name].context == "trajectory":
        return frames[:1], labels[:1], SCORED
    return frames[:, :1], labels[:, :1], slice(0, 1)


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_are_of_the_right_kind(name: str) -> None:
    frames = scenes()[0]
    given = frames.copy()
    answer = answers(network(name), frames)
    points = METHODS[name].output == "points"
    assert answer.shape == (*frames.shape[:2], *((network(name).slots, COLUMNS) if points else (33, 33)))
    assert answer.dtype == np.float32
    assert np.isfinite(answer).all()
    np.testing.assert_array_equal(frames, given)
    assert method_of(network(name)) is METHODS[name]


LONG_TO_ANSWER = ("derefnet", "rpcanet", "dista-net", "usrnet", "focus")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.long] * (n in LONG_TO_ANSWER)) for n in NETWORKS])
def test_the_batch_and_its_order_do_not_matter(name: str) -> None:
    frames = scenes()[0]
    together = answers(network(name), frames)
    for batch in (1, 7):
        assert_alike(name, answers(network(name), frames, batch), together)
    assert_alike(name, answers(network(name), frames[::-1])[::-1], together)


@pytest.mark.parametrize("name", [n for n in NETWORKS if METHODS[n].context == "frame"])
def test_frames_are_answered_by_themselves_where_the_row_says_so(name: str) -> None:
    frames = scenes()[0]
    runner = BatchedGridNetwork(network(name), "cpu")
    with torch.inference_mode():  # as whole sequences, which the runner would take apart
        forwards = network(name).eval()(torch.from_numpy(frames)).numpy()
    np.testing.assert_allclose(runner.heat_maps(frames[:, ::-1], CAMERA)[:, ::-1], forwards, atol=ROUNDING)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_receives_gradient(name: str) -> None:
    model = build(name)
    torch.manual_seed(1)
    with torch.no_grad():  # layers that start at zero hide the ones before them
        for parameter in model.parameters():
            parameter += 0.01 * torch.randn_like(parameter)
    frames, labels, scored = units(name)
    Objective(model, scored, {})(frames, labels)["total"].backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_survive_the_round_trip_through_a_file(name: str, tmp_path: Any) -> None:
    frames = scenes()[0][:1]
    save_weights(tmp_path / "w.safetensors", network(name), card_of(name, SMALL.get(name, ())))
    loaded, _ = load_weights(tmp_path / "w.safetensors", name)
    before = answers(network(name), frames)
    np.testing.assert_array_equal(answers(loaded, frames), before)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_seed_decides_the_weights_and_the_answer(name: str) -> None:
    first, again = build(name, seed=3).state_dict(), build(name, seed=3).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    frames, model = torch.from_numpy(scenes()[0][:1]), network(name)  # kept for other tests: not of inference mode
    with torch.inference_mode():
        assert torch.equal(model.eval()(frames), model.eval()(frames))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_number_of_parameters_is_the_published_one(name: str) -> None:
    with torch.device("meta"):
        assert count_parameters(build_network(name, OPTICS)) == PARAMETERS[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_cost_of_a_frame_is_counted_without_arithmetic(name: str) -> None:
    with torch.device("meta"):
        model = build_network(name, OPTICS, SMALL.get(name, ()))
    assert macs_per_frame(model, OPTICS) > 1e4


SLOW_TO_TRAIN = ("bsrgan", "esrgan", "derefnet")
LONG_TO_TRAIN = ("gmfn", "rdn", "dbpn", "srgan", "edsr")


def trained(name: str) -> pytest.ParameterSet:
    """Return a network as a parameter, left out by default where its training takes long."""
    marks = [pytest.mark.slow] * (name in SLOW_TO_TRAIN) + [pytest.mark.long] * (name in LONG_TO_TRAIN)
    return pytest.param(name, marks=marks)


@pytest.mark.parametrize("name", [trained(name) for name in NETWORKS])
def test_a_few_steps_lower_the_loss_on_four_frames(name: str) -> None:
    model = copy.deepcopy(network(name)).train()
    frames, labels, scored = units(name)
    objective = Objective(model, scored, {})
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(15):
        loss = objective(frames, labels)["total"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert np.isfinite(losses).all()
    assert min(losses[-3:]) < 0.98 * losses[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_no_global_random_numbers_are_drawn(name: str) -> None:
    frames, labels, scored = units(name)
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    Objective(network(name), scored, {})(frames, labels)
    after = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert all(np.array_equal(a, b) for a, b in zip(before[1], after[1], strict=True))
    assert before[2] == after[2]


def test_the_tables_above_cover_the_registry() -> None:
    assert set(PARAMETERS) == set(NETWORKS)
    assert set(SMALL) <= set(METHODS)


@pytest.mark.parametrize("name", TRAINING_FREE)
def test_training_free_methods_answer_each_trajectory_by_itself(name: str) -> None:
    frames = scenes()[0]
    method = build_training_free(METHODS[name], SMALL.get(name, ()))
    given = frames.copy()
    if METHODS[name].output == "grid":
        grids = method.heat_maps(frames, CAMERA)
        assert grids.shape == (*frames.shape[:2], 33, 33)
        assert np.isfinite(grids).all()
        for index in range(len(frames)):
            alone = method.heat_maps(frames[index : index + 1], CAMERA)
            np.testing.assert_allclose(alone[0], grids[index], atol=1e-4)
    else:
        found = method.detect(frames, CAMERA).ordered()
        assert len(found)
        assert all(np.isfinite(column).all() for column in found.columns().values())
        for index in range(len(frames)):
            alone = method.detect(frames[index : index + 1], CAMERA).ordered()
            mine = found.select(found.trajectory == index)
            np.testing.assert_array_equal(alone.frame, mine.frame)
            np.testing.assert_allclose(alone.x, mine.x, atol=1e-6)
            np.testing.assert_allclose(alone.score, mine.score, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(frames, given)
