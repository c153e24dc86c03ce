"""Expected hits of answers against the protocol's own matching, and the choice of places against brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from csist_bench.detections import Detections
from csist_bench.evaluation.matching import match
from csist_bench.evaluation.truth import Truth
from csist_bench.methods.group_map._kernels import answering
from csist_bench.methods.group_map._kernels.expected_hits import LEVELS, Sight, gather_candidates, look_from_all
from csist_bench.methods.group_map._kernels.sampling import ABSENT, Samples
from csist_bench.methods.group_map.posterior_answers import CANDIDATES

Floats = NDArray[np.float64]


def samples_of(seed: int, number: int = 60, most: int = 3) -> tuple[Samples, Floats]:
    """Return samples about a few places, of one to `most` targets, and their positions (S, K, 2), NaN where absent."""
    rng = np.random.default_rng(seed)
    places = 5 + rng.uniform(-0.4, 0.4, (6, 2))
    xy = np.full((number, most, 2), np.nan)
    targets = rng.integers(1, most + 1, number)
    for s in range(number):
        chosen = rng.choice(6, targets[s], replace=False)
        xy[s, : targets[s]] = places[chosen] + rng.normal(0, 0.04, (targets[s], 2))
    filled = np.where(np.isnan(xy), ABSENT, xy)
    x, y = np.ascontiguousarray(filled[..., 0].T), np.ascontiguousarray(filled[..., 1].T)
    weight = np.full(number, 1 / number)
    return Samples(weight, targets.astype(np.int64), x, y, np.full_like(x, 235.0), places), xy


def choose(samples: Samples, most: int, thresholds: tuple[int, int] = (0, LEVELS), swap: bool = False) -> Floats:
    """Return (A, 3), place and gain of each of `most` answers."""
    number = len(samples.weight)
    candidates = np.empty((CANDIDATES, 2))
    count = gather_candidates(samples.centres, len(samples.centres), candidates)
    sight = Sight(*np.zeros((2, CANDIDATES, number), np.int64))
    look_from_all(candidates, count, samples, number, sight)
    left = np.empty(samples.x.shape, np.int64)
    places, gains = np.empty((most, 2)), np.empty(most)
    nearest, level = np.zeros((2, most, number), np.int64)
    about = (candidates, count, samples, number, sight, left, thresholds)
    answering.choose_greedily(*about, most, -1.0, places, gains, nearest, level)
    if swap:
        answering.exchange(*about, most, places, gains, nearest, level)
        answering.rank(samples, number, left, thresholds, most, places, gains, nearest, level)
    return np.column_stack([places, gains])


def hits_by_the_protocol(answers: Floats, xy: Floats) -> Floats:
    """Return the expected hits of each answer, averaged over the thresholds, every sample being a frame's truth."""
    number, a = len(xy), len(answers)
    count = (~np.isnan(xy[..., 0])).sum(axis=1)
    light = np.where(np.isnan(xy[..., 0]), np.nan, 235.0)
    truth = Truth.from_arrays(xy[None], light[None], count[None], range(number))
    frame = np.repeat(np.arange(number), a)
    found = Detections(
        np.zeros(number * a, np.int64),
        frame,
        np.tile(answers[:, 0], number),
        np.tile(answers[:, 1], number),
        np.tile(-np.arange(a, dtype=np.float64), number),
    )
    matched = match(found, truth)
    which = (-matched.detections.score).astype(int)
    return np.array([matched.hits[:, which == i].mean(axis=0).sum() / number for i in range(a)])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("swap", [False, True])
def test_gains_are_the_hits_that_the_protocol_counts(seed: int, swap: bool) -> None:
    samples, xy = samples_of(seed)
    answers = choose(samples, 5, swap=swap)
    np.testing.assert_allclose(hits_by_the_protocol(answers, xy), answers[:, 2], atol=1e-12)
    assert (np.diff(answers[:, 2]) <= 1e-9).all()  # each adds less than the one before it


@pytest.mark.parametrize("seed", range(4))
def test_the_best_answer_is_that_of_a_fine_grid(seed: int) -> None:
    samples, xy = samples_of(seed)
    found = choose(samples, 1)
    best = max(hits_by_the_protocol(np.array([[x, y]]), xy)[0] for x, y in grid(0.02))
    assert found[0, 2] >= best - 0.01


@pytest.mark.parametrize("seed", range(3))
def test_exchange_finds_the_best_pair_of_a_grid(seed: int) -> None:
    samples, xy = samples_of(seed, number=30)
    points = grid(0.05)
    alone = np.array([hits_by_the_protocol(point[None], xy)[0] for point in points])
    promising = points[np.argsort(-alone)[:45]]
    best = max(hits_by_the_protocol(np.stack(pair), xy).sum() for pair in itertools.combinations(promising, 2))
    found = choose(samples, 2, swap=True)[:, 2].sum()
    assert found >= 0.99 * best
    assert found >= choose(samples, 2)[:, 2].sum() - 1e-12


def test_one_threshold_alone_is_hit_more_often() -> None:
    samples, xy = samples_of(1)
    together, alone = choose(samples, 4), choose(samples, 4, (0, 1))
    hits = [threshold_hits(answers, xy, 0) for answers in (together, alone)]
    assert alone[:, 2].sum() == pytest.approx(hits[1])
    assert hits[1] > hits[0]


def threshold_hits(answers: Floats, xy: Floats, threshold: int) -> float:
    """Return the expected number of targets within one threshold of an answer that points at them."""
    total = 0
    for sample in xy:
        targets = sample[~np.isnan(sample[:, 0])]
        apart = np.hypot(*(answers[:, None, :2] - targets).transpose(2, 0, 1))
        near = apart.argmin(axis=1)
        total += len(set(near[apart.min(axis=1) <= 0.05 * (threshold + 1)]))
    return total / len(xy)


def grid(step: float) -> Floats:
    axis = 5 + np.arange(-0.5, 0.5 + step / 2, step)
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)


def test_exchange_mends_what_the_greedy_choice_spoils() -> None:
    # One target, left or right: between the two an answer hits either at three thresholds, but two answers hit all.
    places = np.array([[4.86, 5.0], [5.14, 5.0]])
    x, y = np.ascontiguousarray(places[:, 0][None]), np.ascontiguousarray(places[:, 1][None])
    samples = Samples(np.full(2, 0.5), np.ones(2, np.int64), x, y, np.full_like(x, 235.0), places)
    assert choose(samples, 2)[:, 2].sum() == pytest.approx(0.8)
    mended = choose(samples, 2, swap=True)
    assert mended[:, 2].sum() == pytest.approx(1.0)
    assert sorted(np.round(mended[:, 0], 2)) == [4.86, 5.14]
