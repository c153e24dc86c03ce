"""`csist-bench plot`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from csist_bench.cli.options import (
    absent_chunks_option,
    convention_options,
    data_option,
    frame_file_options,
    note,
    note_convention,
    pixel_size_option,
    refuse_given,
    split_option,
)
from csist_bench.cli.submit_command import DEFAULT_LEADERBOARD
from csist_bench.errors import must

if TYPE_CHECKING:
    from csist_bench.datasets import Dataset, Split
    from csist_bench.datasets.frame_axes import FrameLayout
    from csist_bench.datasets.frame_files import BareFrames
    from csist_bench.detections import Detections
    from csist_bench.methods.inference import FrameSource
    from csist_bench.plots.precision_recall import FileCurves
    from csist_bench.predictions import Predictions
    from csist_bench.predictions.header import Header

F = TypeVar("F", bound=Callable[..., Any])

FRAMES_SHOWN = 8
LIMITS_DRAWN = 13  # brightness ratios at which the limit of resolution is computed
MATCHED_WITHIN = 0.25  # px, the widest threshold of the protocol


def _out_option(default: str) -> Callable[[F], F]:
    return click.option("--out", default=default, show_default=True, metavar="FILE", help=".png, .svg or .pdf.")


_trajectory_option = click.option("--trajectory", type=click.IntRange(min=0), default=0, show_default=True, metavar="N")


@click.group("plot")
def command() -> None:
    """Draw frames, groups, trajectories, precision-recall curves, resolution, training, the leaderboard or calibration.

    \b
    Examples:
      csist-bench plot frames preds.json --trajectory 7 --out frames.png
      csist-bench plot leaderboard --out leaderboard.svg
    """


@command.command("frames")
@click.argument("predictions", required=False)
@data_option
@split_option
@_trajectory_option
@click.option("--frames", default=None, metavar="RANGE", help="START:STOP; by default 8 frames over the scored ones.")
@frame_file_options
@absent_chunks_option
@_out_option("frames.png")
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
    store, part = _opened_frames(data, split, trajectory, layout)
    scored = part.scored_frames
    spread = np.linspace(scored.start, scored.stop - 1, min(FRAMES_SHOWN, len(scored))).astype(int)
    chosen = np.array(frame_range(frames, part.n_frames, "--frames")) if frames else spread
    images = part.read("frames", trajectory, trajectory + 1)[0][chosen]
    truth = np.zeros((len(chosen), 0, 2))
    if isinstance(part, BareFrames):
        note(part.note)
    else:
        truth = part.read("target_xy", trajectory, trajectory + 1)[0][chosen]
    found, misfit = [], [""] * len(chosen)
    if predictions:
        read = _predictions(predictions, store, part, reading)
        own = _of_trajectory(read.detections, trajectory)
        found = [np.stack([own.x, own.y], axis=-1)[own.frame == frame] for frame in chosen]
        misfit = [misfit_text(read.header, trajectory, int(frame)) for frame in chosen]
    titles = [f"trajectory {trajectory}, frame {frame}{text}" for frame, text in zip(chosen, misfit)]
    frames_picture(images, truth, found, out, titles)
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


@command.command("overlay")
@click.argument("frames", metavar="FRAMES")
@click.argument("predictions")
@split_option
@_trajectory_option
@click.option("--frame", type=click.IntRange(min=0), default=0, show_default=True, metavar="N")
@frame_file_options
@absent_chunks_option
@_out_option("overlay.png")
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
    store, source = _opened_frames(frames, split, trajectory, layout)
    if frame >= source.n_frames:
        raise must("--frame", f"be in [0, {source.n_frames})", frame)
    own = _of_trajectory(_predictions(predictions, store, source, reading).detections, trajectory)
    image = source.read("frames", trajectory, trajectory + 1)[0][frame]
    mine = own.select(own.frame == frame)
    overlay_picture(image, mine, out, f"{Path(frames).name}, trajectory {trajectory}, frame {frame}")
    note(f"{out}: {len(mine)} detections in frame {frame} of trajectory {trajectory}")


@command.command("trajectory")
@click.argument("predictions", required=False)
@data_option
@split_option
@_trajectory_option
@absent_chunks_option
@_out_option("trajectory.png")
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
    store, part = _opened(data, split, trajectory)
    own = (
        _of_trajectory(_predictions(predictions, store, part, reading).detections, trajectory) if predictions else None
    )
    xy = part.read("target_xy", trajectory, trajectory + 1)[0]
    trajectory_picture(xy, own, out, f"{part.recipe.name}, {split}, trajectory {trajectory}")
    note(f"{out}: trajectory {trajectory}")


@command.command("pr")
@click.argument("predictions", nargs=-1, required=True)
@data_option
@split_option
@absent_chunks_option
@_out_option("precision_recall.png")
@pixel_size_option
@convention_options
def pr_command(predictions: tuple[str, ...], data: str, split: str, out: str, **reading: Any) -> None:
    """Draw precision against recall at the five thresholds, of one file or of several.

    Of several files, each threshold has a panel with a line a file.

    \b
    Examples:
      csist-bench plot pr preds.json --out precision_recall.svg
      csist-bench plot pr ista.json ml.json offgrid.json --out compared.pdf
    """
    from statistics import fmean

    from csist_bench.conventions import ap_name
    from csist_bench.evaluation.average_precision import RankedHits, curve
    from csist_bench.evaluation.matching import match
    from csist_bench.evaluation.truth import Truth
    from csist_bench.plots.precision_recall import FileCurves, compared_curves_picture, precision_recall_picture
    from csist_bench.plots.style import require_picture

    require_picture(out)
    store, part = _opened(data, split)
    truth = Truth.from_split(part)
    files = []
    for path in predictions:
        read = _predictions(path, store, part, dict(reading))
        matched = match(read.detections, truth)
        names = [ap_name(threshold) for threshold in matched.thresholds]
        curves = {name: curve(hits, truth.n_targets) for name, hits in zip(names, matched.hits)}
        aps = [100 * ap for ap in RankedHits.from_matched(matched, truth.n_targets).average_precisions()]
        name = str(read.header.method.get("name", Path(path).name))
        files.append(FileCurves(name, fmean(aps), curves, dict(zip(names, aps))))
    said = ", ".join(f"{file.name}: CSO-mAP {file.cso_map:.2f} %" for file in files)
    if len(files) == 1:
        precision_recall_picture(files[0].curves, out, files[0].aps, said)
    else:
        compared_curves_picture(_told_apart(files, predictions), out)
    note(f"{out}: {said}")


def _told_apart(files: list[FileCurves], paths: tuple[str, ...]) -> list[FileCurves]:
    """Return the curves with the file's name where two are of one method."""
    from dataclasses import replace

    names = [file.name for file in files]
    return [
        replace(file, name=f"{file.name} ({Path(path).name})") if names.count(file.name) > 1 else file
        for file, path in zip(files, paths)
    ]


