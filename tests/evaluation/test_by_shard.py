from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from csist_bench.detections import Detections
from csist_bench.errors import InputError
from csist_bench.evaluation import by_shard, tree_sums
from csist_bench.evaluation.by_shard import Scoring, joined_report, merged, score_shard, unscored
from csist_bench.evaluation.metrics import common_cut
from csist_bench.evaluation.report import Provenance, evaluate
from csist_bench.evaluation.truth import Truth
from csist_bench.predictions import Header

N, T, K = 37, 6, 4


def scene(seed: int, kind: str) -> tuple[Truth, Detections]:
    """Random targets and answers, most of them hits, with scores all different, of few values, or all equal."""
    rng = np.random.default_rng(seed)
    count = rng.integers(0, K + 1, (N, T))
    count[:3] = 0  # a shard without a target
    present = np.arange(K) < count[..., None]
    xy = np.where(present[..., None], rng.uniform(4, 6, (N, T, K, 2)), np.nan)
    intensity = np.where(present, 200.0, np.nan)
    truth = Truth.from_arrays(xy, intensity, count, range(1, T - 1))
    trajectory, frame, slot = np.nonzero(present)
    found = rng.random(len(slot)) < 0.9
    trajectory, frame, slot = trajectory[found], frame[found], slot[found]
    places = xy[trajectory, frame, slot] + rng.normal(0, 0.07, (len(slot), 2))
    extra = rng.integers(0, N, 40), rng.integers(0, T, 40), rng.uniform(3, 7, (40, 2))
    trajectory, frame = np.append(trajectory, extra[0]), np.append(frame, extra[1])
    places = np.concatenate([places, extra[2]])
    scores = {
        "different": rng.random(len(frame)),
        "few": rng.integers(-2, 3, len(frame)).astype(float),
        "equal": np.full(len(frame), 0.5),
    }
    return truth, Detections(trajectory, frame, places[:, 0], places[:, 1], scores[kind])


def by_shards(truth: Truth, found: Detections, length: int, **how: object):
    scoring = Scoring(truth.frames, truth.trajectories, N, **how)
    shards = []
    for first in range(0, N, length):
        stop = min(first + length, N)
        chosen = scoring.within(first, stop)
        inside = found.select((found.trajectory >= first) & (found.trajectory < stop)).shifted(-first)
        if not len(chosen):
            shards.append(unscored(len(inside)))
            continue
        part = Truth.from_arrays(
            truth.xy[first:stop], truth.intensity[first:stop], truth.count[first:stop], truth.frames, chosen, False
        )
        shards.append(score_shard(inside, part, scoring.frames_before(first), scoring.rules))
    return joined_report(shards, scoring, Provenance(Header(n_frames=N * T)))


@pytest.fixture(params=[7, 1 << 20])
def windows(request, monkeypatch):
    """Blocks of seven rows, so that all bounds lie within the data, and blocks of everything."""
    monkeypatch.setattr(by_shard, "WINDOW", request.param)
    monkeypatch.setattr(tree_sums, "AT_A_TIME", 300 if request.param == 7 else 1 << 20)


@pytest.mark.parametrize("kind", ["different", "few", "equal"])
@pytest.mark.parametrize("length", [1, 5, 36, 37])
def test_shards_give_the_bits_of_the_whole(windows, kind, length):
    for seed in range(4):
        truth, found = scene(seed, kind)
        whole = evaluate(found, truth, provenance=Provenance(Header(n_frames=N * T)))
        parts = by_shards(truth, found, length)
        assert whole.ap[0] > 1
        assert parts.to_dict() == whole.to_dict() | {"hint": None}


@pytest.mark.parametrize("how", [{"matching": "hungarian"}, {"max_answers": 1}])
def test_variants_give_the_bits_of_the_whole(how):
    truth, found = scene(5, "few")
    assert by_shards(truth, found, 4, **how).to_dict() == evaluate(found, truth, **how).to_dict() | {
        "hint": None,
        "missing_frames": by_shards(truth, found, 4, **how).missing_frames,
    }


def test_a_subset_of_trajectories_gives_the_bits_of_the_whole():
    truth, found = scene(6, "different")
    truth = Truth.from_arrays(truth.xy, truth.intensity, truth.count, truth.frames, [0, 4, 11, 30, 36])
    whole = evaluate(found, truth, provenance=Provenance(Header(n_frames=N * T)))
    assert by_shards(truth, found, 8).to_dict() == whole.to_dict() | {"hint": None}


def test_no_detection_and_no_target():
    truth, found = scene(0, "few")
    nothing = found.select(np.zeros(len(found), bool))
    report = by_shards(truth, nothing, 10)
    assert report.ap == (0.0,) * 5
    assert math.isnan(report.cut.score)
    assert report.cut.f1 == (0.0,) * 5
    bare = Truth.from_arrays(truth.xy, truth.intensity, truth.count, truth.frames, [0, 1], whole=False)
    with pytest.raises(InputError, match="no target"):
        by_shards(bare, nothing, 10)


def test_the_common_cut_is_that_of_the_highest_mean_not_of_the_highest_f1():
    """Four answers hit at every threshold, four more at the widest alone: F1 there is higher with all eight."""
    hits = np.zeros((5, 8), bool)
    hits[:, :4] = hits[4] = True
    score = np.arange(8.0, 0.0, -1.0)
    search = by_shard._CutSearch(10)
    search.take(-score, np.packbits(hits, axis=0, bitorder="little")[0])
    search.take(np.array([math.inf]), np.zeros(1, np.uint8))
    assert search.best == common_cut(score, hits, 10)
    assert search.best.score == 5.0


def test_merging_keeps_equal_scores_in_the_order_of_the_tables(monkeypatch):
    monkeypatch.setattr(by_shard, "WINDOW", 4)
    rng = np.random.default_rng(0)
    tables = [np.sort(rng.integers(0, 5, size).astype(float)) for size in (0, 9, 1, 30, 4)]
    marks = [np.full(len(table), i, np.uint8) for i, table in enumerate(tables)]
    blocks = list(merged(tables, marks))
    order = np.argsort(np.concatenate(tables), kind="stable")
    assert np.concatenate([keys for keys, _ in blocks]).tolist() == np.concatenate(tables)[order].tolist()
    assert np.concatenate([codes for _, codes in blocks]).tolist() == np.concatenate(marks)[order].tolist()
    assert max(len(keys) for keys, _ in blocks) <= 8


@pytest.mark.parametrize("n", [0, 1, 7, 127, 128, 129, 1000, 4097, 20_000])
def test_sums_of_parts_are_numpys(n):
    values = np.random.default_rng(n).lognormal(0, 4, n)
    bounds = [0, *sorted(np.random.default_rng(1).integers(0, n + 1, 6).tolist()), n]
    parts = [tree_sums.tree_sum(values[low:high], low, n) for low, high in pairwise(bounds)]
    assert tree_sums.joined_sum(parts, n) == values.sum()
    given = iter(values.tolist())
    assert tree_sums.sum_in_turn(n, lambda k: np.array([next(given) for _ in range(k)])) == values.sum()
