"""What a file may have meant: the answers read another way, where that would score far better. Never applied.

Scored on a sample of trajectories, so that a plain evaluation can afford it. Other splits have to be read, so that they
are tried only where the score is low or a whole report is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from csist_bench.detections import Detections
from csist_bench.errors import InputError
from csist_bench.evaluation.average_precision import RankedHits
from csist_bench.evaluation.matching import match
from csist_bench.evaluation.truth import Truth

SAMPLE = 50  # trajectories
LOW_SCORE = 20.0  # percent, below which a plain evaluation tries the other splits
FAR_BETTER = 10.0  # points of CSO-mAP
SHIFTS = (0.0, -0.5, -1.0, 0.5, 1.0)  # px, of x and y alike
OtherSplits = Mapping[str, Callable[[], Truth]]


@dataclass(frozen=True)
class _Reading:
    """Another way to read a file: what it says of the file, what to do about it, and the detections so read."""

    means: str
    remedy: str
    detections: Detections


def hint(detections: Detections, truth: Truth, c: int, others: OtherSplits | None = None, conventions: str = "") -> str:
    """Return the reading that scores best in one line, if it is far better than the file as it stands, or nothing.

    Parameters
    ----------
    c : int
        Nodes per pixel of the label grid.
    others : mapping of split name to its truth, optional
    conventions : str
        How the file was read, where that departs from the package's own.
    """
    sample = _sample(truth)
    sampled = detections.select(np.isin(detections.trajectory, sample.trajectories))
    plain = _score(sampled, sample)
    if plain is None or not len(detections):
        return ""
    tried = [(_score(reading.detections, sample), reading) for reading in _readings(sampled, c)]
    for name, load in (others or {}).items():
        reading = _Reading(f"answered the split {name!r}", f"pass --split {name}", detections)
        tried.append((_score_of_split(detections, load), reading))
    scored = [(score, reading) for score, reading in tried if score is not None]
    best, reading = max(scored, key=lambda item: item[0])
    if best < plain + FAR_BETTER:
        return ""
    return (
        f"if the file {reading.means}, it would score CSO-mAP {best:.1f} in place of {plain:.1f} (on"
        f" {len(sample.trajectories)} trajectories); "
        + (f"it was read with {conventions}: are those options right?" if conventions else reading.remedy)
    )


def _sample(truth: Truth) -> Truth:
    places = np.linspace(0, len(truth.trajectories) - 1, min(SAMPLE, len(truth.trajectories))).astype(np.int64)
    return replace(truth, trajectories=truth.trajectories[places])


def _score(detections: Detections, truth: Truth) -> float | None:
    """Return CSO-mAP in percent; None where the sample holds no target."""
    if not truth.n_targets:
        return None
    inside = detections.frame >= 0  # frames counted from 1 may leave the set at its start
    ranked = RankedHits.from_matched(match(detections.select(inside), truth), truth.n_targets)
    return 100 * float(np.mean(ranked.average_precisions()))


def _score_of_split(detections: Detections, load: Callable[[], Truth]) -> float | None:
    try:
        truth = load()
    except InputError:  # a split without targets or without trajectories
        return None
    n, t = truth.count.shape
    if detections.trajectory.max() >= n or detections.frame.max() >= t:
        return None
    sample = _sample(truth)
    return _score(detections.select(np.isin(detections.trajectory, sample.trajectories)), sample)


def _readings(detections: Detections, c: int) -> Iterator[_Reading]:
    """Yield every other way to read the positions and frames."""
    offset = (c - 1) / 2
    units = [("", "", 1.0, 0.0)]
    if c > 1:
        said = f"gives nodes of the {c}-fold grid in place of px"
        units += [
            (f"{said}, counted from 0", f"take ({{}} - {offset:g}) / {c}", 1 / c, -offset / c),
            (f"{said}, counted from 1", f"take ({{}} - {offset + 1:g}) / {c}", 1 / c, -(offset + 1) / c),
        ]
    for swapped in (False, True):
        for unit, formula, scale, origin in units:
            for shift in SHIFTS if not unit else (0.0,):
                if not (swapped or unit or shift):
                    continue
                x, y = detections.x * scale + origin + shift, detections.y * scale + origin + shift
                read = replace(detections, x=y, y=x) if swapped else replace(detections, x=x, y=y)
                yield _Reading(*_words(swapped, unit, formula, shift), read)
    yield _Reading("counts frames from 1", "pass --first-frame 1", replace(detections, frame=detections.frame - 1))


def _words(swapped: bool, unit: str, formula: str, shift: float) -> tuple[str, str]:
    """Return what a reading says of the file and what to do about it."""
    means, options, edits = [], [], []
    if swapped:
        means.append("has x and y swapped")
        options.append("--axes yx")
    if unit:
        means.append(unit)
        edits.append(f"{formula.format('x')} and the same of y")
    if shift == -0.5:
        means.append("counts positions from the corner of pixel (0, 0)")
        options.append("--origin corner")
    elif shift:
        means.append(f"gives positions that are {abs(shift):g} px too {'large' if shift < 0 else 'small'}")
        edits.append(f"{'take' if shift < 0 else 'add'} {abs(shift):g} px {'from' if shift < 0 else 'to'} x and y")
    if edits:
        options = [f"pass {' '.join(options)}"] if options else []
        return " and ".join(means), " and ".join([*options, *edits])
    return " and ".join(means), f"pass {' '.join(options)}"