@command.command("resolution")
@click.argument("predictions", nargs=-1, required=True, metavar="PREDICTIONS...")
@data_option
@split_option
@click.option(
    "--max-answers",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    metavar="K",
    help="Best answers of a frame that count; many resolve a pair by chance.",
)
@absent_chunks_option
@_out_option("resolution.png")
@pixel_size_option
@convention_options
def resolution_command(
    predictions: tuple[str, ...], data: str, split: str, max_answers: int, out: str, **reading: Any
) -> None:
    """Draw the share of pairs that are resolved, by distance and brightness ratio, of up to six files.

    A pair, two targets alone in a frame, is resolved where each has one of the frame's best two answers within half
    their distance. Drawn in is the statistical resolution limit (Smith 2005): the distance that equals its own
    Cramer-Rao standard error.

    \b
    Example:
      csist-bench generate --recipe csist-pairs --out data/pairs.zarr
      csist-bench run ml --data data/pairs.zarr --out ml.json
      csist-bench run ista --data data/pairs.zarr --out ista.json
      csist-bench plot resolution ml.json ista.json --data data/pairs.zarr --out resolution.png
    """
    import numpy as np

    from csist_bench.evaluation.matching import best_of_each_frame
    from csist_bench.evaluation.resolution import bins_of, pairs_of, resolution_limit
    from csist_bench.evaluation.truth import Truth
    from csist_bench.plots.resolution import MOST_FILES, ResolvedShares, resolution_picture
    from csist_bench.plots.style import require_picture
    from csist_bench.simulation.camera import Camera

    require_picture(out)
    if len(predictions) > MOST_FILES:
        raise must("PREDICTIONS", f"be at most {MOST_FILES} files", len(predictions))
    store, part = _opened(data, split)
    truth = Truth.from_split(part)
    files = []
    for path in predictions:
        read = _predictions(path, store, part, dict(reading))
        pairs = pairs_of(best_of_each_frame(read.detections, max_answers), truth)
        distances, ratios = bins_of(pairs)
        by_both, by_distance = pairs.shares(distances, ratios), pairs.shares(distances, ratios[[0, -1]])[0]
        shares = ResolvedShares(Path(path).name, float(pairs.resolved.mean()), pairs.answers, by_both, by_distance)
        files.append(shares)
        told = f"{100 * shares.share:.1f} % of {len(pairs.resolved):,} pairs resolved"
        note(f"{path}: {told}, {shares.answers:.2f} answers a frame")
    camera = Camera.from_recipe(store.recipe)
    at = np.linspace(ratios[0], ratios[-1], LIMITS_DRAWN)
    limit = np.array([resolution_limit(float(r), float(np.median(pairs.brighter)), camera) for r in at])
    if not (store.recipe.noise_sigma or store.recipe.shot_gain or store.recipe.bits):
        limit[:] = np.nan  # the noise that methods are told of noise-free frames is no noise of theirs
    if np.isnan(limit).all():
        note("no statistical limit is drawn: the frames have no noise, or it lies outside 0.02 to 3 px")
    title = f"{store.recipe.name}, noise {store.recipe.noise_sigma:g} grey levels"
    resolution_picture(files, (distances, ratios), (at, limit), out, title)
    note(f"{out}: written")


