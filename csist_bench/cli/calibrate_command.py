"""`csist-bench calibrate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from csist_bench.cli.options import (
    allow_partial_option,
    frame_file_options,
    json_option,
    note,
    note_compiling,
    print_json,
    refuse_given,
    say,
)

if TYPE_CHECKING:
    from csist_bench.datasets.frame_axes import FrameLayout


@click.command("calibrate")
@click.argument("frames")
@click.option("--out", default="camera.toml", show_default=True, metavar="FILE", help="Camera file to be written.")
@click.option("--picture", metavar="FILE", help="Draw what the figures rest on: .png, .svg or .pdf.")
@click.option("--given", metavar="FILE", help="A camera.toml with what is known: its fields are not sought.")
@click.option("--split", metavar="NAME", help="Of a data set: train, val or test  [default: train, else test].")
@frame_file_options
@click.option("--overwrite", is_flag=True, help="Replace the outputs if they exist.")
@allow_partial_option
@json_option
def command(
    frames: str,
    out: str,
    picture: str | None,
    given: str | None,
    split: str | None,
    layout: FrameLayout,
    overwrite: bool,
    allow_partial: bool,
    as_json: bool,
) -> None:
    """Estimate the camera of FRAMES from the frames alone, and write a camera.toml.

    FRAMES is a data set, whose recipe is left out of account, or any file of frames. Each figure is printed with its
    standard error, and what could not be found with the reason; the file leaves that out. The PSF's widths come from
    the groups of targets themselves, in sequences of 5 frames or more.

    \b
    Examples:
      csist-bench calibrate data/noise.zarr --out camera.toml --picture calibrate.png
      csist-bench calibrate stack.tif --given known.toml --json
      csist-bench calibrate frames.mat --array z --frames-order YXT
      csist-bench run ml-seq --data stack.tif --camera camera.toml
    """
    from csist_bench.datasets.camera_files import bad_pixels_name, read_camera, require_camera_place, write_camera
    from csist_bench.datasets.frame_kinds import is_bare_frames
    from csist_bench.methods.ahead import compile_calibration_ahead
    from csist_bench.methods.calibration.calibrate import calibrate
    from csist_bench.methods.calibration.given import Given
    from csist_bench.methods.calibration.source import frames_of

    if is_bare_frames(frames):
        refuse_given({"split": "frames without targets"})
    told = None if given is None else read_camera(given)
    require_camera_place(out, overwrite)
    if picture is not None:
        from csist_bench.files import require_place
        from csist_bench.plots.style import require_picture

        require_picture(picture)
        require_place(picture, overwrite)
    values, read = frames_of(frames, split, allow_partial, layout)
    note(read)
    note_compiling(compile_calibration_ahead)
    found = calibrate(values, Given.of(told, values), note)
    camera = found.camera_file(bad_pixels_name(out))
    write_camera(out, camera, overwrite)
    if picture is not None:
        from csist_bench.plots.calibration_report import calibration_report

        calibration_report(found, picture, frames)
    if as_json:
        print_json(found.to_dict() | {"camera": camera.table(), "out": out, "picture": picture})
    else:
        say(found.to_text())
    note(f"{out}: {', '.join(camera.table())}" + (f"; {picture}" if picture else ""))
