"""Croissant metadata, as the loader of MLCommons reads it."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from csist_bench.datasets import open_dataset
from csist_bench.datasets.metadata.croissant import CONTEXT
from csist_bench.datasets.parquet_layout import export_parquet
from csist_bench.datasets.public_layouts.exporting import export_layout
from csist_bench.datasets.public_layouts.importing import import_layout
from tests.helpers.public_folders import write_foreign
from tests.helpers.sets import tiny_set


@pytest.fixture(scope="module")
def mlc():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own and its dependencies' making
        import mlcroissant
    return mlcroissant


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return open_dataset(tiny_set(tmp_path_factory.mktemp("source") / "set.zarr", "seqcsist-noise"))


def opened(mlc, folder):
    """Open and validate; return the data set and what is found wanting."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = mlc.Dataset(jsonld=str(folder / "croissant.json"))
    issues = data.metadata.ctx.issues
    assert not issues.errors
    return data, sorted(issues.warnings)


def records(data, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [{key.split("/")[1]: value for key, value in row.items()} for row in data.records(name)]


def test_the_context_is_the_standard_one(mlc):
    from mlcroissant._src.core.context import Context
    from mlcroissant._src.core.rdf import make_context

    assert make_context(Context(conforms_to="http://mlcommons.org/croissant/1.1")) == CONTEXT


def test_a_store_tells_its_splits_and_arrays(mlc, source):
    data, wanting = opened(mlc, Path(source.path))
    assert wanting == []
    splits = {row["name"]: (row["trajectories"], row["frames"]) for row in records(data, "splits")}
    assert splits == {"train": (28, 112), "val": (6, 24), "test": (6, 24)}
    arrays = records(data, "arrays")
    assert len(arrays) == 12
    for row in arrays:
        split, name = row["path"].split("/")
        array = source.split(split).arrays[name]
        assert row["shape"] == " x ".join(map(str, array.shape))
        assert row["type"] == array.dtype.name
        assert row["dimensions"] == ", ".join(array.metadata.dimension_names)
    about = data.metadata
    assert about.license == ["https://spdx.org/licenses/Apache-2.0.html"]
    assert str(about.url) == "https://arxiv.org/abs/2507.09556"
    assert "sigma 2 grey levels" in about.description
    assert "SeqCSIST" in about.cite_as


@pytest.mark.parametrize("layout", ["published", "csist-100k"])
def test_pictures_are_read_by_it(mlc, source, tmp_path, layout):
    export_layout(source, tmp_path / "out", layout)
    data, wanting = opened(mlc, tmp_path / "out")
    assert wanting == []
    rows = records(data, "pictures-by-frame")
    assert len(rows) == 160
    first = min((row for row in rows if row["split"] in (b"val", "val")), key=lambda row: row["number"])
    shown = np.asarray(first["content"].convert("L"))
    assert np.array_equal(shown, np.clip(np.rint(source.val.frames[0, 0]), 0, 255))


def test_tables_are_read_by_it(mlc, source, tmp_path):
    export_parquet(source, tmp_path / "out")
    data, wanting = opened(mlc, tmp_path / "out")
    assert wanting == []
    rows = records(data, "test-targets")
    xy = source.test.target_xy
    assert len(rows) == source.test.target_count.sum()
    for row in rows[:20]:
        assert (row["x"], row["y"]) == tuple(xy[row["trajectory"], row["frame"], row["target"]])
    frames = records(data, "test-frames")
    assert np.array_equal(np.array(frames[5]["pixels"]), source.test.frames[1, 1].ravel())


def test_of_an_imported_set_only_what_is_told_is_said(mlc, source, tmp_path):
    folder = write_foreign(open_dataset(tiny_set(tmp_path / "plain.zarr")), tmp_path / "f")
    import_layout(folder, tmp_path / "bare.zarr", frames=4)
    table = json.loads((tmp_path / "bare.zarr" / "croissant.json").read_text())
    assert not {"license", "url", "citeAs", "creator", "version", "datePublished"} & set(table)
    _, wanting = opened(mlc, tmp_path / "bare.zarr")
    assert [text.split('"')[1].rsplit("/", 1)[1] for text in wanting] == [
        "citeAs",
        "datePublished",
        "license",
        "version",
    ]
    about = {"license": "CC-BY-4.0", "url": "https://example.org/set"}
    made = import_layout(folder, tmp_path / "told.zarr", frames=4, about=about)
    table = json.loads((tmp_path / "told.zarr" / "croissant.json").read_text())
    assert (table["license"], table["url"]) == ("https://spdx.org/licenses/CC-BY-4.0.html", "https://example.org/set")
    assert made.notes == []
