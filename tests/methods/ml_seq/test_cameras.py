"""`ml-seq` on sequences of many cameras, made by plain NumPy: counts, errors over predicted, and the PSF's widths."""

from dataclasses import replace

import numpy as np
import pytest

from csist_bench.methods.ml_seq.method import SequenceMaximumLikelihood
from csist_bench.simulation.camera import PixelMaps
from csist_bench.simulation.spline_psf import SplinePsf
from tests.helpers.foreign_cases import CASES, case
from tests.helpers.foreign_sequences import SIZE, camera, judge, sequences

ML_SEQ = SequenceMaximumLikelihood()
FITTED = SequenceMaximumLikelihood(width="trajectory")
SIX_PERCENT = (0.53, 0.53)


@pytest.mark.parametrize("name", CASES)
def test_counts_are_right_and_errors_are_those_predicted(name):
    made, told = case(name)
    judged = judge(ML_SEQ.detect(made.frames, told), made)
    assert judged.right == 1
    assert 0.9 < judged.spread < 1.1


def test_a_width_six_percent_off_is_found_and_its_error_counts():
    made = sequences(11, count=120, frames=10, widths=SIX_PERCENT)
    judged = judge(FITTED.detect(made.frames, camera()), made)
    assert judged.right == 1
    assert 0.9 < judged.spread < 1.1
    assert judge(ML_SEQ.detect(made.frames, camera()), made).spread > 1.3


@pytest.mark.parametrize("psf", ["gaussian", "spline"])
def test_both_widths_come_out_within_their_scatter(psf):
    made = sequences(12, count=40, frames=20, widths=(0.53, 0.48))
    told = camera(psf=SplinePsf.from_gaussian(0.5, 0.5) if psf == "spline" else None)
    widths = FITTED.fit(made.frames, told).widths
    mean, scatter = widths.mean(axis=0), widths.std(axis=0)
    assert (scatter < 0.02 * 0.5).all()  # 0.7 % is what 20 frames tell
    truth = np.array([0.53, 0.48])
    # The spline holds the pixel, which is stretched with it: sigma^2 + 1 / 12 is what is multiplied.
    if psf == "spline":
        truth = 0.5 * np.sqrt((truth**2 + 1 / 12) / (0.25 + 1 / 12))
    assert (np.abs(mean - truth) < 3 * scatter / np.sqrt(40) + (0.004 if psf == "spline" else 0)).all()


def test_widths_are_the_cameras_where_they_are_not_fitted():
    made = sequences(13, count=2, frames=5, widths=(0.6, 0.5))
    np.testing.assert_array_equal(ML_SEQ.fit(made.frames, camera((0.6, 0.5))).widths, [[0.6, 0.5]] * 2)


@pytest.mark.parametrize(
    "error,free,fitted", [(0.004, False, False), (0.006, False, True), (0.024, True, False), (0.026, True, True)]
)
def test_a_width_is_fitted_from_an_error_of_one_percent_on_or_five_where_intensities_are_free(error, free, fitted):
    made = sequences(14, count=2, frames=5)
    told = camera(psf_sigma_error=(error, error), intensity_free=free)
    assert (ML_SEQ.fit(made.frames, told).widths != 0.5).all() == fitted
    assert (SequenceMaximumLikelihood(width="camera").fit(made.frames, told).widths == 0.5).all()


def test_the_cameras_error_is_the_prior_of_the_widths():
    made = sequences(15, count=6, frames=3, widths=SIX_PERCENT)
    loose = FITTED.fit(made.frames, camera(psf_sigma_error=(0.05, 0.05))).widths
    tight = FITTED.fit(made.frames, camera(psf_sigma_error=(1e-4, 1e-4))).widths
    assert np.abs(tight - 0.5).max() < 1e-3
    assert loose.mean() > 0.515


