from __future__ import annotations

from pathlib import Path

import pytest
import torch

from csist_bench.datasets import Dataset
from csist_bench.errors import InputError
from csist_bench.methods.registry import METHODS
from csist_bench.speed import networks
from csist_bench.speed.networks import (
    loop_speed,
    network_speed,
    network_steps,
    point_network_speed,
    small_set,
    stream_speed,
)
from csist_bench.speed.way import Way
from csist_bench.training.adversarial import AdversarialLearner
from csist_bench.training.learner import Learner
from tests.helpers.tiny_sets import tiny_store

WAY = Way(torch.device("cpu"))


@pytest.fixture
def store(tmp_path: Path) -> Dataset:
    return tiny_store(tmp_path / "set.zarr")


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Frames of every training step that is taken."""
    counted: list[int] = []
    for kind in (Learner, AdversarialLearner):

        def recorded(self, frames, *rest, step=kind.step):
            counted.append(frames.shape[:2].numel())
            return step(self, frames, *rest)

        monkeypatch.setattr(kind, "step", recorded)
    return counted


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("espcn", 16),  # of the recipe's 64, as many as the benchmark takes of a CPU
        ("tdan", 12),  # two trajectories of six frames
        ("srgan", 16),  # with its critic
    ],
)
def test_a_network_is_timed_forward_and_through_a_step_of_its_recipe(store: Dataset, taken, name, frames) -> None:
    forward, training = network_speed(METHODS[name], store, WAY)
    assert (forward.name, training.name) == (f"{name}: forward", "  training step")
    assert forward.unit == "frames/s, cpu"
    assert min(forward.value, training.value) > 0
    assert set(taken) == {frames}


def test_a_network_of_points_is_timed_alone_whole_and_through_a_step(store: Dataset, taken, monkeypatch) -> None:
    monkeypatch.setattr(networks, "POINT_STEP_FRAMES", 8)
    way = Way(torch.device("cpu"), "bfloat16")
    found = list(point_network_speed(METHODS["offgrid-net"], store, way, frames_of_run=70, passes=(32, 64)))
    assert [m.name for m in found] == [
        "offgrid-net: 32 frames a pass",
        "offgrid-net: 64 frames a pass",
        "  frames to detections, one thread",
        "  training step",
    ]
    assert all(m.value > 0 for m in found)
    assert found[0].unit == "frames/s, cpu, bfloat16"
    assert set(taken) == {networks.POINT_STEP_FRAMES}


def test_derefnet_is_held_against_its_loop_and_answers_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "TRAJECTORY", 5)
    monkeypatch.setattr(networks, "SCORED", range(2, 4))
    found = {}
    for measure in loop_speed(WAY, ("phases=1", "features=2", "blocks=1"), rounds=1):
        found.setdefault(measure.name.strip(), []).append(measure)
    assert len(found["faster than that"]) == 2  # forward, and loss with gradient
    for kind, fast, slow in zip(
        found["faster than that"],
        [found["derefnet: forward"][0], found["derefnet: loss and gradient"][0]],
        found["one call per centre and neighbour"],
        strict=True,
    ):
        assert kind.value == pytest.approx(fast.value / slow.value)
    assert 0 < found["largest difference"][0].value < 1e-4


def test_the_stream_is_drawn_and_held_against_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "HOST_TRAJECTORIES", 20)
    drawn, share, host, cores = stream_speed(WAY, scenes=16)
    assert min(drawn.value, host.value, cores.value) > 0
    assert 0 < share.value < 100


def test_steps_are_of_the_networks_that_are_named() -> None:
    named = [step.name for step in network_steps(WAY, ("offgrid-net", "srcnn"))]
    assert named == ["networks offgrid-net", "networks stream", "networks srcnn"]
    everything = [step.name for step in network_steps(WAY)]
    assert len(everything) == 2 + sum(method.trainable for method in METHODS.values())


@pytest.mark.parametrize(
    ("name", "says"), [("espnc", "unknown method 'espnc'; did you mean 'espcn'"), ("ml", "must be a network, got ml")]
)
def test_other_names_are_refused(name: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        network_steps(WAY, (name,))


def test_the_small_set_is_gone_afterwards() -> None:
    with small_set(20) as store:
        assert store.split("train").n_trajectories == 14
        path = store.path
    assert not Path(path).exists()
