"""The ceiling of a grid."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.detections import Detections
from csist_bench.errors import InputError
from csist_bench.evaluation.ceilings import ceiling_text, grid_ceiling, snapped_targets
from csist_bench.evaluation.report import evaluate
from tests.helpers.scenes import truth_of


def test_snapped_targets_sit_on_nodes_and_merge():
    truth = truth_of([[(5.1, 4.9), (4.9, 5.1), (6.4, 5.0)]], 1, 1, intensity=[[220, 230, 240]])
    snapped = snapped_targets(truth, 3)
    rows = sorted(zip(snapped.x.round(9), snapped.y.round(9), snapped.score))
    assert rows == [(5.0, 5.0, 450.0), (round(19 / 3, 9), 5.0, 240.0)]


def test_grid_ceiling_bounds_every_ranking():
    rng = np.random.default_rng(6)
    targets = [rng.uniform(3, 8, (3, 2)) for _ in range(40)]
    truth = truth_of(targets, 10, 4, intensity=rng.uniform(220, 250, (40, 3)))
    ceiling = grid_ceiling(truth, 3)
    snapped = snapped_targets(truth, 3)
    by_brightness = evaluate(snapped, truth)
    assert ceiling["by_brightness"]["cso_map"] == pytest.approx(by_brightness.cso_map)
    for _ in range(20):
        score = rng.random(len(snapped))
        shuffled = Detections(snapped.trajectory, snapped.frame, snapped.x, snapped.y, score)
        assert evaluate(shuffled, truth).cso_map <= ceiling["any_ranking"]["cso_map"] + 1e-9
    assert grid_ceiling(truth, 5)["any_ranking"]["cso_map"] > ceiling["any_ranking"]["cso_map"]
    assert "3-fold" in ceiling_text(ceiling)
    with pytest.raises(InputError, match="odd number of nodes"):
        grid_ceiling(truth, 4)


def test_the_ceiling_counts_targets_not_nodes_and_its_lines_say_which_is_which():
    # Two of three targets share a node 0.1 px away; the third is 0.02 px from its own.
    truth = truth_of([[(5.1, 5.0), (4.9, 5.0), (7.02, 7.0)]], 1, 1, intensity=[[230, 230, 240]])
    ceiling = grid_ceiling(truth, 3)
    reached = ceiling["any_ranking"]
    # One detection for the pair: a third of the targets within 0.05 px, two thirds from 0.1 px on.
    assert [reached[f"ap{d:02d}"] for d in (5, 15, 25)] == pytest.approx([100 / 3, 200 / 3, 200 / 3])
    ranked = ceiling["by_brightness"]  # the pair is brighter together, and a miss at 0.05 px
    assert ranked["ap05"] == pytest.approx(100 / 6)
    lines = ceiling_text(ceiling).splitlines()
    assert f"{ranked['cso_map']:.2f}" in next(line for line in lines if "ranked by brightness" in line)
    assert f"{reached['cso_map']:.2f}" in next(line for line in lines if "best ranking possible" in line)
