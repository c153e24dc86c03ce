"""Methods run group by group, on frames that another program made."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.datasets.frame_files import BareFrames
from csist_bench.errors import InputError
from csist_bench.methods.inference import unmix, unmix_each
from csist_bench.methods.scope import Scope
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from tests.helpers.foreign_frames import add_spot, foreign_scene
from tests.helpers.group_aims import bare, camera_of, position_errors

HOW = {"psf_sigma": (0.5, 0.5), "noise": 4.0, "level": 200.0, "gradient": (0.5, 0.3), "bits": 12}


@pytest.fixture(scope="module")
def moving():
    return foreign_scene(np.random.default_rng(3), (128, 150), 12, groups=5, speed=0.5, least_snr=30, **HOW)


@pytest.mark.parametrize(
    ("method", "settings", "worst"),
    [("ml", {"brightness": "free"}, 0.08), ("ml-seq", {"brightness": "free"}, 0.03), ("bid", {"iterations": 5}, 0.4)],
)
def test_every_group_is_answered_where_it_is(moving, method, settings, worst):
    frames, truth = moving
    found = unmix(bare(frames), method, camera=camera_of(HOW), **settings)
    errors = position_errors(found, truth)
    assert np.median(np.hypot(*errors.T)) < worst
    assert len(errors) > (0.8 if method != "bid" else 0.4) * len(truth)
    for group in range(5):
        own = truth[truth[:, 4] == group]
        near = np.zeros(len(found), np.bool_)
        for t, x, y, *_ in own:
            near |= (found.frame == t) & (np.hypot(found.x - x, found.y - y) < 2)
        numbers, counts = np.unique(found.group[near], return_counts=True)
        assert counts.max() > 0.9 * counts.sum(), numbers


def test_targets_of_every_group_keep_their_tracks(moving):
    frames, _ = moving
    found = unmix(bare(frames), "ml-seq", camera=camera_of(HOW), brightness="free")
    keys = np.stack([found.frame, found.track])
    assert np.unique(keys, axis=1).shape[1] == len(found)
    for group in range(5):
        own = found.select(found.group == group)
        lengths = np.unique(own.track, return_counts=True)[1]
        # As many tracks as targets of the group, nearly all of their length.
        usual = np.median(np.unique(own.frame, return_counts=True)[1])
        assert np.sort(lengths)[-int(usual) :].sum() > 0.8 * len(own)
    pairs = np.unique(np.stack([found.group, found.track]), axis=1)
    assert len(set(pairs[1].tolist())) == pairs.shape[1]
    assert unmix(bare(frames[:2]), "ml", camera=camera_of(HOW), brightness="free").track is None


def test_networks_answer_windows_of_the_side_that_their_weights_take(moving):
    frames, _ = moving
    camera = Camera(Optics(), noise_sigma=4.0)
    for decoder in ("grid", "polish"):
        found = unmix(bare(frames[:4]), "offgrid-net", decoder=decoder, camera=camera)
        assert set(found.group.tolist()) >= set(range(5))
        assert found.x.max() > 64
    with pytest.raises(InputError, match="frames must be at least the 11 px that the weights take a side"):
        unmix(bare(frames[:2, :9]), "offgrid-net", camera=camera)


def test_threads_and_ranges_of_frames_change_nothing(moving):
    frames, _ = moving
    how = {"camera": camera_of(HOW), "brightness": "free"}
    one = unmix(bare(frames), "ml", workers=1, **how)
    several = unmix(bare(frames), "ml", workers=3, **how)
    for name, column in one.columns().items():
        np.testing.assert_array_equal(column, several.columns()[name])
    part = unmix(bare(frames), "ml-seq", frames=range(3, 6), **how)
    whole = unmix(bare(frames), "ml-seq", **how)
    kept = whole.select((whole.frame >= 3) & (whole.frame < 6))
    np.testing.assert_array_equal(part.x, kept.x)


def test_separate_spots_of_a_small_frame_are_answered_and_its_neighbours_as_before():
    rng = np.random.default_rng(0)
    frames = rng.normal(0, 1, (3, 2, 11, 11))
    for n in range(3):
        for t in range(2):
            add_spot(frames[n, t], 2.2, 2.3, 230, (0.5, 0.5))
    add_spot(frames[1, 0], 8.4, 8.1, 240, (0.5, 0.5))
    camera = Camera(Optics(), noise_sigma=1.0)
    found = unmix(bare(frames), "ml", camera=camera)
    alone = unmix(bare(frames), "ml", camera=camera, groups="one")
    assert alone.group is None
    assert [(n, t, g) for n, t, g in zip(found.trajectory, found.frame, found.group)] == [
        (0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 0, 1), (1, 1, 0), (2, 0, 0), (2, 1, 0),
    ]  # fmt: skip
    others, before = found.select(found.trajectory != 1), alone.select(alone.trajectory != 1)
    np.testing.assert_array_equal(others.x, before.x)
    second = found.select(found.group == 1)
    assert abs(second.x[0] - 8.4) < 0.05
    assert abs(second.y[0] - 8.1) < 0.05


def test_small_frames_of_one_group_are_answered_as_before():
    frames = np.random.default_rng(1).normal(0, 1, (2, 3, 11, 11))
    for image in frames.reshape(-1, 11, 11):
        add_spot(image, 5.2, 4.7, 230, (0.5, 0.5))
    camera = Camera(Optics(), noise_sigma=1.0)
    auto, one = (unmix(bare(frames), "ml", camera=camera, groups=groups) for groups in ("auto", "one"))
    assert auto.columns().keys() == one.columns().keys()
    np.testing.assert_array_equal(auto.x, one.x)


@pytest.mark.parametrize("method", ["ml", "ml-seq", "group-map", "offgrid-net", "bid"])
def test_frames_without_targets_answer_none(method):
    frames = np.random.default_rng(2).normal(0, 2, (3, 64, 64)).astype(np.float32)
    (done,) = unmix_each(
        bare(frames), method, ["grid"], Camera(Optics(), noise_sigma=2.0), scope=Scope(false_alarms=1e-6)
    )
    assert len(done.detections) == 0
    assert done.method["groups"] == "many"
    assert done.n_frames == 3


def test_a_large_group_is_fitted_in_a_window_that_holds_it():
    image = np.random.default_rng(3).normal(0, 1, (64, 64))
    places = [(28.0, 30.0), (30.0, 31.5), (32.2, 30.5), (34.3, 31.0)]
    for x, y in places:
        add_spot(image, x, y, 600, (0.5, 0.5))
    camera = Camera(Optics(), noise_sigma=1.0, intensity_min=400, intensity_max=800)
    found = unmix(bare(image[None]), "ml", camera=camera, brightness="free")
    assert set(found.group.tolist()) == {0}
    assert len(found) == 4
    assert max(min(np.hypot(found.x - x, found.y - y)) for x, y in places) < 0.05


def test_progress_is_said_within_a_trajectory(moving):
    frames, _ = moving
    said = []
    unmix(bare(frames), "ml", camera=camera_of(HOW), brightness="free", progress=lambda *done: said.append(done))
    assert len(said) > 2
    assert said == sorted(said)
    assert said[-1] == (12, 12)


def test_frames_that_are_not_square_are_answered():
    frames, truth = foreign_scene(np.random.default_rng(4), (40, 200), 2, groups=3, least_snr=40, **HOW)
    source = BareFrames(frames[None], load_data_recipe("seqcsist"))
    found = unmix(source, "ml", camera=camera_of(HOW), brightness="free")
    assert len(np.unique(found.group)) == 3
    assert len(position_errors(found, truth)) > 0.8 * len(truth)
