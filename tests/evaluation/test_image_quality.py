"""PSNR and SSIM of label grids."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import correlate1d

from csist_bench.evaluation.image_quality import _grids, image_quality, ssim
from csist_bench.evaluation.matching import match
from csist_bench.evaluation.report import DetailOptions, evaluate
from csist_bench.simulation.optics import Optics, grid_from_targets
from tests.helpers.scenes import detections_of, random_scene, truth_of


def test_ssim_equals_a_plain_filter():
    rng = np.random.default_rng(1)
    a, b = rng.uniform(0, 255, (2, 3, 15, 15))
    offset = np.arange(-5, 6)
    weight = np.exp(-(offset**2) / 4.5)
    weight /= weight.sum()

    def smooth(image):
        return correlate1d(correlate1d(image, weight, axis=0), weight, axis=1)[5:-5, 5:-5]

    for x, y, value in zip(a, b, ssim(a, b)):
        mx, my = smooth(x), smooth(y)
        vx, vy, vxy = smooth(x * x) - mx**2, smooth(y * y) - my**2, smooth(x * y) - mx * my
        top = (2 * mx * my + 2.55**2) * (2 * vxy + 7.65**2)
        bottom = (mx**2 + my**2 + 2.55**2) * (vx + vy + 7.65**2)
        assert value == pytest.approx((top / bottom).mean(), abs=1e-10)
    assert ssim(a, a) == pytest.approx(np.ones(3))


def test_image_quality_is_of_the_label_grids():
    rng = np.random.default_rng(2)
    targets, rows = random_scene(rng, n=1, t=4)
    rows = [(*row[:2], *np.clip(row[2:4], 0, 10), row[4]) for row in rows]
    intensity = rng.uniform(200, 260, len(rows))
    truth = truth_of(targets, 1, 4)
    matched = match(detections_of(rows, intensity=intensity), truth)
    quality = image_quality(matched, truth, 3, 11)
    optics = Optics()
    theirs = grid_from_targets(truth.frame_xy, truth.frame_intensity, optics)
    for index in range(4):
        mine = [i for i, row in enumerate(rows) if row[1] == index]
        xy = np.array([rows[i][2:4] for i in mine]).reshape(-1, 2)
        ours = grid_from_targets(xy, intensity[mine], optics)
        assert quality.squared_error[index] == pytest.approx(np.mean((ours - theirs[index]) ** 2))
        assert quality.ssim[index] == pytest.approx(ssim(ours[None], theirs[index : index + 1])[0])
    everything = np.ones(4, dtype=bool)
    assert quality.psnr(everything) == pytest.approx(10 * np.log10(255**2 / quality.squared_error.mean()))


def test_public_code_takes_each_image_by_itself_in_8_bits():
    """One image equal once rounded, one off by a node of 300 (clipped to 255) against 200.4 (rounded to 200)."""
    truth = truth_of([[(5, 5)], [(5, 5)]], 1, 2, intensity=[[230.0], [200.4]])
    matched = match(detections_of([(0, 0, 5, 5, 1), (0, 1, 5, 5, 1)], intensity=np.array([230.4, 300.0])), truth)
    quality = image_quality(matched, truth, 3, 11)
    assert quality.psnr_8bit == pytest.approx([100, 10 * np.log10(255**2 / (55**2 / 33**2))])
    assert quality.ssim_8bit[0] == pytest.approx(1)
    images = np.zeros((2, 1, 33, 33))
    images[0, 0, 16, 16], images[1, 0, 16, 16] = 255, 200
    assert quality.ssim_8bit[1] == pytest.approx(ssim(*images)[0])
    report = evaluate(matched.detections, truth, full=True, options=DetailOptions(bootstrap=0))
    figures = report.to_dict()["figures"]
    assert figures["psnr_public_code"] == pytest.approx(quality.psnr_8bit.mean())
    assert figures["ssim_public_code"] == pytest.approx(quality.ssim_8bit.mean())


def test_image_quality_of_the_truth_is_perfect_and_needs_intensities():
    truth = truth_of([[(5, 5), (7, 3)]], 1, 1)
    rows = [(0, 0, 5, 5, 1), (0, 0, 7, 3, 1)]
    perfect = image_quality(match(detections_of(rows, intensity=np.full(2, 230.0)), truth), truth, 3, 11)
    assert perfect.psnr(np.ones(1, dtype=bool)) == np.inf
    assert perfect.ssim[0] == pytest.approx(1)
    assert image_quality(match(detections_of(rows), truth), truth, 3, 11) is None
    report = evaluate(detections_of(rows), truth, full=True, options=DetailOptions(bootstrap=5))
    assert report.to_dict()["figures"]["psnr"] is None


def test_frames_beyond_one_block_are_compared_with_their_own_targets(monkeypatch):
    rng = np.random.default_rng(4)
    targets, rows = random_scene(rng, n=7, t=1)
    intensity = rng.uniform(200, 260, len(rows))
    truth = truth_of(targets, 7, 1)
    matched = match(detections_of(rows, intensity=intensity), truth)
    whole = image_quality(matched, truth, 3, 11)
    assert len(set(whole.squared_error)) == 7
    monkeypatch.setattr("csist_bench.evaluation.image_quality.FRAMES_AT_A_TIME", 3)  # blocks of 3, 3 and 1
    parts = image_quality(matched, truth, 3, 11)
    np.testing.assert_array_equal(parts.squared_error, whole.squared_error)
    np.testing.assert_array_equal(parts.ssim, whole.ssim)


def test_x_is_the_column_of_a_label_grid():
    xy, intensity = np.array([[7.0, 3.0], [2.3, 9.1]]), np.array([230.0, 240.0])
    grid = _grids(np.zeros(2, dtype=np.int64), xy, intensity, range(1), 3, 33)[0]
    np.testing.assert_array_equal(grid, grid_from_targets(xy, intensity, Optics()))
    assert (grid[10, 22], grid[28, 8]) == (230.0, 240.0)


@pytest.mark.parametrize("n", [1, 5, 10])
def test_images_smaller_than_the_window_are_compared_by_the_largest_that_fits(n):
    a, b = np.random.default_rng(0).uniform(0, 255, (2, 2, n, n))
    assert ssim(a, a) == pytest.approx([1.0, 1.0])
    assert (ssim(a, b) < 0.9).all()
