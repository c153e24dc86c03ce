"""OffGrid-Net and its layers: renderer, assignment, loss, windows, neighbours, and the way to detections."""

from __future__ import annotations

import itertools
from dataclasses import replace
from math import factorial
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.polynomial.hermite_e import hermeval
from scipy.optimize import linear_sum_assignment
from torch import nn

from csist_bench.checks import InputError
from csist_bench.inference import unmix
from csist_bench.models.base import build_network
from csist_bench.models.layers.assignment import best_assignment, log_sum_of_assignments
from csist_bench.models.layers.correctness import THRESHOLDS, correctness, expected_correctness
from csist_bench.models.layers.moments import ORDER, WIDTH, BlobMoments
from csist_bench.models.layers.neighbours import NeighbourAttention, NeighbourConvolution
from csist_bench.models.layers.rendering import SceneLabels, frames_from_targets
from csist_bench.models.layers.sampling import Sampling
from csist_bench.models.layers.set_loss import (
    COLUMNS,
    LEARNED,
    PRESENCE,
    SCORE,
    Alternatives,
    alternatives_loss,
    set_loss,
)
from csist_bench.models.layers.windows import blob_centre, border_distances, centroid, windows_about
from csist_bench.models.points import BLOCK, PointRunner
from csist_bench.models.weights import save_weights
from csist_bench.optics import Optics
from csist_bench.recipes import load_data_recipe
from csist_bench.sensor import Instrument
from csist_bench.simulate import frames_from_targets as simulated_frames
from csist_bench.simulate import render_shard
from tests.reference.tiny_sets import tiny_store
from tests.training.cards import card_of

SMALL = ["width=16", "depth=2", "heads=2"]
INSTRUMENT = Instrument.from_recipe(load_data_recipe("seqcsist"))


