"""Windows about blobs."""

from __future__ import annotations

import numpy as np
import torch

from csist_bench.methods.networks.offgrid_net.windows import blob_centre, border_distances, windows_about
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets as simulated_frames


def test_the_window_is_about_the_centroids_pixel_even_in_noise() -> None:
    rng = np.random.default_rng(1)
    centre = rng.uniform(1.0, 9.0, (200, 1, 2))
    xy = centre + rng.uniform(-0.4, 0.4, (200, 3, 2))
    frames = simulated_frames(xy, np.full((200, 3), 235.0), Optics()) + rng.normal(0.0, 5.0, (200, 11, 11))
    pixel = blob_centre(torch.tensor(frames).float()).numpy()
    assert np.abs(pixel[:, ::-1] - xy.mean(axis=1)).max() < 0.75  # half a pixel but for noise
    assert blob_centre(torch.zeros((1, 11, 11))).shape == (1, 2)


def test_windows_are_cut_out_and_zero_beyond_the_image() -> None:
    frames = torch.arange(50.0).reshape(2, 5, 5)
    cut = windows_about(frames, torch.tensor([[2, 3], [0, 4]]), 3)
    assert torch.equal(cut[0], frames[0, 1:4, 2:5])
    assert torch.equal(cut[1], torch.tensor([[0.0, 0.0, 0.0], [28.0, 29.0, 0.0], [33.0, 34.0, 0.0]]))
    distances = border_distances(torch.tensor([[0, 10], [5, 9]]), 11, 4)
    assert torch.equal(distances, torch.tensor([[0.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.25]]))
