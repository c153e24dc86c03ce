"""Annotations: what they say, how exactly they say it, and what is wrong in them."""

import numpy as np
import pytest

from csist_bench.datasets.public_layouts.annotations import annotation_text, decimals_of, read_annotation
from csist_bench.errors import InputError
from tests.helpers.sets import tiny_recipe

XML = "<annotation><size><width>11</width><height>11.0</height></size><sigma>0.5</sigma>{}</annotation>"
TARGET = "<object><coordinate><xc>{}</xc><yc>{}</yc><brightness>{}</brightness></coordinate></object>"


def written(tmp_path, body):
    path = tmp_path / "COS0.xml"
    path.write_text(XML.format(body))
    return path


def test_what_is_written_is_read_to_the_last_bit(tmp_path):
    xy, light = np.array([[0.1 + 0.2, 5.0], [1e-7, 9.123456]]), np.array([233.33333333333334, 220.0])
    path = tmp_path / "COS0.xml"
    path.write_text(annotation_text("image_0.png", xy, light, tiny_recipe(), 8))
    read = read_annotation(path)
    assert np.array_equal(np.array(read.targets), np.column_stack([xy, light]))
    assert (read.sigma, read.size) == (0.5, 11)
    assert read.decimals == (17, 14)


def test_decimals_are_the_most_that_are_seen(tmp_path):
    path = written(tmp_path, TARGET.format("5.25", " 4.125 ", "230") + TARGET.format("5", "4.1", "230.50"))
    assert read_annotation(path).decimals == (3, 2)
    assert read_annotation(written(tmp_path, "")).decimals == (0, 0)


def test_as_many_targets_as_a_byte_counts_and_the_largest_numbers_are_read(tmp_path):
    read = read_annotation(written(tmp_path, TARGET.format("-1e6", "1e6", "1e6") * 255))
    assert read.targets == [(-1e6, 1e6, 1e6)] * 255


@pytest.mark.parametrize(("text", "places"), [("5", 0), ("5.", 0), ("-0.50", 2), ("1e-7", 7), ("1.25E2", 0)])
def test_digits_after_the_point(text, places):
    assert decimals_of(text) == places


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (TARGET.format("5", "4", "0"), "brightness must be above 0 grey levels, got 0.0"),
        (TARGET.format("5", "1e9", "230"), "must be finite and within"),
        (TARGET.format("inf", "4", "230"), "must be finite and within"),
        (TARGET.format("5", "", "230"), "not a readable annotation"),
        (TARGET.format("5", "1_0", "230"), "not a plain number"),
        ("<object><name>Target</name></object>", "an object without coordinate"),
        (TARGET.format("5", "4", "230") * 256, "targets must be at most 255, got 256"),
    ],
)
def test_bad_values_are_one_line(tmp_path, body, message):
    with pytest.raises(InputError, match=message) as error:
        read_annotation(written(tmp_path, body))
    assert "\n" not in str(error.value)
    assert "COS0.xml" in str(error.value)


def test_pictures_are_square(tmp_path):
    path = written(tmp_path, "")
    path.write_text(path.read_text().replace("11.0", "12"))
    with pytest.raises(InputError, match="size must be square, got 11 x 12"):
        read_annotation(path)
