import sys

import numpy as np
import pytest

from csist_bench.errors import InputError
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets
from csist_bench.speed.measures import NetworkOptions
from csist_bench.speed.parts import PARTS, quadrature_frames, steps_of


def test_the_double_integral_agrees_with_the_kernel():
    optics = Optics(size=3)
    xy = np.array([[[1.2, 0.7], [np.nan, np.nan]], [[-0.3, 2.4], [1.0, 1.0]]])
    light = np.array([[240.0, np.nan], [230.0, 220.0]])
    exact = quadrature_frames(xy, light, optics)
    assert np.abs(exact - frames_from_targets(xy, light, optics)).max() < 1e-9 * 220


def test_every_part_has_its_steps():
    assert PARTS == ("rendering", "generate", "evaluate", "methods", "networks", "start")
    networks = NetworkOptions("cpu", methods=("espcn", "derefnet"))
    named = [step.name for step in steps_of((), networks)]
    of_networks = ["networks espcn", "networks derefnet", "networks derefnet against the loop"]
    assert named == ["rendering", "generate", "evaluate", "methods", *of_networks, "start"]
    (step,) = steps_of(("start",))
    (measure,) = step.measure()
    assert measure.unit == "s"
    assert measure.value > 0


def test_an_unknown_part_is_an_error():
    with pytest.raises(InputError, match="unknown part 'renderin'; did you mean 'rendering'"):
        steps_of(("renderin",))


def test_without_torch_networks_are_left_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert steps_of(("networks",)) == []
