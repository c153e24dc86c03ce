"""The targets that detections are scored against."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.detections import Detections
from csist_bench.errors import InputError
from csist_bench.evaluation.average_precision import RankedHits
from csist_bench.evaluation.report import evaluate
from csist_bench.evaluation.truth import Truth
from tests.helpers.scenes import detections_of, truth_of


def test_subsets_are_whole_trajectories():
    truth = truth_of([[(5, 5)], [(5, 5)], [(6, 6)], [(6, 6)]], 2, 2, trajectories=[1])
    report = evaluate(detections_of([(0, 0, 5, 5, 1), (1, 0, 6, 6, 1), (1, 1, 6, 6, 1)]), truth)
    assert (report.cso_map, report.frames_scored, report.ignored_detections) == (100.0, 2, 1)
    assert not report.official


def test_no_targets_at_all_is_an_error():
    with pytest.raises(InputError, match="no target at all"):
        truth_of([[], []], 1, 2)
    with pytest.raises(InputError, match="no target at all"):
        RankedHits(Detections.empty(), np.zeros((5, 0), dtype=bool), 0).average_precisions()


@pytest.mark.parametrize("row", [(2, 0), (-1, 0), (0, 3), (0, -1)])
def test_a_detection_in_no_frame_is_an_error(row):
    truth = truth_of([[(5, 5)]] * 6, 2, 3)
    with pytest.raises(InputError, match=r"of detection 0 must be in \[0"):
        evaluate(detections_of([(*row, 5, 5, 1)]), truth)


def test_truth_refuses_arrays_that_disagree():
    xy, light = np.full((1, 2, 2, 2), np.nan), np.full((1, 2, 2), np.nan)
    xy[0, 0, 0], light[0, 0, 0] = 5.0, 230.0
    count = np.array([[1, 0]])
    from csist_bench.evaluation.truth import Truth

    Truth.from_arrays(xy, light, count, range(2))
    for bad_count in ([[0, 0]], [[1, 1]], [[2, 0]]):
        with pytest.raises(InputError, match="finite up to count"):
            Truth.from_arrays(xy, light, np.array(bad_count), range(2))
    for frames in (range(0), range(3), range(0, 2, 2), range(1, 0)):
        with pytest.raises(InputError, match="range within 0:2"):
            Truth.from_arrays(xy, light, count, frames)
    for chosen in ([], [1], [-1]):
        with pytest.raises(InputError, match="trajectories must be indices"):
            Truth.from_arrays(xy, light, count, range(2), chosen)
    with pytest.raises(InputError, match="intensity must have shape"):
        Truth.from_arrays(xy, light[:, :1], count, range(2))


def test_the_truth_of_a_split_is_its_scored_frames_unless_others_are_named(tiny):
    split = tiny.split("train")
    whole = Truth.from_split(split)
    assert (whole.frames, list(whole.trajectories)) == (split.scored_frames, list(range(split.n_trajectories)))
    np.testing.assert_array_equal(whole.xy, split.target_xy)
    some = Truth.from_split(split, range(1, 3), [4, 2])
    assert (some.frames_text, list(some.trajectories)) == ("1:3", [2, 4])
    np.testing.assert_array_equal(some.frame_xy[:2], split.target_xy[2, 1:3])


def test_a_target_with_one_coordinate_is_refused():
    xy, light = np.full((1, 1, 2, 2), np.nan), np.full((1, 1, 2), np.nan)
    xy[0, 0, 0], light[0, 0] = 5.0, 230.0
    xy[0, 0, 1, 0] = 6.0  # x without y
    with pytest.raises(
        InputError, match=r"be finite up to count and NaN beyond it, got a mismatch at index \(0, 0, 1\)"
    ):
        Truth.from_arrays(xy, light, np.array([[2]]), range(1))
