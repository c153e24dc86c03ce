"""What each trajectory bears on a row's scores, kept beside the leaderboard so that rows can be compared later.

`trajectories/` holds one small file a row that was scored with them (NumPy .npz without pickles): the influence of
every trajectory on the five APs (`csist_bench.evaluation.influence`), in 8-bit steps of each AP's largest, which moves
the width of an interval by half a percent at most. They are never in leaderboard.csv: a row without its file is as
good, but can't be told from its neighbours by chance alone.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from csist_bench.conventions import AP_NAMES
from csist_bench.errors import InputError, must
from csist_bench.files import replace_file
from csist_bench.files.sources import file_bytes
from csist_bench.leaderboard.rows import Row

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FOLDER = "trajectories"
AGREE_WITHIN = 1e-3  # percent: a second run whose CSO-mAP is as near counts as the row's own
LARGEST_FILE = 8 * 2**20  # bytes; the file of 750 trajectories takes 4 kB
_STEPS = np.iinfo(np.int8).max


@dataclass(frozen=True, eq=False)
class Influence:
    """The influence of trajectories (M,) on the five APs, shape (5, M), percent, and the APs themselves."""

    trajectories: Ints
    values: Floats
    aps: tuple[float, ...]

    @property
    def cso_map(self) -> Floats:
        """The influence on CSO-mAP, shape (M,), percent."""
        return np.asarray(self.values.mean(axis=0))


def influence_path(leaderboard: str | Path, row: Row) -> Path:
    """Return where the influences of a row are kept: named by its predictions and its ranking."""
    digest = row.predictions_sha256.rpartition(":")[2]
    return Path(leaderboard).parent / FOLDER / f"{digest[:16]}-{row.rank}.npz"


def keep_influence(leaderboard: str | Path, row: Row, influence: Influence) -> Path:
    """Write the influences of a row by rename.

    Raises
    ------
    InputError
        If their APs are not the row's.
    """
    _require_same_scores(influence.aps, row, "influences")
    path = influence_path(leaderboard, row)
    path.parent.mkdir(parents=True, exist_ok=True)
    largest = np.abs(influence.values).max(axis=1)
    steps = np.rint(influence.values / np.where(largest > 0, largest, 1.0)[:, None] * _STEPS)
    packed = io.BytesIO()
    np.savez_compressed(
        packed,
        predictions=np.array(row.predictions_sha256),
        gaps=np.diff(influence.trajectories, prepend=0).astype(np.int32),  # all alike in most splits
        steps=steps.astype(np.int8),
        largest=largest,
        aps=np.array(influence.aps),
    )
    replace_file(path, packed.getvalue())
    return path


def kept_influence(leaderboard: str | Path, row: Row) -> Influence | None:
    """Return the influences of a row; None where they were not kept.

    Raises
    ------
    InputError
        If the file is damaged, or is not of this row.
    """
    path = influence_path(leaderboard, row)
    if not row.predictions_sha256 or not path.is_file():
        return None
    values = _arrays(path)
    if str(values["predictions"]) != row.predictions_sha256:
        raise must(f"{path}: predictions", f"be {row.predictions_sha256}", str(values["predictions"]), _REMEDY)
    _require_same_scores(tuple(map(float, values["aps"])), row, str(path))
    trajectories, steps, largest = np.cumsum(values["gaps"]), values["steps"], values["largest"]
    well = steps.shape == (len(AP_NAMES), trajectories.size) and largest.shape == (len(AP_NAMES),)
    if not well or steps.dtype != np.int8 or not (np.isfinite(largest).all() and (np.diff(trajectories) > 0).all()):
        raise must(f"{path}: steps", f"be whole steps of shape ({len(AP_NAMES)}, trajectories)", steps.shape, _REMEDY)
    return Influence(
        trajectories.astype(np.int64), steps * (largest / _STEPS)[:, None], tuple(map(float, values["aps"]))
    )


_REMEDY = "remove the file and make it again (leaderboard/fill_rows.py)"


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    data = file_bytes(path)
    names = ("predictions", "gaps", "steps", "largest", "aps")
    if len(data) > LARGEST_FILE:
        raise must(f"{path}", f"be at most {LARGEST_FILE:,} bytes", f"{len(data):,}", _REMEDY)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except (ValueError, KeyError, OSError, BadZipFile, EOFError) as error:
        raise InputError(f"{path}: not a file of influences ({error}); {_REMEDY}") from None


def _require_same_scores(aps: tuple[float, ...], row: Row, where: str) -> None:
    apart = float(np.mean(aps)) - row.cso_map
    if not abs(apart) <= AGREE_WITHIN:
        said = f"{float(np.mean(aps)):.4f}"
        raise must(f"{where}: CSO-mAP", f"be that of the row of {row.method}, {row.cso_map:.4f}", said, _REMEDY)
