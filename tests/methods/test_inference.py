"""From a method and frames to detections."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from csist_bench import __version__
from csist_bench.datasets import open_dataset
from csist_bench.datasets.frame_files import BareFrames, read_bare_frames
from csist_bench.detections import Detections
from csist_bench.errors import InputError
from csist_bench.methods.inference import chosen_frames, header_of, open_source, unmix
from csist_bench.methods.networks.base import BatchedGridNetwork, build_network
from csist_bench.methods.networks.weight_files import shipped_weights
from csist_bench.methods.networks.weights import load_weights, save_weights
from csist_bench.methods.registry import METHODS
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets
from tests.helpers.cards import card_of
from tests.helpers.sets import tiny_recipe, tiny_set
from tests.helpers.unmixing import unmixed

QUICK = {"iterations": 50}
CAMERA = Camera(Optics())
# Relative: the last bits of single-precision matrix products depend on which frames share a block.
ROUNDING = {"ista": 1e-5, "bid": 0.0, "ml": 0.0, "ml-seq": 0.0, "group-map": 0.0}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_set(tmp_path_factory.mktemp("data") / "set.zarr")


@pytest.fixture(scope="module")
def train(data):
    """28 trajectories of 4 frames: three blocks."""
    return open_dataset(data).split("train")


@pytest.fixture(scope="module")
def test(data):
    return open_dataset(data).split("test")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights of a small untrained SRCNN."""
    path = tmp_path_factory.mktemp("weights") / "srcnn.safetensors"
    small = {"features": 4, "mapped": 4}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_weights(path, build_network("srcnn", Optics(), small), card_of("srcnn", small))
    return path


def assert_same(first: Detections, second: Detections, rtol: float = 0.0) -> None:
    assert first.columns().keys() == second.columns().keys()
    for name, column in first.columns().items():
        np.testing.assert_allclose(column, second.columns()[name], rtol=rtol, err_msg=name)


# --- which frames -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["ista", "ml", "ml-seq", "group-map"])
def test_a_range_of_frames_answers_as_the_whole_sequence_does(test, method):
    settings = QUICK if method == "ista" else {}
    whole = unmixed(test, method, settings=settings, frames=range(4)).detections
    part = unmixed(test, method, settings=settings, frames=range(2, 4))
    assert_same(part.detections, whole.select(whole.frame >= 2), rtol=ROUNDING[method])
    assert (part.n_frames, part.frames) == (12, range(2, 4))
    assert set(whole.frame.tolist()) == {0, 1, 2, 3}


def test_a_method_of_trajectories_sees_the_frames_that_it_does_not_answer(test):
    inside = unmixed(test, "ml-seq", noise_sigma=2.0, frames=range(1, 2)).detections
    cut = BareFrames(test.frames[:, 1:2], tiny_recipe("seqcsist", "frames=1", "scored_frames=:"))
    alone = unmixed(cut, "ml-seq", noise_sigma=2.0).detections
    assert METHODS["ml-seq"].context == "trajectory"
    assert len(inside) == len(alone)
    assert (inside.sigma_x < alone.sigma_x).mean() > 0.8  # four frames know more than one


def test_the_scored_frames_are_answered_by_default(test):
    done = unmixed(test, "bid", settings={"iterations": 2})
    assert (done.frames, done.n_frames) == (range(1, 3), 12)
    assert set(done.detections.frame.tolist()) <= {1, 2}


def test_a_limit_answers_the_first_trajectories_only(train):
    whole = unmixed(train, "ista", settings=QUICK).detections
    part = unmixed(train, "ista", settings=QUICK, first=12)
    assert part.n_frames == 24
    assert_same(part.detections, whole.select(whole.trajectory < 12), rtol=ROUNDING["ista"])
    assert unmixed(train, "bid", settings={"iterations": 1}, first=99).n_frames == 56


