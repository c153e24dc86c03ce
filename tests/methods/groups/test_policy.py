"""Which frames are searched for groups."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.datasets import open_dataset
from csist_bench.errors import InputError
from csist_bench.methods.groups.policy import require_false_alarms, way_of, with_separate_spots
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from tests.helpers.sets import tiny_set

CAMERA = Camera(Optics())


@pytest.mark.parametrize(
    ("shape", "made_here", "way"),
    [
        ((11, 11), False, "look"),
        ((15, 15), False, "look"),
        ((17, 17), False, "many"),
        ((11, 12), False, "many"),
        ((512, 640), False, "many"),
        ((32, 32), True, "look"),
    ],
)
def test_frames_are_searched_by_their_size(shape, made_here, way):
    assert way_of("auto", shape, CAMERA, made_here) == way
    assert way_of("one", shape, CAMERA, made_here) == "one"
    assert way_of("many", shape, CAMERA, made_here) == "many"


def test_a_wide_psf_needs_larger_frames_for_one_group():
    assert way_of("auto", (23, 23), Camera(Optics(1.0)), False) == "look"


def test_what_is_no_choice_is_refused():
    with pytest.raises(InputError, match="unknown groups 'som'"):
        way_of("som", (11, 11), CAMERA, False)
    with pytest.raises(InputError, match="false_alarms must be a positive number of groups a frame, got 0"):
        require_false_alarms(0)


@pytest.mark.parametrize("recipe", ["seqcsist", "seqcsist-noise", "seqcsist-8bit", "seqcsist-dense", "seqcsist-free"])
@pytest.mark.parametrize("noise", [0, 2, 5])
def test_frames_of_shipped_recipes_show_one_group(tmp_path, recipe, noise):
    path = tiny_set(tmp_path / "set.zarr", recipe, f"noise_sigma={noise}", "frames=20", "scored_frames=2:18")
    for split in ("train", "val", "test"):
        data = open_dataset(path).split(split)
        assert not with_separate_spots(data.frames, Camera.from_recipe(data.recipe)).any()


def test_trajectories_with_separate_spots_are_told():
    frames = np.zeros((3, 2, 11, 11))
    frames[:, :, 2, 2] = 200
    frames[1, 1, 8, 8] = 100
    assert with_separate_spots(frames, CAMERA).tolist() == [False, True, False]
