"""`csist-bench track`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from csist_bench.cli.options import (
    absent_chunks_option,
    convention_options,
    note,
    note_convention,
    pixel_size_option,
)

if TYPE_CHECKING:
    from csist_bench.predictions import Predictions
    from csist_bench.predictions.heat_maps import AbsentChunks


@click.command("track")
@click.argument("predictions", metavar="PREDICTIONS")
@click.option(
    "--out", default="tracked.json", show_default=True, metavar="FILE", help=".json, .json.gz, .csv, .npz, .parquet."
)
@click.option("--noise", type=float, metavar="PX", help="Error of a detection along an axis  [default: 0.2].")
@click.option("--speed", type=float, metavar="PX", help="Spread of speeds along an axis, px a frame  [default: 0.05].")
@click.option("--misses", type=int, metavar="N", help="Frames without a detection that a track bridges  [default: 3].")
@click.option("--overwrite-tracks", is_flag=True, help="Link a file anew that has tracks.")
@click.option("--data", metavar="PATH", help="Data set that was answered; for heat maps and files with image_id.")
@absent_chunks_option
@pixel_size_option
@convention_options
def command(
    predictions: str,
    out: str,
    noise: float | None,
    speed: float | None,
    misses: int | None,
    overwrite_tracks: bool,
    data: str | None,
    absent_chunks: AbsentChunks,
    **reading: Any,
) -> None:
    """Link the detections of a prediction file to tracks: which are of one target, frame after frame.

    Every detection stays as it is and gets a track, a number within its trajectory; one that fits nowhere is a track by
    itself. Each target is expected where a Kalman filter of nearly constant speed has it. docs/tracks.md tells more.

    \b
    Examples:
      csist-bench track preds.json --out tracked.json
      csist-bench evaluate tracked.json --report report/
      csist-bench track fast.csv --speed 1 --noise 0.05 --out fast.json
    """
    from dataclasses import asdict, replace

    from csist_bench import __version__
    from csist_bench.errors import must
    from csist_bench.methods.linking import LinkSettings, with_tracks
    from csist_bench.predictions import require_writable, write_predictions

    given = {"noise": noise, "speed": speed, "misses": misses}
    settings = LinkSettings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    require_writable(out)
    read = _read(predictions, data, absent_chunks, reading)
    for warning in read.warnings:
        note(f"warning: {warning}")
    note_convention(read.convention)
    if read.detections.track is not None:
        if not overwrite_tracks:
            raise must(predictions, "have no tracks yet", "a column track", "pass --overwrite-tracks to link it anew")
        read = replace(read, detections=replace(read.detections, track=None))
    found = with_tracks(read.detections, settings)
    about = {"by": "csist-bench track", "code_version": __version__, **asdict(settings)}
    header = replace(read.header, method={**read.header.method, "tracks": about})
    write_predictions(out, found, header)
    tracks = len(set(zip(found.trajectory.tolist(), found.track.tolist())))  # type: ignore[union-attr]
    note(f"{out}: {tracks:,} tracks of {len(found):,} detections")


def _read(path: str, data: str | None, absent_chunks: AbsentChunks, reading: dict[str, Any]) -> Predictions:
    """Return a prediction file; against a data set where one is named, which must be that of its header."""
    from csist_bench.cli.evaluate_command import refuse_mismatch
    from csist_bench.datasets import open_dataset
    from csist_bench.predictions import Decoding, read_predictions

    if data is None:
        return read_predictions(path, frames_per_trajectory=None, n_trajectories=None, **reading)
    store = open_dataset(data)
    test = next(iter(reversed(store.splits.values())))
    reading |= {"decoding": Decoding.of_data(store.recipe, None, absent_chunks), "frames_per_trajectory": test.n_frames}
    header = read_predictions(path, n_trajectories=None, **reading).header
    split = store.split(header.split) if header.split else test
    refuse_mismatch(path, header.mismatch(store.fingerprint, split.name, lambda: store.fingerprint_v2), False)
    return read_predictions(path, n_trajectories=split.n_trajectories, **reading)
