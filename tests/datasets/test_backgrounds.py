"""Windows of a user's own background: cut per trajectory, from arrays, pictures or a data set."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.datasets import open_dataset
from csist_bench.datasets.backgrounds import BackgroundFrames, open_background
from csist_bench.errors import InputError
from csist_bench.recipes import DataRecipe
from csist_bench.simulation.sensor import sense
from tests.helpers.sets import tiny_set


def recipe_with(**fields):
    return DataRecipe(name="test", **fields)


def test_a_users_own_background_is_cut_per_trajectory(tmp_path):
    wide = np.arange(3 * 30 * 40, dtype=np.float32).reshape(3, 30, 40)
    np.save(tmp_path / "sky.npy", wide)
    recipe = recipe_with(background=str(tmp_path / "sky.npy"))
    source = open_background(recipe)
    frames = sense(recipe, np.zeros((4, 20, 11, 11)), range(4), source)
    assert np.array_equal(frames[0, 2], frames[0, 19])  # three frames, then it stands still
    assert frames[0, 1, 0, 0] - frames[0, 0, 0, 0] == 30 * 40
    assert frames[0, 0, 1, 0] - frames[0, 0, 0, 0] == 40
    assert not np.array_equal(frames[0], frames[1])
    assert np.array_equal(frames[2], sense(recipe, np.zeros((1, 20, 11, 11)), [2], source)[0])


def test_background_pictures(tmp_path):
    from PIL import Image

    rng = np.random.default_rng(0)
    for i in range(2):
        Image.fromarray(rng.integers(0, 255, (16, 20), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    source = open_background(recipe_with(background=str(tmp_path)))
    assert source(0, 20).shape == (20, 11, 11)
    Image.fromarray(rng.integers(0, 255, (16, 21), dtype=np.uint8)).save(tmp_path / "2.png")
    with pytest.raises(InputError, match=r"2\.png must have the shape of the first image \(16, 20\), got \(16, 21\)"):
        open_background(recipe_with(background=str(tmp_path)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "must be one of none, constant, clutter or an existing folder"),
        (np.zeros((3, 8, 8)), r"must hold frames of at least 11 x 11 px, got \(3, 8, 8\)"),
        (np.full((1, 12, 12), np.nan), "must be finite everywhere"),
    ],
)
def test_unusable_backgrounds_are_refused(tmp_path, content, message):
    path = tmp_path / "sky.npy"
    if content is not None:
        np.save(path, content)
    with pytest.raises(InputError, match=message):
        open_background(recipe_with(background=str(path)))
    with pytest.raises(InputError, match="needs its frames"):
        sense(recipe_with(background=str(path)), np.zeros((2, 20, 11, 11)), range(2))


def test_films_of_any_length_are_windows_anywhere_in_them_and_stand_still_at_their_end():
    frames = np.broadcast_to(np.arange(3.0)[:, None, None], (3, 12, 13))
    one = BackgroundFrames(frames, 11, seed=0)
    firsts = [one(index, 2)[:, 0, 0].tolist() for index in range(40)]
    assert sorted({tuple(pair) for pair in firsts}) == [(0, 1), (1, 2)]
    assert all(one(index, 5)[:, 0, 0].tolist() == [0, 1, 2, 2, 2] for index in range(40))
    places = np.add.outer(100 * np.arange(12), np.arange(13))[None]
    corners = {float(BackgroundFrames(places, 11, seed=0)(index, 1)[0, 0, 0]) for index in range(60)}
    assert corners == {0, 1, 2, 100, 101, 102}


def test_a_data_set_is_a_background(tmp_path):
    data = open_dataset(tiny_set(tmp_path / "sky.zarr"))
    source = open_background(recipe_with(background=str(tmp_path / "sky.zarr")))
    everything = np.concatenate([split.frames.reshape(-1, 11, 11) for split in data.splits.values()])
    np.testing.assert_array_equal(source.frames, everything)
