"""OffGrid-Net and its layers: renderer, assignment, loss, windows, neighbours, and the way to detections."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from csist_bench.errors import InputError
from csist_bench.methods.networks.base import build_network
from csist_bench.methods.networks.common.correctness import THRESHOLDS, expected_correctness
from csist_bench.methods.networks.common.rendering import SceneLabels, frames_from_targets
from csist_bench.methods.networks.common.set_loss import LEARNED, PRESENCE, SCORE
from csist_bench.methods.networks.offgrid_net.temporal_attention import TemporalAttention, TemporalConvolution
from csist_bench.methods.networks.offgrid_net.windows import blob_centre, border_distances, windows_about
from csist_bench.methods.networks.points import BLOCK, PointRunner
from csist_bench.methods.networks.weight_files import shipped_weights
from csist_bench.methods.networks.weights import load_weights, save_weights
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets as simulated_frames
from csist_bench.simulation.rendering import render_shard
from tests.helpers.cards import card_of
from tests.helpers.crosses import crosses
from tests.helpers.slots import some_slots
from tests.helpers.tiny_sets import tiny_store
from tests.helpers.unmixing import unmixed

SMALL = ["width=16", "depth=2", "heads=2"]
INSTRUMENT = Camera.from_recipe(load_data_recipe("seqcsist"))


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


# --- alternatives ----------------------------------------------------------------------------------------------------


def test_a_single_set_scores_by_its_presence_and_errors() -> None:
    frames = torch.from_numpy(render_shard(load_data_recipe("seqcsist"), [0]).frames)
    with torch.inference_mode():
        slots = network("alternatives=1")(frames)
    expected = slots[..., PRESENCE].sigmoid() * expected_correctness(slots[..., 4:6])
    torch.testing.assert_close(slots[..., SCORE], expected)


def test_judging_alternatives_does_not_move_them() -> None:
    model = network("alternatives=3")
    frames = torch.from_numpy(render_shard(load_data_recipe("seqcsist"), [0]).frames)
    found = model._found(frames, None)
    assert [tuple(part.shape) for part in found] == [(20, 3, 4, LEARNED), (20, 3), (20, 3, 4), (20, 3)]
    (found.weight.sum() + found.correctness.sum()).backward()
    assert model.head.weight.grad is None
    assert model.judge.compare.weight.grad.abs().max() > 0
    places = found.slots[0, :, :, :2] - found.slots[0, :, :, :2].mean(dim=1, keepdim=True)
    turn = torch.atan2(places[:, 0, 1], places[:, 0, 0])
    assert (turn.diff().abs() > 0.1).all(), "alternatives start turned against each other"


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


@pytest.mark.parametrize(
    ("reach", "setting"),
    [(0, "neighbours=attention"), (2, "neighbours=attention"), (2, "neighbours=convolution"), (2, "smooth=true")],
)
def test_a_frame_depends_on_its_neighbours_within_reach_and_no_others(reach: int, setting: str) -> None:
    frames = torch.from_numpy(render_shard(load_data_recipe("seqcsist"), [0]).frames)
    model = network(f"reach={reach}", "depth=4", setting)
    with torch.inference_mode():
        before = model(frames)
        frames[:, 10] = frames[:, 10].flip(-1)
        moved = (model(frames) != before).flatten(2).any(dim=-1)[0]
    assert moved.nonzero().flatten().tolist() == list(range(10 - reach, 11 + reach))


def test_attention_is_the_weighted_mean_written_out() -> None:
    torch.manual_seed(0)
    layer = TemporalAttention(4, 1, reach=1)
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
    layer = TemporalConvolution(4, reach=1)
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


# --- starts and variants ----------------------------------------------------------------------------------------------


def test_alternatives_start_as_polygons_turned_with_the_blob() -> None:
    model = network("start=phase", "alternatives=2")
    for layer in (model.head, model.keep):
        nn.init.zeros_(layer.weight)
    frames = crosses(np.radians([10.0, -30.0]))[0]
    windows = windows_about(frames[:, 0], blob_centre(frames[:, 0]), 7)
    turn = model.moments.turn(model.moments.seen(windows, torch.ones(2)))
    with torch.no_grad():
        sets = model._found(frames, None).slots[..., :2]
    for n in range(2):
        arms = sets[n] - sets[n, 0].mean(dim=0)
        torch.testing.assert_close(arms.norm(dim=-1), torch.full((2, 4), 0.3))
        for a in range(2):
            off = torch.atan2(arms[a, :, 1], arms[a, :, 0]) - turn[n] - a * np.pi / 4
            torch.testing.assert_close((4 * off).cos(), torch.ones(4))
    assert (turn[0] - turn[1]).abs() > 0.5
    with pytest.raises(InputError, match='alternatives must be 2 or more to start by "phase", got 1'):
        network("start=phase", "alternatives=1")
    with pytest.raises(InputError, match="slots must be divisible by 4 to start by"):
        network("start=phase", "slots=6")


def test_mixed_precision_leaves_the_turn_of_a_blob_exact() -> None:
    model = network("start=phase", "alternatives=2")
    frames = crosses(np.linspace(0.0, np.pi / 2, 200))[0]
    exact = model._look(frames, None).turn
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(model._look(frames, None).turn, exact, atol=1e-6, rtol=0)


# Polygons that started upright left 0.53 and 0.97 at sigma 2; without leaning to the phase offgrid-net-rotated leaves
# 0.8 at sigma 5.
@pytest.mark.parametrize("noise", [2.0, 5.0])
@pytest.mark.parametrize("weights", ["offgrid-net-free", "offgrid-net-rotated"])
def test_networks_of_laws_without_axes_answer_no_angle_much_better_than_another(weights: str, noise: float) -> None:
    path = shipped_weights(weights)
    assert path is not None
    runner, camera = PointRunner(load_weights(path)[0], "cpu"), replace(INSTRUMENT, noise_sigma=noise)
    shares = []
    for turned in (0.0, 22.5, 33.75, 45.0, 67.5):
        frames, xy = crosses(np.full(600, np.radians(turned)), noise)
        answers = runner.slots(frames.numpy(), camera)[:, 0, :, :2]
        gap = np.linalg.norm(answers[:, :, None] - xy[:, None], axis=-1).min(axis=1)
        shares.append((gap < 0.15).mean())
    assert max(shares) - min(shares) < 0.2


VARIANTS = ["pixels=convolution", "alternatives=3", "window=5", "window=9", "reach=1", "start=phase", "slots=8",
            "answers=likeliest", "reach=1 smooth=true"]  # fmt: skip


@pytest.mark.parametrize("override", VARIANTS)
def test_the_variants_that_were_compared_learn(override: str) -> None:
    assert_learns(network(*override.split()))


@pytest.mark.parametrize("override", ["moments=false", "assignments=all", "slots=5"])
def test_a_single_set_of_slots_learns(override: str) -> None:
    assert_learns(network("alternatives=1", override))


def test_what_is_answered_does_not_change_the_alternatives() -> None:
    model = network("alternatives=3")
    xy, intensity = torch.full((1, 2, 2, 2), 5.0), torch.full((1, 2, 2), 235.0)
    labels = SceneLabels(xy, intensity, torch.ones(1), torch.full((1,), torch.inf))
    frames = torch.from_numpy(render_shard(load_data_recipe("seqcsist"), [0]).frames)[:, :2]
    model.loss(frames, labels, slice(0, 2))["answer"].backward()
    assert {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None} == {"answer"}


def assert_learns(model: nn.Module) -> None:
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
        ("moments=false", "moments must be true where there are alternatives"),
        ("assignments=all", "assignments must be best where there are alternatives"),
        ("heads=3", "width must be divisible by the 3 heads, got 16"),
    ):
        with pytest.raises(InputError, match=words):
            network("reach=1", override)


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
    score = torch.tensor([0.4, 0.3, 0.2, 0.1]).expand(2, 4).unsqueeze(-1)
    slots = torch.cat([some_slots(2, 4), score], dim=-1).unsqueeze(0).numpy()
    slots[..., PRESENCE] = np.array([[9.0, -9.0, 0.5, 9.0], [-9.0, -9.0, -9.0, -9.0]])
    monkeypatch.setattr(runner, "slots", lambda frames, camera: slots)
    found = runner.detect(np.zeros((1, 2, 11, 11), np.float32), INSTRUMENT).ordered()
    assert found.frame.tolist() == [0, 0, 0]
    np.testing.assert_allclose(found.x, np.sort(slots[0, 0, [0, 2, 3], 0]))
    order = np.argsort(slots[0, 0, [0, 2, 3], 0])
    np.testing.assert_allclose(found.score, np.array([0.4, 0.2, 0.1])[order])


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


def test_threads_side_by_side_answer_as_one_does_and_leave_no_trace(tmp_path: Path) -> None:
    split = tiny_store(tmp_path / "tiny.zarr").split("test")
    save_weights(tmp_path / "w.safetensors", network("reach=1").train(), card_of("offgrid-net", [*SMALL, "reach=1"]))
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(unmixed(split, "offgrid-net", weights=tmp_path / "w.safetensors", device="cpu").detections)
            assert torch.get_num_threads() == threads
        runner = PointRunner(network().train(), "cpu")
        for given, each in ((1, 3), (2, 1), (3, 1)):
            assert runner.threads == 3
            with runner.side_by_side(given):
                assert (torch.get_num_threads(), runner.model.training) == (each, False)
        assert (torch.get_num_threads(), runner.model.training) == (3, True)
    finally:
        torch.set_num_threads(before)
    for name, column in found[0].columns().items():
        np.testing.assert_allclose(column, found[1].columns()[name], atol=1e-4, rtol=1e-4)


def test_unmix_runs_the_weights_and_polishes_them(tmp_path: Path) -> None:
    split = tiny_store(tmp_path / "tiny.zarr").split("test")
    model = network("reach=1")
    with torch.no_grad():
        model.head.bias.view(-1, LEARNED)[:, PRESENCE] = 3.0  # type: ignore[union-attr, operator]
    save_weights(tmp_path / "w.safetensors", model, card_of("offgrid-net", [*SMALL, "reach=1"]))
    own = unmixed(split, "offgrid-net", weights=tmp_path / "w.safetensors", device="cpu")
    assert own.method["decoder"] == "own"
    assert len(own.detections) == 4 * own.n_frames
    expected = PointRunner(model, "cpu").detect(split.frames[:], Camera.from_recipe(split.recipe))
    kept = expected.select((expected.frame >= 1) & (expected.frame < 5)).ordered()
    np.testing.assert_allclose(own.detections.x, kept.x, atol=1e-5)
    polished = unmixed(split, "offgrid-net", decoder="polish", weights=tmp_path / "w.safetensors", device="cpu")
    assert polished.method["decoder"] == "polish"
    assert len(polished.detections) == len(own.detections)
    assert polished.detections.sigma_x is not None
    assert own.detections.sigma_x is not None
    assert polished.detections.sigma_x.mean() < own.detections.sigma_x.mean()
