"""Samples of a frame's posterior against the posterior by brute force."""

from __future__ import annotations

import itertools
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from csist_bench.methods.fitting.counts import blank_frames, count_candidates
from csist_bench.methods.fitting.grouping import plans_of
from csist_bench.methods.fitting.survey import survey_frames
from csist_bench.methods.group_map._kernels.sampling import Mixture, Samples, sample_frame, samples_of
from csist_bench.methods.group_map.hypotheses import fit_plan
from csist_bench.methods.group_map.method import GroupMap
from csist_bench.methods.group_map.posterior_answers import mixture_of, normal_pairs, samples_for
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets
from csist_bench.simulation.scenes import AXES

Floats = NDArray[np.float64]
RADIUS, SIGMA = 0.307, 5.0
CAMERA = Camera(Optics(), noise_sigma=SIGMA)


def frame_of(arms: tuple[int, ...], centre: tuple[float, float], intensity: list[float], seed: int) -> Floats:
    xy = np.asarray(centre) + RADIUS * AXES[list(arms)]
    clean = frames_from_targets(xy[None, None], np.asarray(intensity)[None, None], CAMERA.optics)[0, 0]
    return np.asarray(clean + SIGMA * np.random.default_rng(seed).normal(size=clean.shape), dtype=np.float64)


def posterior_by_brute_force(frame: Floats, about: Floats) -> tuple[list[tuple[int, ...]], Floats, Floats]:
    """Return direction sets of two targets, their probabilities, and the mean place of each set's reference point.

    The place runs over a regular grid, both intensities over another: all by the pixels' own likelihood.
    """
    sets = list(itertools.combinations(range(4), 2))
    place = np.stack(np.meshgrid(*[np.linspace(-0.3, 0.3, 41)] * 2, indexing="ij"), -1).reshape(-1, 2)
    light = np.stack(np.meshgrid(*[np.linspace(221.5, 248.5, 10)] * 2, indexing="ij"), -1).reshape(-1, 2)
    evidence, means = np.empty(len(sets)), np.empty((len(sets), 2))
    for i, chosen in enumerate(sets):
        centre = about + place - RADIUS * AXES[list(chosen)].mean(axis=0)
        unit = np.stack(
            [
                frames_from_targets(
                    (centre + RADIUS * AXES[k])[None, :, None], np.ones((1, len(place), 1)), CAMERA.optics
                )
                for k in chosen
            ]
        )[:, 0]
        one, two = unit.reshape(2, len(place), -1)
        model = light[:, 0, None, None] * one + light[:, 1, None, None] * two
        log = -0.5 * ((frame.ravel() - model) ** 2).sum(axis=-1) / SIGMA**2
        weight = np.exp(log - log.max())
        evidence[i] = np.log(weight.sum()) + log.max()
        means[i] = (weight.sum(axis=0)[:, None] * centre).sum(axis=0) / weight.sum()
    probability = np.exp(evidence - evidence.max())
    return sets, probability / probability.sum(), means


def mixture_of_frame(frame: Floats, start: Literal["free", "integer"] = "free", at: int = 0) -> tuple[Mixture, Floats]:
    """Return the posterior of the last frame of a sequence of at + 1 equal ones, and the centroid."""
    method = GroupMap(frames=1, start=start, radius_sd=1e-4)
    frames = np.repeat(frame[None], at + 1, axis=0)
    model = method._model(frames[None], CAMERA, every_start=True)
    survey = survey_frames(frames, 5, np.inf, 0.0)
    plan = next(plans_of(survey, blank_frames(survey, CAMERA), (1, at + 1), 1, CAMERA))
    allowed = count_candidates(survey, plan.members, CAMERA, 4)
    variances = np.full(at + 1, model.noise_model.variance)
    mixture = mixture_of(at + 1, fit_plan(survey, plan, allowed, variances, model))
    low, high = mixture.bounds[at], mixture.bounds[at + 1]
    return Mixture(np.array([0, high - low]), *(part[low:high] for part in mixture[1:])), survey.centroids[at, :2]


