"""The side file: there and back, and files of before."""

import json

from csist_bench.datasets.public_layouts.side_file import Pictures, read_side_file, side_table
from csist_bench.files.convention import OURS, Convention
from csist_bench.recipes import stored_table
from tests.helpers.sets import tiny_recipe


def test_what_is_written_is_read(tmp_path):
    told = Pictures(16, 64, 4, stored_table(tiny_recipe()), Convention(0, "one", "yx"))
    (tmp_path / "side.json").write_text(json.dumps(side_table(told, "csist-100k", "sha256:0")))
    read = read_side_file(tmp_path / "side.json", None)
    assert (read.bits, read.scale, read.frames, read.convention) == (16, 64, 4, Convention(0, "one", "yx"))
    assert read_side_file(tmp_path / "side.json", 2).frames == 2
    assert (read.step, read.ceiling) == (1 / 64, 65535 / 64)


def test_side_files_of_before_hold_our_own_convention(tmp_path):
    table = side_table(Pictures(8, 1, 4), "published", None)
    (tmp_path / "side.json").write_text(
        json.dumps({k: table[k] for k in ("format", "bits", "scale", "frames", "recipe")})
    )
    assert read_side_file(tmp_path / "side.json", None).convention == OURS
