"""`polish` on frames of many cameras, made by plain NumPy."""

import numpy as np
import pytest

from csist_bench.detections import Detections
from csist_bench.methods.ml.method import MaximumLikelihood
from csist_bench.methods.polish.method import Polish
from csist_bench.simulation.camera import PixelMaps
from csist_bench.simulation.optics import grid_from_targets
from tests.helpers.foreign_cases import CASES, case
from tests.helpers.foreign_sequences import SIZE, camera, judge, sequences

ROUGH, ROUGH_LIGHT = 0.05, 8.0  # px and grey levels that answers miss their targets by
DECODED = ("plain", "plane", "two widths", "constant of 1,000, intensity free")


def rough_answers(made, seed=1):
    """Return the truth with errors of its own, and what they are."""
    rng = np.random.default_rng(seed)
    b, t, k = np.nonzero(np.isfinite(made.xy[..., 0]))
    x, y = (made.xy[b, t, k] + rng.normal(0, ROUGH, (len(b), 2))).T
    light = made.flux[b, k] + rng.normal(0, ROUGH_LIGHT, len(b))
    errors = np.full(len(b), ROUGH)
    return Detections(b, t, x, y, np.ones(len(b)), light, errors, errors, np.full(len(b), ROUGH_LIGHT))


@pytest.mark.parametrize("name", CASES)
def test_answers_carried_to_the_likelihood_have_the_errors_predicted(name):
    made, told = case(name, count=40)
    rough = rough_answers(made)
    before, after = judge(rough, made), judge(Polish().refine(rough, made.frames, told), made)
    assert 0.9 < after.spread < 1.1
    assert np.sqrt((after.distance**2).mean()) < 0.9 * np.sqrt((before.distance**2).mean())


@pytest.mark.parametrize("name", DECODED)
def test_maps_are_polished_to_their_targets(name):
    made, told = case(name, count=20)
    light = np.repeat(made.flux[:, None], made.frames.shape[1], axis=1)
    found = Polish().decode(
        grid_from_targets(made.xy, light, told.optics), made.frames, told, MaximumLikelihood().detect
    )
    judged = judge(found, made)
    assert judged.right > 0.99
    assert 0.85 < judged.spread < 1.1  # a cell's error is bounded, and its prior is not


def test_what_a_bad_pixel_reads_changes_no_answer():
    made, bad = sequences(10, count=5, frames=4), np.zeros((SIZE, SIZE), dtype=bool)
    bad[5, 5] = bad[4, 6] = True
    told, rough = camera(maps=PixelMaps(bad=bad), background_law="plane"), rough_answers(made)
    first, second = (Polish().refine(rough, np.where(bad, value, made.frames), told) for value in (-1e3, 1e5))
    for name, column in first.columns().items():
        np.testing.assert_array_equal(column, second.columns()[name], err_msg=name)


def test_a_hot_pixel_far_from_the_group_does_not_draw_the_window_to_itself():
    made, bad = sequences(11, count=5, frames=4), np.zeros((SIZE, SIZE), dtype=bool)
    bad[0, 10] = True
    rough = rough_answers(made)
    told = Polish().refine(rough, np.where(bad, 1e5, made.frames), camera(maps=PixelMaps(bad=bad)))
    without = Polish().refine(rough, made.frames, camera())
    np.testing.assert_allclose(told.x, without.x, atol=1e-6)
    np.testing.assert_allclose(told.sigma_y, without.sigma_y, rtol=1e-6)
