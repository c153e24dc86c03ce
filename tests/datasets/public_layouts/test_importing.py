import json
import os
import re

import numpy as np
import pytest
from PIL import Image

from csist_bench.datasets import open_dataset
from csist_bench.datasets.public_layouts.importing import SIDE_FILE, export_published, import_published
from csist_bench.datasets.verification import verify
from csist_bench.errors import InputError
from tests.helpers.sets import tiny_set


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return open_dataset(tiny_set(tmp_path_factory.mktemp("source") / "set.zarr"))


@pytest.fixture
def exported(source, tmp_path):
    export_published(source, tmp_path / "published", bits=16)
    return tmp_path / "published"


@pytest.mark.parametrize(("bits", "step", "ceiling"), [(8, 1.0, 255.0), (16, 1 / 64, 65535 / 64)])
def test_export_then_import_gives_the_same_targets_and_frames_within_the_step(source, tmp_path, bits, step, ceiling):
    assert export_published(source, tmp_path / "out", bits=bits) == 160
    import_published(tmp_path / "out", tmp_path / "back.zarr")
    back = open_dataset(tmp_path / "back.zarr")
    for name, part in source.splits.items():
        again = back.split(name)
        assert np.array_equal(part.target_xy, again.target_xy, equal_nan=True)
        assert np.array_equal(part.target_intensity, again.target_intensity, equal_nan=True)
        assert np.array_equal(part.target_count, again.target_count)
        error = np.abs(np.minimum(part.frames, ceiling) - again.frames.astype(float))
        assert error.max() <= step / 2 + 1e-4
    assert back.recipe.scored_frames == source.recipe.scored_frames
    assert verify(tmp_path / "back.zarr") == []


def edit(path, pattern, replacement):
    text = path.read_text()
    changed = re.sub(pattern, replacement, text)
    assert changed != text
    path.write_text(changed)


def swap_axes(folder):
    for path in folder.rglob("COS*.xml"):
        text = path.read_text().replace("xc>", "zz>").replace("yc>", "xc>").replace("zz>", "yc>")
        path.write_text(text)


def test_the_axis_order_is_found_by_rendering(source, exported, tmp_path):
    swap_axes(exported)
    import_published(exported, tmp_path / "back.zarr")
    assert np.array_equal(
        source.split("test").target_xy, open_dataset(tmp_path / "back.zarr").split("test").target_xy, equal_nan=True
    )


def test_pictures_alone_are_enough(source, tmp_path):
    export_published(source, tmp_path / "out", bits=8)
    (tmp_path / "out" / SIDE_FILE).unlink()
    import_published(tmp_path / "out", tmp_path / "back.zarr", frames=4)
    back = open_dataset(tmp_path / "back.zarr")
    assert np.array_equal(source.split("val").target_xy, back.split("val").target_xy, equal_nan=True)
    assert back.recipe.dtype == "uint8"
    assert back.recipe.name == "out"


def test_annotations_that_explain_nothing_are_refused_with_both_errors(exported, tmp_path):
    edit(exported / "train" / "annotation" / "COS2.xml", r"<xc>[^<]*</xc>", "<xc>1.5</xc>")
    message = "explain the pictures in neither axis order; frame 2: largest error .* with xc = column, .* with xc = row"
    with pytest.raises(InputError, match=message):
        import_published(exported, tmp_path / "back.zarr")
    assert not (tmp_path / "back.zarr").exists()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "val/image/image_3.png").unlink(), r"val/image/image_3\.png is missing"),
        (lambda f: (f / "val/annotation/COS5.xml").unlink(), r"COS5\.xml is missing; every picture"),
        (lambda f: (f / "val/annotation/COS5.xml").write_text("<annotation><obj"), "not a readable annotation"),
        (lambda f: edit(f / "val/annotation/COS0.xml", r"<xc>[^<]*", "<xc>left"), "not a readable annotation"),
        (lambda f: edit(f / "val/annotation/COS0.xml", r"<xc>[^<]*", "<xc>nan"), "must be finite"),
        (lambda f: (f / "test/image/image_0.png").write_bytes(b"not a picture"), "not a readable picture"),
        (lambda f: Image.new("L", (9, 9)).save(f / "test/image/image_1.png"), r"must be 11 x 11 px, got \(9, 9\)"),
        (lambda f: (f / SIDE_FILE).write_text("{"), "damaged side file"),
        (lambda f: [(f / "test/image/image_23.png").unlink()], "number of frames must be a multiple of 4"),
    ],
)
def test_damaged_folders_are_named_and_leave_nothing(exported, tmp_path, damage, message):
    damage(exported)
    with pytest.raises(InputError, match=message):
        import_published(exported, tmp_path / "back.zarr")
    assert not (tmp_path / "back.zarr").exists()


