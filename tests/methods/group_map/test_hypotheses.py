"""Hypotheses of a group, from its path to its answer."""

from __future__ import annotations

import numpy as np

from csist_bench.methods.fitting.grouping import plan_groups
from csist_bench.methods.fitting.survey import survey_frames
from csist_bench.methods.group_map.hypotheses import chosen_of, normal_draws, start_path
from csist_bench.methods.group_map.scene_law import path_basis
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets


def test_the_path_goes_through_the_centroids() -> None:
    xy = np.column_stack([4.5 + 0.04 * np.arange(20), 5.0 - 0.02 * np.arange(20)])[:, None]
    frames = np.asarray(frames_from_targets(xy, np.full((20, 1), 235.0), Optics()), dtype=np.float64)
    path = start_path(survey_frames(frames, 5, np.inf, 1.3), np.arange(20)[None])
    np.testing.assert_allclose(path_basis(20) @ path[0], xy[:, 0], atol=0.02)


def test_draws_are_standard_normal() -> None:
    draws = normal_draws(4)
    assert np.abs(draws.mean(axis=0)).max() < 0.05
    assert np.abs(draws.std(axis=0) - 1).max() < 0.1


def test_frames_are_answered_by_the_table_that_holds_their_group_s_choice() -> None:
    plan = plan_groups(np.zeros(8, np.bool_), np.arange(2), 4, 4)
    chosen = np.array([1, 3])  # of the first group and of the second
    weight, otherwise = np.array([0.25, 0.75]), np.zeros((2, 2))
    first, second = chosen_of(plan, 2, chosen, weight, otherwise), chosen_of(plan, 3, chosen - 2, weight, otherwise)
    assert (first.frame.tolist(), second.frame.tolist()) == ([0, 1, 2, 3], [4, 5, 6, 7])
    assert (set(first.hypothesis), set(second.hypothesis)) == ({1}, {1})
    assert (set(first.weight), set(second.weight)) == ({0.25}, {0.75})
    assert second.frame_offset.tolist() == [0, 1, 2, 3]