def test_fitting_widths_helps_where_the_camera_knows_them_to_five_percent():
    rng, better = np.random.default_rng(16), []
    for wrong in rng.normal(0.0, 0.05, 8):
        made = sequences(17, count=15, frames=20, widths=(0.5, 0.5))
        width = 0.5 * (1 + wrong)
        told = camera((width, width), psf_sigma_error=(0.05 * width, 0.05 * width))
        fitted = judge(ML_SEQ.detect(made.frames, told), made, every=5)
        kept = judge(SequenceMaximumLikelihood(width="camera").detect(made.frames, told), made, every=5)
        better.append((np.sqrt((fitted.distance**2).mean()), np.sqrt((kept.distance**2).mean())))
    fitted, kept = np.sqrt((np.array(better) ** 2).mean(axis=0))
    assert fitted < 0.8 * kept


def test_a_spline_of_a_gaussian_answers_as_the_gaussian_does():
    made = sequences(18, count=10, frames=10, widths=(0.6, 0.5))
    told = camera((0.6, 0.5))
    gaussian = ML_SEQ.detect(made.frames, told).ordered()
    spline = ML_SEQ.detect(made.frames, replace(told, psf=SplinePsf.from_gaussian(0.6, 0.5))).ordered()
    np.testing.assert_array_equal(spline.frame, gaussian.frame)
    apart = np.hypot(spline.x - gaussian.x, spline.y - gaussian.y) / gaussian.sigma_x
    assert apart.max() < 0.1
    np.testing.assert_allclose(spline.sigma_x, gaussian.sigma_x, rtol=0.01)


def test_an_airy_pattern_told_as_a_gaussian_is_wrong():
    made, told = case("Airy", count=20)
    bright = 20 * made.light + 2 * np.random.default_rng(1).standard_normal(made.light.shape)
    told = replace(told, intensity_min=20 * 220.0, intensity_max=20 * 250.0)
    right = judge(ML_SEQ.detect(bright, told), made)
    wrong = judge(ML_SEQ.detect(bright, replace(told, psf=None)), made)
    assert wrong.spread > 3 * right.spread
    assert np.median(wrong.distance) > 3 * np.median(right.distance)


def test_a_hot_pixel_beside_the_group_is_no_target_where_it_is_told():
    made, bad = sequences(19, count=20, frames=10), np.zeros((SIZE, SIZE), dtype=bool)
    bad[5, 8] = True
    without = judge(ML_SEQ.detect(made.frames, camera()), made)
    with_it = judge(ML_SEQ.detect(np.where(bad, 4000.0, made.frames), camera(maps=PixelMaps(bad=bad))), made)
    assert with_it.right == without.right == 1
    assert np.median(with_it.distance) < 1.1 * np.median(without.distance)
    assert 0.8 < with_it.spread < 1.2


def test_what_a_bad_pixel_reads_changes_no_answer():
    made, bad = sequences(20, count=3, frames=6), np.zeros((SIZE, SIZE), dtype=bool)
    bad[5, 5] = bad[4, 6] = True
    told = camera(maps=PixelMaps(bad=bad), background_law="constant")
    first, second = (ML_SEQ.detect(np.where(bad, value, made.frames), told) for value in (-1e3, 1e5))
    for name, column in first.columns().items():
        np.testing.assert_array_equal(column, second.columns()[name], err_msg=name)


@pytest.mark.parametrize("name", ["plain", "plane", "intensity free"])
def test_counts_that_are_known_are_answered(name):
    made, told = case(name, count=12)
    asked = np.where(np.arange(12) % 3 == 0, made.count + 1, made.count)
    asked[-1] = 0
    fit = ML_SEQ.fit(made.frames, told, counts=asked)
    per_frame = np.zeros(made.frames.shape[:2], int)
    np.add.at(per_frame, (fit.detections.trajectory, fit.detections.frame), 1)
    np.testing.assert_array_equal(per_frame, np.repeat(asked[:, None], 10, axis=1))
    tried = np.isfinite(fit.log_evidence)
    np.testing.assert_array_equal(tried[:-1], np.arange(tried.shape[1]) == asked[:-1, None])
    assert not tried[-1].any()
