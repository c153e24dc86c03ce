"""Typed recipes: what a data set is made of, and how a method is set and trained.

A recipe is a TOML file that lists only what departs from the defaults. It is loaded into a frozen struct, unknown or
out-of-range fields are errors, and the resolved recipe (every value spelled out) is hashed and stored with whatever
was made from it.
"""

from __future__ import annotations

import functools
import hashlib
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec
from msgspec import Meta

from csist_bench import files
from csist_bench.conventions import GRID_THRESHOLD, PriorTier
from csist_bench.errors import InputError, must, unknown

Positive = Annotated[float, Meta(gt=0)]
NonNegative = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=1)]
Curve = Literal["line", "quadratic", "circle"]
# "given": the targets come from the user or from an imported set, not from the generator.
# "free": anywhere in a disc of `radius_max` px about the path, at least `separation_min` px apart.
# "pairs": two targets on opposite sides of a point of the central pixel, the brighter one at `intensity_max`.
Directions = Literal["axes", "compass", "pixel", "free", "pairs", "given"]

REFERENCE = 5.0  # px: the middle of an 11 x 11 frame, about which the bounds of paths are given
_WITHOUT_PATH = ("pixel", "pairs", "given")
MAX_TARGETS = {"axes": 4, "compass": 8, "pixel": 8, "free": 8, "pairs": 2, "given": 10_000}
S = TypeVar("S", bound=msgspec.Struct)
DESCRIPTIVE = ("url", "license")  # fields of a data recipe that draw nothing; a set keeps them beside its recipe
_ADDRESS = re.compile(r"https?://[^\s<>\"']+")
_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")


class DataRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every constant of the generator. Lengths in px, times in frames, intensities and noise in grey levels.

    The comment of a field is its line in docs/recipe-fields.md (docs/make_reference.py).
    """

    name: str  # how the set is called in headers and on the leaderboard
    # The set: how many trajectories, of how many frames, and which frames are scored.
    trajectories: Annotated[int, Meta(ge=1, le=10**9)] = 5000  # of all splits together
    frames: Annotated[int, Meta(ge=1, le=10_000)] = 20  # of a trajectory
    splits: tuple[NonNegative, NonNegative, NonNegative] = (0.70, 0.15, 0.15)  # shares of train, val, test, 1 in all
    scored_frames: str = "2:18"  # START:STOP, the end left out, or 'all'
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0  # of all random streams
    # Optics.
    size: Annotated[int, Meta(ge=3, le=512)] = 11  # px along a side of a frame, which is square
    c: Annotated[int, Meta(ge=1, le=31)] = 3  # nodes per pixel and axis of the label grid, odd
    psf_sigma: Annotated[float, Meta(gt=0, le=50)] = 0.5  # standard deviation of the Gaussian spot, px
    # Targets.
    k_min: Annotated[int, Meta(ge=0)] = 2  # fewest targets of a trajectory
    k_max: Count = 4  # most targets of a trajectory; all numbers are equally likely
    intensity_min: Positive = 220.0  # grey levels, summed over all pixels
    intensity_max: Positive = 250.0  # grey levels; intensities are uniform in between and constant over a trajectory
    directions: Directions = "axes"  # where targets stand about the reference point
    radius_min: NonNegative = 0.3  # px from the reference point in frame 0
    radius_max: NonNegative = 0.3  # px; distances are uniform in between
    growth_max: NonNegative = 0.0014  # px a frame that a target moves outward, at most
    separation_min: NonNegative = 0.0  # px between any two targets, at least
    placement_misses: Count = 50  # draws of freely placed targets that come too near before all are drawn again
    # The reference point's path y = f(x); it steps towards the far side, from an integer start.
    curves: tuple[Curve, ...] = ("line", "quadratic", "circle")  # kinds of paths, equally likely
    step: NonNegative = 0.04  # px a frame along x
    start_min: int = 1  # least x of the path in frame 0, px; whole numbers
    start_max: int = 9  # greatest x of the path in frame 0, px
    line_slope_max: NonNegative = 1.0  # of lines, either sign
    quadratic_max: NonNegative = 0.3  # factor of the square, per px, either sign
    offset_min: float = 0.0  # least height of lines and quadratics in the middle, px
    offset_max: float = 10.0  # greatest height of lines and quadratics in the middle, px
    circle_radius_min: Positive = 3.0  # px
    circle_radius_max: Positive = 8.0  # px
    circle_x_min: float = 2.0  # least x of a circle's centre, px
    circle_x_max: float = 8.0  # greatest x of a circle's centre, px
    circle_y_min: float = 0.0  # least y of a circle's centre, px
    circle_y_max: float = 10.0  # greatest y of a circle's centre, px
    path_min: float = 1.0  # px; a path that leaves path_min < y < path_max in any frame is drawn again
    path_max: float = 9.0  # px
    slope_max: Positive = 3.0  # a path that is steeper in any frame is drawn again
    rotate: bool = False  # turn the whole scene by a random angle
    # The reference point of paths and turns, px along both axes; by default the middle of the frame. The bounds of
    # starts, offsets, circles and paths are those about (5, 5), and move with it.
    centre: float | None = None
    # Sensor.
    background: str = "none"  # 'none', 'constant', 'clutter' (power law), or the path of frames
    background_mean: NonNegative = 0.0  # grey levels
    background_sigma: NonNegative = 0.0  # of clutter, grey levels
    background_exponent: NonNegative = 2.0  # of clutter's power law
    shot_gain: NonNegative = 0.0  # grey levels per photo-electron; 0: no shot noise
    noise_sigma: NonNegative = 0.0  # read noise, grey levels
    saturation: NonNegative = 0.0  # pixels are clipped at this level; 0: not, or at what `bits` can hold
    bits: Annotated[int, Meta(ge=0, le=16)] = 0  # frames are rounded and clipped to so many; 0: not
    dtype: Literal["float32", "uint8", "uint16"] = "float32"  # of stored frames
    # Labels.
    label_collision: Literal["sum", "last"] = "sum"  # targets on one node: intensities add up, or the last one stays
    # Decoding of heat maps: nodes of at least so many grey levels are detections.
    grid_threshold: NonNegative = GRID_THRESHOLD
    # What others are told of a set. Nothing is drawn by them, so they stay out of hashes.
    url: str = ""  # page of the set, for its card and metadata
    license: str = ""  # of the set, an SPDX identifier such as CC-BY-4.0, or an address

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, float) and not math.isfinite(value):
                raise must(name, "be finite", value)
        for low, high in _ORDERED_PAIRS:
            if getattr(self, low) > getattr(self, high):
                raise must(low, f"be at most {high} = {getattr(self, high)}", getattr(self, low))
        self._check_targets()
        if self.centre == (self.size - 1) / 2:
            msgspec.structs.force_setattr(self, "centre", None)  # equal recipes shall compare equal
        if self.c % 2 == 0:
            raise must("c", "be odd (nodes sit symmetrically about the pixel centre)", self.c)
        if not self.curves:
            raise must("curves", "name at least one curve", self.curves)
        if abs(sum(self.splits) - 1) > 1e-9:
            raise must("splits", "sum to 1 (train, val, test)", self.splits)
        if self.dtype != "float32" and not 0 < self.bits <= {"uint8": 8, "uint16": 16}[self.dtype]:
            raise must("bits", f"be in 1..{8 if self.dtype == 'uint8' else 16} for dtype={self.dtype!r}", self.bits)
        frame_range(self.scored_frames, self.frames, name="scored_frames")
        require_about(self.url, self.license)

    def _check_targets(self) -> None:
        most = MAX_TARGETS[self.directions]
        if self.k_max > most:
            raise must("k_max", f"be at most {most} for directions={self.directions!r}", self.k_max)
        if self.k_min < 1 and self.directions != "given":
            raise must("k_min", "be at least 1", self.k_min)
        if self.directions == "pairs" and self.k_min != 2:
            raise must("k_min", "be 2 for directions='pairs'", self.k_min)

    @property
    def reference(self) -> float:
        """The reference point along either axis, px."""
        return (self.size - 1) / 2 if self.centre is None else self.centre

    @property
    def shift(self) -> float:
        """What scenes are moved by from their place in an 11 x 11 frame, px along either axis."""
        return self.reference - REFERENCE

    @property
    def prior_tier(self) -> PriorTier:
        """What is known of the scenes by whoever has learned from them.

        Freely placed targets teach no more than their brightness and number, and where they keep a distance, that; of
        turned ones the axes stay unknown.
        """
        if self.directions == "free":
            return "B+spacing" if self.separation_min > 0 else "B"
        return "D-rotated" if self.rotate else "D"

    def split_sizes(self) -> dict[str, int]:
        """Return the number of trajectories of each split: floor for val and test, the rest to train."""
        val, test = (int(self.trajectories * share + 1e-9) for share in self.splits[1:])
        return {"train": self.trajectories - val - test, "val": val, "test": test}


_ORDERED_PAIRS = (
    ("k_min", "k_max"),
    ("intensity_min", "intensity_max"),
    ("radius_min", "radius_max"),
    ("start_min", "start_max"),
    ("offset_min", "offset_max"),
    ("circle_radius_min", "circle_radius_max"),
    ("circle_x_min", "circle_x_max"),
    ("circle_y_min", "circle_y_max"),
    ("path_min", "path_max"),
)


class MethodRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How one method is set (`settings`, checked by the method itself) and trained (`training`, by the loop)."""

    method: str
    settings: dict[str, Any] = {}
    training: dict[str, Any] = {}


