"""Windows, light and centroids of frames."""

import numpy as np

from csist_bench.methods.fitting.survey import survey_frames
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets

OPTICS = Optics()


def test_the_window_holds_the_light_and_the_centroid_is_the_target():
    xy = np.array([[[5.2, 4.9]], [[3.1, 7.4]]])
    found = survey_frames(frames_from_targets(xy, np.full((2, 1), 240.0), OPTICS).astype(float), 5, np.inf, 1.3)
    np.testing.assert_allclose(found.flux, 240.0, rtol=1e-3)
    np.testing.assert_allclose(found.centroids[:, :2], xy[:, 0], atol=5e-3)
    assert not found.flags.any()


def test_clipped_pixels_and_the_border_mean_missing_light():
    xy = np.array([[[5.0, 5.0]], [[0.2, 5.0]], [[5.0, 5.0]]])
    frames = frames_from_targets(xy, np.full((3, 1), 240.0), OPTICS).astype(float)
    frames[2] = np.minimum(frames[2], 100.0)
    assert survey_frames(frames, 5, 100.0, 1.3).flags.tolist() == [1, 1, 1]
    assert survey_frames(frames, 5, np.inf, 1.3).flags.tolist() == [0, 1, 0]
