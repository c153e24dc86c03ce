"""Reports for the tests of pages and figures: a small scene in which everything goes wrong once."""

from __future__ import annotations

import numpy as np

from csist_bench.evaluation.report import DetailOptions, Provenance, Report, evaluate
from csist_bench.predictions import Header
from tests.helpers.scenes import detections_of, truth_of

TARGETS = [[(5, 5)], [(5, 5)], [(5, 5), (5.4, 5)], [(5, 5)], [(5, 5), (7, 7)], [(3, 3)]]
# Right; missed and false; merged; displaced; doubled; and right again. One frame a trajectory.
ANSWERS = [
    (0, 0, 5, 5, 9), (1, 0, 9, 9, 8), (2, 0, 5.02, 5, 7), (3, 0, 5.4, 5, 6), (4, 0, 5, 5, 5), (4, 0, 5.1, 5, 4),
    (4, 0, 7, 7.1, 3), (5, 0, 3, 3, 2),
]  # fmt: skip
IMAGES = np.random.default_rng(0).uniform(0, 200, (6, 11, 11))


def report_of(name: str = "My <b>net</b>", rows=ANSWERS, sigma: float | None = 0.05, **provenance) -> Report:
    """Return the report of the scene with details."""
    columns = {"intensity": np.full(len(rows), 220.0)}
    if sigma is not None:
        columns |= {"sigma_x": np.full(len(rows), sigma), "sigma_y": np.full(len(rows), sigma)}
    header = Header({"name": name}, "seqcsist", "test")
    options = DetailOptions(bootstrap=20)
    return evaluate(
        detections_of(rows, **columns),
        truth_of(TARGETS, 6, 1),
        full=True,
        options=options,
        provenance=Provenance(header, **provenance),
    )


def read_image(trajectory: int, frame: int):
    """Return the image of the scene's only frame of a trajectory."""
    assert frame == 0
    return IMAGES[trajectory]
