"""`csist-bench run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from csist_bench.cli.options import (
    ProgressLine,
    allow_partial_option,
    camera_options,
    data_option,
    frame_file_options,
    frames_option,
    note,
    note_compiling,
    refuse_given,
    set_option,
    split_option,
)
from csist_bench.conventions import DECODERS

if TYPE_CHECKING:
    from csist_bench.conventions import Decoder
    from csist_bench.datasets.frame_axes import FrameLayout
    from csist_bench.methods.groups.policy import Groups
    from csist_bench.methods.networks.base import RunDtype
    from csist_bench.methods.registry import Method
    from csist_bench.simulation.camera_file import CameraFile


@click.command("run")
@click.argument("method")
@data_option
@split_option
@click.option(
    "--out",
    default="preds.json",
    show_default=True,
    metavar="FILE|FOLDER",
    help=".json, .json.gz, .csv, .npz or .parquet; a name without suffix: a folder of Parquet parts; also s3://.",
)
@click.option("--weights", metavar="FILE|NAME|URL", help="Weights of a network (the shipped ones by default).")
@click.option("--sha256", metavar="DIGEST", help="Of the file of weights; needed with a URL.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")
@click.option(
    "--decoder",
    type=click.Choice(DECODERS),
    multiple=True,
    default=["grid"],
    show_default=True,
    help="From heat map to detections; repeatable, the method is run once.",
)
@click.option(
    "--threshold", type=click.FloatRange(min=0), help="Grid decoder: least node value (the data set's, mostly 70)."
)
@set_option
@camera_options
@click.option(
    "--noise-sigma", type=click.FloatRange(min=0), help="Noise told to fitters (that of --camera, or the recipe's)."
)
@frames_option
@frame_file_options
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Answer the first N trajectories only.")
@click.option(
    "--workers", type=click.IntRange(min=1), help="Threads of a training-free method, or processes of --executor."
)
@click.option(
    "--executor",
    metavar="NAME",
    help="serial, processes or dask:ADDRESS; answers shard by shard into a folder  [default: serial].",
)
@click.option("--part", default="1/1", metavar="i/n", help="Answer the i-th of n runs of shards only (for job arrays).")
@click.option("--resume", is_flag=True, help="Go on with a folder that was interrupted.")
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    help="Frames per pass of a network (512, of one that answers points 4,096); 16 at most for convolutions on a CPU.",
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16"]),
    default="float32",
    show_default=True,
    help="Of a network's products; bfloat16 is up to twice as fast where the processor has it, to half a percent.",
)
@click.option(
    "--groups",
    type=click.Choice(["auto", "one", "many"]),
    default="auto",
    show_default=True,
    help="Frames of one group, or searched for many; auto: many if large, not square, or of separate spots.",
)
@click.option(
    "--false-alarms",
    type=click.FloatRange(min=0, min_open=True),
    default=0.1,
    show_default=True,
    help="False groups that a frame of noise alone may have.",
)
@click.option(
    "--lower-scores",
    is_flag=True,
    help="Lower the scores of frames that the answers do not explain, by what errors as large would cost.",
)
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
@allow_partial_option
def command(
    method: str,
    data: str,
    split: str,
    out: str,
    weights: str | None,
    sha256: str | None,
    device: str,
    decoder: tuple[Decoder, ...],
    threshold: float | None,
    overrides: tuple[str, ...],
    camera: CameraFile | None,
    noise_sigma: float | None,
    frames: str | None,
    limit: int | None,
    workers: int | None,
    executor: str | None,
    part: str,
    resume: bool,
    batch: int | None,
    precision: RunDtype,
    groups: Groups,
    false_alarms: float,
    lower_scores: bool,
    overwrite: bool,
    allow_partial: bool,
    layout: FrameLayout,
) -> None:
    """Unmix a data set with METHOD and write a prediction file.

    \b
    Examples:
      csist-bench run ista
      csist-bench run ml --data data/noise5.zarr --out ml.json
      csist-bench run espcn --decoder polish --out espcn.json
      csist-bench run espcn --decoder grid --decoder polish --out espcn.npz
      csist-bench run offgrid-net --weights offgrid-net-5
      csist-bench run ml --data my_frames.npy --noise-sigma 3
      csist-bench run ml --data frames.mat --array z --frames-order YXT --single-frames
      csist-bench run ml --data my_frames.npy --camera camera.toml --camera-set background=plane
      csist-bench run ml --data large_frames.npy --noise-sigma 3 --set brightness=free --groups many
      csist-bench run ml --data data/large.zarr --out preds --executor processes
      csist-bench run ml --data data/large.zarr --out preds --part 3/16
      csist-bench run ml --data s3://bucket/large.zarr --out s3://bucket/preds

    --data also takes frames without targets: .npy, .npz, TIFF, PNG, FITS and MAT files, folders of PNG or TIFF
    pictures, and Zarr arrays. With several decoders there is one file for each, the decoder's name added to that of
    --out: the fourth example writes espcn-grid.npz and espcn-polish.npz. An --out without suffix is a folder of
    Parquet parts, one a shard of the data set, written as they end: memory stays bounded, and --resume goes on.
    """
    from csist_bench.cli.run_parts import answer_into, is_folder, require_split
    from csist_bench.datasets.frame_files import BareFrames
    from csist_bench.methods.ahead import compile_ahead, compile_own
    from csist_bench.methods.inference import assumed_or_told, chosen_frames, header_of, open_source, unmix_each
    from csist_bench.methods.outside import resolve
    from csist_bench.methods.runners import RunOptions
    from csist_bench.methods.scope import Scope
    from csist_bench.predictions import require_writable, write_predictions
    from csist_bench.recipes import parse_overrides
    from csist_bench.simulation.camera_file import assumed_text, header_table

    name = method
    method = (row := resolve(method)).name
    refuse_idle_options(row, data)
    options = RunOptions(parse_overrides(overrides), weights, device, batch, precision, threshold, sha256 or "")
    into_folder = is_folder(out)
    files = [] if into_folder else output_files(out, decoder)
    for file in files:
        require_writable(file, overwrite)  # before the work, not after it
    source = open_source(data, split, allow_partial, layout)
    imager = assumed_or_told(source, camera, noise_sigma)
    told = None if camera is None else camera.with_noise_sigma(noise_sigma)
    scope = Scope(chosen_frames(source, frames), limit, workers, groups, false_alarms, lower_scores)

    def compile_side_by_side() -> None:
        compile_ahead(method, imager)
        compile_own(method, imager)

    note_compiling(compile_side_by_side)
    if into_folder:
        from csist_bench.methods.by_shard import Call, Manner

        fingerprint = require_split(source, data, decoder).fingerprint
        call = Call(
            data, split, fingerprint, name, decoder[0], imager, options, scope, header_table(told), allow_partial
        )
        answer_into(out, call, Manner(executor or "serial", workers, part, resume, overwrite))
        return
    refuse_given(dict.fromkeys(("executor", "part", "resume"), "an --out that is one file, not a folder of parts"))
    answers = unmix_each(source, method, decoder, told or imager, options, scope, ProgressLine(f"{method}: unmixed"))
    if isinstance(source, BareFrames):
        note(source.note)
    else:
        source.require_unchanged()
    if assumed := assumed_text(imager):
        note(f"nothing was told of {assumed}: taken over from seqcsist; tell it with --camera or --camera-set")
    for file, done in zip(files, answers):
        write_predictions(file, done.detections, header_of(source, done))
        rate = done.n_frames / max(done.seconds, 1e-9)
        found = f"{len(done.detections):,} detections in {done.n_frames:,} frames"
        note(f"{file}: {found}, {done.seconds:.1f} s ({rate:,.0f} frames/s)")
        for remark in done.remarks:
            note(f"{file}: {remark}")


def output_files(out: str, decoders: tuple[Decoder, ...]) -> list[str]:
    """Return the file of each decoder: `out` itself for one, p-grid.npz and p-polish.npz from p.npz for two."""
    from csist_bench.errors import must
    from csist_bench.predictions import require_writable

    if len(set(decoders)) < len(decoders):
        raise must("--decoder", "be given once for each decoder", ", ".join(decoders))
    if len(decoders) == 1:
        return [out]
    suffix = len(require_writable(out))
    return [f"{out[:-suffix]}-{name}{out[-suffix:]}" for name in decoders]


def refuse_idle_options(method: Method, data: str) -> None:
    """Refuse options that were given but would do nothing for this method or source."""
    from csist_bench.datasets.frame_kinds import is_bare_frames

    idle: dict[str, str] = {}
    if not method.trainable:
        idle |= {
            "weights": "a method without training",
            "sha256": "a method without training",
            "device": "a method without training",
            "batch": "a method without training",
            "precision": "a method without training",
        }
    if method.output == "points":
        idle["threshold"] = "a method that answers points"
        if not method.trainable:
            idle["decoder"] = "a method that answers points"
    if is_bare_frames(data):
        idle["split"] = "frames without targets"
    refuse_given(idle)
