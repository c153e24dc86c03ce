"""Targets and tracks side by side."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from csist_bench.evaluation import track_frames as module
from csist_bench.evaluation.track_frames import assigned, track_frames
from tests.helpers.track_cases import cases, random_case


def test_the_assignment_is_that_of_largest_weight():
    rng = np.random.default_rng(0)
    for _ in range(50):
        r, c = rng.integers(1, 5, 2).tolist()
        weight = rng.random((20, r, c)) * (rng.random((20, r, c)) < 0.6)
        column = assigned(weight)
        for one, found in zip(weight, column):
            used = found[found >= 0]
            assert len(set(used)) == len(used)
            assert all(one[row, col] > 0 for row, col in enumerate(found) if col >= 0)
            total = sum(one[row, col] for row, col in enumerate(found) if col >= 0)
            wide = one if r <= c else one.T
            best = max(sum(wide[i, j] for i, j in enumerate(p)) for p in permutations(range(max(r, c)), min(r, c)))
            assert total == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("shape", [(3, 0, 2), (3, 2, 0), (0, 2, 2)])
def test_nothing_is_assigned_to_nothing(shape):
    assert (assigned(np.zeros(shape)) == -1).all()


def test_distances_and_lengths_are_those_of_the_rows():
    for case in list(cases())[:30]:
        (block,) = track_frames(*case.arrays)
        for n in range(len(case.target_xy)):
            names = np.unique(case.track[case.place == n])
            assert block.tracks[n] == len(names)
            lengths = [int(((case.place == n) & (case.track == name)).sum()) for name in names]
            assert block.track_lengths[n, : len(names)].tolist() == lengths
            for t in range(case.target_xy.shape[1]):
                there, _, track, _ = case.of_frame(n, t)
                wanted = case.distances(n, t)
                np.testing.assert_allclose(block.distance[n, t, there, : len(track)], wanted, atol=1e-12)
                assert names[block.track[n, t, : len(track)]].tolist() == track.tolist()
                assert np.isinf(block.distance[n, t, :, len(track) :]).all()
                assert np.flatnonzero(block.present[n, t]).tolist() == there.tolist()


def test_blocks_are_bounded_and_hold_every_trajectory_once(monkeypatch):
    case = random_case(8)
    assert len(case.target_xy) > 1
    whole = list(track_frames(*case.arrays))
    monkeypatch.setattr(module, "LARGEST_BLOCK", 1)
    parts = list(track_frames(*case.arrays))
    assert (len(whole), len(parts)) == (1, len(case.target_xy))
    for n, part in enumerate(parts):
        width = part.distance.shape[3]
        np.testing.assert_array_equal(part.distance[0], whole[0].distance[n, :, :, :width])
    assert np.concatenate([part.tracks for part in parts]).tolist() == whole[0].tracks.tolist()
