import os
import re
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from csist_bench.datasets import open_dataset
from csist_bench.datasets.generation import generate
from csist_bench.datasets.public_layouts.exporting import export_layout
from csist_bench.datasets.public_layouts.importing import import_layout
from csist_bench.datasets.public_layouts.side_file import SIDE_FILE
from csist_bench.datasets.target_tables import read_target_table
from csist_bench.datasets.verification import verify
from csist_bench.errors import InputError
from csist_bench.files.convention import Convention
from csist_bench.recipes import load_data_recipe
from tests.helpers.public_folders import write_foreign
from tests.helpers.sets import tiny_set


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return open_dataset(tiny_set(tmp_path_factory.mktemp("source") / "set.zarr"))


@pytest.fixture
def exported(source, tmp_path):
    export_layout(source, tmp_path / "published", bits=16)
    return tmp_path / "published"


@pytest.mark.parametrize(("bits", "step", "ceiling"), [(8, 1.0, 255.0), (16, 1 / 64, 65535 / 64)])
def test_export_then_import_gives_the_same_targets_and_frames_within_the_step(source, tmp_path, bits, step, ceiling):
    assert export_layout(source, tmp_path / "out", bits=bits) == 160
    import_layout(tmp_path / "out", tmp_path / "back.zarr")
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
    import_layout(exported, tmp_path / "back.zarr")
    assert np.array_equal(
        source.split("test").target_xy, open_dataset(tmp_path / "back.zarr").split("test").target_xy, equal_nan=True
    )


def test_pictures_alone_are_enough(source, tmp_path):
    export_layout(source, tmp_path / "out", bits=8)
    (tmp_path / "out" / SIDE_FILE).unlink()
    import_layout(tmp_path / "out", tmp_path / "back.zarr", frames=4)
    back = open_dataset(tmp_path / "back.zarr")
    assert np.array_equal(source.split("val").target_xy, back.split("val").target_xy, equal_nan=True)
    assert back.recipe.dtype == "uint8"
    assert back.recipe.name == "out"


def test_annotations_that_explain_nothing_are_refused_with_both_errors(exported, tmp_path):
    edit(exported / "train" / "annotation" / "COS2.xml", r"<xc>[^<]*</xc>", "<xc>1.5</xc>")
    message = (
        r"train: the annotations explain the pictures in no reading; the nearest, axes xy, origin centre, fails first"
        r" at image_2\.png; largest errors in grey levels, by axes/origin: xy/centre \d.*, yx/one \d+ \(allowed 0\.0"
    )
    with pytest.raises(InputError, match=message):
        import_layout(exported, tmp_path / "back.zarr")
    assert not (tmp_path / "back.zarr").exists()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda f: (f / "val/image/image_3.png").unlink(),
            r"val: COS3\.xml without picture in image/; every",
        ),
        (
            lambda f: (f / "val/annotation/COS5.xml").unlink(),
            r"val: image_5\.png without annotation in annotation/",
        ),
        (lambda f: (f / "val/annotation/COS5.xml").write_text("<annotation><obj"), "not a readable annotation"),
        (lambda f: edit(f / "val/annotation/COS0.xml", r"<xc>[^<]*", "<xc>left"), "not a readable annotation"),
        (lambda f: edit(f / "val/annotation/COS0.xml", r"<xc>[^<]*", "<xc>nan"), "must be finite"),
        (lambda f: (f / "test/image/image_0.png").write_bytes(b"not a picture"), "not a readable picture"),
        (lambda f: Image.new("L", (9, 9)).save(f / "test/image/image_1.png"), r"must be 11 x 11 px, got \(9, 9\)"),
        (lambda f: (f / SIDE_FILE).write_text("{"), "damaged side file"),
        (lambda f: [p.unlink() for p in (f / "test").rglob("*23.*")], "number of frames must be a multiple of 4"),
    ],
)
def test_damaged_folders_are_named_and_leave_nothing(exported, tmp_path, damage, message):
    damage(exported)
    with pytest.raises(InputError, match=message):
        import_layout(exported, tmp_path / "back.zarr")
    assert not (tmp_path / "back.zarr").exists()


def test_folders_that_are_not_the_layout_are_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="not the published layout"):
        import_layout(tmp_path / "empty", tmp_path / "back.zarr")
    with pytest.raises(InputError, match="no such folder"):
        import_layout(tmp_path / "none", tmp_path / "back.zarr")


