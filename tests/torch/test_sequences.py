"""A split as a PyTorch data set: its windows and labels against the arrays, workers, and what is refused."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from csist_bench.errors import InputError
from csist_bench.simulation.optics import Optics, grid_from_targets
from csist_bench.torch import SequenceDataset, sequences
from tests.helpers.tiny_sets import tiny_store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tiny_store(tmp_path_factory.mktemp("torch") / "set.zarr")


def test_a_window_is_its_frames_with_the_labels_of_the_middle(store):
    data, part = SequenceDataset(store.path, "train", window=3), store.train
    assert len(data) == part.n_trajectories * 4  # frames 1 to 4 of 6 are scored
    sample = data[5]
    assert (int(sample["trajectory"]), int(sample["frame"])) == (1, 2)
    assert sample["frames"].dtype == sample["grid"].dtype == torch.float32
    np.testing.assert_allclose(sample["frames"], part.frames[1, 1:4])
    expected = grid_from_targets(part.target_xy[1, 2], part.target_intensity[1, 2], Optics())
    np.testing.assert_allclose(sample["grid"], expected, rtol=1e-6)


def test_beyond_either_end_the_last_frame_is_repeated(store):
    data = SequenceDataset(store.path, "train", window=5, scored=False)
    assert len(data) == store.train.n_trajectories * 6
    np.testing.assert_allclose(data[0]["frames"], store.train.frames[0][[0, 0, 0, 1, 2]])
    np.testing.assert_allclose(data[5]["frames"], store.train.frames[0][[3, 4, 5, 5, 5]])


def test_points_are_those_of_the_middle_frame(store):
    sample = SequenceDataset(store.path, "val", window=1, labels="points")[-1]
    np.testing.assert_allclose(sample["xy"], store.val.target_xy[-1, 4].astype(np.float32))
    np.testing.assert_allclose(sample["intensity"], store.val.target_intensity[-1, 4].astype(np.float32))


def test_whole_trajectories_have_all_their_labels(store):
    data = SequenceDataset(store.path, "test", window=None)
    assert len(data) == store.test.n_trajectories
    assert data.scored_frames == range(1, 5)
    sample = data[1]
    assert sample["frames"].shape == (6, 11, 11)
    assert sample["grid"].shape == (6, 33, 33)
    assert SequenceDataset(store.path, "test", window=None, labels="points")[0]["xy"].shape == (6, 4, 2)


def test_a_transform_makes_of_a_sample_what_it_likes(store):
    data = SequenceDataset(store.path, "test", window=1, transform=lambda sample: sample["frames"].sum())
    assert data[0].ndim == 0


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_give_what_one_process_gives(store, context):
    data = SequenceDataset(store.path, "val", window=3)
    alone = torch.cat([batch["frames"] for batch in DataLoader(data, batch_size=3)])
    both = DataLoader(data, batch_size=3, num_workers=2, multiprocessing_context=context)
    assert torch.equal(torch.cat([batch["frames"] for batch in both]), alone)


def test_what_was_read_is_left_behind_when_a_worker_is_sent_the_data_set(store):
    data = SequenceDataset(store.path, "train", window=3)
    before = data[3]
    assert len(pickle.dumps(data)) < 3000
    assert torch.equal(pickle.loads(pickle.dumps(data))[3]["frames"], before["frames"])


def test_a_set_that_does_not_fit_is_read_by_trajectory(store, monkeypatch):
    kept = SequenceDataset(store.path, "train", window=3)[7]
    monkeypatch.setattr(sequences, "IN_MEMORY", 0)
    data = SequenceDataset(store.path, "train", window=3)
    assert torch.equal(data[7]["frames"], kept["frames"])
    assert "frames" not in data._held


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"window": 4}, "window must be odd"),
        ({"window": 7}, "at most the 6 frames"),
        ({"labels": "boxes"}, "unknown labels 'boxes'"),
        ({"split": "tset"}, "tset"),
    ],
)
def test_what_can_not_be_is_said(store, options, said):
    with pytest.raises(InputError, match=said):
        SequenceDataset(store.path, **{"split": "test", **options})
    with pytest.raises(IndexError):
        SequenceDataset(store.path, "test")[10**6]


@pytest.mark.long
def test_a_loop_of_a_newcomers_own_trains_and_is_scored(store):
    """The script has at most 40 lines; in a few seconds on a tiny set it learns nothing, and is scored all the same."""
    script = Path(__file__).parents[1] / "helpers" / "own_loop.py"
    assert len(script.read_text().splitlines()) <= 40
    done = subprocess.run(
        [sys.executable, str(script), store.path, "0.05"], capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stdout.startswith("CSO-mAP "), done.stderr
