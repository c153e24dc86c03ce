"""Hermite moments of a blob, what a set of targets leaves of it, and how far it is turned."""

from __future__ import annotations

from math import factorial

import numpy as np
import pytest
import torch
from numpy.polynomial.hermite_e import hermeval

from csist_bench.methods.networks.common.rendering import frames_from_targets
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.common.set_loss import LEARNED, PRESENCE
from csist_bench.methods.networks.offgrid_net.hermite_moments import ORDER, WIDTH, HermiteMoments, Seen
from csist_bench.methods.networks.offgrid_net.mixture_weights import rest_of
from csist_bench.methods.networks.offgrid_net.windows import blob_centre, centroid, windows_about
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets as simulated_frames
from tests.helpers.crosses import crosses


def windows_of(xy: np.ndarray) -> torch.Tensor:
    frames = torch.tensor(simulated_frames(xy, np.full(xy.shape[:-1], 235.0), Optics())).float()
    return windows_about(frames, blob_centre(frames), 7)


def test_moments_are_sums_over_hermite_polynomials() -> None:
    windows = windows_of(np.array([[[5.1, 4.8], [5.4, 5.3]]]))
    moments = HermiteMoments(Sampling.from_optics(Optics()), 7)
    found = moments._both(moments.seen(windows, torch.ones(1)))[0].double().numpy()
    row, column = centroid(windows)[0].double().numpy()
    u, v = (np.arange(7) - 3 - column) / WIDTH, (np.arange(7) - 3 - row) / WIDTH
    one = simulated_frames(np.array([[column + 3, row + 3]]), windows[0, 1:6, 1:6].sum().double().numpy()[None],
                           Optics(size=7))  # fmt: skip
    window = windows[0].double().numpy()
    expected = []
    for image in (window, window - one):
        for p, q in moments.orders.tolist():
            h_p, h_q = (
                hermeval(z, np.eye(ORDER + 1)[n]) / np.sqrt(factorial(n)) * np.exp(-0.25 * z**2)
                for z, n in ((u, p), (v, q))
            )
            expected.append(h_q @ image @ h_p)
    np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.mark.parametrize("noise", [0.01, 1.0, 30.0])
def test_moments_are_of_unit_size_whatever_the_noise(noise: float) -> None:
    rng = np.random.default_rng(0)
    xy = 5.0 + rng.uniform(-0.5, 0.5, (400, 1, 2)) + rng.uniform(-0.5, 0.5, (400, 3, 2))
    windows = windows_of(xy) + noise * torch.from_numpy(rng.normal(size=(400, 7, 7))).float()
    moments = HermiteMoments(Sampling.from_optics(Optics()), 7)
    features = moments(moments.seen(windows, torch.full((400,), noise)))
    assert features.shape == (400, 56)
    assert 0.2 < features.std(dim=0).median() < 1.5
    assert features.abs().max() < 10


def test_what_is_left_of_a_window_is_nothing_for_the_true_set_and_noise_for_its_units() -> None:
    xy = np.array([[[5.1, 4.8], [5.4, 5.3]]])
    windows = windows_of(xy)
    moments = HermiteMoments(Sampling.from_optics(Optics()), 7)
    noise = torch.tensor([2.0])
    true, wrong = torch.tensor([[5.1, 4.8], [5.4, 5.3]]), torch.tensor([[5.1, 5.3], [5.4, 4.8]])
    places = torch.stack([true, wrong]).unsqueeze(0) - 5.0 - centroid(windows).flip(1)  # the window is about pixel 5
    intensity = torch.full((1, 2, 2), 235.0)
    seen = moments.seen(windows, noise)
    rest = moments.of_rest(seen, places, intensity)
    assert rest[0, 0].abs().max() < 1e-3
    assert rest[0, 1].abs().max() > 1.0
    # As by the image of the set.
    left = windows - frames_from_targets(wrong - 2.0, intensity[0, 1], 0.5, 7)
    plain = (seen.rows @ left @ seen.columns.mT)[0] / 2.0
    gain = (seen.columns[0].square().sum(dim=1) * seen.rows[0].square().sum(dim=1)[:, None]).sqrt()
    p, q = moments.orders.unbind(dim=1)
    torch.testing.assert_close(rest[0, 1], (plain / gain)[q, p], atol=1e-3, rtol=1e-3)
    draws = windows + 2.0 * torch.randn((2000, 7, 7), generator=torch.Generator().manual_seed(0))
    about = true - 5.0 - centroid(draws).flip(1)[:, None, None]
    seen = moments.seen(draws, noise.expand(2000))
    spread = moments.of_rest(seen, about, intensity[:, :1].expand(2000, 1, 2)).std(dim=0)
    torch.testing.assert_close(spread, torch.ones_like(spread), atol=0.1, rtol=0.0)


def test_what_is_left_adds_up_over_frames_while_noise_does_not() -> None:
    rng = np.random.default_rng(0)
    moments, t = HermiteMoments(Sampling.from_optics(Optics()), 7), 9
    arms = np.array([[0.3, 0.0], [-0.3, 0.0]])
    xy = 5.0 + np.linspace(-1.0, 1.0, t)[:, None, None] * [0.9, 0.4] + arms
    frames = torch.tensor(simulated_frames(xy, np.full((t, 2), 235.0), Optics()) + rng.normal(0.0, 2.0, (t, 11, 11)))
    windows = windows_about(frames.float(), blob_centre(frames.float()), 7)
    slots = torch.zeros((1, t, 2, 2, LEARNED))
    slots[..., :2] = torch.tensor(np.stack([arms, arms[:, ::-1]]))  # the true set, and one turned by a quarter
    slots[..., 2], slots[..., PRESENCE] = 235.0, 20.0
    seen = moments.seen(windows, torch.full((t,), 2.0))

    def some(frames: slice) -> Seen:
        return Seen(*(x[frames].unsqueeze(0) for x in seen))

    both = rest_of(moments, some(slice(t)), slots, reach=t)[0].sinh()
    own, summed = (part.square().mean(dim=-1).sqrt() for part in both.chunk(2, dim=-1))  # (T, A)
    assert (summed[:, 0] < 2.5).all()
    assert (summed[:, 1] > 2.0 * own[:, 1]).all()  # of nine frames: three times the root mean square, but for noise
    few = rest_of(moments, some(slice(t)), slots, reach=1)[0, 4, :, 28:]
    three = rest_of(moments, some(slice(3, 6)), slots[:, 3:6], reach=5)[0, 1, :, 28:]
    torch.testing.assert_close(few, three, atol=1e-4, rtol=1e-4)


def turn_of(frames: torch.Tensor) -> np.ndarray:
    moments = HermiteMoments(Sampling.from_optics(Optics()), 7)
    return moments.turn(moments.seen(windows_about(frames, blob_centre(frames), 7), torch.ones(len(frames)))).numpy()


def test_the_turn_of_a_cross_is_that_of_its_arms_up_to_a_quarter() -> None:
    angle = np.linspace(-np.pi / 4, np.pi / 4, 400)
    frames = crosses(angle)[0][:, 0]
    turn = turn_of(frames)
    off = (turn - angle + np.pi / 4) % (np.pi / 2) - np.pi / 4
    assert np.degrees(np.median(np.abs(off))) < 5.0
    # In noise it is nearly an even draw: no angle is met more often than another.
    frames = crosses(np.linspace(-np.pi / 4, np.pi / 4, 4000), noise=2.0)[0][:, 0]
    turn = turn_of(frames)
    assert np.abs(np.exp(4j * turn).mean()) < 0.1
