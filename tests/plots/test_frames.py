"""Frames side by side, with targets and detections."""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ET

import numpy as np

from csist_bench.plots.frames import frames_picture

RNG = np.random.default_rng(3)
FRAMES = RNG.uniform(0, 100, (5, 11, 11))
TARGETS = np.stack([np.stack([[4.0, 5.0], [4.4, 5.2], [np.nan, np.nan]])] * 5)
FOUND = [np.array([[4.1, 5.0], [4.4, 5.3]])] * 4 + [np.zeros((0, 2))]


def test_the_picture_grows_with_the_number_of_frames(tmp_path):
    sizes = []
    for count in (1, 2, 5):
        frames_picture(FRAMES[:count], TARGETS[:count], FOUND[:count], tmp_path / "picture.png")
        sizes.append(struct.unpack(">II", (tmp_path / "picture.png").read_bytes()[16:24]))
    (one, height), (two, same), (five, taller) = sizes
    assert one < two < five
    assert height == same < 0.7 * taller


def uses(path):
    """Return how many markers a frames picture draws: the references to shared shapes beyond those of the axes."""
    root = ET.fromstring(path.read_text())
    return len(list(root.iter("{http://www.w3.org/2000/svg}use")))


def test_each_detection_and_target_is_a_mark_of_its_own(tmp_path):
    path = tmp_path / "picture.svg"
    counts = []
    for targets, found in (
        (TARGETS[:1], np.zeros((0, 2))),
        (TARGETS[:1], np.array([[4.1, 5.0]])),
        (TARGETS[:1], np.array([[4.1, 5.0], [4.4, 5.3]])),
    ):
        frames_picture(FRAMES[:1], targets, [found], path)
        counts.append(uses(path))
    assert np.diff(counts).tolist() == [1, 1]