def require_about(url: str, license: str, option: str = "") -> None:
    """Refuse a page that is no address, or a licence that is neither an address nor an SPDX identifier; "" is none.

    Errors name the fields, or the options of these names where `option` is "--".
    """
    if url and not _ADDRESS.fullmatch(url):
        raise must(f"{option}url", "be an address such as https://example.org/set", url)
    if license and not _ADDRESS.fullmatch(license) and not _SPDX.fullmatch(license):
        raise must(f"{option}license", "be an SPDX identifier such as CC-BY-4.0, or an address", license)


def frame_range(text: str, frames: int, name: str = "frames") -> range:
    """Return the range that 'start:stop' or 'all' means for sequences of `frames` frames (stop exclusive)."""
    if text.strip() == "all":
        return range(frames)
    start, colon, stop = text.partition(":")
    try:
        chosen = range(int(start or 0), int(stop or frames))
    except ValueError:
        colon = ""
        chosen = range(0)
    if not colon or not 0 <= chosen.start < chosen.stop <= frames:
        raise must(name, f"be 'all' or START:STOP within 0:{frames}", text)
    return chosen


def shipped(kind: str) -> dict[str, Path]:
    """Return the shipped recipes of a kind ('data' or 'methods') by name."""
    paths = sorted((files.packaged("recipes") / kind).glob("*.toml"), key=lambda path: path.name)
    return {path.stem: path for path in paths}


def load_data_recipe(
    name_or_path: str, overrides: Iterable[str] = (), told: Mapping[str, Any] | None = None
) -> DataRecipe:
    """Load a data recipe by shipped name or by file, with fields `told` and `name=value` overrides applied on top."""
    path = _find("data", name_or_path)
    table = {"name": path.stem, **_read_toml(path), **(told or {})}
    return convert({**table, **parse_overrides(overrides, DataRecipe)}, DataRecipe, str(path.name))


def load_method_recipe(name_or_path: str) -> MethodRecipe:
    """Load a method recipe by method name or by file."""
    path = _find("methods", name_or_path)
    return convert(_read_toml(path), MethodRecipe, str(path.name))


def _find(kind: str, name_or_path: str) -> Path:
    known = shipped(kind)
    if name_or_path in known:
        return known[name_or_path]
    path = Path(name_or_path)
    if path.suffix == ".toml" or path.exists():
        if not path.is_file():
            raise InputError(f"recipe {name_or_path} not found; shipped recipes: {', '.join(known)}")
        return path
    raise unknown("recipe", name_or_path, known)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a TOML recipe: {error}") from None
    except RecursionError:
        raise InputError(f"{path}: not a TOML recipe: nested too deeply") from None


def convert(table: Mapping[str, Any], kind: type[S], where: str) -> S:
    """Turn a plain table into a typed struct; a bad field is named with its rule and the nearest spelling."""
    known = [field.encode_name for field in msgspec.structs.fields(kind)]
    for key in table:
        if key not in known:
            raise InputError(f"{where}: {unknown('field', key, known)}")
    try:
        return msgspec.convert(dict(table), kind)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {_field_error(str(error), table, kind)}") from None


