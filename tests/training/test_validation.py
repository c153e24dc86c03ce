from __future__ import annotations

from pathlib import Path

import pytest
import torch

from csist_bench.datasets import Dataset
from csist_bench.evaluation.report import evaluate
from csist_bench.evaluation.truth import Truth
from csist_bench.methods.networks.base import build_network
from csist_bench.methods.networks.weights import save_weights
from csist_bench.simulation.optics import Optics
from csist_bench.training.validation import Validation
from tests.helpers.cards import card_of
from tests.helpers.unmixing import unmixed

CPU = torch.device("cpu")
SETTINGS = {
    "ista-net": {"phases": 1, "features": 4},
    "tdan": ["features=4", "blocks_before=1", "blocks_after=1", "deform_groups=2"],
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_score_is_that_of_running_and_evaluating_the_same_weights(tiny: Dataset, tmp_path: Path, name: str) -> None:
    split = tiny.split("val")
    model = build_network(name, Optics(), SETTINGS[name])
    with torch.no_grad():  # bright enough for detections, different at every node
        for parameter in model.parameters():
            parameter += 0.1 * torch.rand(parameter.shape, generator=torch.Generator().manual_seed(0))
    score = Validation.from_split(split, 0, 7).score(model, CPU)
    save_weights(tmp_path / "w.safetensors", model, card_of(name, SETTINGS[name]))
    found = unmixed(split, name, weights=tmp_path / "w.safetensors", device="cpu").detections
    truth = Truth.from_split(split)
    report = evaluate(found, truth)
    assert report.cso_map > 0
    assert score["cso_map"] == pytest.approx(report.cso_map, abs=1e-9)
    assert [score[f"ap{d:02d}"] for d in (5, 10, 15, 20, 25)] == pytest.approx(report.ap, abs=1e-9)


def test_a_subset_is_taken_by_whole_trajectories(tiny: Dataset) -> None:
    validation = Validation.from_split(tiny.split("val"), 2, 64)
    assert list(validation.truth.trajectories) == [0, 1]
    assert validation.truth.n_frames == 2 * len(tiny.split("val").scored_frames)
    assert len(Validation.from_split(tiny.split("val"), 99, 64).truth.trajectories) == 3


def test_the_network_is_left_in_the_mode_it_was_in(tiny: Dataset) -> None:
    model = build_network("espcn", Optics()).train()
    Validation.from_split(tiny.split("val"), 1, 64).score(model, CPU)
    assert model.training
