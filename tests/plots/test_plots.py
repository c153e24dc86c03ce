"""Pictures: written whole in every format, the same every time, and refused with a clear error."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from csist_bench.detections import Detections
from csist_bench.errors import InputError
from csist_bench.leaderboard import published_rows
from csist_bench.plots.calibration import calibration_picture
from csist_bench.plots.frames import frames_picture
from csist_bench.plots.leaderboard import leaderboard_picture
from csist_bench.plots.precision_recall import FileCurves, compared_curves_picture, precision_recall_picture
from csist_bench.plots.resolution import ResolvedShares, resolution_picture
from csist_bench.plots.style import SUFFIXES
from csist_bench.plots.training import training_curve_picture
from csist_bench.plots.trajectory import trajectory_picture
from csist_bench.training.log import TrainingLog
from tests.helpers.rows import row

STARTS = {".png": b"\x89PNG\r\n\x1a\n", ".svg": b"<?xml", ".pdf": b"%PDF-"}
RNG = np.random.default_rng(3)
FRAMES = RNG.uniform(0, 100, (5, 11, 11))
TARGETS = np.stack([np.stack([[4.0, 5.0], [4.4, 5.2], [np.nan, np.nan]])] * 5)
FOUND = [np.array([[4.1, 5.0], [4.4, 5.3]])] * 4 + [np.zeros((0, 2))]
DETECTIONS = Detections(
    np.zeros(3, np.int64), np.arange(3), np.array([4.0, 4.1, 4.2]), np.array([5.0, 5.1, 5.2]), np.ones(3)
)


CURVES = {"ap05": (np.array([0.1, 0.4]), np.array([0.9, 0.5])), "ap10": (np.zeros(0), np.zeros(0))}
FILES = [FileCurves(name, 20.0, CURVES, {"ap05": 20.0, "ap10": 0.0}) for name in ("A", "B")]
LOG = TrainingLog(
    [{"step": s, "stage": "full", "epoch": s / 10, "lr": 1e-3, "total": 1.0 / s} for s in (1, 2, 3)],
    [{"step": 3, "stage": "full", "cso_map": 40.0, "ap05": 1.0, "ap10": 9.0, "ap15": 40.0, "ap20": 70.0, "ap25": 80.0}],
)


ERRORS, SIGMAS = RNG.normal(0, 0.1, 200), np.full(200, 0.1)
SHARES = [ResolvedShares(name, 0.5, 2.0, np.array([[0.1, np.nan], [0.2, 1.0]]), np.array([0.1, 1.0])) for name in "ab"]
EDGES, LIMIT = (np.array([0.0, 0.1, 0.2]), np.array([1.0, 2.0, 4.0])), (np.array([1.0, 4.0]), np.array([0.1, np.nan]))
PICTURES = {
    "resolution": lambda path: resolution_picture(SHARES, EDGES, LIMIT, path, "title"),
    "resolution of one": lambda path: resolution_picture(SHARES[:1], EDGES, LIMIT, path),
    "frames": lambda path: frames_picture(FRAMES[:2], TARGETS[:2], FOUND[:2], path, ["frame 0", "frame 1"]),
    "trajectory": lambda path: trajectory_picture(TARGETS, DETECTIONS, path, "title"),
    "precision_recall": lambda path: precision_recall_picture(CURVES, path, {"ap05": 20.0, "ap10": 0.0}),
    "compared curves": lambda path: compared_curves_picture(FILES, path),
    "training": lambda path: training_curve_picture(LOG, path),
    "leaderboard": lambda path: leaderboard_picture([row(), row(rank="brightness"), *published_rows()[:3]], path),
    "calibration": lambda path: calibration_picture(ERRORS, SIGMAS, path),
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_is_drawn_and_the_same_twice(tmp_path, name):
    for place in ("a", "b"):
        PICTURES[name](tmp_path / place / "picture.svg")
    assert (tmp_path / "a/picture.svg").read_bytes() == (tmp_path / "b/picture.svg").read_bytes()
    root = ET.fromstring((tmp_path / "a/picture.svg").read_text())
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 20
    assert not list((tmp_path / "a").glob(".*"))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_is_what_its_suffix_says(tmp_path, suffix):
    path = tmp_path / f"picture{suffix}"
    PICTURES["precision_recall"](path)
    assert path.read_bytes().startswith(STARTS[suffix])


def test_scenes_without_targets_or_detections_can_be_drawn(tmp_path):
    frames_picture(FRAMES[:1], np.full((1, 2, 2), np.nan), [], tmp_path / "a.png")
    trajectory_picture(TARGETS, None, tmp_path / "b.png")
    precision_recall_picture({"ap05": (np.zeros(0), np.zeros(0))}, tmp_path / "c.png")
    training_curve_picture(TrainingLog([], LOG.scores), tmp_path / "d.png")
    leaderboard_picture(published_rows()[:2], tmp_path / "e.png")
    calibration_picture(np.zeros(1), np.ones(1), tmp_path / "f.png")
    assert len(list(tmp_path.glob("*.png"))) == 6


@pytest.mark.parametrize(
    "draw, message",
    [
        (lambda path: frames_picture(FRAMES[0], TARGETS, [], path), "frames must have shape"),
        (lambda path: frames_picture(FRAMES, TARGETS[:2], [], path), "truth must have shape"),
        (lambda path: frames_picture(FRAMES[:0], TARGETS[:0], [], path), "there is no frame to draw"),
        (lambda path: trajectory_picture(TARGETS[0], None, path), "target_xy must have shape"),
        (lambda path: training_curve_picture(TrainingLog([], []), path), "holds no line to draw"),
        (
            lambda path: compared_curves_picture(5 * FILES, path),
            "of one picture must be 1 to 8, got 10",
        ),
        (lambda path: leaderboard_picture([], path), "there is no row to draw"),
        (lambda path: calibration_picture(ERRORS, SIGMAS[:5], path), "sigmas must have shape"),
        (lambda path: calibration_picture(ERRORS, 0 * SIGMAS, path), "positive standard errors"),
        (lambda path: PICTURES["training"](path.with_suffix(".gif")), "unknown picture format '.gif'"),
        (lambda path: PICTURES["training"](path.with_suffix("")), "unknown picture format"),
    ],
)
def test_what_cannot_be_drawn_is_refused_and_leaves_no_file(tmp_path, draw, message):
    with pytest.raises(InputError) as caught:
        draw(tmp_path / "picture.png")
    assert message in str(caught.value)
    assert not list(tmp_path.iterdir())
