"""Counts from light, and how sure a fit is."""

import pytest

from csist_bench.methods.fitting.counts import BrightnessLaw
from csist_bench.methods.ml._kernels.search import flux_bracket

LAW = BrightnessLaw(220.0, 250.0, False)


@pytest.mark.parametrize(
    "flux, noise, bracket",
    [(0.0, 1.0, (0, 0)), (235.0, 1.0, (1, 1)), (705.0, 10.0, (3, 3)), (705.0, 30.0, (3, 3)), (3000.0, 10.0, (12, 13))],
)
def test_the_bracket_holds_the_counts_that_agree_with_the_flux(flux, noise, bracket):
    assert flux_bracket(flux, noise, LAW) == bracket


def test_light_between_two_laws_takes_the_nearer_count():
    assert flux_bracket(300.0, 1.0, LAW) == (1, 1)
    assert flux_bracket(400.0, 1.0, LAW) == (2, 2)