def test_frame_ranges_are_read_from_text(test):
    assert chosen_frames(test, None) == range(1, 3)
    assert chosen_frames(test, "all") == range(4)
    assert chosen_frames(test, ":3") == range(3)
    with pytest.raises(InputError, match="--frames must be 'all' or START:STOP within 0:4, got 1:5"):
        chosen_frames(test, "1:5")


# --- how it is run ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "settings"), [("ista", QUICK), ("bid", QUICK), ("ml", {}), ("group-map", {})])
def test_the_number_of_workers_changes_nothing(train, method, settings):
    alone = unmixed(train, method, settings=settings, workers=1).detections
    assert len(alone)
    assert_same(alone, unmixed(train, method, settings=settings, workers=3).detections, rtol=ROUNDING[method])


def test_detections_come_in_canonical_order(train):
    found = unmixed(train, "ista", settings=QUICK).detections
    order = np.lexsort((found.y, found.x, found.frame, found.trajectory))
    assert np.array_equal(order, np.arange(len(found)))
    assert {min(found.trajectory) < 10, max(found.trajectory) >= 20} == {True}  # from more than one block


def test_progress_rises_to_all_frames(train):
    seen = []
    unmixed(train, "bid", settings={"iterations": 1}, progress=lambda done, total: seen.append((done, total)))
    assert len(seen) > 1
    assert seen == sorted(set(seen))
    assert seen[-1] == (56, 56)


def test_the_frames_given_are_left_as_they_were(test):
    frames = test.frames.copy()
    unmixed(BareFrames(frames, test.recipe), "ista", settings=QUICK)
    np.testing.assert_array_equal(frames, test.frames)


def test_polish_carries_a_grid_method_off_the_grid(test):
    settings = {"iterations": 300}
    on, off = (unmixed(test, "ista", settings=settings, decoder=name) for name in ("grid", "polish"))
    snapped = np.abs(on.detections.x * 3 - np.rint(on.detections.x * 3))
    assert snapped.max() < 1e-9
    assert off.method["decoder"] == "polish"
    assert "threshold" not in off.method
    xy = np.stack([off.detections.x, off.detections.y], axis=-1)
    truth = test.target_xy[off.detections.trajectory, off.detections.frame]
    missed = np.nanmin(np.linalg.norm(truth - xy[:, None], axis=-1), axis=-1)
    assert np.median(missed) < 0.01
    assert off.detections.sigma_x is not None
    counts = test.target_count[:, 1:3].astype(int).sum()
    assert len(off.detections) == counts


def test_a_threshold_keeps_the_brighter_nodes(test):
    low, high = (unmixed(test, "ista", settings=QUICK, threshold=level) for level in (70.0, 80.0))
    assert_same(high.detections, low.detections.select(low.detections.score >= 80))
    assert 0 < len(high.detections) < len(low.detections)
    assert high.method["threshold"] == 80


def test_a_told_noise_level_replaces_the_recipes(test):
    assert unmixed(test, "ml").method["noise_sigma"] == 0.05
    told = unmixed(test, "ml", noise_sigma=3.0)
    assert told.method["noise_sigma"] == 3.0
    assert np.median(told.detections.sigma_x) > 10 * np.median(unmixed(test, "ml").detections.sigma_x)


def test_the_header_says_what_was_run_on_what(test, data):
    done = unmixed(test, "ista", settings={"iterations": 50, "lambda": 2})
    header = header_of(test, done)
    assert (header.dataset, header.split, header.frames, header.n_frames) == ("seqcsist", "test", "1:3", 12)
    assert header.fingerprint == open_dataset(data).fingerprint
    about = header.method
    assert (about["name"], about["registry_name"], about["code_version"]) == ("ISTA", "ista", __version__)
    assert about["settings"] == {"iterations": 50, "lambda": 2}
    assert (about["decoder"], about["threshold"], about["noise_sigma"]) == ("grid", 70.0, 0.05)
    assert about["seconds"] >= 0
    assert "cpu" in about["hardware"]
    assert unmixed(test, "ml").method["decoder"] == "own"


# --- networks -----------------------------------------------------------------------------------------------------