@pytest.mark.parametrize(
    "arms, intensity, seed", [((0, 1), [230.0, 244.0], 1), ((0, 2), [222.0, 249.0], 2), ((2, 3), [235.0, 247.0], 3)]
)
def test_hypotheses_weigh_and_lie_as_by_brute_force(arms: tuple[int, int], intensity: list[float], seed: int) -> None:
    frame = frame_of(arms, (4.9, 5.2), intensity, seed)
    mixture, centroid = mixture_of_frame(frame)
    sets, expected, means = posterior_by_brute_force(frame, centroid)
    probability = np.zeros(len(sets))
    for j in range(len(mixture.probability)):
        directions = sorted(int(np.argmin(np.hypot(*(AXES - arm).T))) for arm in mixture.arms[j])
        i = sets.index(tuple(directions))
        probability[i] += mixture.probability[j]
        if expected[i] > 0.01:
            np.testing.assert_allclose(centroid + mixture.path[j], means[i], atol=0.004)
    np.testing.assert_allclose(probability, expected, atol=0.02)


def test_every_place_the_start_allows_has_its_share() -> None:
    # In frame 12 the reference point is at 4.48 or at 4.52, or a whole px away.
    frame = frame_of((0, 1, 2, 3), (4.505, 5.2), [230.0, 244.0, 240.0, 226.0], 4)
    free, centroid = mixture_of_frame(frame, at=12)
    known, _ = mixture_of_frame(frame, "integer", 12)
    j = int(np.argmax(free.probability))
    assert free.probability[j] > 0.9
    x, variance = centroid[0] + free.path[j, 0], free.covariance[j, 0, 0] + 0.002**2
    marks = np.array([4.48, 4.52])
    expected = np.exp(-0.5 * (marks - x) ** 2 / variance)
    same = (known.arms == free.arms[j]).all(axis=(1, 2)) & (known.targets == free.targets[j])
    found = [known.probability[same & (np.abs(centroid[0] + known.path[:, 0] - mark) < 0.01)].sum() for mark in marks]
    assert sum(found) > 0.9
    np.testing.assert_allclose(found / np.sum(found), expected / expected.sum(), atol=0.01)


def test_samples_have_the_moments_of_their_mixture() -> None:
    mixture, centroid = mixture_of_frame(frame_of((0, 2), (4.9, 5.2), [222.0, 249.0], 2))
    samples = samples_for(4096 + 64 * 8, 2, 128)
    number, centres = sample_all(mixture, centroid, samples)
    assert samples.weight[:number].sum() == pytest.approx(1.0)
    place = np.stack([samples.x[:, :number], samples.y[:, :number]], -1).mean(axis=0)
    per = mixture.radius[:, None] * mixture.arms.mean(axis=1)
    kept = mixture.probability >= 1e-3
    weight = mixture.probability[kept] / mixture.probability[kept].sum()
    mean = (weight[:, None] * (centroid + mixture.path + per)[kept]).sum(axis=0)
    np.testing.assert_allclose((samples.weight[:number, None] * place).sum(axis=0), mean, atol=1e-9)
    assert centres == 2 * kept.sum()
    # The mixture's law of total variance along x.
    x = (centroid + mixture.path + per)[kept, 0]
    variance = (weight * (mixture.covariance[kept, 0, 0] + (x - mean[0]) ** 2)).sum()
    assert (samples.weight[:number] * (place[:, 0] - mean[0]) ** 2).sum() == pytest.approx(variance, rel=0.02)


def sample_all(mixture: Mixture, pivot: Floats, samples: Samples) -> tuple[int, int]:
    return sample_frame(mixture, 0, pivot, np.ones(1), 0.0, normal_pairs(4096), samples)


def test_every_hypothesis_that_counts_is_sampled_in_pairs() -> None:
    assert samples_of(0.5, 128) == 64
    assert samples_of(1e-3, 128) == 8
    assert samples_of(0.501, 128) == 66
