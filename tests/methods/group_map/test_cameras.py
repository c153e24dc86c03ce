"""`group-map` on groups of its own law seen by other cameras, made by plain NumPy."""

from dataclasses import replace

import numpy as np
import pytest

from csist_bench.methods.group_map.method import GroupMap
from csist_bench.simulation.camera import PixelMaps
from tests.helpers.foreign_sequences import SIZE, camera, judge, sequences

BAD = np.zeros((SIZE, SIZE), dtype=bool)
BAD[5, 8] = True
GROUPS = {"crosses": True, "radius": 0.307, "targets": (2, 4)}
CASES = {
    "plain": ({}, {}),
    "two widths": ({"widths": (0.6, 0.5)}, {"widths": (0.6, 0.5)}),
    "constant": ({"level": 1000.0}, {"background_law": "constant"}),
    "plane": ({"level": 40.0, "slope": (1.0, -0.7)}, {"background_law": "plane"}),
    "shot noise": ({"gain": 0.2}, {"shot_gain": 0.2}),
    "shot noise of a constant": ({"gain": 0.2, "level": 150.0}, {"shot_gain": 0.2, "background_law": "constant"}),
    "shot noise of a level": ({"gain": 0.2, "level": 150.0}, {"shot_gain": 0.2, "background": 150.0}),
}


@pytest.mark.parametrize("name", CASES)
def test_groups_are_found_with_the_errors_predicted(name):
    facts, fields = CASES[name]
    made = sequences(21, count=60, frames=10, **GROUPS, **facts)
    judged = judge(GroupMap().detect(made.frames, camera(**fields)), made)
    assert judged.right == 1
    assert np.quantile(judged.distance, 0.95) < 0.06
    assert 0.75 < judged.spread < 1.25


def test_an_unknown_background_costs_little():
    facts, fields = CASES["plane"]
    made = sequences(22, count=40, frames=10, **GROUPS, **facts)
    row, column = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    known = judge(GroupMap().detect(made.frames - (40 + column - 0.7 * row), camera()), made)
    fitted = judge(GroupMap().detect(made.frames, camera(**fields)), made)
    assert np.median(fitted.distance) < 1.2 * np.median(known.distance)


def test_a_hot_pixel_beside_the_group_is_filled_in_where_it_is_told():
    made = sequences(23, count=20, frames=10, **GROUPS)
    hot = replace(made, frames=np.where(BAD, 4000.0, made.frames))
    told = judge(GroupMap().detect(hot.frames, camera(maps=PixelMaps(bad=BAD))), made)
    without = judge(GroupMap().detect(made.frames, camera()), made)
    assert told.right == without.right == 1
    assert np.median(told.distance) < 1.3 * np.median(without.distance)