def test_nothing_is_overwritten(source, exported, tmp_path):
    with pytest.raises(InputError, match="must be a new or empty folder"):
        export_layout(source, exported)
    (tmp_path / "there.zarr").mkdir()
    with pytest.raises(InputError, match="must not exist"):
        import_layout(exported, tmp_path / "there.zarr")


@pytest.mark.parametrize(
    ("recipe", "more"),
    [("seqcsist-8bit", ()), ("seqcsist-noise", ()), ("seqcsist", ("background=constant", "background_mean=20"))],
)
def test_sets_of_ours_with_a_sensor_come_back_from_sixteen_bits(tmp_path, recipe, more):
    mine = open_dataset(tiny_set(tmp_path / "mine.zarr", recipe, *more))
    export_layout(mine, tmp_path / "out", bits=16)
    import_layout(tmp_path / "out", tmp_path / "back.zarr")
    again = open_dataset(tmp_path / "back.zarr").split("test")
    assert np.array_equal(mine.split("test").target_xy, again.target_xy, equal_nan=True)
    assert np.abs(np.maximum(mine.split("test").frames.astype(float), 0) - again.frames).max() <= 0.5 / 64 + 1e-4
    assert verify(tmp_path / "back.zarr") == []


def test_nothing_is_left_beside_a_refused_import(exported, tmp_path):
    (exported / "val/image/image_3.png").unlink()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"COS3\.xml without picture"):
        import_layout(exported, tmp_path / "back.zarr")
    assert sorted(tmp_path.iterdir()) == before


def test_one_maker_at_a_time_and_leftovers_go(source, exported, tmp_path):
    def second(done, total):
        if not refused:
            for make in (
                lambda: export_layout(source, tmp_path / "out"),
                lambda: import_layout(exported, tmp_path / "out"),
            ):
                with pytest.raises(InputError, match="another process is making it; wait for it or stop it") as error:
                    make()
                refused.append(str(error.value))

    refused = []
    leftover = tmp_path / ".out.building.partial"
    (leftover / "train").mkdir(parents=True)
    export_layout(source, tmp_path / "out", progress=second)
    assert len(refused) == 2
    assert all(f"(process {os.getpid()} on " in text for text in refused)
    assert not leftover.exists()
    assert not (tmp_path / "out" / "train" / "train").exists()


# --- every split, every picture -------------------------------------------------------------------------------------


def test_axes_swapped_in_one_split_alone_are_found(exported, tmp_path):
    swap_axes(exported / "test")
    with pytest.raises(InputError, match=r"mean axes xy, origin centre in .*train, but .* axes yx, .* in .*test"):
        import_layout(exported, tmp_path / "back.zarr")
    assert not (tmp_path / "back.zarr").exists()


@pytest.mark.parametrize("split", ["val", "test"])
def test_labels_moved_by_half_a_pixel_in_one_split_are_found(exported, tmp_path, split):
    for path in (exported / split).rglob("COS*.xml"):
        path.write_text(re.sub(r"<xc>([^<]+)</xc>", lambda m: f"<xc>{float(m[1]) + 0.5}</xc>", path.read_text()))
    with pytest.raises(InputError, match=rf"{split}: the annotations explain .* in no reading.* at image_0\.png"):
        import_layout(exported, tmp_path / "back.zarr")


def test_frames_late_in_a_split_are_checked_too(exported, tmp_path):
    last = exported / "train" / "annotation" / "COS111.xml"
    last.write_text(re.sub(r"<xc>([^<]+)</xc>", lambda m: f"<xc>{float(m[1]) + 0.5}</xc>", last.read_text()))
    with pytest.raises(InputError, match=r"train: the annotations explain .* fails first at image_111\.png"):
        import_layout(exported, tmp_path / "back.zarr")


@pytest.mark.parametrize("bits", [8, 16])
def test_a_picture_of_another_depth_is_refused_by_name(source, tmp_path, bits):
    export_layout(source, tmp_path / "mixed", bits=bits)
    odd = tmp_path / "mixed" / "test" / "image" / "image_3.png"
    Image.fromarray(np.full((11, 11), 40, np.uint16 if bits == 8 else np.uint8)).save(odd)
    says = rf"image_3\.png must be a picture of {bits} bits, as the first one is, got {24 - bits} bits"
    for side in (True, False)[: 2 if bits == 8 else 1]:
        if not side:
            (tmp_path / "mixed" / SIDE_FILE).unlink()
        with pytest.raises(InputError, match=says):
            import_layout(tmp_path / "mixed", tmp_path / "back.zarr", frames=4)


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
        import_layout(exported, tmp_path / "back.zarr")


