"""HOTA, against TrackEval."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.evaluation.track_hota import ALPHAS
from csist_bench.evaluation.track_scores import scores_of_tracks
from tests.helpers.track_cases import cases


def trackeval_data(case, n):
    """Return a trajectory as TrackEval takes it."""
    t = case.target_xy.shape[1]
    frames = [case.of_frame(n, frame) for frame in range(t)]
    targets = np.unique(np.concatenate([there for there, *_ in frames]))
    tracks = np.unique(case.track[case.place == n])
    return {
        "gt_ids": [np.searchsorted(targets, there) for there, *_ in frames],
        "tracker_ids": [np.searchsorted(tracks, track) for _, _, track, _ in frames],
        "similarity_scores": [np.maximum(0, 1 - case.distances(n, frame) / 0.25) for frame in range(t)],
        "num_gt_ids": len(targets),
        "num_tracker_ids": len(tracks),
        "num_gt_dets": sum(len(there) for there, *_ in frames),
        "num_tracker_dets": sum(len(track) for _, _, track, _ in frames),
    }


def test_it_equals_trackeval_on_random_cases():
    metric = pytest.importorskip("trackeval", reason="TrackEval, of the extra `test`, is not installed").metrics.HOTA()
    np.testing.assert_array_equal(metric.array_labels, ALPHAS)
    values = []
    for case in cases():
        each = {str(n): metric.eval_sequence(trackeval_data(case, n)) for n in range(len(case.target_xy))}
        whole = metric.combine_sequences(each)
        scores = scores_of_tracks(*case.arrays)
        wanted = [100 * whole[name].mean() for name in ("HOTA", "DetA", "AssA", "LocA")]
        found = [scores.hota, scores.deta, scores.assa, scores.loca]
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9)
        values.append(wanted[0])
    assert np.std(values) > 5


def test_known_tracks():
    # One target in two frames, found exactly, by one track, by two, and at half the cut-off.
    target_xy = np.full((1, 2, 1, 2), 5.0)
    place, frame = np.zeros(2, int), np.arange(2)
    exact = scores_of_tracks(target_xy, place, frame, np.full((2, 2), 5.0), np.array([7, 7]))
    assert [exact.hota, exact.deta, exact.assa, exact.loca] == pytest.approx([100, 100, 100, 100])
    broken = scores_of_tracks(target_xy, place, frame, np.full((2, 2), 5.0), np.array([7, 8]))
    # Each pair is one of two frames of its target: an association of 1/2.
    assert [broken.hota, broken.deta, broken.assa] == pytest.approx([100 * 0.5**0.5, 100, 50])
    off = scores_of_tracks(target_xy, place, frame, np.tile([5.13, 5.0], (2, 1)), np.array([7, 7]))
    # A similarity of 0.48 counts for alpha = 0.05 .. 0.45, nine of nineteen.
    assert [off.hota, off.deta] == pytest.approx([900 / 19, 900 / 19])
    assert off.loca == pytest.approx((9 * 48 + 10 * 100) / 19)


def test_nothing_found_scores_nothing():
    none = np.zeros(0, int)
    scores = scores_of_tracks(np.full((1, 2, 1, 2), 5.0), none, none, np.zeros((0, 2)), none)
    assert (scores.hota, scores.deta, scores.assa, scores.idf1, scores.id_switches) == (0, 0, 0, 0, 0)
    assert scores.ospa2 == 0.25
