"""Sets written in the public layouts: as their loaders read them, and back."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from csist_bench.datasets import open_dataset
from csist_bench.datasets.public_layouts.exporting import export_layout
from csist_bench.datasets.public_layouts.importing import import_layout
from csist_bench.datasets.public_layouts.side_file import SIDE_FILE
from csist_bench.errors import InputError
from csist_bench.files.convention import OURS, Convention
from tests.helpers.sets import tiny_set


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return open_dataset(tiny_set(tmp_path_factory.mktemp("source") / "set.zarr"))


@pytest.mark.parametrize("layout", ["published", "csist-100k"])
@pytest.mark.parametrize("convention", [OURS, Convention(1, "one", "yx"), Convention(0, "corner")])
@pytest.mark.parametrize("side", [True, False])
def test_both_layouts_come_back_equal(source, tmp_path, layout, convention, side):
    assert export_layout(source, tmp_path / "out", layout, convention=convention) == 160
    if not side:
        (tmp_path / "out" / SIDE_FILE).unlink()
    made = import_layout(tmp_path / "out", tmp_path / "back.zarr", layout, frames=4)
    assert (made.found.reading.axes, made.found.reading.origin) == (convention.axes or "xy", convention.origin)
    back = open_dataset(tmp_path / "back.zarr")
    for name, part in source.splits.items():
        again = back.split(name)
        np.testing.assert_allclose(again.target_xy, part.target_xy, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(again.target_intensity, part.target_intensity)
        np.testing.assert_array_equal(again.frames, np.clip(np.rint(part.frames), 0, 255))


def test_the_loader_of_csist_100k_finds_its_files(source, tmp_path):
    """As its NoiseDataset does: the annotation is CSO and the text of the number, positions count from 1."""
    export_layout(source, tmp_path / "out", "csist-100k", convention=Convention(origin="one", axes="yx"))
    first = {"train": "00000", "val": "00112", "test": "00136"}
    for split, number in first.items():
        names = sorted(path.name for path in (tmp_path / "out" / split / "cso_img").iterdir())
        assert names[0] == f"image_{number}.png"
        part, folder = source.split(split), tmp_path / "out" / split / "Annotations"
        for name, frame in zip(names, part.frames.reshape(-1, 11, 11)):
            picture = np.array(Image.open(tmp_path / "out" / split / "cso_img" / name))
            assert np.array_equal(picture, np.clip(np.rint(frame), 0, 255))
        root = ElementTree.parse(folder / f"CSO{names[-1][len('image_') : -len('.png')]}.xml").getroot()
        row, column = (float(root.find("object/coordinate").findtext(axis)) - 1 for axis in ("xc", "yc"))
        assert (column, row) == pytest.approx(part.target_xy[-1, -1, 0])


def test_files_count_from_one_where_told(source, tmp_path):
    export_layout(source, tmp_path / "out", convention=Convention(first_frame=1))
    for folder in ("image", "annotation"):
        names = {path.stem.lstrip("imageCOS_") for path in (tmp_path / "out" / "val" / folder).iterdir()}
        assert names == {str(i) for i in range(1, 25)}


def test_the_side_file_says_what_the_pictures_mean(source, tmp_path):
    exported = tmp_path / "out"
    export_layout(source, exported, bits=16)
    side = json.loads((exported / SIDE_FILE).read_text())
    assert (side["bits"], side["scale"], side["frames"]) == (16, 64, 4)
    assert side["fingerprint"] == source.fingerprint


def test_what_came_to_stand_there_meanwhile_is_kept(source, tmp_path):
    def meanwhile(done, total):
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / "mine.txt").write_text("work")

    with pytest.raises(InputError, match="came to exist meanwhile"):
        export_layout(source, tmp_path / "out", progress=meanwhile)
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["mine.txt"]
    assert not (tmp_path / ".out.building.partial").exists()


def test_export_never_writes_nan(tmp_path):
    import zarr

    path = tiny_set(tmp_path / "set.zarr")
    zarr.open_group(path / "val", mode="r+")["frames"][1, 2, 3, 4] = np.nan
    with pytest.raises(InputError, match=r"val: frames of trajectories 0\.\.5"):
        export_layout(open_dataset(path), tmp_path / "out")
    assert not (tmp_path / "out").exists()
