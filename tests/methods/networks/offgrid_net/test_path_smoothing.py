"""Where a blob is, frame by frame and along its path."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from csist_bench.methods.networks.offgrid_net.path_smoothing import fitted_places, smooth_paths
from csist_bench.methods.networks.offgrid_net.windows import centroid
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets

SIGMA = 0.54


def blobs(places: np.ndarray, noise: float) -> torch.Tensor:
    """Return windows (N, 7, 7) of round blobs at places (N, 2), (x, y) px from the middle."""
    frames = frames_from_targets(3.0 + places[:, None], np.full((len(places), 1), 700.0), Optics(SIGMA, 7))
    return torch.tensor(frames + noise * np.random.default_rng(1).normal(size=frames.shape)).float()


def test_a_round_blob_is_found_where_it_is() -> None:
    places = np.random.default_rng(0).uniform(-0.7, 0.7, (200, 2))
    windows = blobs(places, 0.0)
    found = fitted_places(windows, centroid(windows), SIGMA).flip(1).numpy()
    np.testing.assert_allclose(found, places, atol=1e-3)


def test_its_noise_is_that_of_the_best_unbiased_fit() -> None:
    places = np.random.default_rng(0).uniform(-0.5, 0.5, (2000, 2))
    windows = blobs(places, 5.0)
    found = fitted_places(windows, centroid(windows), SIGMA).flip(1).numpy()
    step = 1e-4
    slope = (blobs(places + np.array([step, 0.0]), 0.0) - blobs(places, 0.0)).numpy() / step
    bound = np.sqrt(np.mean(25.0 / (slope**2).sum(axis=(1, 2))))  # Cramer and Rao's
    assert (found - places).std() == pytest.approx(bound, rel=0.1)
    assert (centroid(windows).flip(1).numpy() - places).std() > 2.5 * bound


def smoothed(places: torch.Tensor, reach: int) -> torch.Tensor:
    return smooth_paths(places, reach)[:, :, reach]


@pytest.mark.parametrize(("reach", "degree"), [(2, 1), (19, 3)])
def test_smooth_paths_are_kept_and_noise_is_lessened(reach: int, degree: int) -> None:
    generator = torch.Generator().manual_seed(0)
    time = torch.linspace(-1.0, 1.0, 20, dtype=torch.float64)
    powers = torch.stack([time**p for p in range(degree + 1)], dim=1)
    path = powers @ torch.randn((degree + 1, 2), generator=generator, dtype=torch.float64)
    found = smooth_paths(path[None], reach)[0]
    for lag in range(-reach, reach + 1):
        inside = torch.arange(max(0, -lag), min(20, 20 - lag))
        torch.testing.assert_close(found[inside, reach + lag], path[inside + lag], atol=1e-9, rtol=0)
    noise = torch.randn((500, 20, 2), generator=generator, dtype=torch.float64)
    left = smoothed(noise, reach)[:, 2:18].var().item()
    assert left == pytest.approx({2: 0.2, 19: 0.17}[reach], rel=0.15)  # of five frames a fifth, of twenty about 4 / 20


def test_frames_out_of_reach_have_no_say() -> None:
    places = torch.zeros((1, 12, 2), dtype=torch.float64)
    places[0, 6] = 1.0
    told = smooth_paths(places, 2)[0].abs().sum(dim=(1, 2)) > 1e-12
    assert told.tolist() == [4 <= frame <= 8 for frame in range(12)]


def test_fewer_frames_than_a_cubic_needs_are_fitted_by_less() -> None:
    places = torch.tensor([[[1.0, 2.0]]], dtype=torch.float64)
    torch.testing.assert_close(smoothed(places, 19), places)
