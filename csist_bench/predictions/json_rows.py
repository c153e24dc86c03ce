"""What a JSON file of predictions is decoded into."""

from __future__ import annotations

from typing import Any

import msgspec

ROW_FORM = "rows like {'trajectory': 0, 'frame': 2, 'x': 5.31, 'y': 4.02, 'score': 231.2}"

# An index may be written as 2.0; whether it is whole is checked for all forms in one place.
Index = int | float
Indices = list[Index] | dict[str, Index]
Reals = list[float] | dict[str, float]
Blanks = list[float | None] | dict[str, float | None]


class Row(msgspec.Struct, gc=False, omit_defaults=True):
    """One detection; `image_id` may stand for trajectory and frame. Other fields of a row are not read."""

    x: float
    y: float
    score: float
    trajectory: Index | None = None
    frame: Index | None = None
    image_id: Index | None = None
    intensity: float | None = None
    sigma_x: float | None = None
    sigma_y: float | None = None
    sigma_intensity: float | None = None
    group: Index | None = None
    track: Index | None = None


class Columns(msgspec.Struct):
    """The column form: a list per field, or as pandas writes it an object from row names to values."""

    x: Reals | None = None
    y: Reals | None = None
    score: Reals | None = None
    trajectory: Indices | None = None
    frame: Indices | None = None
    image_id: Indices | None = None
    intensity: Reals | None = None
    sigma_x: Blanks | None = None
    sigma_y: Blanks | None = None
    sigma_intensity: Blanks | None = None
    group: Indices | None = None
    track: Indices | None = None


class File(Columns):
    """A whole file: the header fields and the predictions, as rows or as columns, or the columns beside the header."""

    format: Any = None
    dataset: Any = None
    method: Any = None
    n_frames: Any = None
    frames: Any = None
    misfit: Any = None
    digest: Any = None
    predictions: list[Row] | Columns | None = None
