"""Jaccard and efficiency, intensities, and claimed errors of true positives."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest
from scipy.stats import chi2

from csist_bench.detections import Detections
from csist_bench.evaluation.estimates import EFFICIENCY_ALPHA, ELLIPSES, pairs
from csist_bench.evaluation.matching import match
from csist_bench.evaluation.report import DetailOptions, evaluate
from tests.helpers.scenes import detections_of, frames_of, random_scene, truth_of
from tests.reference import naive_scoring as naive


def estimates_of(detections, truth, matching="nearest"):
    matched = match(detections, truth, matching=matching)
    return pairs(matched, truth).estimates(np.ones(len(matched.frame), dtype=bool), truth.n_targets)


def naive_estimates(frames, columns):
    """Return the figures from plain loops; `columns` gives intensity, sigma_x, sigma_y of a detection row."""
    apart, light, normalised, found, targets = [], [], [], 0, 0
    for detections, points in frames:
        found, targets = found + len(detections), targets + len(points)
        for hit in naive.nearest_hits(detections, points, 0.25):
            x, y, brightness = min(points, key=lambda point: naive.distance(hit, point))
            apart.append(math.hypot(hit[2] - x, hit[3] - y))
            intensity, sigma_x, sigma_y = columns[hit]
            light.append(intensity / brightness - 1)
            normalised.append(((hit[2] - x) / sigma_x) ** 2 + ((hit[3] - y) / sigma_y) ** 2)
    jaccard = 100 * len(apart) / (targets + found - len(apart))
    rms = [math.sqrt(sum(v * v for v in values) / len(values)) for values in (apart, light)]
    inside = [sum(v <= chi2.ppf(p, 2) for v in normalised) / len(normalised) for p in (0.68, 0.95)]
    efficiency = 100 - math.sqrt((100 - jaccard) ** 2 + (212 * rms[0]) ** 2)
    bias = 100 * sum(light) / len(light)
    return (jaccard, efficiency, bias, 100 * rms[1], sum(normalised) / len(normalised) / 2, *(100 * i for i in inside))


def test_equal_plain_loops():
    rng = np.random.default_rng(9)
    tried = 0
    while tried < 60:
        targets, rows = random_scene(rng)
        brightness = [rng.uniform(200, 260, len(group)) for group in targets]
        truth = truth_of(targets, 2, 3, intensity=brightness)
        columns = {row: (rng.uniform(100, 300), *rng.uniform(0.02, 0.2, 2)) for row in rows}
        table = np.array([columns[row] for row in rows]).reshape(-1, 3).T
        found = detections_of(rows, intensity=table[0], sigma_x=table[1], sigma_y=table[2])
        frames = [
            (detections, [(*xy, light) for xy, light in zip(points, brightness[index])])
            for index, (detections, points) in enumerate(frames_of(targets, rows, 3))
        ]
        if not any(naive.nearest_hits(*frame, 0.25) for frame in frames):
            continue
        tried += 1
        assert astuple(estimates_of(found, truth)) == pytest.approx(naive_estimates(frames, columns), abs=1e-9)


def test_ellipses_are_those_of_a_normal_distribution():
    assert pytest.approx(chi2.ppf([0.68, 0.95], 2)) == ELLIPSES


@pytest.mark.parametrize(("claimed", "nees"), [(1.0, 1.0), (0.5, 4.0), (2.0, 0.25)])
def test_errors_as_large_as_claimed_have_nees_1_and_the_coverage_they_claim(claimed, nees):
    rng = np.random.default_rng(5)
    n, sigma = 20000, np.array([0.03, 0.05])
    offset = rng.normal(0, sigma, (n, 2))
    rows = [(0, f, 5 + dx, 5 + dy, 1.0) for f, (dx, dy) in enumerate(offset)]
    found = detections_of(rows, sigma_x=np.full(n, claimed * sigma[0]), sigma_y=np.full(n, claimed * sigma[1]))
    result = estimates_of(found, truth_of([[(5, 5)]] * n, 1, n))
    assert result.nees == pytest.approx(nees, rel=0.03)
    shares = 100 * chi2.cdf(chi2.ppf([0.68, 0.95], 2) * claimed**2, 2)
    assert [result.coverage_68, result.coverage_95] == pytest.approx(shares, abs=1)


def test_detections_without_errors_are_left_out_of_the_calibration():
    rows = [(0, 0, 5.1, 5, 2), (0, 0, 7, 7.05, 1)]
    found = detections_of(rows, sigma_x=np.array([np.nan, 0.05]), sigma_y=np.array([np.nan, 0.05]))
    truth = truth_of([[(5, 5), (7, 7)]], 1, 1)
    assert estimates_of(found, truth).nees == pytest.approx(0.5)
    without = estimates_of(detections_of(rows), truth)
    assert np.isnan([without.nees, without.coverage_68, without.coverage_95, without.intensity_bias]).all()
    assert without.jaccard == 100


def test_known_figures_and_those_of_nothing():
    truth = truth_of([[(5, 5), (7, 7)]], 1, 1)
    result = estimates_of(detections_of([(0, 0, 5.1, 5, 2), (0, 0, 9, 9, 1)]), truth)
    assert result.jaccard == pytest.approx(100 / 3)  # one found, one missed, one false
    assert result.efficiency == pytest.approx(100 - math.hypot(200 / 3, 0.1 * EFFICIENCY_ALPHA))
    nothing = estimates_of(Detections.empty(), truth)
    assert (nothing.jaccard, np.isnan(nothing.efficiency)) == (0, True)


def test_the_hungarian_variant_takes_its_own_pairs():
    # The first answer is nearest to the target at 5 but is paired with the other, so that both are hit.
    truth = truth_of([[(5, 5), (5.3, 5)]], 1, 1, intensity=[[100.0, 200.0]])
    found = detections_of([(0, 0, 5.1, 5, 2), (0, 0, 4.9, 5, 1)], intensity=np.array([200.0, 100.0]))
    assert estimates_of(found, truth).intensity_bias == pytest.approx(100)
    assert estimates_of(found, truth, "hungarian").intensity_bias == pytest.approx(0)


def test_details_hold_them_flat_and_broken_down():
    truth = truth_of([[(5, 5)], [(5, 5), (7, 7)]], 1, 2)
    report = evaluate(
        detections_of([(0, 0, 5, 5, 1), (0, 1, 5, 5, 1)]), truth, full=True, options=DetailOptions(bootstrap=0)
    )
    table = report.to_dict()
    assert table["figures"]["jaccard"] == pytest.approx(200 / 3)
    assert [row["jaccard"] for row in table["by_targets"]] == [100, 50]
    assert table["figures"]["nees"] is None
    assert "estimates" not in table["figures"]
