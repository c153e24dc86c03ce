"""Cramer-Rao lines of a data set: estimates drawn with each covariance (`evaluation.cramer_rao`) and scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from csist_bench.conventions import AP_NAMES, AP_TITLES
from csist_bench.detections import Detections
from csist_bench.errors import must
from csist_bench.evaluation.average_precision import average_precision
from csist_bench.evaluation.cramer_rao import LINES, CramerRaoLine, ImagedTargets, sample_cramer_rao
from csist_bench.evaluation.matching import match
from csist_bench.evaluation.truth import Truth
from csist_bench.simulation.camera import Camera

TRAJECTORIES, DRAWS = 400, 4


@dataclass(frozen=True)
class CramerRaoRow:
    """One line of the table: the knowledge, AP at each threshold (fractions) by either ranking, standard error in px.

    `ranked` ranks the drawn estimates by their variance, as a method that knows its errors does; `brightness` by their
    drawn intensity. `position_sd` is the median standard error of a position, per axis.
    """

    line: CramerRaoLine
    ranked: tuple[float, ...]
    brightness: tuple[float, ...]
    position_sd: float

    @property
    def cso_map(self) -> float:
        """CSO-mAP ranked by predicted variance, percent."""
        return 100 * float(np.mean(self.ranked))

    @property
    def cso_map_brightness(self) -> float:
        """CSO-mAP ranked by brightness, percent."""
        return 100 * float(np.mean(self.brightness))

    def to_dict(self) -> dict[str, Any]:
        """Return the row as a plain table, scores in percent."""
        names = list(AP_NAMES)
        return {
            "tier": self.line.prior_tier,
            "name": self.line.name,
            "frames": self.line.frames,
            "motion": self.line.motion,
            "degree": self.line.degree,
            "brightness_law": self.line.law,
            "cso_map": self.cso_map,
            **{name: 100 * value for name, value in zip(names, self.ranked)},
            "cso_map_brightness": self.cso_map_brightness,
            **{f"{name}_brightness": 100 * value for name, value in zip(names, self.brightness)},
            "position_sd": self.position_sd,
        }


def cramer_rao_table(
    truth: Truth,
    camera: Camera,
    *,
    lines: Sequence[CramerRaoLine] = LINES,
    trajectories: int = TRAJECTORIES,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[CramerRaoRow]:
    """Score estimates drawn with the Cramer-Rao covariance of each kind of knowledge.

    Parameters
    ----------
    truth : Truth
        The targets, of which at most `trajectories` trajectories (spread evenly over the set) are used.
    camera : Camera
        Optics, noise, clipping and brightness law of the data.
    lines : the kinds of knowledge to compare
    draws : estimates drawn of each target
    seed : of the draws; each line has a stream of its own, so a line does not depend on which others are asked for

    Returns
    -------
    list of CramerRaoRow, one a line, in the order given
    """
    if trajectories < 1:
        raise must("trajectories", "be at least 1", trajectories)
    rows = truth.trajectories
    rows = rows[np.linspace(0, len(rows) - 1, min(trajectories, len(rows))).astype(np.int64)]
    xy, intensity, count = truth.xy[rows], truth.intensity[rows], truth.count[rows]
    targets = ImagedTargets.of(xy, intensity, camera)
    repeated = Truth.from_arrays(
        np.tile(xy, (draws, 1, 1, 1)), np.tile(intensity, (draws, 1, 1)), np.tile(count, (draws, 1)), truth.frames
    )
    table = []
    for line in lines:
        rng = np.random.default_rng([seed, *line.name.encode()])
        sample = sample_cramer_rao(line, targets, truth.frames, rng, draws)
        ranked = _average_precisions(sample.detections, repeated)
        brightness = _average_precisions(replace(sample.detections, score=sample.intensity), repeated)
        table.append(CramerRaoRow(line, ranked, brightness, sample.position_sd))
    return table


def _average_precisions(detections: Detections, truth: Truth) -> tuple[float, ...]:
    hits = match(detections, truth).hits
    return tuple(average_precision(row, truth.n_targets) for row in hits)


def cramer_rao_text(table: Sequence[CramerRaoRow]) -> str:
    """Return the table for the terminal: CSO-mAP by predicted variance and by brightness, AP05..AP25, px."""
    names = "  ".join(AP_TITLES)
    width = max(len(row.line.name) for row in table) if table else 0
    out = [f"tier  {'knowledge':<{width}}  CSO-mAP  by brightness   {names}   median s.e. [px]"]
    for row in table:
        values = " ".join(f"{100 * value:5.1f}" for value in row.ranked)
        scores = f"{row.cso_map:7.1f}  {row.cso_map_brightness:13.1f}  {values}"
        out.append(f"{row.line.prior_tier:<4}  {row.line.name:<{width}}  {scores}   {row.position_sd:.4f}")
    return "\n".join(out)
