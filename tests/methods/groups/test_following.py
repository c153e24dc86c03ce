"""Groups followed over frames."""

from __future__ import annotations

import numpy as np

from csist_bench.methods.groups.following import LONGEST_GAP, follow


def sightings(*paths):
    """Return the centres of each frame, from paths with None where a group is not seen."""
    return [
        np.array([path[t] for path in paths if path[t] is not None], dtype=float).reshape(-1, 2)
        for t in range(len(paths[0]))
    ]


def test_groups_keep_their_number_while_they_move():
    first = [(10 + t, 5) for t in range(12)]
    second = [(10 + t, 25 - t) for t in range(12)]
    tracks = follow(sightings(second, first))
    assert [track.first for track in tracks] == [0, 0]
    assert tracks[0].centres == first
    assert tracks[1].centres == second


def test_groups_that_cross_the_order_of_rows_are_not_swapped():
    up, down = [(10 + 2 * t, 8) for t in range(10)], [(28 - 2 * t, 20) for t in range(10)]
    tracks = follow(sightings(up, down))
    assert tracks[0].centres == up
    assert tracks[1].centres == down


def test_short_gaps_are_bridged_along_a_line_and_long_ones_are_not():
    path = [(5.0 + t, 7.0) for t in range(14)]
    gap = [*path[:4], *[None] * LONGEST_GAP, *path[4 + LONGEST_GAP :]]
    (track,) = follow(sightings(gap))
    assert track.members[3:8] == [0, -1, -1, -1, 0]
    np.testing.assert_allclose(track.centres, path)
    longer = [*path[:4], *[None] * (LONGEST_GAP + 1), *path[5 + LONGEST_GAP :]]
    assert [track.first for track in follow(sightings(longer))] == [0, 5 + LONGEST_GAP]


def test_births_and_deaths():
    early, late = [(5, 5)] * 3 + [None] * 7, [None] * 6 + [(40, 40)] * 4
    tracks = follow(sightings(early, late))
    assert [(track.first, track.last) for track in tracks] == [(0, 2), (6, 9)]


def test_what_is_too_far_is_another_group():
    assert len(follow(sightings([(5, 5), (5, 9.5)]))) == 2
    assert len(follow(sightings([(5, 5), (5, 8.5)]))) == 1


def test_no_frames_and_frames_without_groups():
    assert follow([]) == []
    assert follow([np.zeros((0, 2))] * 3) == []
