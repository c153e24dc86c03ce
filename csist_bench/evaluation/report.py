"""Score detections against the truth and hold the result: `evaluate` is the one entry point."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from csist_bench.conventions import ap_name
from csist_bench.detections import Detections
from csist_bench.errors import must
from csist_bench.evaluation import EVALUATOR_VERSION
from csist_bench.evaluation.average_precision import RankedHits, curve
from csist_bench.evaluation.breakdown import bootstrap_intervals, by_separation, by_targets
from csist_bench.evaluation.estimates import pairs
from csist_bench.evaluation.frame_table import FrameTable, frame_table
from csist_bench.evaluation.gospa import Gospa, GospaMeans, gospa
from csist_bench.evaluation.hints import LOW_SCORE, OtherSplits, hint
from csist_bench.evaluation.image_quality import image_quality
from csist_bench.evaluation.matching import Matched, best_of_each_frame, match
from csist_bench.evaluation.metrics import CommonCut, Metrics, PerFrame, common_cut, metrics, ospa
from csist_bench.evaluation.track_scores import TrackScores, score_tracks
from csist_bench.evaluation.truth import Truth
from csist_bench.predictions import Header

Floats = NDArray[np.float64]
V = TypeVar("V")

CURVE_POINTS = 500


@dataclass(frozen=True)
class DetailOptions:
    """How the details of a report are computed.

    `bootstrap` resamples of trajectories (0: no intervals) drawn with `seed`; `grid` holds the nodes per pixel and the
    pixels per side of the label grid, for PSNR and SSIM; `others` loads the truth of the data set's other splits, for
    the hint that a file answers one of them.
    """

    bootstrap: int = 1000
    seed: int = 0
    grid: tuple[int, int] = (3, 11)
    others: OtherSplits = field(default_factory=dict)


@dataclass(frozen=True)
class Provenance:
    """Where detections come from: their file's header, and what the reader of a report should be told.

    `standard_frames` says that the frames are those that the data set scores; `unverified` why it is not known that
    the detections answer the data they are scored on (empty where it is); `conventions` in which their file departs
    from the package's own.
    """

    header: Header = field(default_factory=Header)
    standard_frames: bool = True
    unverified: str = ""
    warnings: tuple[str, ...] = ()
    conventions: str = ""


@dataclass(frozen=True, eq=False)
class Details:
    """The costly metrics, of all scored frames and broken down.

    `curves` holds recall and precision (fractions) at up to 500 true positives per threshold; `intervals` are 95 %
    intervals (percent) by AP name, empty without a bootstrap. `frames` tells what went wrong in every frame, of the
    `matched` detections and the `truth`.
    """

    metrics: Metrics
    by_targets: tuple[Metrics, ...]
    by_separation: tuple[Metrics, ...]
    curves: dict[str, tuple[Floats, Floats]]
    intervals: dict[str, tuple[float, float]]
    frames: FrameTable
    matched: Matched
    truth: Truth

    @property
    def targets_per_frame(self) -> float:
        """Targets by scored frames."""
        return self.metrics.targets / self.metrics.frames


@dataclass(frozen=True, eq=False)
class Report:
    """One scored prediction: APs in percent, what they were computed on, and the details if asked for."""

    ap: tuple[float, ...]
    thresholds: tuple[float, ...]
    matching: str
    frames: str
    trajectories: int
    frames_scored: int
    detections: int
    targets: int
    ignored_detections: int
    missing_frames: int
    header: Header
    standard_frames: bool  # all trajectories, and the frames that the data set scores
    unverified: str
    warnings: tuple[str, ...]
    details: Details | None
    cut: CommonCut  # CSO-F1 and the score threshold that it is of
    gospa: GospaMeans
    conventions: str = ""  # in which the file departs from the package's own
    max_answers: int | None = None  # answers of a frame that were kept; None: all
    dropped_answers: int = 0  # of scored frames, beyond that number
    tracks: TrackScores | None = None  # where the file has them, and all figures were asked for
    hint: str = ""  # how the file would score far better if it were read another way

    @property
    def cso_map(self) -> float:
        """Mean of the APs, percent."""
        return float(np.mean(self.ap))

    @property
    def official(self) -> bool:
        """Whether this is the protocol's figure: its matching and frames, on no other data than the file names."""
        return not self.variant and self.standard_frames and not self.unverified

    @property
    def variant(self) -> str:
        """In which the scoring departs from the protocol's, or nothing."""
        parts = [] if self.matching == "nearest" else [f"{self.matching} matching"]
        parts += [] if self.max_answers is None else [f"at most {self.max_answers} answers a frame"]
        return ", ".join(parts)

    @property
    def cso_f1(self) -> float:
        """Mean F1 at the five thresholds, at the score threshold where it is highest; percent."""
        return self.cut.cso_f1

    @property
    def answers_per_frame(self) -> float:
        """Detections in scored frames, by scored frames."""
        return self.detections / self.frames_scored

    @property
    def metric(self) -> str:
        """The name the score goes by; a variant never has the plain one."""
        return f"CSO-mAP ({self.variant})" if self.variant else "CSO-mAP"

    def scores(self) -> dict[str, float]:
        """Return `cso_map` and `ap05`..`ap25` in percent; those of a variant are prefixed with its name."""
        return self._named({"cso_map": self.cso_map, **dict(zip(map(ap_name, self.thresholds), self.ap))})

    def beside(self) -> dict[str, float]:
        """Return what stands beside CSO-mAP, named as the leaderboard's columns; a variant's are prefixed alike."""
        parts = {f"gospa_{name}": getattr(self.gospa, name) for name in ("localisation", "missed", "false")}
        figures = {"answers_per_frame": self.answers_per_frame, "cso_f1": self.cso_f1, "gospa": self.gospa.distance}
        return self._named({**figures, **parts})

    def _named(self, figures: Mapping[str, V]) -> dict[str, V]:
        prefix = "" if self.matching == "nearest" else f"{self.matching}_"
        prefix += "" if self.max_answers is None else "capped_"
        return {prefix + name: value for name, value in figures.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a plain table, unrounded; metrics that are not defined are None."""
        table: dict[str, Any] = {
            "metric": self.metric,
            "evaluator": EVALUATOR_VERSION,
            "official": self.official,
            "unverified": bool(self.unverified),
            "unverified_because": self.unverified or None,
            **self.scores(),
            **self.beside(),
            "cso_f1_score": _defined(self.cut.score),
            "matching": self.matching,
            "max_answers": self.max_answers,
            "dropped_answers": self.dropped_answers,
            "frames": self.frames,
            "trajectories": self.trajectories,
            "frames_scored": self.frames_scored,
            "detections": self.detections,
            "targets": self.targets,
            "ignored_detections": self.ignored_detections,
            "missing_frames": self.missing_frames,
            "method": self.header.method,
            "fingerprint": self.header.fingerprint,
            "warnings": list(self.warnings),
            "conventions": self.conventions,
            "hint": self.hint or None,
        }
        if self.tracks:
            table |= self._named(self.tracks.to_dict())
        if self.details:
            table["intervals"] = {name: list(pair) for name, pair in self.details.intervals.items()}
            table["figures"] = metrics_table(self.details.metrics)
            table["by_targets"] = [metrics_table(row) for row in self.details.by_targets]
            table["by_separation"] = [metrics_table(row) for row in self.details.by_separation]
        return table

    def _repr_html_(self) -> str:
        """Return the scores as a small table, for notebooks."""
        aps = zip(map(str.upper, map(ap_name, self.thresholds)), self.ap)
        scores = [(self.metric, self.cso_map), *aps, ("CSO-F1", self.cso_f1), ("answers/frame", self.answers_per_frame)]
        parts = [(f"of it {name}", getattr(self.gospa, name)) for name in ("localisation", "missed", "false")]
        lengths = [("GOSPA, px", self.gospa.distance), *parts]
        head = "".join(f"<th>{name}</th>" for name, _ in scores + lengths)
        row = "".join(f"<td>{value:.2f}</td>" for _, value in scores)
        row += "".join(f"<td>{value:.4f}</td>" for _, value in lengths)
        about = f"{self.detections:,} detections, {self.targets:,} targets, {self.frames_scored:,} frames scored"
        return f"<table><caption>{about}</caption><tr>{head}</tr><tr>{row}</tr></table>"


def metrics_table(row: Metrics) -> dict[str, Any]:
    """Return metrics as a plain table with None for what is not defined."""
    table = {"cso_map": row.cso_map, **asdict(row)}
    aps, errors = table.pop("ap"), table.pop("rmse")
    table |= table.pop("estimates")
    names = [ap_name(point.threshold) for point in row.points]
    table.update(zip(names, aps))
    table["points"] = [{**point, "rmse": error} for point, error in zip(table["points"], errors)]
    return {name: _defined(value) for name, value in table.items()}


def _defined(value: Any) -> Any:
    if isinstance(value, list):
        return [{name: _defined(item) for name, item in row.items()} for row in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def evaluate(
    detections: Detections,
    truth: Truth,
    *,
    matching: str = "nearest",
    full: bool = False,
    options: DetailOptions | None = None,
    provenance: Provenance | None = None,
    max_answers: int | None = None,
) -> Report:
    """Score detections by the protocol.

    Parameters
    ----------
    matching : {"nearest", "hungarian"}
        The second is a variant and is reported under another name.
    full : bool
        Add operating points, OSPA, image quality, breakdowns, intervals, and scores of tracks where there are any.
    options : DetailOptions, optional
        How those are computed.
    provenance : Provenance, optional
        Where the detections come from; the `n_frames` of its header tells empty frames from missing ones.
    max_answers : int, optional
        Score the so many detections of highest score of each frame alone: a variant, reported under another name.

    Raises
    ------
    InputError
        If a detection lies in a trajectory or frame that does not exist, `matching` is unknown, or `max_answers` is
        below 1.
    """
    options, provenance = options or DetailOptions(), provenance or Provenance()
    n_given, scored = len(detections), int((truth.scored_frame(detections) >= 0).sum())
    if max_answers is not None:
        if max_answers < 1:
            raise must("max_answers", "be at least 1", max_answers)
        detections = best_of_each_frame(detections, max_answers)
    matched = match(detections, truth, matching=matching)
    per_frame = gospa(matched, truth)
    aps = tuple(100 * ap for ap in RankedHits.from_matched(matched, truth.n_targets).average_precisions())
    others = options.others if full or np.mean(aps) < LOW_SCORE else None
    return Report(
        ap=aps,
        thresholds=matched.thresholds,
        matching=matching,
        frames=truth.frames_text,
        trajectories=len(truth.trajectories),
        frames_scored=truth.n_frames,
        detections=len(matched.detections),
        targets=truth.n_targets,
        ignored_detections=n_given - scored,
        missing_frames=missing_frames(
            matched.frames_without_answer(truth.n_frames),
            truth.n_frames,
            truth.frames,
            provenance.header,
        ),
        header=provenance.header,
        standard_frames=provenance.standard_frames and len(truth.trajectories) == len(truth.count),
        unverified=provenance.unverified,
        warnings=provenance.warnings,
        details=_details(matched, truth, options, per_frame) if full else None,
        cut=common_cut(matched.detections.score, matched.hits, truth.n_targets),
        gospa=per_frame.means(),
        conventions=provenance.conventions,
        max_answers=max_answers,
        dropped_answers=scored - len(matched.detections),
        tracks=score_tracks(detections, truth) if full else None,
        hint=hint(detections, truth, options.grid[0], others, provenance.conventions),
    )


def missing_frames(empty: int, n_frames: int, frames: range, header: Header) -> int:
    """Return how many of `n_frames` scored frames, of which `empty` have no detection, the file does not answer.

    Without the header's `n_frames` every frame without detections is missing; with it, only as many as it falls short
    of the scored frames. Where the header says which frames of a trajectory were answered, others do not count.
    """
    if header.n_frames is None:
        return empty
    answered = header.n_frames
    if header.frames and (parts := header.frames.partition(":")) and parts[0].isdigit() and parts[2].isdigit():
        named = range(int(parts[0]), int(parts[2]))
        inside = len(range(max(named.start, frames.start), min(named.stop, frames.stop)))
        answered = answered * inside // max(len(named), 1)
    return min(empty, max(0, n_frames - answered))


def _details(matched: Matched, truth: Truth, options: DetailOptions, gospa_of_frames: Gospa) -> Details:
    quality = image_quality(matched, truth, *options.grid)
    ospa_of_frames = ospa(matched, truth)
    per_frame = PerFrame(ospa_of_frames, gospa_of_frames, pairs(matched, truth), quality)
    names = [ap_name(threshold) for threshold in matched.thresholds]
    intervals = bootstrap_intervals(matched, truth, options.bootstrap, options.seed) if options.bootstrap else ()
    return Details(
        metrics=metrics("all", matched, truth, per_frame),
        by_targets=by_targets(matched, truth, per_frame),
        by_separation=by_separation(matched, truth, per_frame),
        curves={name: _thinned(*curve(row, truth.n_targets)) for name, row in zip(names, matched.hits)},
        intervals=dict(zip([*names, "cso_map"], intervals)),
        frames=frame_table(matched, truth, ospa_of_frames, gospa_of_frames),
        matched=matched,
        truth=truth,
    )


def _thinned(recall: Floats, precision: Floats) -> tuple[Floats, Floats]:
    chosen = np.unique(np.linspace(0, len(recall) - 1, CURVE_POINTS).astype(np.int64)) if len(recall) else slice(0)
    return recall[chosen], precision[chosen]
