import json
import shutil

import numpy as np
import pytest

from csist_bench import datasets
from csist_bench.datasets import layout
from csist_bench.datasets.generation import generate
from csist_bench.datasets.reading import reopen_dataset
from csist_bench.datasets.verification import verify
from csist_bench.errors import InputError
from csist_bench.simulation.rendering import render_shard
from tests.helpers.sets import edit_attributes, tiny_recipe, tiny_set


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return tiny_set(tmp_path_factory.mktemp("store") / "set.zarr")


@pytest.fixture
def copied(made, tmp_path):
    return shutil.copytree(made, tmp_path / "copy.zarr")


def test_a_store_gives_back_what_was_rendered(made):
    data, recipe = datasets.open_dataset(made), tiny_recipe()
    shard = render_shard(recipe, range(34, 40))  # test follows 28 train and 6 val trajectories
    split = data.split("test")
    assert np.array_equal(split.frames, shard.frames)
    assert np.array_equal(split.target_xy, shard.scenes.xy, equal_nan=True)
    assert np.array_equal(split.target_intensity, shard.scenes.intensity, equal_nan=True)
    assert np.array_equal(split.target_count, shard.scenes.count)
    assert (split.n_trajectories, split.n_frames, split.scored_frames) == (6, 4, range(1, 3))
    assert data.recipe == recipe
    assert {name: part.n_trajectories for name, part in data.splits.items()} == {"train": 28, "val": 6, "test": 6}


def test_no_split_repeats_another(made):
    data = datasets.open_dataset(made)
    firsts = np.concatenate([part.target_xy[:, 0, 0] for part in data.splits.values()])
    assert len(np.unique(firsts, axis=0)) == 40


def test_xarray_opens_it(made):
    import xarray

    with xarray.open_zarr(made / "test", consolidated=False) as opened:
        assert opened["frames"].dims == ("trajectory", "frame", "y", "x")
        assert opened["target_xy"].dims == ("trajectory", "frame", "target", "axis")
        assert opened["frames"].shape == (6, 4, 11, 11)


def test_blocks_stream_the_same_values(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "FRAMES_PER_CHUNK", 8)
    path = tiny_set(tmp_path / "small-shards.zarr")
    split = datasets.open_dataset(path).split("train")
    blocks = list(split.blocks("frames"))
    assert [len(block) for block in blocks] == [20, 8]
    assert np.array_equal(np.concatenate(blocks), split.frames)


def test_the_fingerprint_follows_the_data_not_the_layout(made, tmp_path, monkeypatch):
    first = datasets.open_dataset(made).fingerprint
    monkeypatch.setattr(layout, "FRAMES_PER_CHUNK", 8)
    assert datasets.open_dataset(tiny_set(tmp_path / "a.zarr")).fingerprint == first
    assert datasets.open_dataset(tiny_set(tmp_path / "b.zarr", "seqcsist", "c=5")).fingerprint == first
    noisy = [
        datasets.open_dataset(tiny_set(tmp_path / f"n{s}.zarr", "seqcsist-noise", f"noise_sigma={s}")) for s in (1, 2)
    ]
    others = {
        noisy[0].fingerprint,
        noisy[1].fingerprint,
        datasets.open_dataset(tiny_set(tmp_path / "s", "seqcsist", "seed=1")).fingerprint,
    }
    assert len(others | {first}) == 4


def test_a_region_that_shares_a_shard_is_refused(made, copied):
    recipe = tiny_recipe()
    shard = render_shard(recipe, range(3))
    with pytest.raises(InputError, match=r"region must be aligned to shards of 2500 trajectories, got \(0, 3\)"):
        datasets.write_shard(copied, recipe, datasets.Task("train", 0, 0, 3, 0), shard)


