"""Files that travel with the package: recipes, published tables and trained weights.

In an installed wheel they lie inside the package; in a source checkout the first two are the folders `recipes/` and
`leaderboard/` beside it.
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
_INSTALLED = {"recipes": "recipes_data", "leaderboard": "leaderboard_data", "weights": "weights"}


def folder(kind: str) -> Path:
    """Return the folder of shipped 'recipes', 'leaderboard' tables or 'weights'."""
    installed = PACKAGE / _INSTALLED[kind]
    return installed if installed.is_dir() else PACKAGE.parent / kind
