"""`csist-bench plot trajectory`."""

from __future__ import annotations

from typing import Any

import click

from csist_bench.cli.options import (
    absent_chunks_option,
    convention_options,
    data_option,
    note,
    pixel_size_option,
    split_option,
)
from csist_bench.cli.plot_command.shared import of_trajectory, opened, out_option, predictions_of, trajectory_option


@click.command("trajectory")
@click.argument("predictions", required=False)
@data_option
@split_option
@trajectory_option
@absent_chunks_option
@out_option("trajectory.png")
@pixel_size_option
@convention_options
def trajectory_command(
    predictions: str | None, data: str, split: str, trajectory: int, out: str, **reading: Any
) -> None:
    """Draw the paths of a trajectory's targets, with the detections of a prediction file.

    \b
    Example:
      csist-bench plot trajectory preds.json --trajectory 7 --out trajectory.png
    """
    from csist_bench.plots.style import require_picture
    from csist_bench.plots.trajectory import trajectory_picture

    require_picture(out)
    store, part = opened(data, split, trajectory)
    own = (
        of_trajectory(predictions_of(predictions, store, part, reading).detections, trajectory) if predictions else None
    )
    xy = part.read("target_xy", trajectory, trajectory + 1)[0]
    trajectory_picture(xy, own, out, f"{part.recipe.name}, {split}, trajectory {trajectory}")
    note(f"{out}: trajectory {trajectory}")
