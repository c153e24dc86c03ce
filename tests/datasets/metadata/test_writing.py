"""Card and metadata beside the data: always the same bytes, and nobody's digest looks at them."""

from __future__ import annotations

import json
import warnings

import pytest

from csist_bench.datasets import open_dataset
from csist_bench.datasets.generation import generate
from csist_bench.datasets.metadata.facts import facts_of
from csist_bench.datasets.metadata.writing import FILES, has_metadata
from csist_bench.datasets.target_tables import read_target_table
from csist_bench.datasets.verification import verify
from csist_bench.recipes import load_data_recipe, recipe_hash
from tests.helpers.sets import as_schema_1, tiny_recipe, tiny_set


def contents(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def test_the_same_set_has_the_same_bytes_whoever_makes_it(tmp_path):
    first, second = tiny_set(tmp_path / "a.zarr"), tmp_path / "elsewhere" / "b.zarr"
    for part in ((2, 2), (1, 2)):
        generate(second, tiny_recipe(), part=part)
    assert contents(first) == contents(second)
    for data in contents(first).values():
        assert str(tmp_path).encode() not in data


def test_neither_digest_nor_validation_looks_at_them(tmp_path):
    path = tiny_set(tmp_path / "set.zarr")
    before = open_dataset(path)
    for name in FILES:
        (path / name).write_text("changed")
    after = open_dataset(path)
    assert (after.fingerprint, after.fingerprint_v2) == (before.fingerprint, before.fingerprint_v2)
    assert after.compute_fingerprints() == before.compute_fingerprints()
    assert verify(path) == []


def test_sets_of_before_are_read_and_resume_adds_what_they_lack(tmp_path):
    path = as_schema_1(tiny_set(tmp_path / "set.zarr"))
    assert not has_metadata(path)
    assert verify(path) == []
    made = generate(path, tiny_recipe(), resume=True)
    assert (made.written, has_metadata(path)) == (0, True)
    assert verify(path) == []


def test_a_killed_run_is_finished_with_all_of_it(tmp_path, monkeypatch):
    from csist_bench.datasets import writing

    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writing, "write_metadata", killed)
        with pytest.raises(KeyboardInterrupt):
            tiny_set(tmp_path / "set.zarr")
    assert open_dataset(tmp_path / "set.zarr", allow_partial=True).fingerprint is None
    generate(tmp_path / "set.zarr", tiny_recipe(), resume=True)
    assert contents(tmp_path / "set.zarr") == contents(tiny_set(tmp_path / "other.zarr"))


def test_a_readme_of_the_users_own_is_left_alone(tmp_path):
    path = tiny_set(tmp_path / "set.zarr")
    (path / "README.md").write_text("mine")
    (path / "croissant.json").unlink()
    generate(path, tiny_recipe(), resume=True)
    assert (path / "README.md").read_text() == "mine"
    assert has_metadata(path)


def test_page_and_licence_draw_nothing_and_older_readers_see_no_new_field(tmp_path):
    bare, told = tiny_recipe("seqcsist", 'license=""', 'url=""'), tiny_recipe("seqcsist", "license=CC0-1.0")
    assert recipe_hash(bare) == recipe_hash(told) == recipe_hash(tiny_recipe())
    generate(tmp_path / "set.zarr", told)
    generate(tmp_path / "bare.zarr", bare)
    attributes = json.loads((tmp_path / "set.zarr" / "zarr.json").read_text())["attributes"]
    assert not {"url", "license"} & set(attributes["recipe"])
    assert attributes["about"] == {"url": "https://arxiv.org/abs/2507.09556", "license": "CC0-1.0"}
    assert open_dataset(tmp_path / "set.zarr").recipe == told
    assert open_dataset(tmp_path / "bare.zarr").recipe == bare
    assert open_dataset(tmp_path / "set.zarr").fingerprint_v2 == open_dataset(tmp_path / "bare.zarr").fingerprint_v2
    generate(tmp_path / "set.zarr", bare, resume=True)  # what is told differs, what is drawn does not


def test_a_scene_of_the_user_is_not_licensed_by_the_recipe(tmp_path):
    (tmp_path / "mine.csv").write_text("trajectory,frame,target,x,y,intensity\n0,0,0,5,5,100\n")
    table = read_target_table(tmp_path / "mine.csv")
    generate(tmp_path / "mine.zarr", table.recipe(load_data_recipe("seqcsist")), targets=table)
    crate = json.loads((tmp_path / "mine.zarr" / "croissant.json").read_text())
    assert not {"license", "url"} & set(crate)
    assert "from the user's own table of targets" in crate["description"]


def test_zarr_and_xarray_open_the_store_as_before(tmp_path):
    import xarray
    import zarr

    path = tiny_set(tmp_path / "set.zarr")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert zarr.open_group(path, mode="r")["test/frames"].shape == (6, 4, 11, 11)
        assert xarray.open_zarr(path / "test", consolidated=False).sizes["trajectory"] == 6


def test_what_strangers_write_beside_a_recipe_is_neither_trusted_nor_a_fault(tmp_path):
    path = tiny_set(tmp_path / "set.zarr", "seqcsist", "name='a|b <img src=x> # c'")
    assert (path / "README.md").read_text().splitlines()[2] == r"# a\|b \<img src=x\> \# c"
    for about in ("my notes", {"license": "see\nbelow"}, {"url": ["x"]}, 5):
        text = json.loads((path / "zarr.json").read_text())
        text["attributes"] |= {"about": about, "imported": "by hand"}
        (path / "zarr.json").write_text(json.dumps(text))
        data = open_dataset(path)
        assert (data.recipe.url, data.recipe.license) == ("", "")
        assert facts_of(data).imported is None
