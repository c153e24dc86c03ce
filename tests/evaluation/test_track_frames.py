"""Targets and tracks side by side."""

from __future__ import annotations

import numpy as np

from csist_bench.evaluation import track_frames as module
from csist_bench.evaluation.track_frames import track_frames
from tests.helpers.track_cases import cases, random_case


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
        assert len(part.distance) == 1
        np.testing.assert_array_equal(part.distance[0], whole[0].distance[n, :, :, :width])
    assert np.concatenate([part.tracks for part in parts]).tolist() == whole[0].tracks.tolist()


def test_a_block_is_as_large_as_its_widest_trajectory_makes_it(monkeypatch):
    """One answer in the first trajectory's frame, nine in the second's: 18 places together."""
    place = np.repeat([0, 1], [1, 9])
    arrays = np.full((2, 1, 1, 2), 5.0), place, np.zeros(10, int), np.full((10, 2), 5.0), np.arange(10)
    for most, blocks in ((18, 1), (17, 2)):
        monkeypatch.setattr(module, "LARGEST_BLOCK", most)
        assert len(list(track_frames(*arrays))) == blocks
