"""Options, progress and output shared by the commands."""

from __future__ import annotations

import functools
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from csist_bench.errors import printable

if TYPE_CHECKING:
    from csist_bench.files.convention import Convention

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_DATA = "data/seqcsist.zarr"
PLAIN_INTERVAL_S = 5.0
BAR_INTERVAL_S = 0.1


def data_option(function: F) -> F:
    """Add `--data PATH`, by default the set that `generate` makes."""
    return click.option("--data", default=DEFAULT_DATA, show_default=True, metavar="PATH", help="Data set (Zarr).")(
        function
    )


def split_option(function: F) -> F:
    """Add `--split NAME`."""
    return click.option("--split", default="test", show_default=True, help="train, val or test.")(function)


def frames_option(function: F) -> F:
    """Add `--frames START:STOP|all`."""
    text = "START:STOP or all; by default the data set's scored frames."
    return click.option("--frames", default=None, metavar="RANGE", help=text)(function)


def set_option(function: F) -> F:
    """Add the repeatable `--set NAME=VALUE`."""
    text = "Set a field of the recipe; repeatable."
    return click.option("--set", "overrides", multiple=True, metavar="NAME=VALUE", help=text)(function)


def json_option(function: F) -> F:
    """Add `--json`: stdout then holds one JSON value and nothing else."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON value on stdout.")(function)


def convention_options(function: F) -> F:
    """Add --first-frame, --origin and --axes; the command takes them as one `convention`."""

    @click.option(
        "--first-frame",
        type=click.Choice(["0", "1"]),
        help="Number of the first frame in the file  [default: 0; ThunderSTORM: 1].",
    )
    @click.option(
        "--origin",
        type=click.Choice(["centre", "corner", "one"]),
        help="Where the file counts from: the centre or the outer corner of pixel (0, 0), or one: its centre is (1, 1)"
        "  [default: centre; ThunderSTORM: corner].",
    )
    @click.option(
        "--axes",
        type=click.Choice(["xy", "yx"]),
        help="yx: the file's x is the row and its y the column  [default: xy].",
    )
    @functools.wraps(function)
    def with_convention(
        *args: Any, first_frame: str | None, origin: str | None, axes: str | None, **others: Any
    ) -> Any:
        from csist_bench.files.convention import Convention

        convention = Convention(None if first_frame is None else int(first_frame), origin, axes)
        return function(*args, convention=convention, **others)

    return cast(F, with_convention)


def camera_options(function: F) -> F:
    """Add --camera and --camera-set; the command takes them as one `camera`, None where neither is given."""

    @click.option("--camera", "camera_path", metavar="FILE", help="What is known of the imager: a camera.toml.")
    @click.option(
        "--camera-set",
        "camera_fields",
        multiple=True,
        metavar="NAME=VALUE",
        help="Set a field of the camera, as psf_sigma=0.6 or background=plane; repeatable.",
    )
    @functools.wraps(function)
    def with_camera(*args: Any, camera_path: str | None, camera_fields: tuple[str, ...], **others: Any) -> Any:
        from csist_bench.datasets.camera_files import read_camera

        told = None if camera_path is None and not camera_fields else read_camera(camera_path, camera_fields)
        return function(*args, camera=told, **others)

    return cast(F, with_camera)


def frame_file_options(function: F) -> F:
    """Add --frames-order, --array and --single-frames; the command takes them as one `layout`."""

    @click.option(
        "--frames-order",
        metavar="AXES",
        help="Axes of a file of frames: a permutation of YX, TYX or NTYX, such as YXT.",
    )
    @click.option("--array", metavar="NAME", help="Array of an NPZ, MAT or FITS file or Zarr group of frames.")
    @click.option("--single-frames", is_flag=True, help="Take the frames of a file as single ones, not as a sequence.")
    @functools.wraps(function)
    def with_layout(*args: Any, frames_order: str | None, array: str | None, single_frames: bool, **others: Any) -> Any:
        from csist_bench.datasets.frame_axes import FrameLayout

        return function(*args, layout=FrameLayout(frames_order, array, single_frames), **others)

    return cast(F, with_layout)


def pixel_size_option(function: F) -> F:
    """Add `--pixel-size-nm`."""
    text = "Pixel size of positions in nanometres (ThunderSTORM tables)."
    return click.option("--pixel-size-nm", type=float, help=text)(function)


def allow_partial_option(function: F) -> F:
    """Add `--allow-partial`."""
    return click.option("--allow-partial", is_flag=True, help="Accept a data set that is not complete.")(function)


def absent_chunks_option(function: F) -> F:
    """Add `--absent-chunks error|empty`."""
    text = "Absent chunks of Zarr heat maps: an error, or frames without detections."
    choice = click.Choice(["error", "empty"])
    return click.option("--absent-chunks", type=choice, default="error", show_default=True, help=text)(function)


def refuse_given(idle: dict[str, str]) -> None:
    """Refuse options of the command that were given but would do nothing, each for its reason."""
    from csist_bench.errors import must

    context = click.get_current_context()
    for name, reason in idle.items():
        if is_given(name):
            value = context.params.get(name, "")
            given = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            option = next((one.opts[0] for one in context.command.params if one.name == name), f"--{name}")
            raise must(option, f"be left out for {reason}", given)


def is_given(name: str) -> bool:
    """Return whether an option of the command stands on the command line."""
    return click.get_current_context().get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def print_json(value: Any) -> None:
    """Print one JSON value; NaN and infinities become null, as JSON has none."""
    # JSON escapes all but ASCII, of which DEL is one more control character.
    click.echo(json.dumps(_plain(value), indent=2, allow_nan=False).replace("\x7f", "\\u007f"))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def say(text: str, nl: bool = True) -> None:
    """Print a result (stdout); what a file put into it cannot act on the terminal."""
    click.echo(printable(text), nl=nl)


def deliver(target: str, text: str) -> None:
    """Print a text where the target is "-", or write it to a file by rename."""
    if target == "-":
        say(text, nl=False)
        return
    from csist_bench.files import replace_file

    replace_file(target, text.encode())
    note(f"{target}: written")


def terminal_width() -> int | None:
    """Return the characters of a line of the terminal; None where stdout is none and COLUMNS does not say."""
    if not sys.stdout.isatty() and not os.environ.get("COLUMNS", "").isdigit():
        return None
    return shutil.get_terminal_size().columns


def note(text: str) -> None:
    """Say something beside the result (stderr)."""
    click.echo(printable(text), err=True)


def note_compiling(side_by_side: Callable[[], object] | None = None) -> None:
    """Say when kernels are compiled: once after an installation, while nothing else moves (stderr).

    What is handed over is called then, to compile some of them in a second process; not where they cannot be kept.
    """
    from csist_bench.jit import when_compiling

    def told(kept: bool) -> None:
        note("compiling, once after an installation: some 10 to 20 s")
        if kept and side_by_side is not None:
            side_by_side()

    when_compiling(told)


def note_convention(convention: Convention) -> None:
    """Say how a file was read, where that departs from the package's conventions (stderr)."""
    if said := convention.text():
        note(f"read with {said}")