def network(*overrides: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_network("offgrid-net", Optics(), [*SMALL, *overrides])


# --- renderer --------------------------------------------------------------------------------------------------------


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


# --- assignment and loss ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 2, 4, 8])
def test_the_assignment_is_that_of_a_solver(k: int) -> None:
    cost = torch.rand((30, k, k), generator=torch.Generator().manual_seed(k)) - 0.5
    found = best_assignment(cost)
    for matrix, chosen in zip(cost.numpy(), found.numpy(), strict=True):
        np.testing.assert_array_equal(chosen, linear_sum_assignment(matrix)[1])


def test_more_slots_than_can_be_assigned_exactly_are_refused() -> None:
    with pytest.raises(InputError, match="slots must be at most 10 for exact assignment, got 11"):
        best_assignment(torch.zeros((1, 11, 11)))


def some_slots(n: int, k: int, seed: int = 0) -> torch.Tensor:
    slots = torch.randn((n, k, COLUMNS), generator=torch.Generator().manual_seed(seed))
    slots[..., 2] = 235 + 10 * slots[..., 2]
    slots[..., 4:6] = 0.1 * slots[..., 4:6].exp()
    slots[..., 6] = 10 * slots[..., 6].exp()
    slots[..., SCORE] = slots[..., SCORE].sigmoid()
    return slots


@pytest.mark.parametrize("k", [1, 3, 5])
def test_the_sum_over_assignments_is_a_permanent(k: int) -> None:
    cost = 3 * torch.randn((7, k, k), generator=torch.Generator().manual_seed(k), dtype=torch.float64)
    cost.requires_grad_(True)
    sums = [cost[:, range(k), order].sum(dim=1).neg().exp() for order in itertools.permutations(range(k))]
    found = log_sum_of_assignments(cost)
    torch.testing.assert_close(found, torch.stack(sums).sum(dim=0).log())
    assert torch.autograd.gradcheck(log_sum_of_assignments, cost.detach()[:2].requires_grad_(True))


def test_the_loss_under_all_assignments_is_that_of_a_multi_bernoulli_set() -> None:
    slots = some_slots(4, 3)
    slots[..., :2] *= 0.1  # they overlap, so that more than one assignment counts
    slots[..., 2] = 230.0
    xy, light = torch.zeros((4, 2, 2)), torch.full((4, 2), 231.0)
    best, every = set_loss(slots, xy, light), set_loss(slots, xy, light, "all")
    assert every["total"] < best["total"]
    assert every["position"] == best["position"]
    # Two targets are given to three slots: a sum over ordered pairs, the slot left over being absent.
    p = torch.sigmoid(slots[..., PRESENCE]).double()
    density = torch.empty((4, 3, 2), dtype=torch.float64)
    for j in range(2):
        truth = torch.cat([xy[:, j], light[:, j, None]], dim=-1)[:, None]
        sigma = slots[..., 4:LEARNED]
        z = (slots[..., :3] - truth) / sigma
        density[..., j] = (-0.5 * z.square().sum(dim=-1)).exp() / sigma.prod(dim=-1) * 100.0
    sums = [
        p[:, a] * density[:, a, 0] * p[:, b] * density[:, b, 1] * (1 - p[:, 3 - a - b])
        for a, b in itertools.permutations(range(3), 2)
    ]
    expected = -torch.stack(sums).sum(dim=0).log().mean()
    assert every["total"].item() == pytest.approx(expected.item(), rel=1e-4)


def test_the_loss_is_the_least_over_all_orders() -> None:
    slots = some_slots(6, 3)
    xy = torch.randn((6, 3, 2), generator=torch.Generator().manual_seed(5))
    light = torch.full((6, 3), 230.0)
    xy[0, 2], light[0, 2] = float("nan"), float("nan")
    losses = []
    for n in range(6):
        sums = []
        for order in itertools.permutations(range(3)):
            total = 0.0
            for slot, target in zip(slots[n], order, strict=True):
                x, y, s, logit, sx, sy, ss = slot[:LEARNED].tolist()
                p = 1 / (1 + np.exp(-logit))
                if light[n, target].isnan():
                    total -= np.log(1 - p)
                    continue
                error = [(x - xy[n, target, 0]) / sx, (y - xy[n, target, 1]) / sy, (s - light[n, target]) / ss]
                total += 0.5 * sum(float(e) ** 2 for e in error) + np.log(sx * sy * ss / 100.0) - np.log(p)
            sums.append(total)
        losses.append(min(sums))
    terms = set_loss(slots, xy, light)
    assert terms["total"].item() == pytest.approx(np.mean(losses), rel=1e-4)
    assert terms["total"].item() == pytest.approx(sum(t.item() for n, t in terms.items() if n != "total"), rel=1e-5)


def test_the_loss_does_not_know_the_order_of_targets_or_slots() -> None:
    slots = some_slots(5, 4)
    xy, light = torch.rand((5, 4, 2)), torch.full((5, 4), 230.0)
    order = torch.tensor([2, 0, 3, 1])
    expected = set_loss(slots, xy, light)["total"]
    assert torch.allclose(set_loss(slots, xy[:, order], light[:, order])["total"], expected)
    assert torch.allclose(set_loss(slots[:, order], xy, light)["total"], expected)


def test_fewer_slots_than_targets_are_refused() -> None:
    with pytest.raises(InputError, match="slots must be at least the 4 targets of a scene, got 3"):
        set_loss(some_slots(1, 3), torch.zeros((1, 4, 2)), torch.zeros((1, 4)))


# --- alternatives ----------------------------------------------------------------------------------------------------


def some_alternatives(n: int, a: int, k: int) -> Alternatives:
    generator = torch.Generator().manual_seed(1)
    slots = some_slots(n * a, k, seed=3)[..., :LEARNED].unflatten(0, (n, a))
    slots[..., :2] *= 0.2
    return Alternatives(slots, torch.randn((n, a), generator=generator), torch.randn((n, a, k), generator=generator))


def test_the_loss_of_alternatives_is_that_of_a_mixture_of_sets() -> None:
    found = some_alternatives(5, 3, 4)
    xy, light = 0.1 * torch.randn((5, 2, 2), generator=torch.Generator().manual_seed(2)), torch.full((5, 2), 231.0)
    terms = alternatives_loss(found, xy, light)
    shares = found.weight.softmax(dim=1)
    likely, judged = [], []
    for n in range(5):
        single = [set_loss(found.slots[n, a, None], xy[n, None], light[n, None])["total"] for a in range(3)]
        likely.append(-torch.stack([w * (-cost).exp() for w, cost in zip(shares[n], single, strict=True)]).sum().log())
        for a in range(3):
            slots = found.slots[n, a]
            gap = (slots[:, None, :2] - xy[n]).norm(dim=-1)
            # The assignment of least cost, by trying all: two targets to four slots.
            costs = {}
            for first, second in itertools.permutations(range(4), 2):
                order = [first, second, *(s for s in range(4) if s not in (first, second))]
                costs[first, second] = ordered_cost(slots[order], xy[n], light[n])
            chosen = min(costs, key=costs.__getitem__)
            aim = torch.zeros(4)
            for target, slot in enumerate(chosen):
                aim[slot] = sum(float(gap[slot, target] <= d) for d in THRESHOLDS) / 5
            p = found.correctness[n, a].sigmoid()
            judged.append(-0.5 * (shares[n, a] + 1 / 3) * (aim * p.log() + (1 - aim) * (1 - p).log()).sum())
    assert terms["correctness"].item() == pytest.approx((torch.stack(judged).sum() / 5).item(), rel=1e-4)
    expected = (torch.stack(likely).mean() + terms["correctness"]).item()
    assert terms["total"].item() == pytest.approx(expected, rel=1e-4)


def ordered_cost(slots: torch.Tensor, xy: torch.Tensor, light: torch.Tensor) -> float:
    """Cost of giving the first slots the targets in their order, the others none."""
    total = 0.0
    for index, slot in enumerate(slots):
        if index >= len(xy):
            total += float(torch.nn.functional.softplus(slot[PRESENCE]))
            continue
        error = (slot[:3] - torch.cat([xy[index], light[index, None]])) / slot[4:LEARNED]
        total += float(0.5 * error.square().sum() + slot[4:LEARNED].log().sum() - np.log(100.0))
        total += float(torch.nn.functional.softplus(-slot[PRESENCE]))
    return total


def test_the_alternative_that_promises_most_is_shown_with_its_scores() -> None:
    found = some_alternatives(6, 3, 4)
    shown = found.shown()
    assert shown.shape == (6, 4, COLUMNS)
    promise = found.correctness.sigmoid().sum(dim=2)
    for n in range(6):
        best = int(promise[n].argmax())
        assert torch.equal(shown[n, :, :LEARNED], found.slots[n, best])
        assert torch.equal(shown[n, :, SCORE], found.correctness[n, best].sigmoid())
    assert len(set(promise.argmax(dim=1).tolist())) > 1


def test_what_is_left_of_a_window_is_nothing_for_the_true_set_and_noise_for_its_units() -> None:
    xy = np.array([[[5.1, 4.8], [5.4, 5.3]]])
    windows = windows_of(xy)
    moments = BlobMoments(Sampling.from_optics(Optics()), 7)
    noise = torch.tensor([2.0])
    true = torch.tensor([[5.1, 4.8], [5.4, 5.3]]) - 5.0 + 3.0  # about pixel 5 of the frame, pixel 3 of the window
    wrong = torch.tensor([[5.1, 5.3], [5.4, 4.8]]) - 5.0 + 3.0
    places, light = torch.stack([true, wrong]).unsqueeze(0), torch.full((1, 2, 2), 235.0)
    rest = moments.of_rest(windows, noise, places, light)
    assert rest[0, 0].abs().max() < 1e-3
    assert rest[0, 1].abs().max() > 1.0
    # As by the image of the set.
    left = windows - frames_from_targets(places[0, 1], light[0, 1], 0.5, 7)
    rows, columns = moments._axes(centroid(windows), windows)
    plain = (rows @ left @ columns.mT)[0] / 2.0
    gain = (columns[0].square().sum(dim=1) * rows[0].square().sum(dim=1)[:, None]).sqrt()
    p, q = moments.orders.unbind(dim=1)
    torch.testing.assert_close(rest[0, 1].sinh(), (plain / gain)[q, p], atol=1e-3, rtol=1e-3)
    draws = windows + 2.0 * torch.randn((2000, 7, 7), generator=torch.Generator().manual_seed(0))
    truth = places[:, :1].expand(2000, 1, 2, 2), light[:, :1].expand(2000, 1, 2)
    spread = moments.of_rest(draws, noise.expand(2000), *truth).sinh().std(dim=0)
    torch.testing.assert_close(spread, torch.ones_like(spread), atol=0.1, rtol=0.0)


def test_judging_alternatives_does_not_move_them() -> None:
    model = network("alternatives=3")
    frames = torch.from_numpy(render_shard(load_data_recipe("seqcsist"), [0]).frames)
    found = model._answers(frames, None)
    assert [tuple(part.shape) for part in found] == [(20, 3, 4, LEARNED), (20, 3), (20, 3, 4)]
    (found.weight.sum() + found.correctness.sum()).backward()
    assert model.head.weight.grad is None
    assert model.judge.compare.weight.grad.abs().max() > 0
    places = found.slots[0, :, :, :2] - found.slots[0, :, :, :2].mean(dim=1, keepdim=True)
    turn = torch.atan2(places[:, 0, 1], places[:, 0, 0])
    assert (turn.diff().abs() > 0.1).all(), "alternatives start turned against each other"


def test_correctness_is_the_share_of_thresholds_that_a_distance_is_within() -> None:
    distance = torch.tensor([0.0, 0.05, 0.051, 0.12, 0.25, 0.3, float("inf")], dtype=torch.float64)
    assert correctness(distance).tolist() == pytest.approx([1.0, 1.0, 0.8, 0.6, 0.2, 0.0, 0.0])


# --- windows and neighbours ------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("neighbours", ["attention", "convolution"])
@pytest.mark.parametrize("reach", [0, 2])
def test_a_frame_depends_on_its_neighbours_within_reach_and_no_others(reach: int, neighbours: str) -> None:
    frames = torch.from_numpy(render_shard(load_data_recipe("seqcsist"), [0]).frames)
    model = network(f"reach={reach}", "depth=4", f"neighbours={neighbours}")
    with torch.inference_mode():
        before = model(frames)
        frames[:, 10] = frames[:, 10].flip(-1)
        moved = (model(frames) != before).flatten(2).any(dim=-1)[0]
    assert moved.nonzero().flatten().tolist() == list(range(10 - reach, 11 + reach))


def test_attention_is_the_weighted_mean_written_out() -> None:
    torch.manual_seed(0)
    layer = NeighbourAttention(4, 1, reach=1)
    nn.init.normal_(layer.lag)
    x, context, place = torch.randn(1, 5, 4), torch.randn(1, 5, 4), torch.randn(1, 5, 3)
    query = layer.query(layer.query_norm(x))[0]
    key, value = layer.key_value(layer.key_norm(context))[0].chunk(2, dim=-1)
    expected = []
    for t in range(5):
        near = [s for s in range(5) if abs(s - t) <= 1]
        weight = torch.softmax(torch.stack([query[t] @ key[s] / 2.0 + layer.lag[0, s - t + 1] for s in near]), dim=0)
        mean = sum(w * torch.cat([value[s], place[0, s] - place[0, t]]) for w, s in zip(weight, near, strict=True))
        expected.append(layer.out(mean))
    torch.testing.assert_close(layer(x, context, place)[0], torch.stack(expected), atol=1e-5, rtol=1e-4)


def test_convolution_in_time_is_a_sum_over_lags() -> None:
    torch.manual_seed(0)
    layer = NeighbourConvolution(4, reach=1)
    context, place = torch.randn(1, 5, 4), torch.randn(1, 5, 3)
    seen, expected = layer.norm(context)[0], []
    for t in range(5):
        near = [s for s in range(t - 1, t + 2) if 0 <= s < 5]
        moved = torch.zeros(3, 3)
        for s in near:
            moved[:, s - t + 1] = place[0, s] - place[0, t]
        mixed = sum(layer.mix.weight[:, :, s - t + 1] @ seen[s] for s in near) + layer.mix.bias
        expected.append(mixed + layer.displace(moved.flatten()))
    torch.testing.assert_close(layer(context, context, place)[0], torch.stack(expected), atol=1e-5, rtol=1e-4)


# --- moments ---------------------------------------------------------------------------------------------------------


def windows_of(xy: np.ndarray) -> torch.Tensor:
    frames = torch.tensor(simulated_frames(xy, np.full(xy.shape[:-1], 235.0), Optics())).float()
    return windows_about(frames, blob_centre(frames), 7)


def test_moments_are_sums_over_hermite_polynomials() -> None:
    windows = windows_of(np.array([[[5.1, 4.8], [5.4, 5.3]]]))
    moments = BlobMoments(Sampling.from_optics(Optics()), 7)
    found = moments._moments(windows)[0][0].double().numpy()
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
    features = BlobMoments(Sampling.from_optics(Optics()), 7)(windows, torch.full((400,), noise))
    assert features.shape == (400, 56)
    assert 0.2 < features.std(dim=0).median() < 1.5
    assert features.abs().max() < 10


@pytest.mark.parametrize(
    "override", ["moments=false", "pixels=convolution", "assignments=all", "alternatives=3", "window=5", "window=9"]
)
def test_the_variants_that_were_compared_learn(override: str) -> None:
    model = network(override)
    frames = torch.from_numpy(render_shard(load_data_recipe("seqcsist"), [0, 1]).frames)
    told = SceneLabels(
        torch.full((2, 20, 2, 2), 5.0), torch.full((2, 20, 2), 235.0), torch.ones(2), torch.full((2,), torch.inf)
    )
    losses = []
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(5):
        losses.append(model.loss(frames, told, slice(2, 18))["total"])
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert losses[-1] < losses[0]


def test_a_shifted_frame_has_a_shifted_answer() -> None:
    frames = torch.zeros((1, 1, 15, 15))
    frames[..., 5:8, 5:8] = torch.rand((3, 3), generator=torch.Generator().manual_seed(0)) * 200
    model = build_network("offgrid-net", Optics(size=15), SMALL)
    with torch.inference_mode():
        here, there = model(frames), model(frames.roll((2, 1), (-2, -1)))
    moved = here.clone()
    moved[..., 0] += 1
    moved[..., 1] += 2
    torch.testing.assert_close(there, moved, atol=1e-4, rtol=1e-5)


def test_bad_settings_are_refused() -> None:
    for override, words in (
        ("window=4", "window must be odd"),
        ("reach=-1", "reach must be 0 or more"),
        ("alternatives=2", "moments must be true where there are alternatives"),
        ("heads=3", "width must be divisible by the 3 heads, got 16"),
    ):
        with pytest.raises(InputError, match=words):
            network("reach=1", override, *(["moments=false"] if "alternatives" in override else []))


# --- detections ------------------------------------------------------------------------------------------------------


def test_expected_correctness_is_what_sampling_gives() -> None:
    sigma = torch.tensor([[0.05, 0.05], [0.03, 0.1], [0.2, 0.08], [1.0, 1.0]], dtype=torch.float64)
    error = np.random.default_rng(0).normal(size=(200_000, 2))
    for row, figure in zip(sigma.numpy(), expected_correctness(sigma).tolist(), strict=True):
        distance = np.hypot(*(error * row).T)
        assert figure == pytest.approx(np.mean([(distance <= d).mean() for d in THRESHOLDS]), abs=0.003)
    equal = torch.tensor([0.1, 0.1], dtype=torch.float64)
    closed = np.mean([1 - np.exp(-0.5 * (d / 0.1) ** 2) for d in THRESHOLDS])
    assert expected_correctness(equal).item() == pytest.approx(closed, rel=1e-9)


def test_slots_become_as_many_detections_as_their_presences_sum_to(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = PointRunner(network(), "cpu")
    slots = some_slots(2, 4).reshape(1, 2, 4, COLUMNS).numpy()
    slots[..., PRESENCE] = np.array([[9.0, -9.0, 0.5, 9.0], [-9.0, -9.0, -9.0, -9.0]])
    monkeypatch.setattr(runner, "slots", lambda frames, instrument: slots)
    found = runner.detect(np.zeros((1, 2, 11, 11), np.float32), INSTRUMENT).ordered()
    assert found.frame.tolist() == [0, 0, 0]
    np.testing.assert_allclose(found.x, np.sort(slots[0, 0, [0, 2, 3], 0]))
    assert ((found.score > 0) & (found.score < 1)).all()


@pytest.mark.parametrize("reach", [0, 3])
def test_long_sequences_are_answered_in_blocks(reach: int) -> None:
    frames = np.tile(render_shard(load_data_recipe("seqcsist"), [0]).frames, (1, 8, 1, 1))[:, : 2 * BLOCK + 5]
    model = network(f"reach={reach}")
    with torch.inference_mode():
        whole = model(torch.from_numpy(frames)).numpy()
    np.testing.assert_allclose(PointRunner(model, "cpu", 32).slots(frames, INSTRUMENT), whole, atol=1e-3)


def test_the_network_is_told_of_noise_clipping_and_background() -> None:
    frames = render_shard(load_data_recipe("seqcsist"), [0]).frames
    runner = PointRunner(network(), "cpu")
    plain = runner.slots(frames, INSTRUMENT)
    np.testing.assert_allclose(runner.slots(frames + 7.0, replace(INSTRUMENT, background=7.0)), plain, atol=0.05)
    assert np.abs(runner.slots(frames, replace(INSTRUMENT, noise_sigma=5.0)) - plain).max() > 1e-3
    assert np.abs(runner.slots(frames, replace(INSTRUMENT, saturation=255.0)) - plain).max() > 1e-3


def test_frames_of_another_size_are_refused() -> None:
    with pytest.raises(InputError, match="frames must have shape"):
        PointRunner(network(), "cpu").detect(np.zeros((1, 1, 9, 9)), INSTRUMENT)


def test_unmix_runs_the_weights_and_polishes_them(tmp_path: Path) -> None:
    split = tiny_store(tmp_path / "tiny.zarr").split("test")
    model = network("reach=1")
    with torch.no_grad():
        model.head.bias.view(-1, LEARNED)[:, PRESENCE] = 3.0  # type: ignore[union-attr, operator]
    save_weights(tmp_path / "w.safetensors", model, card_of("offgrid-net", [*SMALL, "reach=1"]))
    own = unmix(split, "offgrid-net", weights=tmp_path / "w.safetensors", device="cpu")
    assert own.method["decoder"] == "own"
    assert len(own.detections) == 4 * own.n_frames
    expected = PointRunner(model, "cpu").detect(split.frames[:], Instrument.from_recipe(split.recipe))
    kept = expected.select((expected.frame >= 1) & (expected.frame < 5)).ordered()
    np.testing.assert_allclose(own.detections.x, kept.x, atol=1e-5)
    polished = unmix(split, "offgrid-net", decoder="polish", weights=tmp_path / "w.safetensors", device="cpu")
    assert polished.method["decoder"] == "polish"
    assert len(polished.detections) == len(own.detections)
    assert polished.detections.sigma_x is not None
    assert own.detections.sigma_x is not None
    assert polished.detections.sigma_x.mean() < own.detections.sigma_x.mean()
