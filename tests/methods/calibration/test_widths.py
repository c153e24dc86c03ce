"""The widths from sequences: rough, refined, robust against a few sequences that are counted wrongly."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.methods.calibration.widths import MOST_TARGETS, WidthFinder, _Quadrics, with_widths
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from tests.helpers.unknown_sensors import foreign_sequences

TRUE = (0.62, 0.58)
CAMERA = Camera(Optics(0.5), noise_sigma=2.0, intensity_free=True)


@pytest.fixture(scope="module")
def finder():
    frames, _, _ = foreign_sequences(
        np.random.default_rng(0), n=12, frames=10, psf_sigma=TRUE, counts=(2, 3), radius=0.9, flux=(400, 900)
    )
    return WidthFinder(frames, CAMERA, 9)


def test_the_rough_width_is_near(finder):
    assert finder.rough() == pytest.approx(0.6, rel=0.06)


def test_refined_widths_agree_with_the_truth_within_their_errors(finder):
    found = finder.with_curves(finder.refine(0.57, 0.63))
    for sigma, error, true in zip(found.sigma, found.error, TRUE):
        assert abs(sigma - true) < 4 * error
        assert 0 < error < 0.005
    assert (found.counts > 0).sum() >= 8
    assert found.curves.shape == (2, len(found.relative))
    assert found.curves.argmin(axis=1).tolist() == [len(found.relative) // 2] * 2


def test_numbers_of_targets_are_tried_upwards_while_they_help(finder):
    tried = finder.tried(*TRUE)
    assert tried.shape == (12, MOST_TARGETS + 1)
    best = tried.argmax(axis=1)
    assert set(best) <= {2, 3}
    for row, top in zip(tried, best):
        assert np.isfinite(row[1 : top + 1]).all()
        assert not np.isfinite(row[top + 2 :]).any()


def test_noise_has_no_width():
    noise = np.random.default_rng(0).normal(0, 2, (4, 5, 11, 11))
    assert WidthFinder(noise, CAMERA, 9).refine(0.5, 0.5) is None


def test_sequences_that_stand_apart_are_left_out():
    rng = np.random.default_rng(0)
    hessian = np.tile(np.array([[8.0, 1.0], [1.0, 6.0]]), (20, 1, 1))
    tops = rng.multivariate_normal([0.5, -0.3], 2 * np.linalg.inv(hessian[0]), 20)
    tops[:3] += 20
    gradient = -np.einsum("sij,sj->si", hessian, tops)
    quadrics = _Quadrics(np.arange(20), np.full(20, 2), gradient, hessian)
    kept = quadrics.agreeing()
    assert not kept[:3].any()
    assert kept[3:].sum() >= 15
    top, error = quadrics.top(kept)
    assert (np.abs(top - [0.5, -0.3]) < 4 * error).all()


def test_another_width_is_exact_and_one_where_both_are_equal():
    assert with_widths(CAMERA, 0.6, 0.6).psf_sigma_xy is None
    assert with_widths(CAMERA, 0.6, 0.5).widths == (0.6, 0.5)
