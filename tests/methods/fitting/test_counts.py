"""Numbers of targets from light."""

import numpy as np
import pytest

from csist_bench.methods.fitting.counts import (
    blank_frames,
    count_candidates,
    intensity_law,
    row_medians,
    varying_trajectories,
)
from csist_bench.methods.fitting.survey import Survey
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics

CAMERA = Camera(Optics(), noise_sigma=2.0)


def survey_of(flux, flags=None):
    f = len(flux)
    centroids = np.column_stack([np.full((f, 2), 5.0), flux])
    return Survey(np.zeros((f, 5, 5)), np.full((f, 2), 3), centroids, np.asarray(flags or [0] * f))


def test_the_law_is_uniform_and_never_without_width():
    assert intensity_law(CAMERA) == (235.0, 30 / 12**0.5)
    assert intensity_law(Camera(Optics(), intensity_min=200.0, intensity_max=200.0)) == (200.0, pytest.approx(0.2))


def test_light_tells_the_count_and_missing_light_leaves_it_open_upwards():
    survey = survey_of([470.0, 470.0, 705.0, 5000.0, 0.0], [0, 1, 0, 0, 0])
    members = np.array([[0], [1], [2], [3], [-1]])
    allowed = count_candidates(survey, members, CAMERA, 8)
    assert [np.flatnonzero(row).tolist() for row in allowed] == [[2], [2, 3, 4], [3], [8], []]


def test_blank_frames_and_changing_light_are_seen():
    survey = survey_of([470.0, 472.0, 0.0, 470.0, 940.0, 940.0])
    blank = blank_frames(survey, CAMERA)
    assert blank.tolist() == [False, False, True, False, False, False]
    assert varying_trajectories(survey, blank, (2, 3), CAMERA).tolist() == [False, True]


@pytest.mark.parametrize("frames", [1, 2, 5, 20])
def test_medians_have_the_bits_of_numpys(frames):
    rng = np.random.default_rng(frames)
    values = rng.standard_normal((50, frames))
    values[rng.random(values.shape) < 0.3] = np.nan
    values[3] = np.nan
    found = row_medians(values)
    for row, median in zip(values, found, strict=True):
        left = row[~np.isnan(row)]
        assert median == (np.median(left) if len(left) else 0.0)
