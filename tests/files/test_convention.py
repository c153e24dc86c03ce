"""Conventions: each one there and back."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.errors import InputError
from csist_bench.files.convention import OURS, Convention


def test_positions_are_brought_to_the_packages_own():
    columns = {"x": np.array([0.5, 3.0]), "y": np.array([1.5, 7.0]), "sigma_x": np.array([1.0]), "frame": np.array([4])}
    corner = Convention(origin="corner").positions(columns)
    assert corner["x"].tolist() == [0.0, 2.5]
    assert corner["y"].tolist() == [1.0, 6.5]
    assert Convention(origin="one").positions(columns)["x"].tolist() == [-0.5, 2.0]
    swapped = Convention(axes="yx").positions(columns)
    assert swapped["x"].tolist() == [1.5, 7.0]
    assert swapped["sigma_y"].tolist() == [1.0]
    assert "sigma_x" not in swapped
    assert swapped["frame"].tolist() == [4]
    assert OURS.positions(columns) == columns


def test_what_departs_is_told():
    assert OURS.text() == Convention().text() == ""
    assert Convention(origin="one").text() == "positions that call the first pixel's centre (1, 1)"
    assert Convention(1, "corner", "yx").text() == (
        "frames counted from 1, positions from the outer corner of pixel (0, 0), x and y swapped"
    )


def test_an_option_stands_over_the_form():
    form = Convention(1, "corner", "xy")
    assert Convention().over(form) == form
    assert Convention(0, "centre").over(form) == OURS
    assert (Convention(0).start, form.start, Convention().start) == (0, 1, 0)


@pytest.mark.parametrize("values", [{"first_frame": 2}, {"origin": "center"}, {"axes": "xyz"}])
def test_other_values_are_refused(values):
    with pytest.raises(InputError, match=f"{next(iter(values))} must be one of"):
        Convention(**values)
