"""`csist-bench evaluate` of a folder of parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from csist_bench.cli.evaluate_command import refuse_mismatch, why_unverified
from csist_bench.cli.options import ProgressLine

if TYPE_CHECKING:
    from csist_bench.datasets import Dataset, Split
    from csist_bench.evaluation.by_shard import Scoring
    from csist_bench.evaluation.report import Report


def score_parts(
    folder: str,
    store: Dataset,
    part: Split,
    scoring: Scoring,
    allow_mismatch: bool,
    executor: str,
    workers: int | None,
) -> Report:
    """Return the report of a folder of parts, held against a split shard by shard."""
    from csist_bench.datasets.executors import opened
    from csist_bench.evaluation.by_shard import evaluate_parts
    from csist_bench.evaluation.report import Provenance
    from csist_bench.predictions.parts import PartsFolder

    predictions = PartsFolder.open(folder)
    mismatch = predictions.header.mismatch(store.fingerprint, part.name, lambda: store.fingerprint_v2)
    refuse_mismatch(folder, mismatch, allow_mismatch)
    standard = scoring.frames == part.scored_frames
    provenance = Provenance(predictions.header, standard, why_unverified(predictions.header, mismatch))
    with opened(executor, workers, "nothing was changed; score it again") as pool:
        return evaluate_parts(predictions, part, scoring, provenance, pool, ProgressLine("scored", "parts"))
