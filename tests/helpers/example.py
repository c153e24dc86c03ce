"""`docs/example.json`, the prediction file that the README submits; `python -m tests.helpers.example` writes it anew.

Not the answers of any method: the true targets of the sample set, each moved by up to 0.2 px.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import csist_bench as cb
from csist_bench.datasets import Split

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "example.json"


def example_of(part: Split) -> cb.Detections:
    """Return the answers of the example."""
    frames = part.scored_frames
    xy, intensity = part.target_xy[:, frames.start : frames.stop], part.target_intensity
    trajectory, frame, target = np.nonzero(np.isfinite(xy[..., 0]))
    place = np.arange(len(trajectory))
    shift = 0.2 * (place * 0.618034 % 1)  # evenly spread, and without a random generator
    angle = 2 * np.pi * (place * 0.754878 % 1)
    x, y = (xy[trajectory, frame, target] + (shift * np.array([np.cos(angle), np.sin(angle)])).T).round(3).T
    brightness = intensity[trajectory, frame + frames.start, target].round(1)
    return cb.Detections(trajectory, frame + frames.start, x, y, (1 - shift).round(3), brightness)


def write_example(path: Path) -> None:
    part = cb.open_dataset(ROOT / "data" / "sample" / "seqcsist.zarr").test
    cb.save_predictions(example_of(part), path, data=part, method="MyNet")


if __name__ == "__main__":
    write_example(EXAMPLE)
