"""`ml` on frames of many cameras, made by plain NumPy: counts, errors, and errors over predicted."""

from dataclasses import replace

import numpy as np
import pytest

from csist_bench.methods.ml.method import MaximumLikelihood
from csist_bench.simulation.camera import PixelMaps
from csist_bench.simulation.spline_psf import SplinePsf
from tests.helpers.foreign_cases import CASES, case
from tests.helpers.foreign_sequences import SIZE, camera, judge, sequences

ML = MaximumLikelihood()


@pytest.mark.parametrize("name", CASES)
def test_counts_are_right_and_errors_are_those_predicted(name):
    made, told = case(name)
    judged = judge(ML.detect(made.frames, told), made)
    # Single frames of free brightness do not always tell one target from two.
    assert judged.right > (0.93 if told.intensity_free else 0.99)
    assert 0.9 < judged.spread < 1.1


def test_a_background_costs_little_and_leaving_it_out_everything():
    made, told = case("plane", count=30)
    known = judge(ML.detect(made.frames - plane(), camera()), made).distance
    fitted = judge(ML.detect(made.frames, told), made).distance
    assert np.median(fitted) < 1.1 * np.median(known)
    assert judge_count(ML.detect(made.frames - 30, camera()), made) < 0.5


def plane():
    row, column = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    return 40 + column - 0.7 * row


def test_a_spline_of_a_gaussian_answers_as_the_gaussian_does():
    made = sequences(8, count=10, frames=5, widths=(0.6, 0.5))
    told = camera((0.6, 0.5))
    gaussian = ML.detect(made.frames, told).ordered()
    spline = ML.detect(made.frames, replace(told, psf=SplinePsf.from_gaussian(0.6, 0.5))).ordered()
    np.testing.assert_array_equal(spline.frame, gaussian.frame)
    apart = np.hypot(spline.x - gaussian.x, spline.y - gaussian.y) / gaussian.sigma_x
    # A fit ends where a step gains less than 0.1 of cost, 0.3 standard deviations.
    assert np.median(apart) < 0.01
    assert apart.max() < 0.3
    np.testing.assert_allclose(spline.sigma_x, gaussian.sigma_x, rtol=0.05)


def test_an_airy_pattern_told_as_a_gaussian_is_wrong():
    # Bright: the error of the model, 1 % of the light, has to show beside the noise.
    made, told = case("Airy", count=20)
    bright = replace(made, frames=8 * made.light + 2 * np.random.default_rng(1).standard_normal(made.light.shape))
    told = replace(told, intensity_min=8 * 220.0, intensity_max=8 * 250.0)
    right = judge(ML.detect(bright.frames, told), made)
    wrong = judge(ML.detect(bright.frames, replace(told, psf=None)), made)
    assert right.spread < 1.2
    assert wrong.spread > 3 * right.spread
    assert np.median(wrong.distance) > 3 * np.median(right.distance)


def test_a_hot_pixel_beside_the_group_is_no_target_where_it_is_told():
    made, bad = sequences(9, count=20, frames=5), np.zeros((SIZE, SIZE), dtype=bool)
    bad[5, 8] = True
    hot = np.where(bad, 4000.0, made.frames)
    told = camera(maps=PixelMaps(bad=bad))
    without = judge(ML.detect(made.frames, camera()), made)
    with_it = judge(ML.detect(hot, told), made)
    assert with_it.right == without.right == 1
    assert np.median(with_it.distance) < 1.1 * np.median(without.distance)
    assert 0.85 < with_it.spread < 1.15
    assert judge_count(ML.detect(hot, camera()), made) < 0.1


def judge_count(found, made):
    per_frame = np.zeros(made.frames.shape[:2], int)
    np.add.at(per_frame, (found.trajectory, found.frame), 1)
    return (per_frame == made.count[:, None]).mean()


def test_what_a_bad_pixel_reads_changes_no_answer():
    made, bad = sequences(10, count=5, frames=4), np.zeros((SIZE, SIZE), dtype=bool)
    bad[5, 5] = bad[4, 6] = True
    told = camera(maps=PixelMaps(bad=bad), background_law="constant")
    first, second = (ML.detect(np.where(bad, value, made.frames), told) for value in (-1e3, 1e5))
    for name, column in first.columns().items():
        np.testing.assert_array_equal(column, second.columns()[name], err_msg=name)


def test_a_noisy_pixel_told_as_quiet_is_believed_too_much():
    made, told = case("noise of single pixels", count=60)
    mean = float(np.sqrt((told.maps.noise_sigma**2).mean()))
    weighed = judge(ML.detect(made.frames, told), made)
    alike = judge(ML.detect(made.frames, camera(noise_sigma=mean)), made)
    assert np.sqrt((weighed.distance**2).mean()) < 0.97 * np.sqrt((alike.distance**2).mean())


def test_shot_noise_left_out_makes_errors_too_small():
    made, told = case("shot noise on a told level", count=30)
    assert judge(ML.detect(made.frames, replace(told, shot_gain=0.0)), made).spread > 1.5
