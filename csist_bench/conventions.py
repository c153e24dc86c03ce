"""The facts that the whole package shares, each written once; the standard library alone, so that `--help` is fast.

Positions are in px, intensities and thresholds of heat maps in grey levels, scores in percent.
"""

from __future__ import annotations

from typing import Literal, get_args

# CSO-mAP (SeqCSIST, TGRS 2025): the mean of the average precisions at these distances, px.
THRESHOLDS = (0.05, 0.10, 0.15, 0.20, 0.25)


def ap_name(threshold: float) -> str:
    """Return the name of the average precision at a threshold in px: 0.05 -> ap05."""
    return f"ap{round(100 * threshold):02d}"


AP_NAMES = tuple(map(ap_name, THRESHOLDS))
AP_TITLES = tuple(name.upper() for name in AP_NAMES)


SPLITS = ("train", "val", "test")

Family = Literal["traditional", "super-resolution", "unfolding", "off-grid"]
FAMILIES: tuple[Family, ...] = get_args(Family)

# What a method knows of the scenes. B+spacing: B and how near and far targets are from each other; D-rotated: the
# generator's law, turned by any angle.
PriorTier = Literal["A", "B", "B+spacing", "C", "D", "D-rotated"]
PRIOR_TIERS: tuple[PriorTier, ...] = get_args(PriorTier)
PRIOR_TEXT = (
    "Knows: A the optics; B also the brightness law (B+spacing: and how near and far targets are from each other); C"
    " also smooth or rigid motion; D the whole generator, or trained on it (D-rotated: on the rotated law)."
)

# What a method can be told when it answers, and what its prior tier says that it was told, at least.
Told = Literal["optics", "noise", "brightness", "spacing", "motion", "law", "count", "index"]
TOLD: tuple[Told, ...] = get_args(Told)
TOLD_BY_TIER: dict[PriorTier, tuple[Told, ...]] = {
    "A": ("optics",),
    "B": ("optics", "brightness"),
    "B+spacing": ("optics", "brightness", "spacing"),
    "C": ("optics", "brightness", "motion"),
    "D": ("optics", "law"),
    "D-rotated": ("optics", "law"),
}

# How a heat map becomes detections. A row says "own" of a method that answers detections itself.
Decoder = Literal["grid", "polish"]
DECODERS: tuple[Decoder, ...] = get_args(Decoder)
RowDecoder = Literal["grid", "polish", "own"]
ROW_DECODERS: tuple[RowDecoder, ...] = get_args(RowDecoder)

# By what detections are ranked. "precision" means least standard errors first; it may be called "uncertainty".
Ranking = Literal["score", "brightness", "precision"]
RANKINGS: tuple[Ranking, ...] = get_args(Ranking)
RANKING_ALIASES: dict[str, Ranking] = {"uncertainty": "precision"}

# Where the figures of a row come from; the column of leaderboard.csv is called `tier`. One may claim two of them: a
# file that does not say which data it answers makes its row "unverified".
Status = Literal["published", "submitted", "reproduced", "unverified"]
STATUSES: tuple[Status, ...] = get_args(Status)
STATUS_MEANINGS: dict[Status, str] = {
    "published": "the paper's own figure, not scored here",
    "submitted": "scored here from a prediction file",
    "reproduced": "trained and run by a recipe of this repository, scored here",
    "unverified": "scored here from a file that does not say which data it answers; ranked apart, never official",
}
# Below the others in a table and without a rank: how a submitted file was made is not known here.
APART: tuple[Status, ...] = ("submitted", "unverified")
CLAIMED_STATUSES: tuple[Status, ...] = ("submitted", "reproduced")

# The published decoding: nodes at or above it are detections (SeqCSIST; CSIST-100K takes 50).
GRID_THRESHOLD = 70.0