def test_folders_that_are_not_the_layout_are_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="not the published layout"):
        import_published(tmp_path / "empty", tmp_path / "back.zarr")
    with pytest.raises(InputError, match="no such folder"):
        import_published(tmp_path / "none", tmp_path / "back.zarr")


def test_nothing_is_overwritten(source, exported, tmp_path):
    with pytest.raises(InputError, match="must be a new or empty folder"):
        export_published(source, exported)
    (tmp_path / "there.zarr").mkdir()
    with pytest.raises(InputError, match="must not exist"):
        import_published(exported, tmp_path / "there.zarr")


def test_the_side_file_says_what_the_pictures_mean(exported, source):
    side = json.loads((exported / SIDE_FILE).read_text())
    assert (side["bits"], side["scale"], side["frames"]) == (16, 64, 4)
    assert side["fingerprint"] == source.fingerprint


@pytest.mark.parametrize(
    ("recipe", "more"),
    [("seqcsist-8bit", ()), ("seqcsist-noise", ()), ("seqcsist", ("background=constant", "background_mean=20"))],
)
def test_sets_of_ours_with_a_sensor_come_back_from_sixteen_bits(tmp_path, recipe, more):
    mine = open_dataset(tiny_set(tmp_path / "mine.zarr", recipe, *more))
    export_published(mine, tmp_path / "out", bits=16)
    import_published(tmp_path / "out", tmp_path / "back.zarr")
    again = open_dataset(tmp_path / "back.zarr").split("test")
    assert np.array_equal(mine.split("test").target_xy, again.target_xy, equal_nan=True)
    assert np.abs(np.maximum(mine.split("test").frames.astype(float), 0) - again.frames).max() <= 0.5 / 64 + 1e-4
    assert verify(tmp_path / "back.zarr") == []


def test_nothing_is_left_beside_a_refused_import(exported, tmp_path):
    (exported / "val/image/image_3.png").unlink()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match="image_3"):
        import_published(exported, tmp_path / "back.zarr")
    assert sorted(tmp_path.iterdir()) == before


def test_one_maker_at_a_time_and_leftovers_go(source, exported, tmp_path):
    def second(done, total):
        if not refused:
            for make in (
                lambda: export_published(source, tmp_path / "out"),
                lambda: import_published(exported, tmp_path / "out"),
            ):
                with pytest.raises(InputError, match="another process is making it; wait for it or stop it") as error:
                    make()
                refused.append(str(error.value))

    refused = []
    leftover = tmp_path / ".out.building.partial"
    (leftover / "train").mkdir(parents=True)
    export_published(source, tmp_path / "out", progress=second)
    assert len(refused) == 2
    assert all(f"(process {os.getpid()} on " in text for text in refused)
    assert not leftover.exists()
    assert not (tmp_path / "out" / "train" / "train").exists()


def test_what_came_to_stand_there_meanwhile_is_kept(source, tmp_path):
    def meanwhile(done, total):
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / "mine.txt").write_text("work")

    with pytest.raises(InputError, match="came to exist meanwhile"):
        export_published(source, tmp_path / "out", progress=meanwhile)
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["mine.txt"]
    assert not (tmp_path / ".out.building.partial").exists()


# --- every split, every picture -------------------------------------------------------------------------------------


def test_axes_swapped_in_one_split_alone_are_found(exported, tmp_path):
    swap_axes(exported / "test")
    with pytest.raises(InputError, match=r"test, frames 0 and on: xc is the row, but xc is the column in .*train"):
        import_published(exported, tmp_path / "back.zarr")
    assert not (tmp_path / "back.zarr").exists()


