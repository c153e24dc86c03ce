"""RO-Crate metadata, as the library of the profile reads it."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from csist_bench.datasets import open_dataset
from csist_bench.datasets.metadata.ro_crate import NO_LICENCE
from csist_bench.datasets.parquet_layout import export_parquet
from csist_bench.datasets.public_layouts.exporting import export_layout
from csist_bench.datasets.public_layouts.importing import import_layout
from tests.helpers.public_folders import write_foreign
from tests.helpers.sets import tiny_set


def opened(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from rocrate.rocrate import ROCrate

        return ROCrate(folder)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return open_dataset(tiny_set(tmp_path_factory.mktemp("source") / "set.zarr"))


def folders(source, tmp_path):
    yield Path(source.path)
    export_parquet(source, tmp_path / "tables")
    yield tmp_path / "tables"
    export_layout(source, tmp_path / "pictures")
    yield tmp_path / "pictures"


def test_crates_hold_what_they_name(source, tmp_path):
    for folder in folders(source, tmp_path):
        crate = opened(folder)
        root = crate.root_dataset
        assert root["name"] == "seqcsist"
        assert root["license"]["@id"] == "https://spdx.org/licenses/Apache-2.0.html"
        assert root["identifier"] == [source.fingerprint, source.fingerprint_v2]
        named = {entity.id.rstrip("/") for entity in crate.data_entities}
        beside = {entry.name for entry in folder.iterdir()} - {"ro-crate-metadata.json", "_progress"}
        assert named == beside
        for entity in crate.data_entities:
            assert (folder / entity.id).is_dir() == (entity.type == "Dataset")
        everywhere = {entity.id for entity in crate.get_entities()}
        for entity in crate.get_entities():
            for value in entity.properties().values():
                for one in value if isinstance(value, list) else [value]:
                    if isinstance(one, dict) and "@id" in one and not one["@id"].startswith("https://w3id.org"):
                        assert one["@id"] in everywhere, one  # no reference leads nowhere


def test_without_a_licence_the_crate_says_so(source, tmp_path):
    import_layout(write_foreign(source, tmp_path / "f"), tmp_path / "bare.zarr", frames=4)
    root = opened(tmp_path / "bare.zarr").root_dataset
    assert root["license"] == NO_LICENCE
    assert "author" not in root.properties()
