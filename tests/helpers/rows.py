"""Rows for tests: measured ones with the provenance that a submission writes."""

import csv
import hashlib
from pathlib import Path
from typing import Any

from csist_bench.leaderboard.lines import Line
from csist_bench.leaderboard.rows import COLUMNS, Row, checked_row, write_rows

FINGERPRINT = "sha256:" + "a" * 64
LINES = [
    Line(dataset="seqcsist", split="test", kind=kind, label=label, cso_map=value, dataset_fingerprint=FINGERPRINT)
    for kind, label, value in (
        ("ceiling", "grid", 47.6),
        ("ceiling", "any", 58.4),
        ("limit", "B", 100),
        ("limit", "C", 100),
    )
]


def digest(name: str) -> str:
    return "sha256:" + hashlib.sha256(name.encode()).hexdigest()


def row(**changes: Any) -> Row:
    """Return a row that passes every check, with changes; the predictions' digest follows from the changes."""
    values: dict[str, Any] = {
        "method": "ML",
        "family": "off-grid",
        "dataset": "seqcsist",
        "dataset_recipe": "seqcsist",
        "decoder": "own",
        "prior_tier": "B",
        "tier": "reproduced",
        "cso_map": 60.0,
        "ap05": 20.0,
        "ap10": 50.0,
        "ap15": 60.0,
        "ap20": 80.0,
        "ap25": 90.0,
        "cso_map_low": 59.0,
        "cso_map_high": 61.0,
        "parameters": 0,
        "frames_per_second": 15000.0,
        "hardware": "cpu (2 cores, x86_64)",
        "data_seed": 0,
        "noise_sigma": 0.0,
        "dataset_fingerprint": FINGERPRINT,
        "evaluator": "1.0",
        "predictions_sha256": digest(repr(sorted(changes.items()))),
        "date": "2026-01-31",
    }
    return checked_row({**values, **changes}, "row")


def written(path: Path, *rows: Row) -> Path:
    write_rows(path, rows)
    return path


def edited(path: Path, line: int, column: str, text: str) -> None:
    """Put a text into one cell of a leaderboard file (lines counted from 1, the heading's)."""
    with path.open(newline="") as file:
        table = list(csv.reader(file))
    table[line - 1][COLUMNS.index(column)] = text
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(table)
