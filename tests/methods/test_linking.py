"""Detections linked to tracks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from csist_bench.detections import Detections
from csist_bench.errors import InputError
from csist_bench.methods import linking as module
from csist_bench.methods.linking import LinkSettings, most_together, with_tracks
from tests.helpers.track_cases import random_case
from tests.reference import naive_linking


def rows_of(place, frame, xy, **more):
    one = np.ones(len(place))
    place, frame = np.asarray(place, np.int64), np.asarray(frame, np.int64)
    return Detections(place, frame, np.array(xy)[:, 0], np.array(xy)[:, 1], one, **more)


def paths(*each, frames=range(8)):
    """Return detections of targets that start at (x, y) and go (dx, dy) a frame."""
    rows = [(t, x + dx * t, y + dy * t) for x, y, dx, dy in each for t in frames]
    frame, x, y = np.array(rows).T
    return rows_of(np.zeros(len(rows)), frame, np.stack([x, y], axis=-1))


def same_partition(one, other):
    return len(set(zip(one.tolist(), other.tolist()))) == len(set(one.tolist())) == len(set(other.tolist()))


@pytest.mark.parametrize("settings", [LinkSettings(), LinkSettings(noise=0.05, speed=0.3, misses=0)])
def test_it_equals_one_trajectory_at_a_time(settings):
    several = 0
    for seed in range(60):
        case = random_case(seed)
        if not len(case.place):
            continue
        found = with_tracks(rows_of(case.place, case.frame, case.xy), settings)
        for n in set(case.place.tolist()):
            mine = case.place == n
            wanted = naive_linking.link(
                case.frame[mine], case.xy[mine], settings.noise, settings.speed, settings.misses
            )
            assert same_partition(found.track[mine], wanted)
            assert sorted(set(found.track[mine].tolist())) == list(range(len(set(wanted.tolist()))))
        several += len(set(case.place.tolist())) > 1
    assert several > 10


def test_neither_the_order_of_rows_nor_the_size_of_batches_changes_anything(monkeypatch):
    cases = [random_case(seed) for seed in range(20)]
    found = rows_of(
        np.concatenate([3 * n + case.place for n, case in enumerate(cases)]),
        np.concatenate([case.frame for case in cases]),
        np.concatenate([case.xy for case in cases]),
    )
    whole = with_tracks(found).track
    order = np.random.default_rng(0).permutation(len(found))
    assert with_tracks(found.select(order)).track.tolist() == whole[order].tolist()
    monkeypatch.setattr(module, "LARGEST_TABLE", 1)
    assert with_tracks(found).track.tolist() == whole.tolist()


def test_targets_whose_paths_cross_are_kept_apart():
    found = with_tracks(paths((4.0, 5.0, 0.12, 0.0), (4.84, 5.3, -0.12, 0.0)), LinkSettings(noise=0.05, speed=0.2))
    assert found.track.tolist() == [0] * 8 + [1] * 8


def test_a_gap_is_bridged_up_to_the_misses():
    found = paths((4.0, 5.0, 0.05, 0.02), frames=[0, 1, 2, 6, 7])
    assert with_tracks(found, LinkSettings(misses=3)).track.tolist() == [0] * 5
    assert with_tracks(found, LinkSettings(misses=2)).track.tolist() == [0, 0, 0, 1, 1]


def test_what_fits_nowhere_is_a_track_of_its_own():
    found = paths((4.0, 5.0, 0.05, 0.0))
    stray = rows_of([0], [4], [[8.0, 8.0]])
    joined = with_tracks(
        rows_of(np.zeros(9), np.append(found.frame, 4), np.stack([[*found.x, 8.0], [*found.y, 8.0]]).T)
    )
    assert joined.track.tolist() == [0] * 8 + [1]
    assert with_tracks(stray).track.tolist() == [0]
    assert with_tracks(Detections.empty()).track.tolist() == []


def test_all_but_the_track_stays_as_it_is():
    case = random_case(5)
    found = rows_of(case.place, case.frame, case.xy)
    linked = with_tracks(found)
    for name, column in found.columns().items():
        assert linked.columns()[name] is column


def test_tracks_that_are_known_stay_whole_and_are_linked_to_one_another():
    # Two pieces a target, that trade places within the first piece of each: what is known wins.
    found = paths((4.0, 5.0, 0.05, 0.0), (4.0, 5.4, 0.05, 0.0))
    known = np.array([7, 7, 9, 7, -2, -2, -2, -2, 9, 9, 7, 9, 30, 30, 30, 30])
    track = with_tracks(replace(found, track=known)).track
    # From frame 4 on, each goes on with the track whose expected place is nearer.
    assert track.tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1, 1, 1, 1]


def test_a_known_track_keeps_its_gap_longer_than_a_miss():
    found = paths((4.0, 5.0, 0.05, 0.0), frames=[0, 1, 9, 10])
    assert with_tracks(replace(found, track=np.full(4, 3))).track.tolist() == [0] * 4
    assert with_tracks(found).track.tolist() == [0, 0, 1, 1]


def test_a_known_track_takes_nothing_else_in_its_gap():
    found = paths((4.0, 5.0, 0.05, 0.0), frames=range(6))
    assert with_tracks(replace(found, track=np.array([3, 3, 8, 8, 3, 3]))).track.tolist() == [0, 0, 1, 1, 0, 0]


def test_targets_stay_within_their_groups():
    found = paths((4.0, 5.0, 0.05, 0.0))
    apart = with_tracks(replace(found, group=np.array([0, 0, 0, 0, 1, 1, 1, 1])))
    assert apart.track.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert most_together(replace(found, group=np.arange(8))) == 1


def test_more_than_can_be_linked_is_refused():
    many = rows_of(np.zeros(1001), np.zeros(1001), np.random.default_rng(0).random((1001, 2)))
    assert most_together(many) == 1001
    with pytest.raises(InputError, match="detections of a frame must be at most 1000 to be linked, got 1001"):
        with_tracks(many)


@pytest.mark.parametrize("wrong", [{"noise": 0.0}, {"noise": np.nan}, {"speed": -1.0}, {"misses": -1}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=f"{next(iter(wrong))} must be"):
        LinkSettings(**wrong)
