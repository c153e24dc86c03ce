"""Answers by the posterior: better than those of one hypothesis, as often right as they say, the same in any batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from csist_bench.detections import Detections, concatenate
from csist_bench.evaluation.average_precision import average_precision
from csist_bench.evaluation.matching import match
from csist_bench.evaluation.truth import Truth
from csist_bench.methods.group_map.method import GroupMap
from csist_bench.methods.group_map.posterior_answers import MOST_ANSWERS
from csist_bench.methods.inference import unmix
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.rendering import Shard, render_shard

Start = Literal["free", "integer"]
KINDS: tuple[Literal["map", "posterior", "hedged"], ...] = ("map", "posterior", "hedged")


def noisy(count: int, sigma: float = 5.0, name: str = "seqcsist-noise", *more: str) -> tuple[Shard, Camera]:
    recipe = load_data_recipe(name, [f"noise_sigma={sigma}", "seed=3", *more])
    return render_shard(recipe, range(count)), Camera.from_recipe(recipe)


def scored(found: Detections, shard: Shard) -> tuple[float, float, float]:
    """Return CSO-mAP in percent, the mean score, and how often answers are right, averaged over the thresholds."""
    scenes = shard.scenes
    truth = Truth.from_arrays(scenes.xy, scenes.intensity, scenes.count, range(2, 18))
    matched = match(found, truth)
    ap = np.mean([average_precision(row, truth.n_targets) for row in matched.hits])
    return 100 * float(ap), float(matched.detections.score.mean()), float(matched.hits.mean())


@pytest.mark.parametrize("start", ["free", "integer"])
def test_decisions_for_the_score_beat_the_most_probable_hypothesis(start: Start) -> None:
    shard, camera = noisy(150)
    score = {}
    for kind in KINDS:
        score[kind], said, right = scored(
            GroupMap(frames=1, start=start, answers=kind).detect(shard.frames, camera), shard
        )
        assert said == pytest.approx(right, abs=0.015), kind
    assert score["posterior"] > score["map"]
    assert score["hedged"] > score["posterior"] + 3.0


def test_as_many_answers_as_targets_and_as_many_as_are_worth_it() -> None:
    shard, camera = noisy(30)
    number = {}
    for kind in KINDS:
        found = GroupMap(frames=1, answers=kind).detect(shard.frames, camera)
        number[kind] = np.zeros(shard.frames.shape[:2], np.int64)
        np.add.at(number[kind], (found.trajectory, found.frame), 1)
    np.testing.assert_array_equal(number["posterior"], number["map"])
    np.testing.assert_array_equal(number["posterior"], shard.scenes.count)
    assert (number["hedged"] >= number["posterior"]).all()
    assert number["hedged"].mean() > number["posterior"].mean() + 1
    assert number["hedged"].max() <= MOST_ANSWERS


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frames", [1, 5])
def test_answers_do_not_depend_on_what_else_is_answered(kind: Any, frames: Any) -> None:
    shard, camera = noisy(7)
    method = GroupMap(frames=frames, start="integer", answers=kind)
    whole = method.detect(shard.frames, camera)
    parts = concatenate(
        [method.detect(shard.frames[i : i + n], camera).shifted(i) for i, n in ((0, 1), (1, 4), (5, 2))]
    )
    order = [4, 0, 6, 2, 1, 5, 3]
    turned = method.detect(shard.frames[order], camera)
    turned = replace(turned, trajectory=np.asarray(order)[turned.trajectory])
    for other in (parts, turned):
        for name, column in whole.ordered().columns().items():
            np.testing.assert_array_equal(other.ordered().columns()[name], column, err_msg=name)


@pytest.mark.parametrize(
    "name, settings",
    [
        ("seqcsist-noise", {"frames": 5}),
        ("seqcsist-noise", {"frames": "all"}),
        ("seqcsist-rotated", {"frames": 1, "axes": "rotated"}),
        ("seqcsist-rotated", {"frames": 5, "axes": "rotated", "start": "integer"}),
        ("seqcsist-dense", {"frames": 1, "directions": "compass", "max_targets": 8}),
    ],
)
def test_any_window_and_scene_is_answered(name: str, settings: dict[str, Any]) -> None:
    shard, camera = noisy(3, 2.0, name)
    for kind in KINDS[1:]:
        found = GroupMap(answers=kind, **settings).detect(shard.frames, camera)
        assert scored(found, shard)[0] > 60
        for column in found.columns().values():
            assert np.isfinite(column).all()
        assert ((found.score >= 0) & (found.score <= 1 + 1e-9)).all()


def test_more_frames_leave_less_to_hedge() -> None:
    shard, camera = noisy(10)
    alone, window = (GroupMap(frames=n, answers="hedged").detect(shard.frames, camera) for n in (1, 5))
    assert len(window) < len(alone)
    assert scored(window, shard)[0] > scored(alone, shard)[0]


def test_frames_without_light_have_no_answer() -> None:
    camera = Camera.from_recipe(load_data_recipe("seqcsist"))
    frames: NDArray[np.float64] = np.zeros((1, 2, 11, 11))
    for kind in KINDS:
        assert len(GroupMap(frames=1, answers=kind).detect(frames, camera)) == 0


def test_answers_placed_to_hit_are_not_judged_as_fits() -> None:
    assert GroupMap().judged == "fit"
    assert GroupMap(answers="hedged").judged is None
    shard, camera = noisy(2)
    found = unmix(
        shard.frames, "group-map", camera=camera, frames=range(2, 18), answers="hedged", settings={"frames": 1}
    )
    assert len(found)
