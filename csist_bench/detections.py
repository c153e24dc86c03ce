"""Detections: what every method answers with, and how a heat map of nodes becomes detections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.conventions import GRID_THRESHOLD
from csist_bench.errors import must, require_finite, unknown

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

REQUIRED = ("trajectory", "frame", "x", "y", "score")
INDICES = ("trajectory", "frame", "group", "track")  # whole numbers; all others are real
OPTIONAL = ("intensity", "sigma_x", "sigma_y", "sigma_intensity", "group", "track")


@dataclass(frozen=True, eq=False)
class Detections:
    """Columns of n detections, in any order.

    `trajectory` and `frame` are int64 indices (within a split, or within the batch a method was given), `x`, `y` are
    positions in px, `score` ranks (higher is better), `intensity` is in grey levels; `sigma_x`, `sigma_y` (px) and
    `sigma_intensity` (grey levels) are standard errors, `group` is the index (int64) of the group within its trajectory
    that a detection belongs to, `track` (int64) names the target that it is of among all frames of its trajectory. The
    last six are optional (None).
    """

    trajectory: Ints
    frame: Ints
    x: Floats
    y: Floats
    score: Floats
    intensity: Floats | None = None
    sigma_x: Floats | None = None
    sigma_y: Floats | None = None
    sigma_intensity: Floats | None = None
    group: Ints | None = None
    track: Ints | None = None

    def __len__(self) -> int:
        return len(self.x)

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the columns that are present, by name."""
        named = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: column for name, column in named.items() if column is not None}

    def select(self, index: NDArray[Any]) -> Detections:
        """Return the rows picked by a boolean mask or an index array."""
        return Detections(**{name: column[index] for name, column in self.columns().items()})

    def shifted(self, trajectory: int = 0, frame: int = 0) -> Detections:
        """Return the same detections with both indices moved by constants."""
        return replace(self, trajectory=self.trajectory + trajectory, frame=self.frame + frame)

    def ordered(self) -> Detections:
        """Return the rows sorted by trajectory, frame, x and y, so that equal answers make equal files."""
        return self.select(np.lexsort((self.y, self.x, self.frame, self.trajectory)))

    def to_pandas(self) -> pd.DataFrame:
        """Return the columns that are present as a pandas table.

        Examples
        --------
        >>> import csist_bench as cb
        >>> list(cb.Detections.empty().to_pandas().columns)
        ['trajectory', 'frame', 'x', 'y', 'score']
        """
        import pandas as pd

        return pd.DataFrame(self.columns())

    @classmethod
    def from_pandas(cls, table: pd.DataFrame) -> Detections:
        """Return the detections of a pandas table with at least trajectory, frame, x, y and score.

        Raises
        ------
        InputError
            If a column is missing or unknown, an index is not a whole number, or a value is not finite.

        Examples
        --------
        >>> import csist_bench as cb
        >>> import pandas as pd
        >>> rows = {"trajectory": [0], "frame": [2], "x": [4.9], "y": [5.1], "score": [0.8]}
        >>> len(cb.Detections.from_pandas(pd.DataFrame(rows)))
        1
        """
        known = (*REQUIRED, *OPTIONAL)
        missing = [name for name in REQUIRED if name not in table]
        if missing:
            raise must("table", f"have the columns {', '.join(REQUIRED)}", f"no {', '.join(missing)}")
        for name in table.columns:
            if name not in known:
                raise unknown("column", str(name), known)
        return cls(**{str(name): _checked_column(str(name), table[name].to_numpy()) for name in table.columns})

    @classmethod
    def empty(cls) -> Detections:
        """Return a table without rows."""
        none, nothing = np.zeros(0, np.int64), np.zeros(0)
        return cls(none, none, nothing, nothing, nothing)


def _checked_column(name: str, values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind not in "iuf":
        raise must(f"column {name}", "hold numbers", str(values.dtype))
    require_finite(f"column {name}", values.astype(np.float64))
    if name not in INDICES:
        return values.astype(np.float64)
    whole = values.astype(np.int64)
    if (whole != values).any():
        raise must(f"column {name}", "hold whole numbers", values[whole != values][0].item())
    return whole


def concatenate(parts: Sequence[Detections]) -> Detections:
    """Join tables; an optional column is kept only where every non-empty part has it."""
    parts = [part for part in parts if len(part)] or [Detections.empty()]
    shared = set.intersection(*(set(part.columns()) for part in parts))
    return Detections(
        **{n: np.concatenate([p.columns()[n] for p in parts]) for n in (*REQUIRED, *OPTIONAL) if n in shared}
    )


def detections_from_slots(
    xy: Floats,
    score: Floats,
    count: NDArray[Any],
    intensity: Floats | None = None,
    sigma: Floats | None = None,
    sigma_intensity: Floats | None = None,
) -> Detections:
    """Turn padded per-frame answers into rows; slot k of frame (b, t) is used when k < count[b, t].

    Parameters
    ----------
    xy : ndarray, shape (B, T, K, 2), px
    score, intensity, sigma_intensity : ndarray, shape (B, T, K)
    count : integer ndarray, shape (B, T)
    sigma : ndarray, shape (B, T, K, 2), px
        Standard errors of x and y.
    """
    frames, slots = xy.shape[1:3]
    used = np.flatnonzero(np.arange(slots) < np.asarray(count)[:, :, None])

    def column(slots_of: Floats | None) -> Any:
        return None if slots_of is None else np.asarray(slots_of.reshape(-1)[used], dtype=np.float64)

    return Detections(
        trajectory=used // (frames * slots),
        frame=used // slots % frames,
        x=column(xy[..., 0]),
        y=column(xy[..., 1]),
        score=column(score),
        intensity=column(intensity),
        sigma_x=None if sigma is None else column(sigma[..., 0]),
        sigma_y=None if sigma is None else column(sigma[..., 1]),
        sigma_intensity=column(sigma_intensity),
    )


def detections_from_grid(heat_maps: NDArray[Any], c: int, threshold: float = GRID_THRESHOLD) -> Detections:
    """Decode c-fold heat maps as published: every node >= `threshold` grey levels is a detection at the node.

    Parameters
    ----------
    heat_maps : ndarray, shape (B, T, c * size, c * size), grey levels, [row = y, column = x]

    Returns
    -------
    Detections
        With score = intensity = node value.
    """
    b, t, row, column = np.nonzero(heat_maps >= threshold)
    value = heat_maps[b, t, row, column].astype(np.float64)
    offset = (c - 1) / 2
    return Detections(
        trajectory=b.astype(np.int64),
        frame=t.astype(np.int64),
        x=(column - offset) / c,
        y=(row - offset) / c,
        score=value,
        intensity=value.copy(),
    )
