"""What went wrong in every frame."""

from __future__ import annotations

import math

import numpy as np
import pytest

from csist_bench.evaluation.frame_table import WRONGS, fates, frame_table
from csist_bench.evaluation.gospa import gospa
from csist_bench.evaluation.matching import match
from csist_bench.evaluation.metrics import ospa
from tests.helpers.scenes import detections_of, frames_of, random_scene, truth_of
from tests.reference import naive_scoring as naive


def table_of(targets, rows, n, t, **options):
    truth = truth_of(targets, n, t, **options)
    matched = match(detections_of(rows), truth)
    return frame_table(matched, truth, ospa(matched, truth), gospa(matched, truth))


@pytest.mark.parametrize(
    ("targets", "answers", "wrong"),
    [
        ([(5, 5)], [(5, 5)], ""),
        ([(5, 5)], [], "1 missed"),
        ([(5, 5)], [(5.6, 5)], "1 missed, 1 false"),
        ([(5, 5)], [(5.4, 5)], "1 displaced"),
        ([(5, 5)], [(5, 5), (5.2, 5)], "1 doubled"),
        ([(5, 5)], [(5, 5), (5.3, 5)], "1 false"),
        ([(5, 5), (5.3, 5)], [(5.15, 5)], "1 merged"),  # one answer, in reach of both, is the first one's
        ([(5, 5), (5.4, 5)], [(5, 5)], "1 merged"),
        ([(5, 5), (5.4, 5)], [(5, 5), (5.1, 5)], "1 doubled, 1 merged"),
        ([(5, 5), (6.5, 5)], [(5, 5), (6.9, 5), (6.1, 5)], "1 displaced, 1 false"),  # of two, one is displaced
        ([(5, 5), (5.8, 5)], [(5.4, 5.1)], "1 merged, 1 displaced"),
        ([], [(5, 5)], "1 false"),
    ],
)
def test_what_went_wrong_in_a_frame(targets, answers, wrong):
    rows = [(0, 0, *xy, 9 - i) for i, xy in enumerate(answers)]
    table = table_of([targets, [(1, 1)]], [*rows, (0, 1, 1, 1, 1)], 1, 2)
    assert table.wrong(0) == wrong
    assert table.wrong(1) == ""


def naive_fates(answers, targets):
    """Return how many targets and answers of one frame met each fate, from the definitions with plain loops."""
    hits = naive.nearest_hits(answers, targets, 0.25)
    found = {min(range(len(targets)), key=lambda k: naive.distance(hit, targets[k])) for hit in hits}
    spare, doubled = [], 0
    for answer in naive.ranked(answers):
        if answer in hits:
            continue
        near = min(range(len(targets)), key=lambda k: naive.distance(answer, targets[k]), default=None)
        if near is not None and near in found and naive.distance(answer, targets[near]) <= 0.25:
            doubled += 1
        else:
            spare.append(answer)
    moved = set()
    for _, i, k in sorted(
        (naive.distance(a, targets[k]), i, k) for i, a in enumerate(spare) for k in range(len(targets))
    ):
        free = k not in found and k not in {b for _, b in moved} and i not in {a for a, _ in moved}
        if free and naive.distance(spare[i], targets[k]) <= 0.5:
            moved.add((i, k))
    left = set(range(len(targets))) - found - {k for _, k in moved}
    merged = [k for k in left if any(naive.distance(a, targets[k]) <= 0.5 for a in answers)]
    return {"missed": len(left) - len(merged), "doubled": doubled, "merged": len(merged), "displaced": len(moved),
            "false": len(spare) - len(moved)}  # fmt: skip


def test_fates_equal_plain_loops_and_add_up():
    rng = np.random.default_rng(21)
    for _ in range(150):
        # Not on a lattice: of equal distances any may come first.
        targets = [5 + rng.uniform(-0.7, 0.7, (rng.integers(0, 5), 2)) for _ in range(6)]
        targets[0] = np.array([[5.0, 5.0]])
        rows = [
            (f // 3, f % 3, *(5 + rng.uniform(-1, 1, 2)), rng.random())
            for f in range(6)
            for _ in range(rng.integers(0, 6))
        ]
        table = table_of(targets, rows, 2, 3)
        columns = table.columns
        for index, frame in enumerate(frames_of(targets, rows, 3)):
            assert {name: columns[name][index] for name in WRONGS} == naive_fates(*frame)
        lost = columns["missed"] + columns["merged"] + columns["displaced"]
        np.testing.assert_array_equal(columns["hits25"] + lost, columns["targets"])
        extra = columns["doubled"] + columns["false"] + columns["displaced"]
        np.testing.assert_array_equal(columns["hits25"] + extra, columns["answers"])
        assert table.totals()["targets"] == columns["targets"].sum()
        assert table.n_wrong == sum(any(columns[name][i] for name in WRONGS) for i in range(len(lost)))


def test_columns_are_of_the_scored_frames_and_average_to_the_figures():
    targets, rows = random_scene(np.random.default_rng(3), n=3, t=4)
    truth = truth_of(targets, 3, 4, frames=range(1, 3), trajectories=[0, 2])
    matched = match(detections_of(rows), truth)
    distances = gospa(matched, truth)
    columns = frame_table(matched, truth, ospa(matched, truth), distances).columns
    assert columns["trajectory"].tolist() == [0, 0, 2, 2]
    assert columns["frame"].tolist() == [1, 2, 1, 2]
    assert columns["gospa"].mean() == distances.means().distance
    for threshold in ("05", "10", "15", "20", "25"):
        row = ("05", "10", "15", "20", "25").index(threshold)
        assert columns[f"hits{threshold}"].sum() == matched.hits[row].sum()
    near = columns["separation"]
    assert all(math.isinf(value) for value in near[columns["targets"] < 2])


def test_the_hungarian_variant_has_fates_too():
    truth = truth_of([[(5, 5), (5.3, 5)]], 1, 1)
    matched = match(detections_of([(0, 0, 5.1, 5, 2), (0, 0, 4.9, 5, 1)]), truth, matching="hungarian")
    targets, answers = fates(matched, truth)
    assert (targets.tolist(), answers.tolist()) == ([[0, 0]], [0, 0])
