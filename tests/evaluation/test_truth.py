"""The targets that detections are scored against."""

from __future__ import annotations

import numpy as np

from csist_bench.evaluation.truth import Truth


def test_the_truth_of_a_split_is_its_scored_frames_unless_others_are_named(tiny):
    split = tiny.split("train")
    whole = Truth.from_split(split)
    assert (whole.frames, list(whole.trajectories)) == (split.scored_frames, list(range(split.n_trajectories)))
    np.testing.assert_array_equal(whole.xy, split.target_xy)
    some = Truth.from_split(split, range(1, 3), [4, 2])
    assert (some.frames_text, list(some.trajectories)) == ("1:3", [2, 4])
    np.testing.assert_array_equal(some.frame_xy[:2], split.target_xy[2, 1:3])
