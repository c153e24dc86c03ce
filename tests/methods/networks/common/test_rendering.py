"""The renderer in torch is the simulator's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from csist_bench.methods.networks.common.rendering import frames_from_targets
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets as simulated_frames


@pytest.mark.parametrize("size", [11, 6])
def test_the_torch_renderer_is_the_simulators_to_a_hundred_thousandth(size: int) -> None:
    rng = np.random.default_rng(0)
    xy = rng.uniform(-2.0, size + 1.0, (40, 3, 4, 2))
    xy[:, 0, 0] = np.round(xy[:, 0, 0]) + 0.5  # on pixel borders
    intensity = rng.uniform(1.0, 1000.0, xy.shape[:-1])
    xy[5:9, :, 2:] = np.nan
    intensity[9, :, 0] = np.nan
    for psf_sigma in (0.3, 0.5, 1.1):
        exact = simulated_frames(xy, intensity, Optics(psf_sigma, size))
        frames = frames_from_targets(torch.tensor(xy).float(), torch.tensor(intensity).float(), psf_sigma, size)
        assert np.abs(frames.numpy() - exact).max() < 1e-5 * 1000.0
        one = frames_from_targets(torch.tensor(xy), torch.tensor(intensity), psf_sigma, size)
        np.testing.assert_allclose(one.numpy(), exact, atol=1e-8)
