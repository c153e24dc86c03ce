"""Which axis is what: said, fixed by the format, told by the shape, or refused."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.datasets.frame_axes import FrameLayout, Stored, arranged, named_order, one_of
from csist_bench.errors import InputError


def taken(shape, order=None, **about):
    frames, note = arranged(Stored(np.zeros(shape, np.uint8), **about), FrameLayout(order), "f")
    return frames.shape, note


@pytest.mark.parametrize(
    ("shape", "habit", "expected"),
    [
        ((11, 12), "rows last", (1, 1, 11, 12)),
        ((11, 12), "rows first", (1, 1, 11, 12)),
        ((20, 11, 11), "rows last", (1, 20, 11, 11)),
        ((3, 20, 11, 11), "rows last", (3, 20, 11, 11)),
        ((11, 11, 11), "rows last", (1, 11, 11, 11)),
        ((11, 11, 20), "rows first", (1, 20, 11, 11)),
        ((20, 11, 12), "documented", (1, 20, 11, 12)),
        ((3, 20, 11, 12), "documented", (3, 20, 11, 12)),
    ],
)
def test_the_shape_tells(shape, habit, expected):
    assert taken(shape, habit=habit)[0] == expected


@pytest.mark.parametrize(
    ("shape", "habit", "example"),
    [
        ((11, 11, 500), "rows last", "YXT or TYX"),
        ((500, 11, 12), "rows last", "TYX or YXT"),
        ((3, 500, 11, 12), "rows last", "NTYX or YXTN"),
        ((500, 11, 11), "rows first", "YXT or TYX"),
        ((11, 11, 11), "rows first", "YXT or TYX"),
        ((11, 12, 500), "rows first", "YXT or TYX"),
        ((11, 11, 500, 3), "rows first", "YXTN or NTYX"),
        ((11, 11, 500), "documented", "YXT or TYX"),
    ],
)
def test_what_the_shape_does_not_tell_is_refused_with_an_example(shape, habit, example):
    with pytest.raises(InputError) as caught:
        taken(shape, habit=habit)
    letters = ", ".join("NTYX"[4 - len(shape) :])
    said = f"f must tell which axis is what by its shape, got {shape}; pass --frames-order (in Python: order), a"
    assert str(caught.value) == f"{said} permutation of {letters} such as {example}"


@pytest.mark.parametrize(
    ("order", "expected"),
    [("TYX", (1, 4, 5, 6)), ("YXT", (1, 6, 4, 5)), ("xty", (1, 5, 6, 4)), ("YTX", (1, 5, 4, 6))],
)
def test_an_order_that_is_said_wins(order, expected):
    shape, note = taken((4, 5, 6), order, axes="TYX")
    assert shape == expected
    assert f"(4, 5, 6) as {order.upper()}" in note


def test_a_turned_array_holds_each_pixel_in_its_place():
    values = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    frames, _ = arranged(Stored(values), FrameLayout("XTY"), "f")
    assert frames[0, 1, 2, 0] == values[0, 1, 2]
    assert frames[0, 3, 4, 2] == values[2, 3, 4]


@pytest.mark.parametrize("order", ["T", "TYXX", "YXA", "", "NYX"])
def test_an_order_of_other_letters_is_refused(order):
    with pytest.raises(InputError, match="frames order must be a permutation of YX, TYX or NTYX, got"):
        FrameLayout(order)


def test_an_order_of_another_length_is_refused():
    with pytest.raises(InputError, match=r"f: frames order must name the 3 axes of \(4, 5, 6\), got YX"):
        taken((4, 5, 6), "YX")


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (("time", "y", "x"), "TYX"),
        (("Y", "X", "T"), "YXT"),
        (("trajectory", "frame", "row", "column"), "NTYX"),
        (("time", "y", None), None),
        (("y", "y", "x"), None),
        (("x",), None),
    ],
)
def test_names_of_dimensions_tell(names, order):
    assert named_order(names) == order


def test_the_only_array_that_can_be_frames_is_meant():
    assert one_of({"z": (11, 11, 5), "rate": (1, 1), "words": None}, None, "f", "array") == "z"
    assert one_of({"z": (11, 11, 5), "w": (11, 11, 5)}, "w", "f", "array") == "w"
    assert one_of({"odd": None}, None, "f", "array") == "odd"
    with pytest.raises(InputError) as caught:
        one_of({"z": (11, 11, 5), "w": (5, 5), "rate": ()}, None, "f", "array")
    named = "z (11, 11, 5), w (5, 5); pass --array NAME (in Python: array)"
    assert str(caught.value) == f"f: the array of frames must be one, or be named, got {named}"
    with pytest.raises(InputError, match=r"unknown array of f: 'Z'; did you mean 'z'\?"):
        one_of({"z": (5, 5), "w": (5, 5)}, "Z", "f", "array")
    with pytest.raises(InputError, match="f: there is no array in it"):
        one_of({}, None, "f", "array")