def test_a_network_is_run_from_its_weights_in_any_batch(test, weights):
    with pytest.raises(InputError, match="batch must be at least 1"):
        unmixed(test, "srcnn", weights=weights, device="cpu", batch=0)
    one, many = (
        unmixed(test, "srcnn", weights=weights, device="cpu", threshold=1.0, batch=batch) for batch in (1, 512)
    )
    assert len(many.detections)
    np.testing.assert_array_equal(one.detections.x, many.detections.x)
    np.testing.assert_allclose(one.detections.score, many.detections.score, rtol=1e-4)
    assert many.method["settings"] == {"features": 4, "mapped": 4}
    assert (many.method["device"], many.method["trained_on"]) == ("cpu", "tiny")


def test_rounded_products_move_the_nodes_by_half_a_percent_and_are_told(test, weights):
    exact, rounded = (
        unmixed(test, "srcnn", weights=weights, device="cpu", threshold=1.0, dtype=precision)
        for precision in ("float32", "bfloat16")
    )
    assert rounded.detections.score.max() != exact.detections.score.max()
    model, frames = load_weights(weights)[0], test.frames[:2]
    grids = [BatchedGridNetwork(model, "cpu", dtype=p).heat_maps(frames, CAMERA) for p in ("float32", "bfloat16")]
    assert np.abs(grids[1] - grids[0]).max() < 0.02 * np.abs(grids[0]).max()
    with pytest.raises(InputError, match="unknown dtype 'float16'"):
        BatchedGridNetwork(model, "cpu", dtype="float16")
    assert rounded.method["settings"] == {"features": 4, "mapped": 4, "precision": "bfloat16"}
    assert "precision" not in exact.method["settings"]
    for method in ("ml", "ista"):
        with pytest.raises(InputError, match="precision must be float32"):
            unmixed(test, method, dtype="bfloat16")


def test_rounded_products_of_a_network_of_points_are_told_and_move_little(test):
    exact, rounded = (unmixed(test, "offgrid-net", device="cpu", dtype=p) for p in ("float32", "bfloat16"))
    assert rounded.method["settings"]["precision"] == "bfloat16"
    assert "precision" not in exact.method["settings"]
    assert len(rounded.detections) == len(exact.detections)
    moved = np.abs(rounded.detections.x - exact.detections.x)
    assert 0 < np.median(moved) < 0.01


def test_a_generator_trained_without_its_critic_says_so(test, tmp_path):
    small = ["features=4", "blocks=1", "critic_features=4"]
    card, told = card_of("srgan", small), {}
    for name, adversarial in (("with", {"adversarial": 1e-3}), ("without", None)):
        recipe = {"adversarial": adversarial}
        save_weights(tmp_path / "w.safetensors", build_network("srgan", Optics(), small), replace(card, recipe=recipe))
        told[name] = unmixed(test, "srgan", weights=tmp_path / "w.safetensors", device="cpu").method["settings"]
    assert told["without"] == {**told["with"], "adversarial": 0}
    assert "adversarial" not in told["with"]


def test_weights_that_do_not_fit_are_refused(test, weights, tmp_path):
    with pytest.raises(InputError, match="srcnn"):
        unmixed(test, "espcn", weights=weights)
    with pytest.raises(InputError, match="optics of the weights must be those of the data"):
        unmixed(BareFrames(np.zeros((1, 1, 7, 7)), tiny_recipe("seqcsist", "size=7")), "srcnn", weights=weights)
    with pytest.raises(InputError, match=r"none\.safetensors"):
        unmixed(test, "srcnn", weights=tmp_path / "none.safetensors")
    with pytest.raises(InputError, match="--set must be left out for a network"):
        unmixed(test, "srcnn", weights=weights, settings={"features": 8})
    with pytest.raises(InputError, match="device must be auto, cpu, or a GPU of this machine"):
        unmixed(test, "srcnn", weights=weights, device="gpu9")


