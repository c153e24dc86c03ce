"""Which pairs are told apart, and the statistical limit."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.errors import InputError
from csist_bench.evaluation.resolution import Pairs, bins_of, distance_sd, pairs_of, resolution_limit
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets
from tests.helpers.scenes import detections_of, frames_of, random_scene, truth_of

CAMERA = Camera(Optics(), noise_sigma=2.0)


def test_resolved_pairs_are_those_that_a_plain_count_finds():
    rng = np.random.default_rng(2)
    resolved = total = 0
    for _ in range(200):
        targets, rows = random_scene(rng, most_found=5)
        truth = truth_of(targets, 2, 3)
        wanted = []
        for found, group in frames_of(targets, rows, 3):
            if len(group) != 2:
                continue
            apart = np.hypot(*np.subtract(*group))
            if not apart:
                continue
            near = [any(np.hypot(x - a, y - b) < apart / 2 for _, _, x, y, _ in found) for a, b in group]
            wanted.append((apart, all(near)))
        if not wanted:
            with pytest.raises(InputError, match="no scored frame holds a pair"):
                pairs_of(detections_of(rows), truth)
            continue
        pairs = pairs_of(detections_of(rows), truth)
        np.testing.assert_allclose(pairs.distance, [apart for apart, _ in wanted])
        assert pairs.resolved.tolist() == [told for _, told in wanted]
        resolved, total = resolved + pairs.resolved.sum(), total + len(wanted)
    assert 20 < resolved < total - 20


def test_one_detection_in_the_middle_is_that_of_neither():
    truth = truth_of([[(5.0, 5.0), (6.0, 5.0)]], 1, 1)
    assert not pairs_of(detections_of([(0, 0, 5.5, 5.0, 1)]), truth).resolved.any()
    both = pairs_of(detections_of([(0, 0, 5.49, 5.0, 1), (0, 0, 5.51, 5.0, 1), (0, 0, 9.0, 9.0, 1)]), truth)
    assert both.resolved.all()
    assert both.answers == 3


def test_shares_are_counts_of_bins():
    rng = np.random.default_rng(0)
    n = 500
    pairs = Pairs(rng.uniform(0.1, 2, n), rng.uniform(1, 4, n), np.full(n, 240.0), rng.random(n) < 0.5, 2.0)
    distances, ratios = bins_of(pairs)
    assert (distances[0], distances[-1], len(ratios)) == (0.0, pytest.approx(2.0), 7)
    shares = pairs.shares(distances, ratios)
    for i in range(6):
        for j in range(len(distances) - 1):
            inside = (pairs.ratio >= ratios[i]) & (pairs.ratio <= ratios[i + 1])
            inside &= (pairs.distance >= distances[j]) & (pairs.distance < distances[j + 1])
            if inside.any():
                assert shares[i, j] == pytest.approx(pairs.resolved[inside].mean())
            else:
                assert np.isnan(shares[i, j])


def naive_sd(distance, ratio, brighter, sigma):
    """Invert the Fisher information of rendered frames, by central differences, pair after pair."""
    step, variances = 1e-4, []
    for angle in np.pi * np.arange(8) / 8:
        for x in (-1 / 3, 0, 1 / 3):
            for y in (-1 / 3, 0, 1 / 3):
                u = np.array([np.cos(angle), np.sin(angle)])
                first, second = 5 + np.array([x, y]) + distance * u / 2, 5 + np.array([x, y]) - distance * u / 2
                theta = np.array([*first, brighter, *second, brighter / ratio])

                def frame(values):
                    xy = values.reshape(2, 3)[None, None, :, :2]
                    return frames_from_targets(xy, values.reshape(2, 3)[None, None, :, 2], Optics()).ravel()

                jacobian = np.array([(frame(theta + e) - frame(theta - e)) / (2 * step) for e in step * np.eye(6)])
                gradient = np.array([*u, 0, *-u, 0])
                covariance = np.linalg.inv(jacobian @ jacobian.T / sigma**2)
                variances.append(gradient @ covariance @ gradient)
    return np.sqrt(np.mean(variances))


@pytest.mark.parametrize(("distance", "ratio"), [(0.4, 1.0), (0.7, 3.0), (1.5, 4.0)])
def test_the_standard_error_of_a_distance_is_that_of_rendered_frames(distance, ratio):
    found = distance_sd(np.array([distance]), ratio, 240.0, CAMERA)[0]
    assert found == pytest.approx(naive_sd(distance, ratio, 240.0, 2.0), rel=2e-3)


def test_the_limit_is_the_distance_that_equals_its_standard_error():
    limits = [resolution_limit(ratio, 240.0, CAMERA) for ratio in (1.0, 2.0, 4.0)]
    for ratio, limit in zip((1.0, 2.0, 4.0), limits):
        assert distance_sd(np.array([limit]), ratio, 240.0, CAMERA)[0] == pytest.approx(limit, rel=0.01)
    assert limits == sorted(limits)
    louder = resolution_limit(2.0, 240.0, Camera(Optics(), noise_sigma=4.0))
    assert louder == pytest.approx(resolution_limit(2.0, 120.0, CAMERA))
    assert louder > limits[1]
    assert np.isnan(resolution_limit(1.0, 240.0, Camera(Optics(), noise_sigma=1e-4)))
