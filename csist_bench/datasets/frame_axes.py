"""Which axis of an array of frames is what: as the user says, as the format fixes it, or as the shape tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from csist_bench.errors import InputError, must, unknown

LEAST_SIDE = 3  # px
NAMED_AXES = {"N": ("trajectory", "sequence", "n"), "T": ("frame", "time", "t"), "Y": ("row", "y"), "X": ("column", "col", "x")}  # fmt: skip  # noqa: E501
_LETTERS = {2: "YX", 3: "TYX", 4: "NTYX"}
_EXAMPLE = "pass --frames-order (in Python: order), a permutation of {} such as {}"

# Where no order is said: as NumPy files are mostly written (frames last are square ones), as MATLAB's are (frames
# first), or as the documentation of a Python function says.
Habit = Literal["rows last", "rows first", "documented"]


@dataclass(frozen=True)
class FrameLayout:
    """How a file of frames is to be read: the order of its axes, the array in it, frames as unrelated single ones."""

    order: str | None = None
    array: str | None = None
    single: bool = False

    def __post_init__(self) -> None:
        order = None if self.order is None else str(self.order).upper()
        if order is not None and sorted(order) not in [sorted(letters) for letters in _LETTERS.values()]:
            raise must(
                "frames order", "be a permutation of YX, TYX or NTYX", self.order, "Y are rows, T frames, N sequences"
            )
        object.__setattr__(self, "order", order)

    @property
    def given(self) -> list[str]:
        """The options that were given, as the command line spells them."""
        told = {"--frames-order": self.order, "--array": self.array, "--single-frames": self.single or None}
        return [name for name, value in told.items() if value is not None]

    def refuse_for_data_set(self, path: str) -> None:
        """Refuse what was given, for a data set says it itself."""
        if self.given:
            raise must(self.given[0], "be left out for a data set, which says it itself", path)


@dataclass(frozen=True, eq=False)
class Stored:
    """An array as a file holds it: `what` says which, `axes` their order where the format fixes it, e.g. TYX."""

    values: NDArray[Any]
    what: str = ""
    axes: str | None = None
    habit: Habit = "rows last"


def arranged(stored: Stored, layout: FrameLayout, where: str) -> tuple[NDArray[Any], str]:
    """Return frames (N, T, H, W), and what was taken in words.

    Raises
    ------
    InputError
        If the array is not one of real numbers, is empty, or does not tell which axis is what.
    """
    values, shape = stored.values, stored.values.shape
    if values.dtype.kind not in "fiu":
        raise must(where, "hold frames of whole or floating-point numbers", f"{values.dtype} {shape}")
    if values.ndim not in _LETTERS:
        raise must(where, "hold frames: (Y, X), (T, Y, X) or (N, T, Y, X)", f"{values.dtype} {shape}")
    if not values.size:
        raise must(where, "hold at least one frame", f"{values.dtype} {shape}")
    if layout.order is not None and len(layout.order) != values.ndim:
        raise must(f"{where}: frames order", f"name the {values.ndim} axes of {shape}", layout.order)
    order = layout.order or stored.axes or _told_by_shape(shape, stored.habit, where)
    letters = _LETTERS[values.ndim]
    frames = values.transpose([order.index(letter) for letter in letters])
    height, width = frames.shape[-2:]
    if min(height, width) < LEAST_SIDE:
        raise must(where, f"hold frames of at least {LEAST_SIDE} x {LEAST_SIDE} px", f"{height} x {width}")
    frames = frames.reshape((1,) * (4 - values.ndim) + frames.shape)
    if layout.single:
        frames = frames.reshape(-1, 1, height, width)
    parts = [stored.what] if stored.what else []
    if stored.axes is None or layout.order:
        parts.append(f"({', '.join(map(str, shape))}) as {order}")
    return frames, f"{where}: {', '.join(parts)}: {_counted(frames, layout.single)}, {values.dtype.name}"


def _counted(frames: NDArray[Any], single: bool) -> str:
    n, t, height, width = frames.shape
    shape = f"{height} x {width}" + (" (rows x columns)" if height != width else "")
    if single:
        return f"{n} single frame{'s' * (n > 1)} of {shape}"
    count = f"{t} frame{'s' * (t > 1)} of {shape}"
    return count if n == 1 else f"{n} sequences of {count}"


def _told_by_shape(shape: tuple[int, ...], habit: Habit, where: str) -> str:
    letters = _LETTERS[len(shape)]
    if len(shape) == 2:
        return letters
    square_last, square_first = shape[-1] == shape[-2], shape[0] == shape[1]
    if habit == "rows first":
        if len(shape) == 3 and square_first and not square_last:
            return "YXT"
    elif square_last or (habit == "documented" and not (len(shape) == 3 and square_first)):
        return letters
    likely = {3: ("YXT", "TYX"), 4: ("YXTN", "NTYX")}[len(shape)]
    examples = " or ".join(likely[:: 1 if habit == "rows first" or square_first else -1])
    raise must(where, "tell which axis is what by its shape", shape, _EXAMPLE.format(", ".join(letters), examples))


def named_order(names: Sequence[str | None]) -> str | None:
    """Return the order that names of dimensions tell, where they name the axes of frames."""
    found = [next((axis for axis, known in NAMED_AXES.items() if str(n).lower() in known), "") for n in names]
    order = "".join(found)
    letters = _LETTERS.get(len(names), "")
    return order if letters and sorted(order) == sorted(letters) else None


def one_of(shapes: dict[str, tuple[int, ...] | None], asked: str | None, where: str, kind: str) -> str:
    """Return which of several arrays is meant: the one asked for, or the only one that can be frames.

    Parameters
    ----------
    shapes : dict
        Of each array, by name; None for one that holds no real numbers.
    asked : str or None
        What `--array` says.
    where, kind : str
        The file, and what it calls arrays.

    Raises
    ------
    InputError
        If there is none, the one asked for is not there, or several can be meant.
    """
    if not shapes:
        raise InputError(f"{where}: there is no {kind} in it")
    if asked is not None:
        if asked not in shapes:
            raise unknown(f"{kind} of {where}:", asked, shapes)
        return asked
    could = [name for name, shape in shapes.items() if shape and sum(n >= LEAST_SIDE for n in shape) > 1]
    if len(shapes) == 1 or len(could) == 1:
        return (could or list(shapes))[0]
    named = ", ".join(f"{name} {shapes[name]}" for name in could) or ", ".join(shapes)
    raise must(f"{where}: the {kind} of frames", "be one, or be named", named, "pass --array NAME (in Python: array)")
