import json
import shutil

import numpy as np
import pytest

from csist_bench import datasets
from csist_bench.datasets import layout
from csist_bench.datasets.generation import generate
from csist_bench.datasets.reading import reopen_dataset
from csist_bench.errors import InputError
from csist_bench.simulation.rendering import render_shard
from tests.helpers.sets import edit_attributes, tiny_recipe, tiny_set


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


def test_a_region_that_shares_a_shard_is_refused(made, copy_of_made):
    recipe = tiny_recipe()
    shard = render_shard(recipe, range(3))
    with pytest.raises(InputError, match=r"region must be aligned to shards of 2500 trajectories, got \(0, 3\)"):
        datasets.write_shard(copy_of_made, recipe, datasets.Task("train", 0, 0, 3, 0), shard)


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
def test_damaged_attributes_are_named(copy_of_made, changes, message):
    edit_attributes(copy_of_made, **changes)
    with pytest.raises(InputError, match=message):
        datasets.open_dataset(copy_of_made)


def test_attributes_that_were_changed_by_hand_are_refused(copy_of_made):
    text = json.loads((copy_of_made / "zarr.json").read_text())
    text["attributes"]["sizes"]["test"] = 5
    (copy_of_made / "zarr.json").write_text(json.dumps(text))
    with pytest.raises(InputError, match=r"differ|changed|digest"):
        datasets.open_dataset(copy_of_made)


def test_a_partial_set_can_be_read_when_asked(copy_of_made):
    edit_attributes(copy_of_made, status="incomplete", fingerprint=None, fingerprint_v2=None)
    data = datasets.open_dataset(copy_of_made, allow_partial=True)
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


def test_a_missing_array_or_split_is_named(copy_of_made):
    with pytest.raises(InputError, match="unknown split 'tset'; did you mean 'test'"):
        datasets.open_dataset(copy_of_made).split("tset")
    shutil.rmtree(copy_of_made / "test" / "target_xy")
    with pytest.raises(InputError, match="split 'test' lacks target_xy"):
        datasets.open_dataset(copy_of_made)


def test_a_damaged_chunk_is_named(copy_of_made):
    chunk = next(
        path for path in (copy_of_made / "test" / "frames").rglob("*") if path.is_file() and path.name != "zarr.json"
    )
    chunk.write_bytes(chunk.read_bytes()[:100])
    with pytest.raises((InputError, OSError), match="frames"):
        _ = datasets.open_dataset(copy_of_made).split("test").frames
