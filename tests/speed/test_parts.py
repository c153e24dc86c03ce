import json
import sys

import numpy as np
import pytest

from csist_bench.datasets import open_dataset
from csist_bench.methods.registry import METHODS
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets
from csist_bench.speed import parts as speed
from csist_bench.speed.parts import PARTS, Measure, as_json, bench, best_of, line_of, network_speed, quadrature_frames
from csist_bench.training.adversarial import AdversarialLearner
from csist_bench.training.learner import Learner
from tests.helpers.sets import tiny_set


def test_a_line_holds_name_figure_unit_and_goal():
    assert line_of(Measure("render", 0.0873, "s", "<= 0.15")).split() == [
        "render",
        "0.0873",
        "s",
        "(goal",
        "<=",
        "0.15)",
    ]
    assert line_of(Measure("rate", 15321.7, "frames/s")).split() == ["rate", "15,322", "frames/s"]
    assert line_of(Measure("error", 3.1e-13, "of the intensity")).split()[1] == "3.1e-13"


def test_the_json_form_holds_the_machine_and_every_figure():
    measures = [Measure("a", 1.5, "s", "< 2"), Measure("b", 3.0, "x")]
    table = json.loads(as_json(measures))
    assert [Measure(**row) for row in table["measures"]] == measures
    assert table["machine"]["cores"] >= 1
    assert set(table["machine"]) >= {"python", "machine", "cores"}


def test_the_double_integral_agrees_with_the_kernel():
    optics = Optics(size=3)
    xy = np.array([[[1.2, 0.7], [np.nan, np.nan]], [[-0.3, 2.4], [1.0, 1.0]]])
    light = np.array([[240.0, np.nan], [230.0, 220.0]])
    exact = quadrature_frames(xy, light, optics)
    assert np.abs(exact - frames_from_targets(xy, light, optics)).max() < 1e-9 * 220


def test_the_least_of_a_few_calls_is_taken(monkeypatch):
    ticks = iter([0.0, 5.0, 10.0, 12.0, 20.0, 23.0])
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(ticks))
    calls = []
    assert best_of(lambda: calls.append(1), 3) == 2.0
    assert len(calls) == 3


def test_every_part_has_its_measurements():
    assert PARTS == ("rendering", "generate", "evaluate", "methods", "networks", "start")
    measures = list(bench(("start",)))
    assert [measure.unit for measure in measures] == ["s"]
    assert measures[0].value > 0


def test_an_unknown_part_is_an_error():
    with pytest.raises(KeyError):
        list(bench(("renderin",)))


@pytest.mark.parametrize(
    ("name", "learner", "frames"),
    [
        ("espcn", Learner, 16),  # of the recipe's 64, as many as the benchmark takes
        ("tdan", Learner, 8),  # two trajectories
        ("srgan", AdversarialLearner, 16),
    ],
)
def test_a_network_is_timed_forward_and_through_a_step_of_its_recipe(tmp_path, monkeypatch, name, learner, frames):
    taken, step = [], learner.step

    def recorded(self, *batch):
        taken.append(batch[0].shape[:2].numel())
        return step(self, *batch)

    monkeypatch.setattr(learner, "step", recorded)
    split = open_dataset(tiny_set(tmp_path / "set.zarr")).split("train")
    forward, training = network_speed(METHODS[name], split)
    assert (forward.name, training.name) == (f"{name}: forward", "  training step")
    assert min(forward.value, training.value) > 0
    assert set(taken) == {frames}


def test_without_torch_networks_are_left_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert list(bench(("networks",))) == []
