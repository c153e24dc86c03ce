"""Bayes lines of a small set: what they stand above, what they keep, what they refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import csist_bench as cb
from csist_bench.datasets import Dataset
from csist_bench.errors import InputError
from csist_bench.evaluation.bayes_lines import FREELY, ON_ARMS, PART, bayes_table, jackknife_error, known_of
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.camera import Camera

pytestmark = pytest.mark.long

ONE_FRAME = ON_ARMS[:1]


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = tmp_path_factory.mktemp("bayes") / "set.zarr"
    return cb.generate(path, recipe="seqcsist-noise", noise_sigma=5, trajectories=80, splits=[0.1, 0.1, 0.8])


def test_lines_stand_in_their_order_and_parts_are_kept(noisy: Dataset, tmp_path: Path) -> None:
    camera = Camera.from_recipe(noisy.recipe)
    seen: list[tuple[int, int]] = []
    table = bayes_table(noisy.test, camera, tmp_path, known=ONE_FRAME, progress=lambda *at: seen.append(at))
    k, free, above = (row.cso_map for row in table)
    assert k < free < above
    assert table[0].answers_per_frame == pytest.approx(np.mean(noisy.test.target_count), abs=0.02)
    assert all(0 < row.error < 3 for row in table)
    assert seen[-1] == (64, 64)
    assert all(row.converged is None for row in table)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(kept) == -(-64 // PART)
    assert bayes_table(noisy.test, camera, tmp_path, known=ONE_FRAME) == table
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == kept
    # A part that is gone is done again, to the same answers.
    next(iter(kept)).unlink()
    assert bayes_table(noisy.test, camera, tmp_path, known=ONE_FRAME) == table


def test_the_line_of_k_answers_is_reached(noisy: Dataset, tmp_path: Path) -> None:
    row = bayes_table(noisy.test, Camera.from_recipe(noisy.recipe), tmp_path, known=ONE_FRAME)[0]
    found = cb.unmix(noisy.test, "group-map", answers="posterior", settings={"frames": 1})
    assert cb.evaluate(found, noisy.test).cso_map == pytest.approx(row.cso_map, abs=0.7)  # fewer samples, few frames


def test_the_index_of_the_frame_raises_every_line(noisy: Dataset, tmp_path: Path) -> None:
    table = bayes_table(noisy.test, Camera.from_recipe(noisy.recipe), tmp_path, trajectories=20)
    for without, with_index in zip(table[:3], table[3:]):
        assert with_index.line.decision == without.line.decision
        assert with_index.line.knowledge.start == "integer"
        assert with_index.cso_map > without.cso_map
        assert with_index.trajectories == 20


def test_a_part_that_is_broken_is_named(noisy: Dataset, tmp_path: Path) -> None:
    camera = Camera.from_recipe(noisy.recipe)
    bayes_table(noisy.test, camera, tmp_path, known=ONE_FRAME, trajectories=2)
    part = next(tmp_path.iterdir())
    for broken in (b"nonsense", part.read_bytes()[:200], b""):
        part.write_bytes(broken)
        with pytest.raises(InputError, match=r"not a part of a Bayes line.*delete it and run again"):
            bayes_table(noisy.test, camera, tmp_path, known=ONE_FRAME, trajectories=2)


def test_other_scenes_are_refused(tmp_path: Path) -> None:
    turned = cb.generate(tmp_path / "r.zarr", recipe="seqcsist-rotated", trajectories=4, splits=[0.25, 0.25, 0.5])
    with pytest.raises(InputError, match="groups on the four axes"):
        bayes_table(turned.test, Camera.from_recipe(turned.recipe), tmp_path / "work")
    for settings in ([], ["separation_min=0"], ["noise_sigma=5"], ["separation_min=0", "noise_sigma=5", "k_min=1"]):
        with pytest.raises(InputError, match="freely placed ones"):
            known_of(load_data_recipe("seqcsist-free", settings))
    assert known_of(load_data_recipe("seqcsist-free", ["separation_min=0", "noise_sigma=5"])) == FREELY


def test_lines_of_freely_placed_groups_are_by_chains_that_agree(tmp_path: Path) -> None:
    settings = {"separation_min": 0, "noise_sigma": 5, "trajectories": 12, "splits": [0.25, 0.25, 0.5], "frames": 8}
    data = cb.generate(tmp_path / "f.zarr", recipe="seqcsist-free", scored_frames="2:6", **settings)
    camera = Camera.from_recipe(data.recipe)
    table = bayes_table(data.test, camera, tmp_path / "work", known=FREELY[:1])
    assert [row.line.decision for row in table] == ["K answers", "free answers"]
    assert table[0].cso_map < table[1].cso_map
    assert all(row.converged is not None and row.converged > 80 for row in table)
    assert "R-hat at most 1.1 in " in table[0].remark
    assert bayes_table(data.test, camera, tmp_path / "work", known=FREELY[:1]) == table
    # The posterior's decision is worth more than the most likely targets.
    assert cb.evaluate(cb.unmix(data.test, "ml"), data.test).cso_map < table[1].cso_map


def test_the_jackknife_finds_the_error_of_a_recall() -> None:
    # All answers right or missed at random: AP is the share of targets hit, its error that of a binomial share.
    rng = np.random.default_rng(0)
    errors, shares = [], []
    for _ in range(200):
        hit = rng.random(800) < 0.7
        group = np.arange(800) % 16
        kept = np.ones(hit.sum(), np.bool_)
        errors.append(jackknife_error([kept] * 5, [group[hit]] * 5, np.full(16, 50)))
        shares.append(100 * hit.mean())
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(shares), rel=0.15)