def _field_error(message: str, table: Mapping[str, Any], kind: type[msgspec.Struct]) -> str:
    """Reword msgspec's `Expected X - at `$.field`` as `field must be X, got value`."""
    rule, at, where = message.partition(" - at `$.")
    field = where.split("`")[0]
    root = field.split("[")[0]
    if not at or root not in table:
        return message
    rule = rule.removeprefix("Expected ").split(", got")[0].replace("`", "")
    if rule.startswith("Invalid enum value"):
        rule = f"one of {', '.join(_choices(kind, root))}"
    return str(must(field, f"be {rule}", table[root]))


def _choices(kind: type[msgspec.Struct], field: str) -> list[str]:
    """Return the allowed words of an enumerated field."""
    declared = next(f.type for f in msgspec.structs.fields(kind) if f.encode_name == field)
    words: list[str] = []
    pending = [declared]
    while pending:
        part = pending.pop()
        words += [str(word) for word in get_args(part) if not get_args(word) and isinstance(word, str | int)]
        pending += [inner for inner in get_args(part) if get_args(inner)]
    return words


def parse_overrides(
    overrides: Iterable[str], kind: type[msgspec.Struct] | None = None, option: str = "--set"
) -> dict[str, Any]:
    """Parse `name=value` texts; values are TOML (numbers, booleans, lists, quoted text) or bare words.

    A bare number is kept as text where the field of `kind` is text. Errors name the `option` that takes the texts.
    """
    fields = {f.encode_name: f.type for f in msgspec.structs.fields(kind)} if kind else {}
    parsed: dict[str, Any] = {}
    for item in overrides:
        name, equals, text = item.partition("=")
        name, text = name.strip(), text.strip()
        if not equals or not name or not text:
            example = "trajectories=100" if option == "--set" else "noise_sigma=2"
            raise must(option, "be NAME=VALUE", item, f"for example {option} {example}")
        if fields and name not in fields:
            raise unknown("field", name, fields)
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except (tomllib.TOMLDecodeError, RecursionError):
            value = text
        parsed[name] = text if fields.get(name) is str and not isinstance(value, str) else value
    return parsed


def resolved(recipe: msgspec.Struct) -> dict[str, Any]:
    """Return a recipe as a plain table with every value spelled out."""
    table = msgspec.to_builtins(recipe)
    assert isinstance(table, dict)
    return table


def stored_table(recipe: DataRecipe) -> dict[str, Any]:
    """Return a data recipe as a set stores it: every value, but for those that 0.1.0 had no field for and drew alike.

    That is a reference point at (5, 5), or in the middle where there are no paths, the threshold of SeqCSIST, and what
    describes a set alone. So the sets of that version keep their hashes, and it can read those of this one.
    """
    table = resolved(recipe) | {"centre": recipe.reference}
    for name in DESCRIPTIVE:
        del table[name]
    if recipe.reference == ((recipe.size - 1) / 2 if recipe.directions in _WITHOUT_PATH else REFERENCE):
        del table["centre"]
    if recipe.grid_threshold == _usual_threshold(recipe.name):
        del table["grid_threshold"]
    return table


def recipe_from_stored(table: Mapping[str, Any], where: str) -> DataRecipe:
    """Return the data recipe that `stored_table` wrote, or version 0.1.0, which drew every path about (5, 5)."""
    recipe = convert(table, DataRecipe, where)
    if "centre" not in table and recipe.directions not in _WITHOUT_PATH:
        recipe = msgspec.structs.replace(recipe, centre=REFERENCE)
    if "grid_threshold" not in table:
        recipe = msgspec.structs.replace(recipe, grid_threshold=_usual_threshold(recipe.name))
    return recipe


@functools.cache
def _usual_threshold(name: str) -> float:
    """Return the threshold of a set that names none: that of the shipped recipe of its name, else SeqCSIST's."""
    return load_data_recipe(name).grid_threshold if name in shipped("data") else GRID_THRESHOLD


def recipe_hash(recipe: msgspec.Struct | Mapping[str, Any]) -> str:
    """Return sha256 over the resolved recipe in canonical JSON, as 'sha256:<hex>'.

    The threshold of heat maps stays out: it says how answers are read, not what is drawn.
    """
    if isinstance(recipe, DataRecipe):
        table = stored_table(recipe)
        table.pop("grid_threshold", None)
    else:
        table = resolved(recipe) if isinstance(recipe, msgspec.Struct) else dict(recipe)
    text = msgspec.json.encode(table, order="deterministic")
    return "sha256:" + hashlib.sha256(text).hexdigest()
