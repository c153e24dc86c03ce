"""Scores that are lowered where answers do not explain their frame."""

import math
from dataclasses import replace

import numpy as np
import pytest

from csist_bench.conventions import THRESHOLDS
from csist_bench.errors import InputError
from csist_bench.methods.inference import header_of, unmix_each
from csist_bench.methods.misfit import SURE, BlockMisfit, misfit_of_block
from csist_bench.methods.misfit_scores import expected_hits, lowered, variance_growth
from csist_bench.methods.scope import Scope
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from tests.methods.test_misfit import CAMERA, frames_of, truth_of

ERROR = 0.08  # px


def stated(found):
    error = np.full(len(found), ERROR)
    return replace(found, sigma_x=error, sigma_y=error, score=np.full(len(found), 0.5))


def with_one_odd_frame(**made):
    frames = frames_of(**made)
    frames[1, 2, 3:7, 5] += 15.0
    return frames


def test_expected_hits_are_those_of_a_round_error():
    rng = np.random.default_rng(0)
    distance = np.hypot(*rng.normal(0, ERROR, (2, 200_000)))
    hits = np.mean([(distance <= d).mean() for d in THRESHOLDS])
    assert expected_hits(np.array([ERROR**2]))[0] == pytest.approx(hits, abs=4 * 0.5 / math.sqrt(200_000))
    assert expected_hits(np.array([0.0, np.inf])).tolist() == [1.0, 0.0]


def test_only_the_frame_that_does_not_fit_falls_and_by_what_larger_errors_cost():
    frames, found = with_one_odd_frame(), stated(truth_of())
    left = misfit_of_block(frames, found, CAMERA)
    answers = lowered(found, left, CAMERA, "ml")
    odd = (found.trajectory == 1) & (found.frame == 2)
    np.testing.assert_array_equal(answers.score[~odd], found.score[~odd])
    growth = left.chi2[1, 2] / 121
    naive = [np.mean([1 - math.exp(-0.5 * d * d / (s * ERROR**2)) for d in THRESHOLDS]) for s in (growth, 1.0)]
    np.testing.assert_allclose(answers.score[odd], 0.5 * naive[0] / naive[1], rtol=1e-12)
    assert (answers.score[odd] < 0.45).all()
    np.testing.assert_array_equal(answers.x, found.x)


def test_chance_is_allowed_up_to_four_standard_errors():
    expected = 100.0
    limit = expected + SURE * math.sqrt(2 * expected)
    one = np.ones((1, 3))
    left = BlockMisfit(
        np.array([[limit, limit + 1e-6, 0.0]]), one, np.full((1, 3), 103), one, one.astype(int), np.full((1, 3), 3)
    )
    np.testing.assert_allclose(variance_growth(left, CAMERA), [[1.0, limit / expected, 1.0]], rtol=1e-6)


def test_without_noise_what_is_left_counts_against_the_peak():
    camera = Camera(Optics())
    frames = with_one_odd_frame(sigma=0.0)
    growth = variance_growth(misfit_of_block(frames, stated(truth_of()), camera), camera)
    assert growth[1, 2] > 100
    growth[1, 2] = 1.0
    assert (growth == 1.0).all()


def test_answers_that_cannot_be_judged_are_refused():
    found = truth_of()
    left = misfit_of_block(frames_of(), found, CAMERA)
    with pytest.raises(InputError, match=r"net: .* state no standard errors; leave --lower-scores out"):
        lowered(found, left, CAMERA, "net")
    with pytest.raises(InputError, match="answers on a grid"):
        lowered(stated(found), None, CAMERA, "net")


def test_a_run_lowers_them_and_says_so_in_its_header(tiny):
    source = tiny.split("test")
    plain = unmix_each(source, "ml", ["grid"], scope=Scope(first=1))[0]
    done = unmix_each(source, "ml", ["grid"], scope=Scope(first=1, lower_scores=True))[0]
    np.testing.assert_array_equal(done.detections.score, plain.detections.score)
    assert header_of(source, done).method["lower_scores"] is True
    assert "lower_scores" not in header_of(source, plain).method
    with pytest.raises(InputError, match=r"ista: .*answers on a grid"):
        unmix_each(source, "ista", ["grid"], scope=Scope(first=1, lower_scores=True))
