"""The papers' own figures, as rows of status `published`: shown beside measured rows, never scored here.

Sources: `published.csv` (main table of SeqCSIST, TGRS 2025) and, of `published_ablations.csv`, those settings that a
data recipe of this package reproduces (read noise, number of targets).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

from csist_bench import files
from csist_bench.conventions import AP_NAMES
from csist_bench.errors import InputError
from csist_bench.leaderboard.rows import Row, checked_row
from csist_bench.methods.registry import METHODS, SEQCSIST

HARDWARE = "GPU of the paper"
_MULTIPLES = {"K": 1e3, "M": 1e6, "G": 1e9}


def published_rows() -> list[Row]:
    """Return the published figures, main table first."""
    rows = [_main_row(cells, where) for where, cells in _cells("published.csv")]
    families = {row.method: row for row in rows}
    return rows + [
        _ablation_row(cells, families, where)
        for where, cells in _cells("published_ablations.csv")
        if _ablation_dataset(cells)
    ]


def _cells(name: str) -> Iterator[tuple[str, dict[str, str]]]:
    path = files.packaged("leaderboard") / name
    if not path.is_file():
        raise InputError(f"published table {path} not found; install the package again")
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        for cells in reader:
            yield f"{path}:{reader.line_num}", cells


def _main_row(cells: dict[str, str], where: str) -> Row:
    values: dict[str, Any] = {
        "method": cells["method"],
        "family": cells["family"],
        "dataset": "seqcsist",
        "tier": "published",
        "prior_tier": _prior_tier(cells["method"]),
        **_scores(cells, where),
        "parameters": _count(cells["params"], where),
        "frames_per_second": float(cells["fps_gpu"]),
        "hardware": HARDWARE,
        "paper": SEQCSIST,
        "note": cells["note"],
    }
    return checked_row(values, where)


def _prior_tier(title: str) -> str:
    return next((row.prior_tier for row in METHODS.values() if row.title == title), "D")


def _scores(cells: dict[str, str], where: str) -> dict[str, float]:
    try:
        return {name: float(cells[name]) for name in ("cso_map", *AP_NAMES)}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{where}: scores must be numbers ({error})") from None


def _count(text: str, where: str) -> int | None:
    """Return '22.73K' as 22730; nothing as None."""
    if not text:
        return None
    try:
        return round(float(text[:-1]) * _MULTIPLES[text[-1]]) if text[-1] in _MULTIPLES else int(text)
    except ValueError:
        raise InputError(f"{where}: params must be a number with K, M or G, got {text}") from None


def _ablation_dataset(cells: dict[str, str]) -> str:
    """Return the data set that an ablation was made on; nothing where it repeats the main table or has no recipe."""
    experiment, setting = cells["experiment"].partition(" ")[2], cells["setting"]
    if experiment == "noise" and setting != "sigma=0":
        return f"seqcsist-noise {setting}"
    return "seqcsist-dense" if (experiment, setting) == ("targets", "2-8") else ""


def _ablation_row(cells: dict[str, str], main: dict[str, Row], where: str) -> Row:
    method = cells["experiment"].partition(" ")[0]
    values: dict[str, Any] = {
        "method": method,
        "family": main[method].family,
        "dataset": _ablation_dataset(cells),
        "tier": "published",
        **_scores(cells, where),
        "parameters": main[method].parameters,
        "paper": SEQCSIST,
        "note": "the paper's ablation",
    }
    return checked_row(values, where)
