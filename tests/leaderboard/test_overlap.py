"""How much of a test split training data hold; the test split of `seqcsist` is trajectories 4250 to 4999 of seed 0."""

from __future__ import annotations

import re

import pytest

from csist_bench.errors import InputError
from csist_bench.leaderboard.overlap import Overlap, TrainingData, overlap, training_from_text
from csist_bench.recipes import load_data_recipe

TEST = load_data_recipe("seqcsist")


def found(text, test=TEST, split="test"):
    return overlap(training_from_text(text), test, split)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("seqcsist", 0),
        ("seqcsist indices=train+val", 0),
        ("seqcsist indices=test", 750),
        ("seqcsist indices=all", 750),
        ("seqcsist indices=4200:4260", 10),
        ("seqcsist indices=4999:5000", 1),
        ("seqcsist indices=0:4250", 0),
        ("seqcsist seed=1 indices=all", 0),
        ("seqcsist indices=stream", 0),
        ("seqcsist trajectories=20000", 750),  # the first 14,000 are its train split
        ("seqcsist-noise noise_sigma=5 indices=all", 750),  # the same scenes in noise
        ("seqcsist-8bit indices=4250:4300", 50),
        ("seqcsist size=15 indices=4250:4300", 50),  # the same scenes in larger frames
        ("seqcsist frames=20 trajectories=4300 splits=[1,0,0]", 50),
    ],
)
def test_the_same_scenes_are_counted(text, same):
    assert found(text) == Overlap(same, 0)


def test_scenes_of_the_same_random_numbers_under_another_law_are_told_apart():
    assert found("seqcsist-rotated indices=4250:4300") == Overlap(0, 50)
    assert found("seqcsist radius_min=0.4 radius_max=0.4 indices=4250:4300") == Overlap(0, 50)
    assert found("seqcsist-free indices=4250:4300") == Overlap(0, 0)  # its numbers mean other things


def test_blocks_do_not_change_what_is_found(monkeypatch):
    monkeypatch.setattr("csist_bench.leaderboard.overlap.BLOCK", 7 * 80)
    assert found("seqcsist indices=4200:4260") == Overlap(10, 0)
    assert found("seqcsist-rotated indices=4250:4300") == Overlap(0, 50)


def test_more_scenes_than_can_be_drawn_are_refused():
    large = load_data_recipe("seqcsist", ["trajectories=900000000", "splits=[0,0,1]"])
    with pytest.raises(InputError, match="share at most 1,250,000 indices with the split"):
        overlap(training_from_text("seqcsist trajectories=900000000"), large, "test")


def test_other_splits_are_held_against_too():
    assert found("seqcsist", split="val") == Overlap(0, 0)
    assert found("seqcsist indices=train+val", split="val") == Overlap(750, 0)


def test_of_other_data_it_cannot_be_computed():
    assert found("other: frames of a camera of ours") is None
    assert overlap(training_from_text("seqcsist"), load_data_recipe("seqcsist", ["directions=given"]), "test") is None


def test_a_recipe_of_ones_own_is_spelled_out(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("noise_sigma = 3.0\nseed = 4\n")
    data = training_from_text(f"{path} trajectories=100")
    assert data == TrainingData(recipe="mine trajectories=100 noise_sigma=3.0", seed=4, indices="train")
    assert overlap(data, TEST, "test") == Overlap(0, 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "unknown recipe ''"),
        ("seqcsits", "unknown recipe 'seqcsits'; did you mean 'seqcsist'?"),
        ("none.toml", "recipe none.toml not found"),
        ("seqcsist noise=3", "unknown field 'noise'"),
        ("seqcsist indices=half", "must be 'RECIPE [NAME=VALUE ...]"),
        ("seqcsist indices=7", "must be 'RECIPE [NAME=VALUE ...]"),
        ("seqcsist indices=10:10", "be START:STOP within 0:5000, got 10:10"),
        ("seqcsist indices=0:5001", "be START:STOP within 0:5000, got 0:5001"),
        ("seqcsist seed=-1", "seed must be"),
        ("seqcsist 5", "must be NAME=VALUE"),
        ("other:", "must be 'RECIPE [NAME=VALUE ...]"),
    ],
)
def test_what_is_no_training_data_is_one_line(text, said):
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        found(text)
    assert "\n" not in str(caught.value)
