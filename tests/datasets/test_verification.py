"""What verification passes, and what it finds: changed frames, frames of other targets, sets that are not finished."""

import json

import pytest

from csist_bench import datasets
from csist_bench.datasets.verification import verify
from tests.helpers.sets import edit_attributes, tiny_set


def test_it_passes_what_is_whole(made, tmp_path):
    assert verify(made) == []
    assert verify(tiny_set(tmp_path / "8bit.zarr", "seqcsist-8bit")) == []
    assert verify(tiny_set(tmp_path / "noise.zarr", "seqcsist-noise")) == []


def test_it_finds_changed_frames_and_targets(copy_of_made):
    import zarr

    group = zarr.open_group(copy_of_made / "val", mode="r+")
    group["frames"][2, 1, 5, 5] = 999.0
    faults = verify(copy_of_made)
    assert len(faults) == 1
    assert "contents differ from the digest" in faults[0]


def mark_as_it_is(path):
    """Put the digest of what the only shard of val holds now into its marker."""
    data = datasets.open_dataset(path)
    arrays = {name: data.split("val").read(name) for name in datasets.ARRAYS}
    marker = path / datasets.PROGRESS / data.tasks()[1].marker
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"sha256": datasets.digest(arrays)}))


def test_it_finds_targets_that_the_recipe_does_not_draw(copy_of_made):
    import zarr

    group = zarr.open_group(copy_of_made / "val", mode="r+")
    group["target_xy"][2, 1, 0] = group["target_xy"][2, 1, 0] + 0.01
    mark_as_it_is(copy_of_made)
    assert "targets are not those that the recipe draws from seed 0" in verify(copy_of_made)[0]


@pytest.mark.parametrize("away", [5.0, 0.3])
def test_it_finds_frames_that_do_not_belong_to_the_targets(copy_of_made, away):
    import zarr

    group = zarr.open_group(copy_of_made / "val", mode="r+")
    group["frames"][2, 1, 5, 5] += away
    mark_as_it_is(copy_of_made)
    faults = verify(copy_of_made)
    assert len(faults) == 1
    assert f"trajectory 2 frame 1 differs by {away:g} grey levels" in faults[0]


def test_it_reports_an_unfinished_set(copy_of_made):
    edit_attributes(copy_of_made, status="incomplete", fingerprint=None)
    assert any("not complete" in fault for fault in verify(copy_of_made))
