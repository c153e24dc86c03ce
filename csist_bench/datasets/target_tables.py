"""A user's own scene: a table of targets (`generate --targets FILE.csv`)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from csist_bench.errors import OFFENDERS_SHOWN, InputError, must, offenders
from csist_bench.files.convention import OURS, Convention
from csist_bench.files.numbers import number_columns
from csist_bench.files.sources import GZIP, file_bytes, unpacked
from csist_bench.files.tables import Table, read_table
from csist_bench.files.text import text_of
from csist_bench.recipes import DataRecipe
from csist_bench.simulation.scenes import Scenes

Floats = NDArray[np.float64]

COLUMNS = ("trajectory", "frame", "target", "x", "y", "intensity")
LARGEST = 1e6  # |coordinates| and intensities beyond this are taken for mistakes
MAX_FRAMES = 10_000
MAX_CELLS = 10**9  # trajectories x frames x targets; a stray index must not allocate the machine away


@dataclass(frozen=True, eq=False)
class TargetTable:
    """Targets of a user's scene: `xy` (N, T, K, 2) px, `intensity` (N, T, K) grey levels, `count` (N, T), `digest`."""

    xy: NDArray[np.float64]
    intensity: NDArray[np.float64]
    count: NDArray[np.uint8]
    digest: str

    @property
    def n_trajectories(self) -> int:
        """Number of trajectories, 0 to the largest index given."""
        return len(self.xy)

    def scenes(self, start: int, stop: int) -> Scenes:
        """Return trajectories start..stop-1."""
        return Scenes(self.xy[start:stop], self.intensity[start:stop], self.count[start:stop])

    def recipe(self, base: DataRecipe, keep: tuple[str, ...] = ()) -> DataRecipe:
        """Return `base` (optics, sensor) for these targets; fields named in `keep` stay as the user set them."""
        n, t, k = self.intensity.shape
        ours = {
            "name": "targets",
            "trajectories": n,
            "frames": t,
            "splits": (0.0, 0.0, 1.0),
            "scored_frames": ":",
            "directions": "given",
            "k_min": int(self.count.min()),
            "k_max": k,
            "intensity_min": float(np.nanmin(self.intensity)),
            "intensity_max": float(np.nanmax(self.intensity)),
            "url": "",  # the scene is the user's: what the base recipe says of its own does not hold for it
            "license": "",
        }
        return msgspec.structs.replace(base, **{name: value for name, value in ours.items() if name not in keep})


def read_target_table(path: str | Path, convention: Convention = OURS) -> TargetTable:
    """Read a table with columns trajectory, frame, target, x, y, intensity (px, grey levels).

    One target or many, any intensity above 0, positions on or past the border and frames without targets are all fine.
    `target` orders the targets of a frame; it may be any whole number, once per frame.

    Parameters
    ----------
    convention : Convention
        How the table counts frames and measures positions.

    Raises
    ------
    InputError
        Naming the file, the line (the header is line 1) and the value that is wrong.
    """
    where = str(path)
    data = file_bytes(path, "target table")
    text = text_of(unpacked(data, where) if data.startswith(GZIP) else data, where)
    table = read_table(text, where, COLUMNS, ", ".join(COLUMNS))
    missing = [name for name in COLUMNS if name not in table.names]
    if missing:
        raise InputError(f"{where}: columns must be {', '.join(COLUMNS)}; missing: {', '.join(missing)}")
    columns = number_columns(table, COLUMNS)
    if not len(columns["x"]):
        raise InputError(f"{where}: holds no targets; a scene needs at least one row")
    _require_values(columns, table, convention.start)
    columns = convention.positions({**columns, "frame": columns["frame"] - convention.start})
    # Another reading of the same text is another scene; the package's own leaves digests as they were.
    said = convention.text()
    digest = hashlib.sha256((text + (f"\n{said}" if said else "")).encode()).hexdigest()
    return _table_from_columns(where, columns, digest)


def _require_values(columns: Mapping[str, Floats], table: Table, start: int) -> None:
    for name in COLUMNS:
        values = columns[name]
        # NaN compares false with everything, so one test covers it too.
        _refuse(~(np.abs(values) <= LARGEST), values, name, table, f"be finite and within ±{LARGEST:g}")
    for name in COLUMNS[:3]:
        values, first = columns[name], start if name == "frame" else 0
        _refuse((values < first) | (values != np.rint(values)), values, name, table, f"be a whole number from {first}")
    _refuse(columns["intensity"] <= 0, columns["intensity"], "intensity", table, "be above 0 grey levels")


def _refuse(bad: NDArray[np.bool_], values: Floats, name: str, table: Table, rule: str) -> None:
    if bad.any():
        rows = np.flatnonzero(bad)
        found = [f"{table.place(int(row))}: {name} = {values[row]:g}" for row in rows[:OFFENDERS_SHOWN]]
        raise offenders(table.where, f"{name} must {rule}", found, len(rows))


def _table_from_columns(where: str, columns: Mapping[str, Floats], digest: str) -> TargetTable:
    array = np.stack([columns[name] for name in COLUMNS], axis=-1)
    array = array[np.lexsort(array[:, ::-1].T)]
    same = (array[1:, :3] == array[:-1, :3]).all(axis=1)
    if same.any():
        repeated = array[1:, :3][same].astype(np.int64)
        found = [f"trajectory {a} frame {b} target {c}" for a, b, c in repeated[:OFFENDERS_SHOWN]]
        raise offenders(where, "each (trajectory, frame, target) must occur once", found, len(repeated))
    trajectory, frame = array[:, 0].astype(np.int64), array[:, 1].astype(np.int64)
    n, t = int(trajectory.max()) + 1, int(frame.max()) + 1
    if t > MAX_FRAMES:
        raise must(f"{where}: frame", f"be below {MAX_FRAMES}", t - 1)
    group = trajectory * t + frame
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    slot = np.arange(len(group)) - np.repeat(starts, np.diff(np.append(starts, len(group))))
    k = int(slot.max()) + 1
    if n * t * k > MAX_CELLS:
        raise must(f"{where}: trajectories x frames x targets", f"be at most {MAX_CELLS:g}", n * t * k)
    if k > 255:
        raise must(f"{where}: targets of one frame", "be at most 255", k)
    xy, intensity = np.full((n, t, k, 2), np.nan), np.full((n, t, k), np.nan)
    xy[trajectory, frame, slot] = array[:, 3:5]
    intensity[trajectory, frame, slot] = array[:, 5]
    count = np.isfinite(intensity).sum(axis=-1).astype(np.uint8)
    return TargetTable(xy, intensity, count, digest)
