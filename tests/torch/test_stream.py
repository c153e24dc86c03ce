"""Endless scenes: those of the simulator, different for each reader, the same for each seed."""

from __future__ import annotations

import itertools
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from csist_bench.errors import InputError
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.rendering import render_shard
from csist_bench.torch import StreamDataset
from csist_bench.torch.stream import BLOCK
from tests.helpers.tiny_sets import tiny_recipe


def first(data, count):
    return list(itertools.islice(data, count))


def test_scenes_are_those_that_the_simulator_renders_with_this_seed():
    samples = first(StreamDataset("seqcsist-noise", noise=3.0, window=3, labels="points", seed=9), BLOCK + 2)
    shard = render_shard(load_data_recipe("seqcsist-noise", ["noise_sigma=3", "seed=9"]), range(BLOCK + 2))
    for n in (0, 1, BLOCK, BLOCK + 1):
        frame = int(samples[n]["frame"])
        assert frame == 2 + n % 16
        np.testing.assert_allclose(samples[n]["frames"], shard.frames[n, frame - 1 : frame + 2], rtol=1e-6)
        np.testing.assert_allclose(samples[n]["xy"], shard.scenes.xy[n, frame].astype(np.float32))


def test_workers_and_processes_draw_different_scenes_and_none_is_left_out():
    data = StreamDataset(tiny_recipe(), window=1, seed=5)
    seen = [int(n) for batch in itertools.islice(DataLoader(data, batch_size=BLOCK, num_workers=2), 4)
            for n in batch["trajectory"]]  # fmt: skip
    assert sorted(seen) == list(range(4 * BLOCK))
    with (
        patch("torch.distributed.is_initialized", return_value=True),
        patch("torch.distributed.get_rank", return_value=1),
        patch("torch.distributed.get_world_size", return_value=3),
    ):
        assert [int(s["trajectory"]) for s in first(data, BLOCK + 1)] == [*range(BLOCK, 2 * BLOCK), 4 * BLOCK]


def test_the_seed_decides_and_is_not_that_of_the_set_one_scores_on():
    one, again, other = (first(StreamDataset("seqcsist", window=1, seed=s), 1)[0]["frames"] for s in (3, 3, 4))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    with pytest.raises(InputError, match="seed must differ from that of the recipe"):
        StreamDataset("seqcsist", seed=0)


def test_whole_trajectories_and_transforms():
    sample = first(StreamDataset(tiny_recipe(), window=None, transform=lambda s: {**s, "mine": 1}), 1)[0]
    assert sample["frames"].shape == (6, 11, 11)
    assert sample["grid"].shape == (6, 33, 33)
    assert sample["mine"] == 1


@pytest.mark.parametrize(("options", "said"), [({"window": 2}, "window"), ({"labels": "x"}, "labels")])
def test_what_can_not_be_is_said(options, said):
    with pytest.raises(InputError, match=said):
        StreamDataset("seqcsist", **options)
    with pytest.raises(InputError, match="unknown recipe"):
        StreamDataset("seqcsit")
