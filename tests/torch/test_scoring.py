"""Labels and CSO-mAP of tensors, against the NumPy functions and the scorer of files."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from csist_bench.errors import InputError
from csist_bench.evaluation.report import evaluate
from csist_bench.simulation.optics import Optics, grid_from_targets
from csist_bench.torch import cso_map, label_grid
from tests.helpers.noisy_answers import crowded_truth, noisy_answers

TRUTH = crowded_truth(10)


def test_label_grids_are_those_of_the_package():
    xy, light = torch.from_numpy(TRUTH.xy), torch.from_numpy(TRUTH.intensity)
    np.testing.assert_allclose(label_grid(xy, light), grid_from_targets(TRUTH.xy, TRUTH.intensity, Optics()))
    assert label_grid(xy, light, size=9, c=5).shape == (10, 4, 45, 45)


def test_points_score_as_their_file_does():
    answers = noisy_answers(TRUTH, 0.1)
    slots, places, scores = 8, np.full((10, 4, 8, 2), np.nan), np.zeros((10, 4, 8))
    filled = np.zeros((10, 4), dtype=int)
    for n, f, x, y, score in zip(answers.trajectory, answers.frame, answers.x, answers.y, answers.score):
        slot = (3 * filled[n, f]) % slots  # gaps between them
        places[n, f, slot], scores[n, f, slot] = (x, y), score
        filled[n, f] += 1
    given = torch.from_numpy(places), torch.from_numpy(scores)
    assert cso_map(given, torch.from_numpy(TRUTH.xy)) == pytest.approx(evaluate(answers, TRUTH).cso_map, abs=1e-12)
    shuffled = torch.from_numpy(TRUTH.xy).flip(-2)  # absent targets first
    assert cso_map(given, shuffled) == pytest.approx(evaluate(answers, TRUTH).cso_map, abs=1e-12)


def test_heat_maps_are_decoded_as_published():
    maps = torch.zeros(1, 33, 33)
    maps[0, 16, 16], maps[0, 16, 19], maps[0, 2, 2] = 200, 100, 69.9
    xy = torch.tensor([[[5.0, 5.0], [6.0, 5.0]]])
    assert cso_map(maps, xy) == 100.0
    assert cso_map(maps, xy, threshold=150) == pytest.approx(50.0)
    assert cso_map(maps, xy, threshold=60) == pytest.approx(100.0)  # a false alarm below both


@pytest.mark.parametrize(
    ("answers", "xy", "said"),
    [
        (torch.zeros(2, 33, 33), torch.zeros(1, 4, 2), "be of the 1 frames of xy, got 2"),
        ((torch.zeros(1, 4, 2), torch.zeros(1, 3)), torch.zeros(1, 4, 2), "answers must be places"),
        (torch.zeros(1, 33, 33), torch.zeros(1, 4, 3), "xy must have shape"),
        (torch.zeros(1, 33, 33), torch.full((1, 4, 2), torch.nan), "no target at all"),
    ],
)
def test_shapes_that_do_not_belong_together_are_refused(answers, xy, said):
    with pytest.raises(InputError, match=said):
        cso_map(answers, xy)
