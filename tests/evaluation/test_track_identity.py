"""IDF1 and identity switches, against motmetrics."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from csist_bench.evaluation.track_scores import scores_of_tracks
from tests.helpers.track_cases import cases


def accumulated(motmetrics, case, n):
    """Return what motmetrics makes of a trajectory, given ready distances; its own fail on NumPy 2."""
    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    for frame in range(case.target_xy.shape[1]):
        there, _, track, _ = case.of_frame(n, frame)
        distance = case.distances(n, frame)
        accumulator.update(there, track, np.where(distance <= 0.25, distance, np.nan))
    return accumulator


@pytest.mark.long
def test_they_equal_motmetrics_on_random_cases():
    motmetrics = pytest.importorskip("motmetrics", reason="motmetrics, of the extra `test`, is not installed")
    host = motmetrics.metrics.create()
    switches = 0
    for case in cases():
        total = dict.fromkeys(("idtp", "num_objects", "num_predictions", "num_switches"), 0)
        for n in range(len(case.target_xy)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of pandas, about how motmetrics writes its table
                row = host.compute(accumulated(motmetrics, case, n), metrics=list(total), return_dataframe=False)
            total = {name: value + row[name] for name, value in total.items()}
        scores = scores_of_tracks(*case.arrays)
        rows = total["num_objects"] + total["num_predictions"]
        assert scores.idf1 == pytest.approx(100 * 2 * total["idtp"] / max(1, rows), abs=1e-9)
        assert scores.id_switches == total["num_switches"]
        switches += total["num_switches"]
    assert switches > 100


def crossed(tracks, offset=0.0):
    """Score two targets 0.1 px apart over three frames, answered by given tracks, (3, 2)."""
    target_xy = np.tile(np.array([[5.0, 5.0], [5.1, 5.0]]), (1, 3, 1, 1))
    place, frame = np.zeros(6, int), np.repeat(np.arange(3), 2)
    return scores_of_tracks(target_xy, place, frame, target_xy.reshape(-1, 2) + offset, np.array(tracks).ravel())


def test_a_match_is_kept_while_it_is_near():
    # Tracks that trade places between targets within the cut-off are no switch by CLEAR MOT, but cost HOTA.
    scores = crossed([[1, 2], [2, 1], [1, 2]])
    assert scores.id_switches == 0
    assert scores.idf1 == 100
    assert scores.hota < crossed([[1, 2], [1, 2], [1, 2]]).hota == pytest.approx(100)


@pytest.mark.parametrize("first", [0, 1])
def test_a_match_is_kept_though_another_track_comes_nearer(first):
    place, frame = np.zeros(3, int), np.array([0, 1, 1])
    xy, track = np.array([[5.1, 5.0], [5.1, 5.0], [5.0, 5.0]]), np.array([first, first, first + 1])
    assert scores_of_tracks(np.full((1, 2, 1, 2), 5.0), place, frame, xy, track).id_switches == 0


def test_a_new_name_is_a_switch():
    scores = crossed([[1, 2], [3, 2], [3, 2]])
    assert scores.id_switches == 1
    assert scores.idf1 == pytest.approx(100 * 2 * 5 / 12)