@command.command("training")
@click.argument("run", metavar="RUN")
@_out_option("training.png")
def training_command(run: str, out: str) -> None:
    """Draw loss and validation scores of a training run: its folder, or its log.jsonl.

    \b
    Example:
      csist-bench plot training runs/edsr --out training.png
    """
    from csist_bench.plots.style import require_picture
    from csist_bench.plots.training import training_curve_picture
    from csist_bench.training.log import read_log

    require_picture(out)
    training_curve_picture(read_log(run), out, Path(run).name)
    note(f"{out}: written")


@command.command("leaderboard")
@click.option("--leaderboard", default=DEFAULT_LEADERBOARD, show_default=True, metavar="FILE", help="The table.")
@click.option("--dataset", default="seqcsist", show_default=True, metavar="NAME", help="Data set of the table.")
@_out_option("leaderboard.png")
def leaderboard_command(leaderboard: str, dataset: str, out: str) -> None:
    """Draw the measured scores of a data set with their intervals, and the published ones.

    At most 25 bars: the best row of each variant or, where there are more, of each method.

    \b
    Example:
      csist-bench plot leaderboard --dataset "seqcsist-noise sigma=2" --out leaderboard.png
    """
    from csist_bench.leaderboard import published_rows, read_rows, standing
    from csist_bench.leaderboard.board import board
    from csist_bench.leaderboard.lines import read_lines
    from csist_bench.leaderboard.rows import path_to_show
    from csist_bench.plots.leaderboard import leaderboard_picture
    from csist_bench.plots.style import require_picture

    require_picture(out)
    board_file = path_to_show(leaderboard)
    measured = standing(read_rows(board_file))
    shown = board(measured, published_rows(), dataset=dataset, lines=read_lines(board_file.parent))
    drawn, known = leaderboard_picture(shown.tables[dataset], out, shown.lines_of(dataset), dataset)
    note(f"{out}: {drawn} methods" + (f", the best of {known}" if drawn < known else ""))


@command.command("calibration")
@click.argument("predictions")
@data_option
@split_option
@_out_option("calibration.png")
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
    store, part = _opened(data, split)
    read = _predictions(predictions, store, part, reading)
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


def _opened(data: str, split: str, trajectory: int = 0) -> tuple[Dataset, Split]:
    from csist_bench.datasets import open_dataset

    store = open_dataset(data)
    part = store.split(split)
    _require_trajectory(part, trajectory)
    return store, part


def _opened_frames(
    data: str, split: str, trajectory: int, layout: FrameLayout
) -> tuple[Dataset | BareFrames, Split | BareFrames]:
    """Open a data set and a split of it, or frames without targets, which stand for both."""
    from csist_bench.datasets.frame_files import read_bare_frames
    from csist_bench.datasets.frame_kinds import is_bare_frames

    if not is_bare_frames(data):
        opened = _opened(data, split, trajectory)
        layout.refuse_for_data_set(data)
        return opened
    refuse_given({"split": "frames without targets"})
    frames = read_bare_frames(data, layout)
    _require_trajectory(frames, trajectory)
    return frames, frames


def _require_trajectory(part: Split | BareFrames, trajectory: int) -> None:
    from csist_bench.errors import must

    if trajectory >= part.n_trajectories:
        raise must("--trajectory", f"be in [0, {part.n_trajectories})", trajectory)


def _predictions(
    path: str, store: Dataset | BareFrames, part: Split | BareFrames, reading: dict[str, Any]
) -> Predictions:
    fingerprint: str | None = getattr(store, "fingerprint", None)  # frames without targets have none
    return _read_for(path, part, (fingerprint, lambda: getattr(store, "fingerprint_v2", None)), reading)


def _read_for(
    path: str,
    part: FrameSource,
    fingerprints: tuple[str | None, Callable[[], str | None]],
    reading: dict[str, Any],
) -> Predictions:
    """Read a prediction file; one of other data is refused, for its detections would be drawn on the wrong frames."""
    from csist_bench.errors import InputError
    from csist_bench.predictions import Decoding, read_predictions

    read = read_predictions(
        path,
        frames_per_trajectory=part.n_frames,
        n_trajectories=part.n_trajectories,
        decoding=Decoding.of_data(part.recipe, absent_chunks=reading.pop("absent_chunks", "error")),
        **reading,
    )
    if wrong := read.header.mismatch(fingerprints[0], part.name, fingerprints[1]):
        raise InputError(f"{path}: {wrong}")
    for warning in read.warnings:
        note(f"warning: {warning}")
    note_convention(read.convention)
    return read


def _of_trajectory(detections: Detections, trajectory: int) -> Detections:
    return detections.select(detections.trajectory == trajectory)