def test_a_network_without_weights_says_how_to_get_them(test):
    without = next(name for name, row in METHODS.items() if row.trainable and shipped_weights(name) is None)
    with pytest.raises(InputError, match=r"are shipped; train it \(csist-bench train .*\) or pass --weights"):
        unmixed(test, without)


def test_unknown_methods_and_settings_are_named(test):
    with pytest.raises(InputError, match="unknown method 'ist'; did you mean 'ista'"):
        unmixed(test, "ist")
    with pytest.raises(InputError, match="ml settings: unknown field 'brightnes'; did you mean 'brightness'"):
        unmixed(test, "ml", settings={"brightnes": "free"})


# --- bare frames --------------------------------------------------------------------------------------------------


def saved(tmp_path, array, name="frames.npy"):
    np.save(tmp_path / name, array)
    return str(tmp_path / name)


def test_bare_frames_are_answered_as_those_of_a_data_set(test, tmp_path):
    source = open_source(saved(tmp_path, test.frames), "test")
    assert (source.n_trajectories, source.n_frames, source.scored_frames) == (6, 4, range(4))
    bare = unmixed(source, "ml-seq")
    assert_same(bare.detections, unmixed(test, "ml-seq", frames=range(4)).detections)
    header = header_of(source, bare)
    assert (header.fingerprint, header.n_frames) == (None, 24)


@pytest.mark.parametrize("index", [(0,), (0, 0)])
def test_a_sequence_or_a_single_frame_will_do(test, tmp_path, index):
    source = read_bare_frames(saved(tmp_path, test.frames[index]))
    assert source.n_trajectories == 1
    assert source.n_frames == (4 if len(index) == 1 else 1)
    truth = unmixed(test, "ml", frames=range(source.n_frames), first=1).detections
    assert_same(unmixed(source, "ml").detections, truth)


@pytest.mark.parametrize(
    ("dtype", "kept", "saturation"),
    [("uint8", "uint8", 255.0), ("uint16", "uint16", 65535.0), ("int64", "uint16", 65535.0), ("f8", "float32", np.inf)],
)
def test_the_type_of_bare_frames_tells_where_they_clip(tmp_path, dtype, kept, saturation):
    from csist_bench.simulation.camera import Camera

    source = read_bare_frames(saved(tmp_path, np.full((5, 5), 200, dtype)))
    assert source.frames.dtype == kept
    assert Camera.from_recipe(source.recipe).saturation == saturation


def test_no_trajectories_give_no_detections(tmp_path, test):
    none = BareFrames(test.frames[:0], test.recipe)
    done = unmixed(none, "ml")
    assert (len(done.detections), done.n_frames) == (0, 0)


def test_no_frames_give_no_detections(test):
    done = unmixed(test, "ml", frames=range(2, 2))
    assert (len(done.detections), done.n_frames) == (0, 0)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(11), "must hold frames: "),
        (np.zeros((1, 1, 1, 11, 11)), "must hold frames: "),
        (np.zeros((11, 11), bool), "must hold frames of whole or floating-point numbers, got bool"),
        (np.zeros((11, 11), complex), "must hold frames of whole or floating-point numbers, got complex128"),
        (np.zeros((0, 20, 11, 11)), "must hold at least one frame"),
        (np.zeros((2, 2)), "must hold frames of at least 3 x 3 px, got 2 x 2"),
    ],
)
def test_arrays_that_are_no_frames_are_named(tmp_path, array, message):
    path = saved(tmp_path, array)
    with pytest.raises(InputError, match=message) as caught:
        read_bare_frames(path)
    assert path in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04", b"\x93NUMPY\x01\x00"])
def test_files_that_are_no_arrays_are_named(tmp_path, content):
    path = tmp_path / "frames.npy"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"frames\.npy: not a plain \.npy array"):
        read_bare_frames(path)


