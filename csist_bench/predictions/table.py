"""From raw columns of a file to checked detections: the rules every format shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import INDICES, OPTIONAL, Detections
from csist_bench.errors import OFFENDERS_SHOWN, InputError, must, offenders
from csist_bench.files.convention import AS_THE_FORM, Convention

LARGEST = 1e6  # |value| of any position, score, intensity or standard error
ROWS_PER_FRAME = 10_000  # more are not an answer; each node of a 9-fold heat map of 11 x 11 px would be one
FEWEST_ROWS_ALLOWED = 1_000_000
REAL = ("x", "y", "score", *(name for name in OPTIONAL if name not in INDICES))
SNIFFED = 4096  # bytes within which a text file must begin
STANDARD_ERRORS = ("sigma_x", "sigma_y", "sigma_intensity")
WHOLE = ("trajectory", "frame", "image_id", "group", "track")
COLUMNS = (*WHOLE[:3], *REAL, *WHOLE[3:])
LARGEST_TRACK = 2**53 - 1  # in size; 2**53 + 1, read as a float, is 2**53

# Names a row in an error: (row, column) -> e.g. "line 3" or "$.predictions[1].x".
Label = Callable[[int, str], str]


@dataclass(frozen=True)
class IndexBounds:
    """What a file may hold: frames per trajectory and trajectories of the split (None = not known), its convention."""

    frames_per_trajectory: int | None
    n_trajectories: int | None
    convention: Convention = AS_THE_FORM

    @property
    def n_images(self) -> int | None:
        """Number of frames of the split."""
        if self.frames_per_trajectory is None or self.n_trajectories is None:
            return None
        return self.frames_per_trajectory * self.n_trajectories

    @property
    def most_rows(self) -> int | None:
        """The number of rows beyond which a file is refused before it is unpacked."""
        return None if self.n_images is None else max(FEWEST_ROWS_ALLOWED, ROWS_PER_FRAME * self.n_images)

    def require_rows(self, rows: int, where: str) -> None:
        """Raise for more rows than the frames of the split can hold."""
        if self.most_rows is not None and rows > self.most_rows:
            raise must(where, f"hold at most {self.most_rows:,} rows ({ROWS_PER_FRAME:,} a frame)", f"{rows:,}")

    def refuse_convention(self, where: str) -> None:
        """Raise for a form whose places are fixed, such as heat maps, where a convention is asked for."""
        if self.convention != AS_THE_FORM:
            rule = "be left out for heat maps, whose nodes have fixed places"
            raise must(f"{where}: --first-frame, --origin and --axes", rule, self.convention.text() or "given")


def detections_from_columns(
    columns: Mapping[str, NDArray[Any]], where: str, label: Label, bounds: IndexBounds, brightest: float = LARGEST
) -> Detections:
    """Check raw columns and return detections: rows in order, frames counted from 0, positions as they stand.

    A standard error that is missing (NaN) or infinite is NaN; a column of nothing else is left out.

    Parameters
    ----------
    brightest : float
        What score and intensity may be at most in size.

    Raises
    ------
    InputError
        For a missing or short column, a value that is not finite or beyond 1e6, an index that is not whole or does not
        exist, a negative standard error, or two rows of equal trajectory, frame, x and y, or of one trajectory, frame
        and track; with the first five.
    """
    columns = {name: np.asarray(values) for name, values in columns.items() if name in COLUMNS}
    _require_columns(columns, where)
    bounds.require_rows(len(columns["x"]), where)
    for name in REAL:
        if name in columns:
            largest = brightest if name in ("score", "intensity") else LARGEST
            columns[name] = _checked_reals(columns[name], name, where, label, largest)
    for name in STANDARD_ERRORS:
        if name in columns and len(columns[name]) and np.isnan(columns[name]).all():
            del columns[name]
    if "group" in columns:
        columns["group"] = _whole(columns["group"], "group", where, label, 0, None)
    if "track" in columns:
        columns["track"] = _track(columns["track"], where, label)
    trajectory, frame = _indices(columns, where, label, bounds)
    detections = Detections(
        trajectory, frame, columns["x"], columns["y"], columns["score"], *(columns.get(name) for name in OPTIONAL)
    )
    _refuse_duplicates(detections, where, label)
    _refuse_shared_tracks(detections, where, label)
    return detections


def to_be_written(detections: Detections) -> Detections:
    """Return detections as they go into a file: checked, by trajectory, frame, x and y.

    Raises
    ------
    InputError
        If a value is not finite or beyond 1e6, or two rows are equal.
    """
    columns, bounds = detections.columns(), IndexBounds(None, None)
    return detections_from_columns(columns, "detections", lambda row, name: f"row {row}", bounds).ordered()


def refuse(bad: NDArray[np.bool_], values: NDArray[Any], name: str, where: str, rule: str, label: Label) -> None:
    """Raise for the rows picked by a mask, showing the first five and the number of the others."""
    if bad.any():
        rows = np.flatnonzero(bad)
        found = [f"{label(int(row), name)}: {name} = {values[row]}" for row in rows[:OFFENDERS_SHOWN]]
        raise offenders(where, f"{name} must {rule}", found, len(rows))


def _require_columns(columns: Mapping[str, NDArray[Any]], where: str) -> None:
    missing = [name for name in ("x", "y", "score") if name not in columns]
    if "image_id" not in columns:
        missing += [name for name in ("trajectory", "frame") if name not in columns]
    if missing:
        rule = "must have the columns trajectory, frame (or image_id), x, y and score"
        raise InputError(f"{where}: {rule}; missing: {', '.join(missing)}")
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(
            f"{where}: columns must be equally long, got {', '.join(f'{n} {k}' for n, k in lengths.items())}"
        )


def _checked_reals(values: NDArray[Any], name: str, where: str, label: Label, largest: float) -> NDArray[np.float64]:
    if values.ndim != 1 or values.dtype.kind not in "fiu":
        raise must(f"{where}: column {name}", "hold one number per row", f"{values.dtype} of shape {values.shape}")
    values = np.ascontiguousarray(values, dtype=np.float64)
    bad = ~(np.abs(values) <= largest)  # NaN compares false with everything, so one test covers it too
    if name in STANDARD_ERRORS:
        # A fit that did not converge has none: programs write NaN, infinity or nothing.
        blank = ~(values < np.inf) & ~(values < 0)
        values, bad = np.where(blank, np.nan, values), bad & ~blank
        refuse(values < 0, values, name, where, "be at least 0", label)
    refuse(bad, values, name, where, f"be finite and at most {largest:g} in size", label)
    return values


def _whole(
    values: NDArray[Any], name: str, where: str, label: Label, start: int, stop: int | None
) -> NDArray[np.int64]:
    """Return an index column as integers counted from 0; the file counts from `start` to before `stop`."""
    if values.ndim != 1 or values.dtype.kind not in "fiu":
        raise must(
            f"{where}: column {name}", "hold one whole number per row", f"{values.dtype} of shape {values.shape}"
        )
    if values.dtype.kind == "f":
        values = values.astype(np.float64)
        whole = np.isfinite(values) & (values == np.rint(values))
        refuse(~whole, values, name, where, "be a whole number", label)
    end = 2**53 if stop is None else stop + start
    rule = f"be a whole number, at least {start}" if stop is None else f"be in [{start}, {end})"
    bad = (values < start) | (values >= end)
    if bad.any() and start == 0 and stop is not None and values.min() == 1 and values.max() == stop:
        rule += f" (numbers run from 1 to {stop}: pass --first-frame 1 if the first frame is 1)" * (
            name != "trajectory"
        )
    refuse(bad, values, name, where, rule, label)
    return values.astype(np.int64) - start


def _track(values: NDArray[Any], where: str, label: Label) -> NDArray[np.int64]:
    """Return a column of tracks, any whole numbers."""
    return _whole(values, "track", where, label, -LARGEST_TRACK, 2 * LARGEST_TRACK + 1) - LARGEST_TRACK


def _indices(
    columns: Mapping[str, NDArray[Any]], where: str, label: Label, bounds: IndexBounds
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return trajectory and frame, taken from the pair or from image_id = trajectory * T + frame."""
    paired = "trajectory" in columns and "frame" in columns
    t, start = bounds.frames_per_trajectory, bounds.convention.start
    if paired:
        trajectory = _whole(columns["trajectory"], "trajectory", where, label, 0, bounds.n_trajectories)
        frame = _whole(columns["frame"], "frame", where, label, start, t)
    if "image_id" not in columns:
        return trajectory, frame
    if t is None:
        raise InputError(f"{where}: image_id needs the number of frames per trajectory; name the data set")
    image = _whole(columns["image_id"], "image_id", where, label, start, bounds.n_images)
    if paired:
        refuse(image != trajectory * t + frame, image, "image_id", where, f"be trajectory * {t} + frame", label)
        return trajectory, frame
    return image // t, image % t


