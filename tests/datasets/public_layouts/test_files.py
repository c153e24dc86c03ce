"""Which file is which frame: the first number in a name decides."""

import pytest

from csist_bench.datasets.folder_layouts import LAYOUTS
from csist_bench.datasets.public_layouts.files import find_frames, numbered_files
from csist_bench.errors import InputError


def touch(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_files_are_ordered_by_the_first_number(tmp_path):
    touch(tmp_path / "train" / "image", "image_10.png", "image_9.PNG", "image_002.png", ".DS_Store", "Thumbs.db")
    touch(tmp_path / "train" / "annotation", "COS10.xml", "COS2_of_7.xml", "COS_9.xml")
    part = find_frames(tmp_path, LAYOUTS["published"])["train"]
    assert [path.name for path in part.pictures] == ["image_002.png", "image_9.PNG", "image_10.png"]
    assert [path.name for path in part.annotations] == ["COS2_of_7.xml", "COS_9.xml", "COS10.xml"]
    assert (part.numbers, part.missing) == ((2, 10), 6)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("image_1.png", "image_01.png"), r"image_01\.png and image_1\.png have the same number, 1"),
        (("run2_1.png", "run2_3.png"), r"run2_1\.png and run2_3\.png have the same number, 2"),
        (("image_1.png", "first.png"), r"nothing but \.png files with a number in the name, got first\.png"),
        (("image_1.png", "image_2.bmp"), r"nothing but \.png files with a number in the name, got image_2\.bmp"),
    ],
)
def test_names_that_do_not_tell_are_refused(tmp_path, names, message):
    touch(tmp_path, *names)
    with pytest.raises(InputError, match=message):
        numbered_files(tmp_path, ".png")


def test_pictures_and_annotations_have_to_agree(tmp_path):
    touch(tmp_path / "val" / "cso_img", "image_1.png", "image_2.png", "image_3.png")
    touch(tmp_path / "val" / "Annotations", "CSO0.xml", "CSO1.xml")
    message = r"val: image_2\.png and 1 more without annotation in Annotations/; CSO0\.xml without picture in cso_img/"
    with pytest.raises(InputError, match=message):
        find_frames(tmp_path, LAYOUTS["csist-100k"])


def test_a_folder_of_another_layout_names_it(tmp_path):
    touch(tmp_path / "val" / "cso_img", "image_1.png")
    with pytest.raises(InputError, match="it looks like the layout csist-100k: pass --layout csist-100k"):
        find_frames(tmp_path, LAYOUTS["published"])


def test_a_split_without_pictures_is_refused(tmp_path):
    touch(tmp_path / "train" / "image")
    with pytest.raises(InputError, match="train: holds no pictures"):
        find_frames(tmp_path, LAYOUTS["published"])
