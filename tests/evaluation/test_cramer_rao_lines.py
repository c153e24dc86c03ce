"""Cramer-Rao lines of a data set."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from csist_bench.cli import cli
from csist_bench.errors import InputError
from csist_bench.evaluation.cramer_rao import (
    LINES,
)
from csist_bench.evaluation.cramer_rao_lines import DRAWS, TRAJECTORIES, cramer_rao_table, cramer_rao_text
from csist_bench.evaluation.truth import Truth
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.scenes import draw_scenes

SCORED = range(2, 18)


def _camera(**fields: float) -> Camera:
    return replace(Camera(Optics(), noise_sigma=2.0), **fields)


def _scenes(n: int, *overrides: str):
    return draw_scenes(load_data_recipe("seqcsist", ["seed=5", *overrides]), range(n))


def _truth(n: int) -> Truth:
    scenes = _scenes(n)
    return Truth.from_arrays(scenes.xy, scenes.intensity, scenes.count, SCORED)


def test_cramer_rao_table_is_seeded_and_each_line_stands_alone() -> None:
    truth, camera = _truth(12), _camera()
    whole = cramer_rao_table(truth, camera, draws=2, seed=4)
    again = cramer_rao_table(truth, camera, draws=2, seed=4, lines=LINES[1:3])
    assert again == whole[1:3]
    assert cramer_rao_table(truth, camera, draws=2, seed=5, lines=LINES[1:2]) != whole[1:2]


def test_cramer_rao_table_falls_with_noise_and_rises_with_knowledge() -> None:
    truth = _truth(40)
    scores = {
        sigma: {row.line.name: row.cso_map for row in cramer_rao_table(truth, _camera(noise_sigma=sigma))}
        for sigma in (0.29, 5.0)
    }
    assert scores[0.29]["1 frame, group of known arms"] == pytest.approx(100.0)
    assert all(scores[0.29][name] >= scores[5.0][name] for name in scores[5.0])
    assert scores[5.0]["1 frame"] > scores[5.0]["1 frame, brightness free"] + 5
    assert scores[5.0]["20 frames, rigid group, cubic motion"] > scores[5.0]["20 frames, cubic motion"] + 5


def test_cramer_rao_table_takes_at_most_the_trajectories_asked_for() -> None:
    truth, camera = _truth(10), _camera()
    assert cramer_rao_table(truth, camera, trajectories=50, lines=LINES[:1]) == cramer_rao_table(
        truth, camera, trajectories=10, lines=LINES[:1]
    )
    with pytest.raises(InputError, match="trajectories must be at least 1"):
        cramer_rao_table(truth, camera, trajectories=0)


def test_cramer_rao_rows_print_and_convert() -> None:
    table = cramer_rao_table(_truth(4), _camera(), lines=LINES[:2])
    text, row = cramer_rao_text(table), table[1].to_dict()
    assert "1 frame, brightness free" in text
    assert f"{table[1].cso_map:.1f}" in text
    assert row["tier"] == "B"
    assert row["cso_map"] == pytest.approx(np.mean([row[f"ap{d:02d}"] for d in (5, 10, 15, 20, 25)]))


def test_limit_command(tmp_path) -> None:
    path = str(tmp_path / "set.zarr")
    runner = CliRunner()
    made = runner.invoke(cli, ["generate", "--out", path, "--set", "trajectories=30", "--set", "noise_sigma=2"])
    assert made.exit_code == 0, made.output
    plain = runner.invoke(cli, ["limit", "--data", path])
    assert plain.exit_code == 0, plain.output
    assert "20 frames, rigid group, cubic motion" in plain.output
    quiet = runner.invoke(cli, ["limit", "--data", path, "--json", "--noise-sigma", "0.3", "--frames", "all"])
    table = json.loads(quiet.stdout)
    assert (table["noise_sigma"], table["frames"], len(table["lines"])) == (0.3, "0:20", len(LINES))
    with pytest.raises(InputError, match="--frames must be"):
        runner.invoke(cli, ["limit", "--data", path, "--frames", "9:3"], catch_exceptions=False)
    with pytest.raises(InputError, match="not found; make it with: csist-bench generate"):
        runner.invoke(cli, ["limit", "--data", str(tmp_path / "none.zarr")], catch_exceptions=False)


def test_few_trajectories_are_spread_from_the_first_to_the_last() -> None:
    scenes, camera = _scenes(9), _camera()
    every_fourth = Truth.from_arrays(*(v[::4] for v in (scenes.xy, scenes.intensity, scenes.count)), SCORED)
    few = cramer_rao_table(_truth(9), camera, trajectories=3, lines=LINES[1:2])
    assert few == cramer_rao_table(every_fourth, camera, lines=LINES[1:2])


def test_the_lines_are_those_of_the_committed_table() -> None:
    """lines.csv was computed with these; another value would make lines that are not comparable."""
    assert (TRAJECTORIES, DRAWS) == (400, 4)
    said = [(line.frames, line.motion, line.degree, line.law) for line in LINES]
    assert said == [
        (1, "free", 0, False), (1, "free", 0, True), (5, "polynomial", 1, False), (5, "polynomial", 1, True),
        (5, "rigid", 1, True), (20, "polynomial", 2, False), (20, "polynomial", 2, True), (20, "polynomial", 3, True),
        (20, "rigid", 3, True), (1, "group", 0, True), (1, "group-rotated", 0, True), (1, "group-scaled", 0, True),
        (5, "group", 1, True), (20, "group", 3, True), (20, "group-rotated", 3, True), (20, "group-scaled", 3, True),
    ]  # fmt: skip
