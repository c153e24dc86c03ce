"""A user's own scene: a CSV of targets (`generate --targets FILE.csv`)."""

from __future__ import annotations

import csv
import hashlib
import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from csist_bench.errors import OFFENDERS_SHOWN, InputError, must, offenders
from csist_bench.recipes import DataRecipe
from csist_bench.simulation.scenes import Scenes

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
        }
        return msgspec.structs.replace(base, **{name: value for name, value in ours.items() if name not in keep})


def read_target_table(path: str | Path) -> TargetTable:
    """Read a CSV with columns trajectory, frame, target, x, y, intensity (px, grey levels).

    One target or many, any intensity above 0, positions on or past the border and frames without targets are all fine.
    `target` orders the targets of a frame; it may be any whole number, once per frame.

    Raises
    ------
    InputError
        Naming the file, the row (the header is row 1) and the value that is wrong.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file; expected CSV with columns {', '.join(COLUMNS)}") from None
    reader = csv.reader(text.splitlines())
    header = [name.strip().lower() for name in next(reader, [])]
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise InputError(f"{path}:1: columns must be {', '.join(COLUMNS)}; missing: {', '.join(missing)}")
    order = [header.index(name) for name in COLUMNS]
    rows = [
        _row(path, line, cells, order) for line, cells in enumerate(reader, start=2) if any(c.strip() for c in cells)
    ]
    if not rows:
        raise InputError(f"{path}: holds no targets; a scene needs at least one row")
    return _table_from_rows(path, sorted(rows), hashlib.sha256(text.encode()).hexdigest())


_Row = tuple[int, int, int, float, float, float]


def _row(path: Path, line: int, cells: list[str], order: list[int]) -> _Row:
    if len(cells) <= max(order):
        raise must(f"{path}:{line}: row", f"have {len(COLUMNS)} columns", len(cells))
    values: list[float] = []
    for name, column in zip(COLUMNS, order):
        text = cells[column].strip()
        try:
            value = float(text)
        except ValueError:
            raise must(f"{path}:{line}: {name}", "be a number", text) from None
        if not math.isfinite(value) or abs(value) > LARGEST:
            raise must(f"{path}:{line}: {name}", f"be finite and within ±{LARGEST:g}", text)
        if name in COLUMNS[:3] and (value < 0 or value != int(value)):
            raise must(f"{path}:{line}: {name}", "be a whole number from 0", text)
        values.append(value)
    if values[5] <= 0:
        raise must(f"{path}:{line}: intensity", "be above 0 grey levels", cells[order[5]].strip())
    return int(values[0]), int(values[1]), int(values[2]), values[3], values[4], values[5]


def _table_from_rows(path: Path, rows: list[_Row], digest: str) -> TargetTable:
    keys = [row[:3] for row in rows]
    repeated = [key for key, following in itertools.pairwise(keys) if key == following]
    if repeated:
        found = [f"trajectory {a} frame {b} target {c}" for a, b, c in repeated[:OFFENDERS_SHOWN]]
        raise offenders(str(path), "each (trajectory, frame, target) must occur once", found, len(repeated))
    array = np.array(rows, dtype=np.float64)
    trajectory, frame = array[:, 0].astype(np.int64), array[:, 1].astype(np.int64)
    n, t = int(trajectory.max()) + 1, int(frame.max()) + 1
    if t > MAX_FRAMES:
        raise must(f"{path}: frame", f"be below {MAX_FRAMES}", t - 1)
    group = trajectory * t + frame
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    slot = np.arange(len(group)) - np.repeat(starts, np.diff(np.append(starts, len(group))))
    k = int(slot.max()) + 1
    if n * t * k > MAX_CELLS:
        raise must(f"{path}: trajectories x frames x targets", f"be at most {MAX_CELLS:g}", n * t * k)
    if k > 255:
        raise must(f"{path}: targets of one frame", "be at most 255", k)
    xy, intensity = np.full((n, t, k, 2), np.nan), np.full((n, t, k), np.nan)
    xy[trajectory, frame, slot] = array[:, 3:5]
    intensity[trajectory, frame, slot] = array[:, 5]
    count = np.isfinite(intensity).sum(axis=-1).astype(np.uint8)
    return TargetTable(xy, intensity, count, digest)
