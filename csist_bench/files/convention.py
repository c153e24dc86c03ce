"""Conventions in which files of other tools depart from this package: first frame, origin, order of axes.

This package counts frames from 0, puts pixel centres at whole numbers and writes (x, y), x to the right and y down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from csist_bench.errors import must

FIRST_FRAMES = (0, 1)
ORIGINS = ("centre", "corner", "one")
AXES = ("xy", "yx")
ORIGIN_PX = {"centre": 0.0, "corner": 0.5, "one": 1.0}  # what the centre of pixel (0, 0) is called along either axis
_SWAPPED = {"x": "y", "y": "x", "sigma_x": "sigma_y", "sigma_y": "sigma_x"}


@dataclass(frozen=True)
class Convention:
    """How a file counts and measures; None is the default of its form.

    `first_frame` is the number of the first frame of a trajectory, in `frame` and in `image_id` alike. `origin` is
    where positions begin: at the centre of pixel (0, 0), at its outer corner, where its centre is at (0.5, 0.5), or one
    pixel before it, where its centre is at (1, 1), as in MATLAB.
    `axes` "yx" means that the column called x holds the row (down) and y the column (to the right), standard errors
    likewise.
    """

    first_frame: int | None = None
    origin: str | None = None
    axes: str | None = None

    def __post_init__(self) -> None:
        for name, known in (("first_frame", FIRST_FRAMES), ("origin", ORIGINS), ("axes", AXES)):
            value = getattr(self, name)
            if value is not None and value not in known:
                raise must(name, f"be one of {', '.join(map(str, known))}", value)

    def over(self, form: Convention) -> Convention:
        """Return this convention with the form's default in the place of whatever is None."""
        return Convention(
            form.first_frame if self.first_frame is None else self.first_frame,
            self.origin or form.origin,
            self.axes or form.axes,
        )

    @property
    def start(self) -> int:
        """The number of the first frame."""
        return self.first_frame or 0

    def text(self) -> str:
        """Return in words where this departs from the package's own, or nothing."""
        said = ["frames counted from 1"] if self.first_frame == 1 else []
        said += ["positions from the outer corner of pixel (0, 0)"] if self.origin == "corner" else []
        said += ["positions that call the first pixel's centre (1, 1)"] if self.origin == "one" else []
        said += ["x and y swapped"] if self.axes == "yx" else []
        return ", ".join(said)

    def positions(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Return columns of arrays (px) with x and y, and their standard errors, as this package has them."""
        if self.axes == "yx":
            columns = {_SWAPPED.get(name, name): values for name, values in columns.items()}
        shift = ORIGIN_PX[self.origin or "centre"]
        return {name: values - shift if shift and name in ("x", "y") else values for name, values in columns.items()}


OURS = Convention(0, "centre", "xy")
AS_THE_FORM = Convention()
