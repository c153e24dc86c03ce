"""Networks that answer targets: batches, blocks, threads, detections."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from csist_bench.errors import InputError
from csist_bench.methods.networks.common.set_loss import LEARNED, PRESENCE
from csist_bench.methods.networks.points import BLOCK, BatchedPointNetwork
from csist_bench.methods.networks.weights import save_weights
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.rendering import render_shard
from tests.helpers.cards import card_of
from tests.helpers.offgrid_net import CAMERA, SMALL, network
from tests.helpers.slots import some_slots
from tests.helpers.tiny_sets import tiny_store
from tests.helpers.unmixing import unmixed


def test_slots_become_as_many_detections_as_their_presences_sum_to(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = BatchedPointNetwork(network(), "cpu")
    score = torch.tensor([0.4, 0.3, 0.2, 0.1]).expand(2, 4).unsqueeze(-1)
    slots = torch.cat([some_slots(2, 4), score], dim=-1).unsqueeze(0).numpy()
    slots[..., PRESENCE] = np.array([[9.0, -9.0, 0.5, 9.0], [-9.0, -9.0, -9.0, -9.0]])
    monkeypatch.setattr(runner, "slots", lambda frames, camera: slots)
    found = runner.detect(np.zeros((1, 2, 11, 11), np.float32), CAMERA).ordered()
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
    np.testing.assert_allclose(BatchedPointNetwork(model, "cpu", 32).slots(frames, CAMERA), whole, atol=1e-3)


def test_the_network_is_told_of_noise_clipping_and_background() -> None:
    frames = render_shard(load_data_recipe("seqcsist"), [0]).frames
    runner = BatchedPointNetwork(network(), "cpu")
    plain = runner.slots(frames, CAMERA)
    np.testing.assert_allclose(runner.slots(frames + 7.0, replace(CAMERA, background=7.0)), plain, atol=0.05)
    assert np.abs(runner.slots(frames, replace(CAMERA, noise_sigma=5.0)) - plain).max() > 1e-3
    assert np.abs(runner.slots(frames, replace(CAMERA, saturation=255.0)) - plain).max() > 1e-3


def test_frames_of_another_size_are_refused() -> None:
    with pytest.raises(InputError, match="frames must have shape"):
        BatchedPointNetwork(network(), "cpu").detect(np.zeros((1, 1, 9, 9)), CAMERA)


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
        runner = BatchedPointNetwork(network().train(), "cpu")
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
    expected = BatchedPointNetwork(model, "cpu").detect(split.frames[:], Camera.from_recipe(split.recipe))
    kept = expected.select((expected.frame >= 1) & (expected.frame < 5)).ordered()
    np.testing.assert_allclose(own.detections.x, kept.x, atol=1e-5)
    polished = unmixed(split, "offgrid-net", decoder="polish", weights=tmp_path / "w.safetensors", device="cpu")
    assert polished.method["decoder"] == "polish"
    assert len(polished.detections) == len(own.detections)
    assert polished.detections.sigma_x is not None
    assert own.detections.sigma_x is not None
    assert polished.detections.sigma_x.mean() < own.detections.sigma_x.mean()