class ProgressLine:
    """Progress on stderr: one line that rewrites itself on a terminal, a plain line every few seconds elsewhere."""

    def __init__(self, verb: str, unit: str = "frames") -> None:
        self.verb, self.unit = verb, unit
        self.began = self.shown = time.perf_counter()
        self.first: tuple[float, int] | None = None  # when something was first done, and how much
        self.terminal = sys.stderr.isatty()

    def __call__(self, done: int, total: int) -> None:
        """Report `done` of `total`; how long the rest takes is told from what came after the first report.

        Until then kernels may have been compiled, which happens once.
        """
        now = time.perf_counter()
        if self.first is None and done:
            self.first = now, done
        if done < total and now - self.shown < (BAR_INTERVAL_S if self.terminal else PLAIN_INTERVAL_S):
            return
        self.shown = now
        share = f"{100 * done / max(total, 1):.0f} %"
        line = f"{self.verb} {done:,}/{total:,} {self.unit} ({share}){self._pace(done, total, now)}"
        if self.terminal:
            click.echo(f"\r\x1b[K{line}", err=True, nl=done >= total)
        elif done < total:
            click.echo(line, err=True)

    def _pace(self, done: int, total: int, now: float) -> str:
        if done >= total:
            return f", {done / max(now - self.began, 1e-9):,.0f}/s"
        since, before = self.first or (now, done)
        if done <= before:
            return ""
        rate = (done - before) / max(now - since, 1e-9)
        return f", {rate:,.0f}/s, {_duration((total - done) / max(rate, 1e-9))} left"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