def test_what_is_not_a_data_set_is_named(tmp_path):
    import zarr

    with pytest.raises(InputError, match="not found; make it with: csist-bench generate --out"):
        datasets.open_dataset(tmp_path / "none.zarr")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"no zarr\.json inside"):
        datasets.open_dataset(tmp_path / "folder")
    (tmp_path / "folder" / "zarr.json").write_text("{]")
    with pytest.raises(InputError, match="not a readable Zarr v3 group"):
        datasets.open_dataset(tmp_path / "folder")
    zarr.create_group(tmp_path / "foreign.zarr", zarr_format=3)
    with pytest.raises(InputError, match="has no 'schema' attribute"):
        datasets.open_dataset(tmp_path / "foreign.zarr")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"schema": "csist-bench/dataset@9"},
            "schema must be 'csist-bench/dataset@2' or 'csist-bench/dataset@1', got csist-bench/dataset@9",
        ),
        ({"status": "incomplete"}, "not complete; finish it with: csist-bench generate --out .* --resume"),
        ({"recipe": {"name": "x", "kmax": 3}}, "unknown field 'kmax'; did you mean 'k_max'"),
        ({"sizes": None}, "damaged data set"),
        ({"sizes": {"train": 1, "val": "many"}}, "damaged|invalid"),
    ],
)
def test_damaged_attributes_are_named(copied, changes, message):
    edit_attributes(copied, **changes)
    with pytest.raises(InputError, match=message):
        datasets.open_dataset(copied)


def test_attributes_that_were_changed_by_hand_are_refused(copied):
    text = json.loads((copied / "zarr.json").read_text())
    text["attributes"]["sizes"]["test"] = 5
    (copied / "zarr.json").write_text(json.dumps(text))
    with pytest.raises(InputError, match=r"differ|changed|digest"):
        datasets.open_dataset(copied)


def test_a_partial_set_can_be_read_when_asked(copied):
    edit_attributes(copied, status="incomplete", fingerprint=None, fingerprint_v2=None)
    data = datasets.open_dataset(copied, allow_partial=True)
    assert data.split("test").frames.shape == (6, 4, 11, 11)
    assert data.fingerprint is None
    assert data.fingerprint_v2 is None  # and is not that of what is there


def test_a_set_of_objects_is_opened_again_only_where_it_changed(bucket):
    tiny_set(bucket)
    first = reopen_dataset(bucket)
    assert first.fingerprint == datasets.open_dataset(bucket).fingerprint
    assert reopen_dataset(bucket) is first
    generate(bucket, tiny_recipe("seqcsist", "seed=1"), overwrite=True)
    second = reopen_dataset(bucket)
    assert second.fingerprint == datasets.open_dataset(bucket).fingerprint != first.fingerprint
    assert reopen_dataset(bucket) is second


def test_a_set_of_files_is_opened_each_time(made):
    assert reopen_dataset(str(made)) is not reopen_dataset(str(made))


def test_a_missing_array_or_split_is_named(copied):
    with pytest.raises(InputError, match="unknown split 'tset'; did you mean 'test'"):
        datasets.open_dataset(copied).split("tset")
    shutil.rmtree(copied / "test" / "target_xy")
    with pytest.raises(InputError, match="split 'test' lacks target_xy"):
        datasets.open_dataset(copied)


def test_a_damaged_chunk_is_named(copied):
    chunk = next(
        path for path in (copied / "test" / "frames").rglob("*") if path.is_file() and path.name != "zarr.json"
    )
    chunk.write_bytes(chunk.read_bytes()[:100])
    with pytest.raises((InputError, OSError), match="frames"):
        _ = datasets.open_dataset(copied).split("test").frames


def test_verification_passes_what_is_whole(made, tmp_path):
    assert verify(made) == []
    assert verify(tiny_set(tmp_path / "8bit.zarr", "seqcsist-8bit")) == []
    assert verify(tiny_set(tmp_path / "noise.zarr", "seqcsist-noise")) == []


def test_verification_finds_changed_frames_and_targets(copied):
    import zarr

    group = zarr.open_group(copied / "val", mode="r+")
    group["frames"][2, 1, 5, 5] = 999.0
    faults = verify(copied)
    assert len(faults) == 1
    assert "contents differ from the digest" in faults[0]


@pytest.mark.parametrize("away", [5.0, 0.3])
def test_verification_finds_frames_that_do_not_belong_to_the_targets(copied, away):
    import zarr

    group = zarr.open_group(copied / "val", mode="r+")
    group["frames"][2, 1, 5, 5] += away
    task = datasets.open_dataset(copied).tasks()[1]
    arrays = {name: group[name][:] for name in datasets.ARRAYS}
    marker = copied / datasets.PROGRESS / task.marker
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"sha256": datasets.digest(arrays)}))
    faults = verify(copied)
    assert len(faults) == 1
    assert f"trajectory 2 frame 1 differs by {away:g} grey levels" in faults[0]


def test_verification_reports_an_unfinished_set(copied):
    edit_attributes(copied, status="incomplete", fingerprint=None)
    assert any("not complete" in fault for fault in verify(copied))