def test_other_broken_companions_are_one_line(exported, tmp_path):
    file = exported / "train" / "annotation" / "COS0.xml"
    text = file.read_text()
    file.write_text('<?xml version="1.0" encoding="made-up"?>' + text)
    with pytest.raises(InputError, match=r"COS0\.xml: not a readable annotation"):
        import_layout(exported, tmp_path / "back.zarr")
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(InputError, match=r"COS0\.xml must be a file, got a pipe"):
        import_layout(exported, tmp_path / "back.zarr")
    file.unlink()
    file.write_text(text)
    picture = exported / "train" / "image" / "image_0.png"
    picture.write_bytes(picture.read_bytes()[:40])
    with pytest.raises(InputError, match=r"image_0\.png: not a readable picture"):
        import_layout(exported, tmp_path / "back.zarr")


# --- as other programs write them -----------------------------------------------------------------------------------


def assert_same_targets(source, path, atol=1e-12):
    back = open_dataset(path)
    for name, part in source.splits.items():
        np.testing.assert_allclose(back.split(name).target_xy, part.target_xy, rtol=0, atol=atol)
        np.testing.assert_array_equal(back.split(name).target_count, part.target_count)
    assert verify(path) == []
    return back


@pytest.mark.parametrize("quantise", [np.rint, np.floor])
@pytest.mark.parametrize("decimals", [2, 3, None])
@pytest.mark.parametrize(("axes", "origin"), [("xy", "centre"), ("yx", "one"), ("xy", "one"), ("yx", "corner")])
def test_every_way_of_writing_is_recognised(source, tmp_path, axes, origin, decimals, quantise):
    folder = write_foreign(source, tmp_path / "f", axes=axes, origin=origin, decimals=decimals, quantise=quantise)
    made = import_layout(folder, tmp_path / "back.zarr", frames=4)
    assert (made.found.reading.axes, made.found.reading.origin) == (axes, origin)
    assert made.found.pixels == ("rounded" if quantise is np.rint else "truncated")
    assert made.found.error <= made.found.allowed < min(made.found.others.values())
    assert made.found.allowed == pytest.approx(0.5, abs=0.002) if decimals is None else made.found.allowed < 6
    back = assert_same_targets(source, tmp_path / "back.zarr", 1e-12 if decimals is None else 0.51 * 10**-decimals)
    about = back.attributes["imported"]
    assert (about["axes"], about["origin"], about["pixels"]) == (axes, origin, made.found.pixels)
    if decimals:
        assert made.decimals == (decimals, decimals)


def test_decimals_bound_what_is_allowed(source, tmp_path):
    folder = write_foreign(source, tmp_path / "f", decimals=3)
    path = folder / "train" / "annotation" / "COS40.xml"
    edit(path, r"<xc>([^<]*)", lambda found: f"<xc>{float(found[1]) + 0.02:.3f}")
    with pytest.raises(InputError, match=r"fails first at image_40\.png"):
        import_layout(folder, tmp_path / "back.zarr", frames=4)


@pytest.mark.parametrize(
    ("layout", "prefix", "name"),
    [
        ("published", None, lambda i: f"{i + 7:05d}"),
        ("published", None, lambda i: str(3 * i + 1)),
        ("csist-100k", "CSO_", lambda i: f"{i + 80000}"),
        ("csist-100k", None, lambda i: f"{i}_of_2026"),
    ],
)
def test_any_numbering_is_taken_in_sorted_order(source, tmp_path, layout, prefix, name):
    folder = write_foreign(source, tmp_path / "f", layout=layout, name=name, prefix=prefix)
    made = import_layout(folder, tmp_path / "back.zarr", layout, frames=4)
    assert_same_targets(source, tmp_path / "back.zarr")
    assert made.frames == 160
    gaps = [note for note in made.notes if "missing; taken in sorted order" in note]
    assert len(gaps) == (3 if name(1) == "4" else 0)


