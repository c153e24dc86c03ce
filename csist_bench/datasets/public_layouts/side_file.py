"""The side file of an exported folder: what its pictures mean, and the recipe that they come from."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from csist_bench.errors import InputError, must, show
from csist_bench.files.convention import AXES, ORIGINS, Convention
from csist_bench.files.sources import require_file
from csist_bench.recipes import DESCRIPTIVE, recipe_from_stored

SIDE_FILE = "csist-bench.json"
FORMAT = "csist-bench/published-layout@1"
SCALE_16_BIT = 64  # grey values of a 16-bit picture per grey level; an 8-bit picture has 1


@dataclass(frozen=True)
class Pictures:
    """What is told of the pictures of a folder.

    `bits` is their depth, `scale` their grey values per grey level, `frames` those of a trajectory. `recipe` is the
    stored table of an exported set and `convention` how its annotations were written; None without a side file. `about`
    is what the set told of itself: its page and its licence.
    """

    bits: int
    scale: int
    frames: int
    recipe: dict[str, Any] | None = None
    convention: Convention | None = None
    about: dict[str, str] = field(default_factory=dict)

    @property
    def step(self) -> float:
        """Quantisation step of the frames in grey levels: the pictures', or the sensor's before them."""
        return 1.0 if self.recipe and self.recipe.get("bits") else 1 / self.scale

    @property
    def ceiling(self) -> float:
        """Grey levels of the brightest value that a picture can hold."""
        return float(2**self.bits - 1) / self.scale


def side_table(pictures: Pictures, layout: str, fingerprint: str | None) -> dict[str, Any]:
    """Return what a side file holds."""
    convention = pictures.convention or Convention()
    return {
        "format": FORMAT,
        "bits": pictures.bits,
        "scale": pictures.scale,
        "frames": pictures.frames,
        "recipe": pictures.recipe,
        "fingerprint": fingerprint,
        "layout": layout,
        "first_frame": convention.start,
        "origin": convention.origin or "centre",
        "axes": convention.axes or "xy",
        **pictures.about,
    }


def read_side_file(side: Path, frames: int | None) -> Pictures:
    """Read a side file; `frames` stands over its number of frames of a trajectory.

    Raises
    ------
    InputError
        If it is damaged.
    """
    require_file(side)
    try:
        table = json.loads(side.read_text(encoding="utf-8"))
        numbers = int(table["bits"]), int(table["scale"]), frames or int(table["frames"])
        origin, axes = str(table.get("origin", "centre")), str(table.get("axes", "xy"))
        about = {name: str(table[name]) for name in DESCRIPTIVE if name in table}
        recipe = table["recipe"]
        if recipe is not None:
            recipe_from_stored(recipe, str(side))
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, OverflowError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{side}: damaged side file ({show(repr(error))}); remove it to import by the pictures alone"
        ) from None
    bits, scale, length = numbers
    if bits not in (8, 16) or scale not in (1, SCALE_16_BIT) or length < 1 or origin not in ORIGINS or axes not in AXES:
        found = f"bits {bits}, scale {scale}, frames {length}, origin {show(origin)}, axes {show(axes)}"
        rule = f"hold bits 8 or 16, scale 1 or {SCALE_16_BIT}, frames from 1, and a known origin and axes"
        raise must(f"{side}", rule, found)
    return Pictures(bits, scale, length, recipe, Convention(0, origin, axes), about)