def _refuse_duplicates(detections: Detections, where: str, label: Label) -> None:
    keys = (detections.y, detections.x, detections.frame, detections.trajectory)
    if not len(detections) or _strictly_rising(keys):
        return
    order = np.lexsort(keys)
    same = np.logical_and.reduce([key[order][1:] == key[order][:-1] for key in keys])
    if same.any():
        rows = np.sort(order[1:][same])
        found = [label(int(row), "x") for row in rows[:OFFENDERS_SHOWN]]
        rule = "two rows must not have equal trajectory, frame, x and y; keep one of them"
        raise offenders(where, rule, found, len(rows))


def _refuse_shared_tracks(detections: Detections, where: str, label: Label) -> None:
    """Raise for two rows of one track in one frame: a track is one target."""
    if detections.track is None or not len(detections):
        return
    keys = (detections.track, detections.frame, detections.trajectory)
    order = np.lexsort(keys)
    same = np.logical_and.reduce([key[order][1:] == key[order][:-1] for key in keys])
    if same.any():
        rows = np.sort(order[1:][same])
        found = [f"{label(int(row), 'track')}: track = {detections.track[row]}" for row in rows[:OFFENDERS_SHOWN]]
        rule = "two rows of one frame must not have the same track; a track is one target"
        raise offenders(where, rule, found, len(rows))


def _strictly_rising(keys: tuple[NDArray[Any], ...]) -> bool:
    """Tell whether rows rise strictly by the last key, then the one before it, and so on, as in files written here."""
    rising = np.zeros(len(keys[0]) - 1, dtype=bool)
    for key in keys:
        rising = (key[1:] > key[:-1]) | ((key[1:] == key[:-1]) & rising)
    return bool(rising.all())
