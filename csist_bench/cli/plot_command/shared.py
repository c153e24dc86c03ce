"""What the pictures' commands share: options, and opening what they draw."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from csist_bench.cli.options import note, note_convention, refuse_given

if TYPE_CHECKING:
    from csist_bench.datasets import Dataset, Split
    from csist_bench.datasets.frame_axes import FrameLayout
    from csist_bench.datasets.frame_files import BareFrames
    from csist_bench.detections import Detections
    from csist_bench.methods.scope import FrameSource
    from csist_bench.predictions import Predictions

F = TypeVar("F", bound=Callable[..., Any])


def out_option(default: str) -> Callable[[F], F]:
    """Return the option that names the picture."""
    return click.option("--out", default=default, show_default=True, metavar="FILE", help=".png, .svg or .pdf.")


trajectory_option = click.option("--trajectory", type=click.IntRange(min=0), default=0, show_default=True, metavar="N")


def opened(data: str, split: str, trajectory: int = 0) -> tuple[Dataset, Split]:
    """Open a data set and a split of it that has the trajectory."""
    from csist_bench.datasets import open_dataset

    store = open_dataset(data)
    part = store.split(split)
    _require_trajectory(part, trajectory)
    return store, part


def opened_frames(
    data: str, split: str, trajectory: int, layout: FrameLayout
) -> tuple[Dataset | BareFrames, Split | BareFrames]:
    """Open a data set and a split of it, or frames without targets, which stand for both."""
    from csist_bench.datasets.frame_files import read_bare_frames
    from csist_bench.datasets.frame_kinds import is_bare_frames

    if not is_bare_frames(data):
        store_and_split = opened(data, split, trajectory)
        layout.refuse_for_data_set(data)
        return store_and_split
    refuse_given({"split": "frames without targets"})
    frames = read_bare_frames(data, layout)
    _require_trajectory(frames, trajectory)
    return frames, frames


def _require_trajectory(part: Split | BareFrames, trajectory: int) -> None:
    from csist_bench.errors import must

    if trajectory >= part.n_trajectories:
        raise must("--trajectory", f"be in [0, {part.n_trajectories})", trajectory)


def predictions_of(
    path: str, store: Dataset | BareFrames, part: Split | BareFrames, reading: dict[str, Any]
) -> Predictions:
    """Read a prediction file that answers what was opened."""
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


def of_trajectory(detections: Detections, trajectory: int) -> Detections:
    """Return the detections of one trajectory."""
    return detections.select(detections.trajectory == trajectory)