def test_pickles_and_truncated_arrays_are_refused(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([1, None]), allow_pickle=True)
    whole = tmp_path / "whole.npy"
    np.save(whole, np.zeros((4, 11, 11)))
    (tmp_path / "cut.npy").write_bytes(whole.read_bytes()[:500])
    for name in ("objects.npy", "cut.npy"):
        with pytest.raises(InputError, match=r"not a plain \.npy array"):
            read_bare_frames(tmp_path / name)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_pixels_that_are_not_finite_are_named_with_their_place(tmp_path, value):
    frames = np.zeros((12, 2, 5, 5))
    frames[11, 1, 2, 3] = value
    path = saved(tmp_path, frames)
    with pytest.raises(InputError, match=r"frames\.npy must be finite everywhere") as caught:
        read_bare_frames(path)
    assert "at trajectory 11, frame 1, row 2, column 3 (1 such pixels)" in str(caught.value)


def test_pixels_of_any_source_that_are_not_finite_are_named(test):
    frames = np.zeros((12, 2, 11, 11))
    frames[11, 1, 2, 3] = np.nan
    with pytest.raises(InputError, match=r"frames of trajectories \d+\.\.11 must be finite everywhere") as caught:
        unmixed(BareFrames(frames, test.recipe), "bid", settings={"iterations": 1})
    assert "1, 2, 3) (1 such values)" in str(caught.value)


def test_an_array_is_unmixed_as_its_file_is(test, tmp_path):
    frames = test.frames[0]
    from_file = unmixed(read_bare_frames(saved(tmp_path, frames)), "ml").detections
    assert len(from_file)
    assert_same(unmix(frames, "ml"), from_file)
    assert_same(unmix(frames[None], "ml"), from_file)


def test_frames_that_are_not_square_are_for_methods_that_take_any_shape():
    xy = np.array([[12.0, 4.5], [12.5, 5.1]])
    wide = frames_from_targets(xy[None], np.array([[230.0, 240.0]]), Optics(size=16))[:, :11]
    found = unmix(wide, "ml")
    assert np.allclose(np.stack([found.x, found.y], axis=-1), xy, atol=1e-3)
    turned = unmix(np.swapaxes(wide, 1, 2), "ml")
    assert np.allclose(np.stack([turned.y, turned.x], axis=-1), xy[np.argsort(xy[:, 1])], atol=1e-3)
    for method in ("ml-seq", "group-map", "ista"):
        with pytest.raises(InputError, match=f"source: frames must be square for {method}, got 11 x 16; .*: ml$"):
            unmix(wide, method, groups="one")


def test_blank_and_negative_frames_have_a_defined_answer(tmp_path):
    frames = np.zeros((2, 3, 11, 11), np.float32)
    frames[1] = -5.0
    source = read_bare_frames(saved(tmp_path, frames))
    for method in ("ista", "bid", "ml", "ml-seq", "group-map"):
        found = unmixed(source, method, settings=QUICK if METHODS[method].family == "traditional" else {}).detections
        assert all(np.isfinite(column).all() for column in found.columns().values())
        assert len(found) == 0


# --- tracks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "weights", "told"),
    [
        ("ml", None, None),
        ("ml-seq", None, "fit"),
        ("group-map", None, "fit"),
        ("offgrid-net", None, None),
        ("offgrid-net", "offgrid-net-5", "linked"),
    ],
)
def test_what_looks_at_several_frames_tells_which_targets_are_one(test, method, weights, told):
    done = unmixed(test, method, weights=weights, first=2, device="cpu")
    assert done.method.get("tracks") == told
    assert (done.detections.track is not None) == (told is not None)
    if told:
        keys = zip(done.detections.trajectory.tolist(), done.detections.track.tolist())
        assert len(set(keys)) == np.nansum(np.isfinite(test.target_xy[:2, 0, :, 0]))


def test_nodes_that_are_too_many_are_not_linked_which_is_said(test):
    how = {"weights": "derefnet", "device": "cpu", "first": 1}
    few = unmixed(test, "derefnet", **how)
    assert few.detections.track is not None
    many = unmixed(test, "derefnet", threshold=-1.0, **how)
    assert many.detections.track is None
    assert "tracks" not in many.method
    assert any("no tracks: up to 1089 detections a frame" in text for text in many.remarks)
