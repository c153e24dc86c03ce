"""Short names of rows: the method, and its variant in words instead of settings.

`OffGrid-Net (depth=5 reach=19 smooth=True)` is "OffGrid-Net, 20 frames". What a row's settings are to the letter stands
in its details.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from csist_bench.leaderboard.rows import Row

TRAJECTORY = 20  # frames of a trajectory of SeqCSIST; a longer reach sees no more
# Frames that a method of several windows answers with where its settings do not say.
USUAL_FRAMES = {"ML-seq": TRAJECTORY, "Group MAP": TRAJECTORY, "OffGrid-Net": 1}
_SETTING = re.compile(r"(\w+)=(.*?)(?= \w+=|$)")
# What goes without saying: how a variant is built (its frames or scenes say which it is), and rounding of products.
_UNSAID = ("alternatives", "depth", "neighbours", "precision", "slots", "smooth", "radius_sd")
_WORDS = {
    "adversarial=0": "no critic",
    "answers=hedged": "hedged",
    "answers=posterior": "posterior",
    "axes=rotated": "axes turned",
    "brightness=free": "brightness free",
    "directions=compass": "compass",
    "label_falloff=2.0": "falling labels",
    "radius=0.33": "any radius",
    "scenes=seqcsist-dense + seqcsist": "dense scenes",
    "scenes=seqcsist-free": "free scenes",
    "scenes=seqcsist-rotated-scaled": "turned scenes",
    "start=integer": "integer start",
    "start=phase": "",
}


def short_name(row: Row) -> str:
    """Return the method and its variant in words: "ML-seq, 5 frames, by brightness"."""
    given = dict(_SETTING.findall(row.settings))
    if row.settings and not given:
        return _joined(row, [row.settings])
    frames = _frames(row, given)
    words = [f"{frames} frame{'s' * (frames != '1')}"] if frames else []
    for name, value in given.items():
        if name not in ("frames", "reach", *_UNSAID):
            words.append(_WORDS.get(f"{name}={value}", f"{name} {value}"))
    return _joined(row, words)


def row_label(row: Row) -> str:
    """Return the method with whatever tells its rows apart, settings to the letter: "ML-seq (frames=5)"."""
    details = [row.settings] if row.settings else []
    details += _apart(row)
    return row.method + (f" ({', '.join(details)})" if details else "")


def names_of(rows: Iterable[Row]) -> dict[Row, str]:
    """Return the name of every row: the short one, unless two rows of one table would then be called the same."""
    rows = list(rows)
    alike: dict[tuple[object, ...], set[str]] = defaultdict(set)
    for row in rows:
        alike[_place(row)].add(row.settings)
    unclear = {key[0] for key, settings in alike.items() if len(settings) > 1}
    return {row: row_label(row) if short_name(row) in unclear else short_name(row) for row in rows}


def _place(row: Row) -> tuple[object, ...]:
    return (short_name(row), row.dataset, row.split, row.decoder, row.status, row.prior_tier)


def _frames(row: Row, given: dict[str, str]) -> str:
    if "reach" in given and given["reach"].isdigit():
        return str(min(2 * int(given["reach"]) + 1, TRAJECTORY))
    usual = USUAL_FRAMES.get(row.method) if row.measured else None
    frames = given.get("frames", str(usual or ""))
    return str(TRAJECTORY) if frames == "all" else frames


def _joined(row: Row, words: list[str]) -> str:
    return ", ".join([row.method, *filter(None, words), *_apart(row)])


def _apart(row: Row) -> list[str]:
    """Return the ranking and the seeds, where they are not the usual ones."""
    words = [f"by {row.rank}"] if row.rank != "score" else []
    words += [f"seed {row.seed}"] if row.seed else []
    return words + ([f"data seed {row.data_seed}"] if row.data_seed else [])
