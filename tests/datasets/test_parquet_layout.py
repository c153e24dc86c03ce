"""A set as Parquet tables: every target and every pixel, and where they come from."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pyarrow import parquet

from csist_bench.datasets import open_dataset
from csist_bench.datasets.parquet_layout import ABOUT_KEY, export_parquet
from csist_bench.errors import InputError
from tests.helpers.sets import tiny_set


def test_tables_hold_what_the_set_holds(tmp_path):
    source = open_dataset(tiny_set(tmp_path / "set.zarr"))
    seen = []
    count = export_parquet(source, tmp_path / "out", lambda done, total: seen.append((done, total)))
    assert count == sum(part.n_trajectories * part.n_frames for part in source.splits.values())
    assert seen[-1] == (count, count)
    for name, part in source.splits.items():
        table = parquet.read_table(tmp_path / "out" / f"{name}-targets.parquet")
        rows = table.to_pydict()
        place = rows["trajectory"], rows["frame"], rows["target"]
        assert len(rows["x"]) == part.target_count.sum()
        np.testing.assert_array_equal(part.target_xy[place], np.transpose([rows["x"], rows["y"]]))
        np.testing.assert_array_equal(part.target_intensity[place], rows["intensity"])
        about = json.loads(table.schema.metadata[ABOUT_KEY.encode()])
        assert (about["fingerprint"], about["split"], about["recipe"]["name"]) == (source.fingerprint, name, "seqcsist")
        frames = parquet.read_table(tmp_path / "out" / f"{name}-frames.parquet")
        pixels = np.array(frames["pixels"].to_pylist()).reshape(part.frames.shape)
        np.testing.assert_array_equal(pixels, part.frames)
        assert frames["trajectory"].to_pylist() == np.indices(part.frames.shape[:2])[0].ravel().tolist()
        assert sum(frames["scored"].to_pylist()) == part.n_trajectories * len(part.scored_frames)


def test_a_folder_with_content_is_left_alone(tmp_path):
    source = open_dataset(tiny_set(tmp_path / "set.zarr"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="be a new or empty folder"):
        export_parquet(source, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]
