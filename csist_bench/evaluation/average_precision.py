"""Average precision over all recall points (PASCAL VOC 2010 and later), with a state that merges.

With precision p(k) at the k-th true positive and N targets, AP = (1 / N) sum_k max_{j >= k} p(j): the area under the
precision-recall curve after precision is made monotone from the right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from csist_bench.detections import Detections, concatenate
from csist_bench.errors import InputError, must
from csist_bench.evaluation.matching import Matched, ranking

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def average_precision(hits: Bools, n_targets: int) -> float:
    """Return AP (a fraction) of ranked hits (n,) against `n_targets` targets."""
    places = np.flatnonzero(hits)
    if not len(places):
        return 0.0
    precision = np.arange(1, len(places) + 1) / (places + 1)
    envelope = np.maximum.accumulate(precision[::-1])
    return float(envelope.sum() / n_targets)


def curve(hits: Bools, n_targets: int) -> tuple[Floats, Floats]:
    """Return recall and monotone precision at each true positive: the points of the precision-recall curve."""
    places = np.flatnonzero(hits)
    rank = np.arange(1, len(places) + 1)
    envelope = np.maximum.accumulate((rank / (places + 1))[::-1])[::-1]
    return rank / n_targets, envelope


@dataclass(frozen=True, eq=False)
class RankedHits:
    """All that AP needs of one part of a split: ranked detections, hits (D, n) per threshold and the target count.

    Matching never crosses frames, so parts with no frame in common merge exactly: concatenate and rank again.
    """

    detections: Detections
    hits: Bools
    n_targets: int

    @classmethod
    def from_matched(cls, matched: Matched, n_targets: int) -> RankedHits:
        """Keep of a matching what AP needs."""
        ranked = matched.detections
        keys = Detections(ranked.trajectory, ranked.frame, ranked.x, ranked.y, ranked.score)
        return cls(keys, matched.hits, n_targets)

    def average_precisions(self) -> tuple[float, ...]:
        """Return AP at each threshold, fractions.

        Raises
        ------
        InputError
            If there are no targets.
        """
        if not self.n_targets:
            raise InputError("the scored frames hold no target at all, so there is nothing to score against")
        return tuple(average_precision(row, self.n_targets) for row in self.hits)


def merge(parts: Sequence[RankedHits]) -> RankedHits:
    """Join parts that share no frame; any order of the parts gives the same result."""
    if len({len(part.hits) for part in parts}) != 1:
        raise must("parts", "be scored at the same thresholds", [len(part.hits) for part in parts])
    # Empty tables are left out of the concatenation, and have no hits to bring.
    joined = concatenate([part.detections for part in parts])
    hits = np.concatenate([part.hits for part in parts], axis=1)
    order = ranking(joined)
    return RankedHits(joined.select(order), hits[:, order], sum(part.n_targets for part in parts))
