"""Peers from elsewhere, run as methods from outside."""

import numpy as np
import pytest

import csist_bench as cb
from csist_bench.simulation.optics import Optics, pixel_response
from tests.helpers.pages import ROOT

PEER = ROOT / "leaderboard" / "peers" / "photutils_psf.py"


@pytest.mark.usefixtures("registry_as_it_was")
def test_photutils_finds_targets_that_stand_apart():
    pytest.importorskip("photutils")
    xy, light = np.array([[3.2, 4.1], [6.6, 6.3]]), (230.0, 245.0)
    pixel = np.arange(11)
    frame = sum(
        s * np.outer(pixel_response(pixel, y, 0.5), pixel_response(pixel, x, 0.5)) for (x, y), s in zip(xy, light)
    )
    frames = np.stack([frame, np.zeros((11, 11))])[None]
    found = cb.unmix(frames, f"{PEER}:PhotutilsPsf", camera=cb.Camera(Optics()))
    assert found.frame.tolist() == [0, 0]
    np.testing.assert_allclose(np.column_stack([found.x, found.y]), xy, atol=0.01)
    np.testing.assert_allclose(found.intensity, light, rtol=0.01)
