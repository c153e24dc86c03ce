"""OSPA(2), against a version written from its paper."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.evaluation.track_frames import track_frames
from csist_bench.evaluation.track_ospa import ospa2
from csist_bench.evaluation.track_scores import scores_of_tracks
from tests.helpers.track_cases import cases
from tests.reference import naive_tracks


def naive(case, n):
    targets = [
        {t: xy for t, xy in enumerate(case.target_xy[n, :, k]) if np.isfinite(xy).all()}
        for k in range(case.target_xy.shape[2])
    ]
    mine = case.place == n
    tracks = [
        {int(t): xy for t, xy in zip(case.frame[mine & (case.track == name)], case.xy[mine & (case.track == name)])}
        for name in np.unique(case.track[mine])
    ]
    return naive_tracks.ospa2(targets, tracks, 0.25)


def test_it_equals_trying_every_assignment():
    largest = 0
    for case in cases():
        if len(case.track) and max(len(np.unique(case.track[case.place == n])) for n in set(case.place)) > 8:
            continue  # too many to try
        wanted = [naive(case, n) for n in range(len(case.target_xy))]
        (block,) = track_frames(*case.arrays)
        np.testing.assert_allclose(ospa2(block), wanted, rtol=0, atol=1e-9)
        assert scores_of_tracks(*case.arrays).ospa2 == pytest.approx(np.mean(wanted), abs=1e-9)
        largest += 1
    assert largest >= 150


def test_known_tracks():
    # Two targets in four frames; one found but for its last frame at 0.1 px, and a track of nothing.
    target_xy = np.tile(np.array([[5.0, 5.0], [6.0, 6.0]]), (1, 4, 1, 1))
    rows = [(0, 5.1, 5.0, 1), (1, 5.1, 5.0, 1), (2, 5.1, 5.0, 1), (0, 9.0, 9.0, 2), (1, 9.0, 9.0, 3)]
    frame, x, y, track = np.array(rows).T
    (block,) = track_frames(
        target_xy, np.zeros(5, int), frame.astype(int), np.stack([x, y], axis=-1), track.astype(int)
    )
    # (3 * 0.1 + 0.25) / 4 of the found one, the cut-off for the other two of three.
    assert ospa2(block).tolist() == pytest.approx([((0.3 + 0.25) / 4 + 0.5) / 3])
