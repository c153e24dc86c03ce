"""`csist-bench plot frames`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from csist_bench.cli.options import (
    absent_chunks_option,
    convention_options,
    data_option,
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

if TYPE_CHECKING:
    from csist_bench.datasets.frame_axes import FrameLayout
    from csist_bench.predictions.header import Header

FRAMES_SHOWN = 8


@click.command("frames")
@click.argument("predictions", required=False)
@data_option
@split_option
@trajectory_option
@click.option("--frames", default=None, metavar="RANGE", help="START:STOP; by default 8 frames over the scored ones.")
@frame_file_options
@absent_chunks_option
@out_option("frames.png")
@pixel_size_option
@convention_options
def frames_command(
    predictions: str | None,
    data: str,
    split: str,
    trajectory: int,
    frames: str | None,
    out: str,
    layout: FrameLayout,
    **reading: Any,
) -> None:
    """Draw frames of a trajectory, zoomed to the targets, with the detections of a prediction file.

    Ellipses are of 2 standard errors, where the file has them. A target that is not hit within 0.25 px is red.
    --data also takes frames without targets, as `run` does; they are drawn whole.

    \b
    Examples:
      csist-bench plot frames preds.json --trajectory 7 --frames 4:12 --out frames.png
      csist-bench plot frames mine.json --data stack.tif --out frames.png
    """
    import numpy as np

    from csist_bench.datasets.frame_files import BareFrames
    from csist_bench.plots.frames import frames_picture
    from csist_bench.plots.style import require_picture
    from csist_bench.recipes import frame_range

    require_picture(out)
    store, part = opened_frames(data, split, trajectory, layout)
    scored = part.scored_frames
    spread = np.linspace(scored.start, scored.stop - 1, min(FRAMES_SHOWN, len(scored))).astype(int)
    chosen = np.array(frame_range(frames, part.n_frames, "--frames")) if frames else spread
    images = part.read("frames", trajectory, trajectory + 1)[0][chosen]
    truth = np.zeros((len(chosen), 0, 2))
    if isinstance(part, BareFrames):
        note(part.note)
    else:
        truth = part.read("target_xy", trajectory, trajectory + 1)[0][chosen]
    found, errors, misfit = [], [], [""] * len(chosen)
    if predictions:
        read = predictions_of(predictions, store, part, reading)
        own = of_trajectory(read.detections, trajectory)
        found = [np.stack([own.x, own.y], axis=-1)[own.frame == frame] for frame in chosen]
        if own.sigma_x is not None and own.sigma_y is not None:
            errors = [np.stack([own.sigma_x, own.sigma_y], axis=-1)[own.frame == frame] for frame in chosen]
        misfit = [misfit_text(read.header, trajectory, int(frame)) for frame in chosen]
    titles = [f"trajectory {trajectory}, frame {frame}{text}" for frame, text in zip(chosen, misfit)]
    frames_picture(images, truth, found, out, titles, errors)
    note(f"{out}: {len(chosen)} frames of trajectory {trajectory}")


def misfit_text(header: Header, trajectory: int, frame: int) -> str:
    """Return what a file says is left of a frame, to stand in its title; "" where it says nothing."""
    table = header.misfit or {}
    rows, first = table.get("per_frame"), (header.frames or "0:").split(":")[0]
    try:
        value = float(rows[trajectory][frame - int(first)])  # type: ignore[index]
    except (TypeError, ValueError, IndexError):
        return ""
    if frame < int(first):
        return ""
    return (
        f"\n{value:.3g} grey levels left" if table.get("unit") == "grey levels" else f"\nchi$^2$ {value:.2f} per pixel"
    )