@pytest.mark.parametrize("split", ["val", "test"])
def test_labels_moved_by_half_a_pixel_in_one_split_are_found(exported, tmp_path, split):
    for path in (exported / split).rglob("COS*.xml"):
        path.write_text(re.sub(r"<xc>([^<]+)</xc>", lambda m: f"<xc>{float(m[1]) + 0.5}</xc>", path.read_text()))
    with pytest.raises(InputError, match=rf"{split}: the annotations explain the pictures in neither.*; frame 0"):
        import_published(exported, tmp_path / "back.zarr")


def test_frames_late_in_a_split_are_checked_too(exported, tmp_path):
    last = exported / "train" / "annotation" / "COS111.xml"
    last.write_text(re.sub(r"<xc>([^<]+)</xc>", lambda m: f"<xc>{float(m[1]) + 0.5}</xc>", last.read_text()))
    with pytest.raises(InputError, match=r"train: the annotations explain .* frame 111"):
        import_published(exported, tmp_path / "back.zarr")


@pytest.mark.parametrize("bits", [8, 16])
def test_a_picture_of_another_depth_is_refused_by_name(source, tmp_path, bits):
    export_published(source, tmp_path / "mixed", bits=bits)
    odd = tmp_path / "mixed" / "test" / "image" / "image_3.png"
    Image.fromarray(np.full((11, 11), 40, np.uint16 if bits == 8 else np.uint8)).save(odd)
    says = rf"image_3\.png must be a picture of {bits} bits, as the first one is, got {24 - bits} bits"
    for side in (True, False)[: 2 if bits == 8 else 1]:
        if not side:
            (tmp_path / "mixed" / SIDE_FILE).unlink()
        with pytest.raises(InputError, match=says):
            import_published(tmp_path / "mixed", tmp_path / "back.zarr", frames=4)


@pytest.mark.parametrize(
    "text",
    [
        '{"bits": 8, "scale": 1, "frames": 0, "recipe": null}',
        '{"bits": 8, "scale": 0, "frames": 4, "recipe": null}',
        '{"bits": 7, "scale": 1, "frames": 4, "recipe": null}',
        '{"bits": 8, "scale": 1, "frames": -4, "recipe": null}',
        '{"bits": 1e999, "scale": 1, "frames": 4, "recipe": null}',
        '{"bits": 8, "scale": 1, "frames": 4, "recipe": 3}',
        '{"bits": 8, "scale": 1, "frames": 4, "recipe": ' + "[" * 100_000 + "]" * 100_000 + "}",
        "[1]",
    ],
)
def test_bad_side_files_are_one_line(exported, tmp_path, text):
    (exported / SIDE_FILE).write_text(text)
    with pytest.raises(InputError, match=re.escape(str(exported / SIDE_FILE))):
        import_published(exported, tmp_path / "back.zarr")


def test_other_broken_companions_are_one_line(exported, tmp_path):
    file = exported / "train" / "annotation" / "COS0.xml"
    text = file.read_text()
    file.write_text('<?xml version="1.0" encoding="made-up"?>' + text)
    with pytest.raises(InputError, match=r"COS0\.xml: not a readable annotation"):
        import_published(exported, tmp_path / "back.zarr")
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(InputError, match=r"COS0\.xml must be a file, got a pipe"):
        import_published(exported, tmp_path / "back.zarr")
    file.unlink()
    file.write_text(text)
    picture = exported / "train" / "image" / "image_0.png"
    picture.write_bytes(picture.read_bytes()[:40])
    with pytest.raises(InputError, match=r"image_0\.png: not a readable picture"):
        import_published(exported, tmp_path / "back.zarr")


def test_export_never_writes_nan(tmp_path):
    import zarr

    path = tiny_set(tmp_path / "set.zarr")
    zarr.open_group(path / "val", mode="r+")["frames"][1, 2, 3, 4] = np.nan
    with pytest.raises(InputError, match=r"val: frames of trajectories 0\.\.5"):
        export_published(open_dataset(path), tmp_path / "out")
    assert not (tmp_path / "out").exists()
