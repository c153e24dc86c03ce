"""`csist-bench plot overlay`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from csist_bench.cli.options import (
    absent_chunks_option,
    convention_options,
    frame_file_options,
    note,
    pixel_size_option,
    split_option,
)
from csist_bench.cli.plot_command.shared import (
    of_trajectory,
    opened_frames,
    out_option,
    predictions_of,
    trajectory_option,
)
from csist_bench.errors import must

if TYPE_CHECKING:
    from csist_bench.datasets.frame_axes import FrameLayout


@click.command("overlay")
@click.argument("frames", metavar="FRAMES")
@click.argument("predictions")
@split_option
@trajectory_option
@click.option("--frame", type=click.IntRange(min=0), default=0, show_default=True, metavar="N")
@frame_file_options
@absent_chunks_option
@out_option("overlay.png")
@pixel_size_option
@convention_options
def overlay_command(
    frames: str,
    predictions: str,
    split: str,
    trajectory: int,
    frame: int,
    layout: FrameLayout,
    out: str,
    **reading: Any,
) -> None:
    """Draw a frame of FRAMES (a file of frames or a data set) with the detections of its groups, numbered.

    Ellipses are of 3 standard errors.

    \b
    Example:
      csist-bench plot overlay large_frames.npy preds.json --frame 3 --out overlay.png
      csist-bench plot overlay wide.npy preds.json --frames-order TYX
    """
    from csist_bench.plots.overlay import overlay_picture
    from csist_bench.plots.style import require_picture

    require_picture(out)
    store, source = opened_frames(frames, split, trajectory, layout)
    if frame >= source.n_frames:
        raise must("--frame", f"be in [0, {source.n_frames})", frame)
    own = of_trajectory(predictions_of(predictions, store, source, reading).detections, trajectory)
    image = source.read("frames", trajectory, trajectory + 1)[0][frame]
    mine = own.select(own.frame == frame)
    overlay_picture(image, mine, out, f"{Path(frames).name}, trajectory {trajectory}, frame {frame}")
    note(f"{out}: {len(mine)} detections in frame {frame} of trajectory {trajectory}")
