"""Correct the column `prior_tier` of reproduced rows; every other byte of the table stays as it is.

A network knows the laws that it was trained on, which the card of its weights says; its rows bear the hash of the same
training recipe. A method without training knows what its settings tell it. Rows whose weights are not in this
repository are left alone. Run from anywhere: python leaderboard/correct_prior_tiers.py [LEADERBOARD.csv]
"""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

from csist_bench import files
from csist_bench.conventions import PriorTier
from csist_bench.leaderboard.rows import COLUMNS, Row, board_lock, read_rows
from csist_bench.methods.knowledge import tier_of_weights
from csist_bench.methods.registry import METHODS, build_training_free, load_class

TABLE = Path(__file__).parent / "leaderboard.csv"
PLACE = COLUMNS.index("prior_tier")


def tiers_of_weights(folder: Path) -> dict[str, PriorTier]:
    """Return the tier of every training recipe that has weights in a folder, by the recipe's hash."""
    found: dict[str, set[PriorTier]] = {}
    for path in sorted(folder.glob("*.json")):
        card = json.loads(path.read_text(encoding="utf-8"))
        tier = tier_of_weights(card.get("prior_tier", ""), card["dataset"], card["recipe"])
        found.setdefault(card["recipe_hash"], set()).add(tier)
    # Where one recipe was carried out on several data sets, the hash tells no one tier.
    return {recipe: tiers.pop() for recipe, tiers in found.items() if len(tiers) == 1}


def right_tier(row: Row, trained: dict[str, PriorTier]) -> str:
    """Return the prior tier of a row; the one that it has where nothing here tells."""
    method = next((method for method in METHODS.values() if method.title == row.method), None)
    if method is None or row.status != "reproduced":
        return row.prior_tier
    if method.trainable:
        return trained.get(row.recipe_hash, row.prior_tier)
    own = [text for text in row.settings.split() if text.partition("=")[0] in load_class(method).__struct_fields__]
    return str(getattr(build_training_free(method, own), "prior_tier", method.prior_tier))


def corrected(text: str, rows: list[Row], trained: dict[str, PriorTier]) -> tuple[str, list[str]]:
    """Return the table with the column corrected, and one line a changed row."""
    head, *lines = [line + "\n" for line in text.removesuffix("\n").split("\n")]
    changes = []
    for place, (line, row) in enumerate(zip(lines, rows, strict=True)):
        tier = right_tier(row, trained)
        if tier == row.prior_tier:
            continue
        (cells,) = csv.reader([line])
        if _joined(cells) != line:
            raise SystemExit(f"line {place + 2}: not as this package writes it; nothing was changed")
        cells[PLACE] = tier
        lines[place] = _joined(cells)
        about = f"{row.method} ({row.settings}), {row.dataset}, decoder {row.decoder}, ranked by {row.rank}"
        changes.append(f"line {place + 2}: {about}, CSO-mAP {row.cso_map:.2f}: {row.prior_tier} -> {tier}")
    return "".join([head, *lines]), changes


def _joined(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def main() -> None:
    """Correct the table named on the command line, by default that of this repository."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else TABLE
    with board_lock(path):
        trained = tiers_of_weights(files.packaged("weights"))
        text, changes = corrected(path.read_bytes().decode(), read_rows(path), trained)
        files.replace_file(path, text.encode())
    print("\n".join(changes) or "nothing to correct")


if __name__ == "__main__":
    main()
