"""The XML annotation of one frame, in and out: sigma, the size of the picture, and each target's xc, yc, brightness."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from numpy.typing import NDArray

from csist_bench.errors import InputError, must, show
from csist_bench.files.sources import require_file
from csist_bench.recipes import DataRecipe

LARGEST = 1e6  # |coordinates| and intensities beyond this are taken for mistakes
MOST_TARGETS = 255  # of a frame; a set counts them in a byte
USUAL_SIGMA = 0.5  # px, where an annotation names none


@dataclass(frozen=True)
class Annotation:
    """What an annotation says of a frame.

    `targets` holds (xc, yc, brightness) as they stand; `decimals` are the most digits after the point that xc or yc
    are written with, and brightness.
    """

    targets: list[tuple[float, float, float]]
    sigma: float
    size: int
    decimals: tuple[int, int]


def annotation_text(picture: str, xy: NDArray[Any], intensity: NDArray[Any], recipe: DataRecipe, bits: int) -> str:
    """Return the annotation of a frame as XML, every number exact; `xy` are the columns xc and yc, shape (K, 2)."""
    lines = ["<annotation>", f"  <filename>{picture}</filename>", "  <size>"]
    lines += [f"    <{name}>{value}</{name}>" for name, value in _shape(recipe, bits)]
    lines += ["  </size>", f"  <sigma>{recipe.psf_sigma!r}</sigma>"]
    for (xc, yc), brightness in zip(xy.tolist(), intensity.tolist()):
        lines += ["  <object>", "    <coordinate>"]
        lines += [f"      <xc>{xc!r}</xc>", f"      <yc>{yc!r}</yc>", f"      <brightness>{brightness!r}</brightness>"]
        lines += ["    </coordinate>", "  </object>"]
    return "\n".join([*lines, "</annotation>"]) + "\n"


def _shape(recipe: DataRecipe, bits: int) -> tuple[tuple[str, int], ...]:
    return ("width", recipe.size), ("height", recipe.size), ("depth", bits)


def read_annotation(path: Path) -> Annotation:
    """Read the annotation of one frame.

    Raises
    ------
    InputError
        Naming the file and what is wrong in it.
    """
    require_file(path)
    try:
        root = ElementTree.parse(path).getroot()
        texts = [_texts(target, path) for target in root.findall("object")]
        targets = [(float(xc), float(yc), float(light)) for xc, yc, light in texts]
        sigma = float(root.findtext("sigma", str(USUAL_SIGMA)))
        width, height = (int(float(root.findtext(f"size/{side}", ""))) for side in ("width", "height"))
        decimals = _decimals(texts)
    except InputError:
        raise
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError, OverflowError) as error:
        raise InputError(f"{path}: not a readable annotation of xc, yc, brightness ({show(str(error))})") from None
    for target in targets:
        if not all(math.isfinite(value) and abs(value) <= LARGEST for value in target):
            raise must(f"{path}: coordinates and brightness", f"be finite and within ±{LARGEST:g}", target)
        if target[2] <= 0:
            raise must(f"{path}: brightness", "be above 0 grey levels", target[2])
    if len(targets) > MOST_TARGETS:
        raise must(f"{path}: targets", f"be at most {MOST_TARGETS}", len(targets))
    if width != height:
        raise must(f"{path}: size", "be square", f"{width} x {height}")
    return Annotation(targets, sigma, width, decimals)


def _texts(target: ElementTree.Element, path: Path) -> tuple[str, str, str]:
    place = target.find("coordinate")
    if place is None:
        raise InputError(f"{path}: not a readable annotation of xc, yc, brightness (an object without coordinate)")
    xc, yc, light = (place.findtext(name, "").strip() for name in ("xc", "yc", "brightness"))
    return xc, yc, light


def _decimals(texts: list[tuple[str, str, str]]) -> tuple[int, int]:
    places = [decimals_of(text) for one in texts for text in one[:2]]
    return max(places, default=0), max((decimals_of(one[2]) for one in texts), default=0)


def decimals_of(text: str) -> int:
    """Return how many digits after the point a number is written with.

    Examples
    --------
    >>> decimals_of("5.30"), decimals_of("235"), decimals_of("1.5e-3")
    (2, 0, 4)
    """
    if "_" in text:
        raise ValueError(f"{text!r} is not a plain number")
    mantissa, _, exponent = text.lower().partition("e")
    return max(0, len(mantissa.partition(".")[2]) - int(exponent or 0))