def test_csist_100k_has_single_frames_and_its_own_recipe(source, tmp_path):
    folder = write_foreign(source, tmp_path / "cso", layout="csist-100k", axes="yx", origin="one")
    import_layout(folder, tmp_path / "back.zarr", "csist-100k")
    back = open_dataset(tmp_path / "back.zarr")
    assert (back.recipe.frames, back.sizes) == (1, {"train": 112, "val": 24, "test": 24})
    assert (back.recipe.name, back.recipe.grid_threshold) == ("cso", 50.0)
    with pytest.raises(InputError, match="it looks like the layout csist-100k: pass --layout csist-100k"):
        import_layout(folder, tmp_path / "other.zarr")


def symmetric(path, *rows):
    """Make a set of one frame from rows x, y, intensity."""
    table = path.with_suffix(".csv")
    lines = [f"0,0,{k},{x},{y},{s}" for k, (x, y, s) in enumerate(rows)]
    table.write_text("trajectory,frame,target,x,y,intensity\n" + "\n".join(lines) + "\n")
    targets = read_target_table(table)
    generate(path, targets.recipe(load_data_recipe("seqcsist")), targets=targets)
    return open_dataset(path)


def test_a_symmetric_scene_is_refused_until_told(tmp_path):
    scene = symmetric(tmp_path / "s.zarr", (4.2, 5.6, 100.0), (5.6, 4.2, 100.0))
    folder = write_foreign(scene, tmp_path / "f", axes="xy", origin="one")
    message = r"in 2 readings \(.*: xy/one 0\.\d+, yx/one 0\.\d+\); tell which one with --axes xy\|yx$"
    with pytest.raises(InputError, match=message):
        import_layout(folder, tmp_path / "back.zarr", frames=1)
    assert not (tmp_path / "back.zarr").exists()
    made = import_layout(folder, tmp_path / "back.zarr", frames=1, told=Convention(axes="yx"))
    assert made.found.reading == Convention(0, "one", "yx")
    with pytest.raises(InputError, match="not with axes xy, origin corner or axes yx, origin corner"):
        import_layout(folder, tmp_path / "other.zarr", frames=1, told=Convention(origin="corner"))


def test_our_own_export_of_a_symmetric_scene_needs_no_telling(tmp_path):
    scene = symmetric(tmp_path / "s.zarr", (4.2, 5.6, 100.0), (5.6, 4.2, 100.0))
    export_layout(scene, tmp_path / "out", convention=Convention(0, "corner", "yx"))
    assert import_layout(tmp_path / "out", tmp_path / "back.zarr").found.reading == Convention(0, "corner", "yx")


def test_splits_of_unlike_rounding_are_refused(source, tmp_path):
    folder = write_foreign(source, tmp_path / "f")
    other = write_foreign(source, tmp_path / "g", quantise=np.floor)
    shutil.rmtree(folder / "test")
    shutil.copytree(other / "test", folder / "test")
    with pytest.raises(InputError, match="of one split are rounded and those of another truncated"):
        import_layout(folder, tmp_path / "back.zarr", frames=4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<sigma>0.6</sigma>", r"COS5\.xml must name sigma 0.5 and size 11, .* got sigma 0.6 and size 11"),
        ("<sigma>-1</sigma>", "must name sigma"),
    ],
)
def test_annotations_of_another_sensor_are_refused(source, tmp_path, text, message):
    folder = write_foreign(source, tmp_path / "f")
    edit(folder / "val" / "annotation" / "COS5.xml", "<sigma>0.5</sigma>", text)
    with pytest.raises(InputError, match=message):
        import_layout(folder, tmp_path / "back.zarr", frames=4)


def test_absurd_sizes_are_one_line(source, tmp_path):
    folder = write_foreign(source, tmp_path / "f")
    for path in folder.rglob("*.xml"):
        edit(path, "<width>11</width><height>11</height>", "<width>90000</width><height>90000</height>")
    with pytest.raises(InputError, match="size must be"):
        import_layout(folder, tmp_path / "back.zarr", frames=4)
    assert not list(tmp_path.glob("*.zarr"))


def test_a_full_disk_is_one_line(exported, tmp_path):
    """By a limit on the size of files; a full tmpfs is filled by `python -m tests.faults full`."""
    words = [sys.executable, "-m", "csist_bench", "import", exported, tmp_path / "back.zarr"]
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # noqa: E731
    done = subprocess.run(words, capture_output=True, text=True, preexec_fn=limit, check=False)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1), done.stderr
    assert not (tmp_path / "back.zarr").exists()


def test_progress_counts_every_file(source, tmp_path):
    folder, seen = write_foreign(source, tmp_path / "f"), []
    import_layout(folder, tmp_path / "back.zarr", frames=4, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (320, 320)
