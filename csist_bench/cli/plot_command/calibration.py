"""`csist-bench plot calibration`."""

from __future__ import annotations

from typing import Any

import click

from csist_bench.cli.options import convention_options, data_option, note, pixel_size_option, split_option
from csist_bench.cli.plot_command.shared import opened, out_option, predictions_of

MATCHED_WITHIN = 0.25  # px, the widest threshold of the protocol


@click.command("calibration")
@click.argument("predictions")
@data_option
@split_option
@out_option("calibration.png")
@pixel_size_option
@convention_options
def calibration_command(predictions: str, data: str, split: str, out: str, **reading: Any) -> None:
    """Draw position errors over predicted standard errors, of detections matched within 0.25 px.

    \b
    Example:
      csist-bench plot calibration ml.json --data data/noise2.zarr --out calibration.png
    """
    import numpy as np

    from csist_bench.errors import InputError
    from csist_bench.evaluation.matching import match, nearest_targets
    from csist_bench.evaluation.truth import Truth
    from csist_bench.plots.calibration import calibration_picture
    from csist_bench.plots.style import require_picture

    require_picture(out)
    store, part = opened(data, split)
    read = predictions_of(predictions, store, part, reading)
    if read.detections.sigma_x is None or read.detections.sigma_y is None:
        raise InputError(f"{predictions}: predictions must have sigma_x and sigma_y to be checked for calibration")
    truth = Truth.from_split(part)
    matched = match(read.detections, truth, (MATCHED_WITHIN,))
    known = np.isfinite(matched.detections.columns()["sigma_x"] + matched.detections.columns()["sigma_y"])
    if blank := int((~known).sum()):
        note(f"{predictions}: {blank:,} detections without standard errors left out")
    hit = matched.detections.select(matched.hits[0] & known)
    frame = matched.frame[matched.hits[0] & known]
    nearest, _ = nearest_targets(hit, frame, truth)
    target = truth.frame_xy[frame, nearest]
    errors = np.concatenate([hit.x - target[:, 0], hit.y - target[:, 1]])
    sigmas = np.concatenate([hit.columns()["sigma_x"], hit.columns()["sigma_y"]])
    calibration_picture(errors, sigmas, out, str(read.header.method.get("name", "")))
    note(f"{out}: {len(hit):,} matched detections, spread {np.std(errors / sigmas):.3f}")
