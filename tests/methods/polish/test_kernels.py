"""Targets taken out of a heat map by mass."""

import numpy as np

from csist_bench.methods.fitting.counts import BrightnessLaw
from csist_bench.methods.polish._kernels import places_from_map

LAW = BrightnessLaw(220.0, 250.0, False)


def test_nodes_are_split_by_mass_and_smeared_targets_joined():
    places = np.zeros((4, 2))
    mass = np.zeros((33, 33))
    mass[16, 16], mass[16, 17] = 470.0, 235.0
    assert places_from_map(mass.copy(), 3, LAW, 3, places) == 3
    middle = (16 - 1) / 3
    assert np.hypot(*(places[:3] - [middle, middle]).T).max() < 1 / 3 + 0.01
    assert len({tuple(p) for p in places[:3].round(9).tolist()}) == 3

    mass[:] = 0.0
    mass[10, 10], mass[10, 11] = 130.0, 105.0
    assert places_from_map(mass.copy(), 1, LAW, 3, places) == 1
    np.testing.assert_allclose(places[0], [(10 + 105 / 235 - 1) / 3, (10 - 1) / 3])
    assert places_from_map(mass.copy(), 2, LAW, 3, places) == 1
