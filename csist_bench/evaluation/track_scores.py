"""Scores of tracks: HOTA, IDF1, OSPA(2) and identity switches (docs/tracks.md)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np

from csist_bench.detections import Detections
from csist_bench.errors import must
from csist_bench.evaluation.matching import positions
from csist_bench.evaluation.track_frames import Floats, Ints, track_frames
from csist_bench.evaluation.track_hota import hota_sums
from csist_bench.evaluation.track_identity import identity_matches, identity_switches
from csist_bench.evaluation.track_ospa import ospa2
from csist_bench.evaluation.truth import Truth


@dataclass(frozen=True)
class TrackScores:
    """Scores of tracks; percent but for `ospa2` (px) and `id_switches` (a number).

    Where it is not known which target is which over time, all are NaN and `unscored` says why.
    """

    hota: float = math.nan
    deta: float = math.nan
    assa: float = math.nan
    loca: float = math.nan
    idf1: float = math.nan
    ospa2: float = math.nan
    id_switches: float = math.nan
    unscored: str = ""

    def to_dict(self) -> dict[str, float | str | None]:
        """Return the scores by name; all are None where they could not be told, and the reason is added."""
        names = ("hota", "deta", "assa", "loca", "idf1", "ospa2")
        if self.unscored:
            return {**dict.fromkeys((*names, "id_switches")), "tracks_unscored": self.unscored}
        return {**{name: getattr(self, name) for name in names}, "id_switches": int(self.id_switches)}

    def to_text(self) -> str:
        """Return the scores as a line for a terminal."""
        if self.unscored:
            return f"tracks are not scored: {self.unscored}"
        return (
            f"tracks: HOTA {self.hota:.2f}   DetA {self.deta:.2f}   AssA {self.assa:.2f}   LocA {self.loca:.2f}"
            f"   IDF1 {self.idf1:.2f}   OSPA(2) {self.ospa2:.4f} px   switches {self.id_switches:.0f}"
        )


def score_tracks(detections: Detections, truth: Truth) -> TrackScores | None:
    """Score the tracks of detections over the scored frames; None where they have no column `track`.

    Raises
    ------
    InputError
        If a detection lies in a trajectory or frame that does not exist, or two of one frame have the same track.
    """
    if detections.track is None:
        return None
    scored = truth.scored_frame(detections)
    found = detections.select(scored >= 0)
    cell, length = scored[scored >= 0], len(truth.frames)
    track: Ints = found.track  # type: ignore[assignment]
    _require_one_row(found, cell, track)
    if unscored := _unknown_identity(truth):
        return TrackScores(unscored=unscored)
    target_xy = truth.xy[truth.trajectories, truth.frames.start : truth.frames.stop]
    return scores_of_tracks(target_xy, cell // length, cell % length, positions(found), track)


def scores_of_tracks(target_xy: Floats, place: Ints, frame: Ints, xy: Floats, track: Ints) -> TrackScores:
    """Return the scores of arrays as `track_frames` takes them: sums over trajectories, of OSPA(2) the mean."""
    parts = [
        (hota_sums(block), identity_matches(block), ospa2(block), identity_switches(block))
        for block in track_frames(target_xy, place, frame, xy, track)
    ]
    of_hota, matches, distances, switches = zip(*parts)
    sums = reduce(add, of_hota)
    hota, deta, assa, loca = (100 * value for value in sums.scores())
    return TrackScores(
        hota=hota,
        deta=deta,
        assa=assa,
        loca=loca,
        idf1=100 * 2 * sum(matches) / max(1, sums.targets + sums.rows),
        ospa2=float(np.concatenate(distances).mean()),
        id_switches=sum(switches),
    )


def _require_one_row(found: Detections, cell: Ints, track: Ints) -> None:
    order = np.lexsort((track, cell))
    same = (np.diff(cell[order]) == 0) & (track[order][1:] == track[order][:-1])
    if same.any():
        row = int(order[1:][same][0])
        where = f"trajectory {found.trajectory[row]}, frame {found.frame[row]}"
        raise must("track", "be that of one detection of a frame", f"{track[row]} twice in {where}")


def _unknown_identity(truth: Truth) -> str:
    """Say where the targets of a set cannot be told apart over time: its axis of targets is filled from the front."""
    count = truth.count[truth.trajectories, truth.frames.start : truth.frames.stop]
    changing = (count != count[:, :1]).any(axis=1)
    if not changing.any():
        return ""
    first = int(truth.trajectories[np.argmax(changing)])
    return (
        f"the number of targets changes within {int(changing.sum())} trajectories (the first is {first}), and the set"
        " does not say which target is which there; choose others with --trajectories"
    )
