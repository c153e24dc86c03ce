"""Answer a data set shard by shard: in this process, in others, or on a Dask cluster; each part is kept as it ends.

A shard is answered as the whole would be: no method looks across trajectories. Fitters give the very detections of a
run in one piece.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from csist_bench.conventions import Decoder
from csist_bench.datasets import Split
from csist_bench.datasets.executors import Serial, opened
from csist_bench.datasets.generation import parse_part, share_of
from csist_bench.datasets.reading import reopen_dataset
from csist_bench.errors import must
from csist_bench.files import require_local
from csist_bench.files.claims import Claim
from csist_bench.files.objects import Objects, is_address
from csist_bench.methods.inference import Progress, header_of, unmix_each, width_remark
from csist_bench.methods.misfit import Misfit
from csist_bench.methods.outside import resolve
from csist_bench.methods.runners import RunOptions
from csist_bench.methods.scope import Scope, Unmixed
from csist_bench.predictions import parts
from csist_bench.predictions.filling import Filling, filled
from csist_bench.predictions.header import Header
from csist_bench.recipes import DataRecipe
from csist_bench.simulation.camera import Camera

SPENT = ("seconds", "hardware")  # of a header: what differs from part to part


@dataclass(frozen=True)
class Call:
    """What is run on every shard; small enough to travel to a worker.

    `camera` is what the method is told, `told` what a header says of a camera file, `method` a name or an address that
    `resolve` knows.
    """

    data: str
    split: str
    fingerprint: str | None
    method: str
    decoder: Decoder
    camera: Camera
    options: RunOptions
    scope: Scope
    told: Mapping[str, Any] = field(default_factory=dict)
    allow_partial: bool = False


@dataclass(frozen=True, eq=False)
class Share:
    """Trajectories first..stop-1 of a split, as what can be unmixed."""

    split: Split
    first: int
    stop: int

    @property
    def name(self) -> str:
        """Name of the split."""
        return self.split.name

    @property
    def recipe(self) -> DataRecipe:
        """Recipe of the set."""
        return self.split.recipe

    @property
    def n_trajectories(self) -> int:
        """Number of trajectories here."""
        return self.stop - self.first

    @property
    def n_frames(self) -> int:
        """Number of frames of each trajectory."""
        return self.split.n_frames

    @property
    def scored_frames(self) -> range:
        """Frames that count."""
        return self.split.scored_frames

    @property
    def chunk_trajectories(self) -> int:
        """Trajectories that are compressed together."""
        return self.split.chunk_trajectories

    def read(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Read trajectories start..stop-1 of these."""
        last = self.stop if stop is None else min(self.first + stop, self.stop)
        return self.split.read(name, self.first + start, last)


@dataclass(frozen=True)
class Manner:
    """How the parts are made: by an executor (serial, processes or dask:ADDRESS) and so many workers of it.

    `part` is "i/n": the i-th of n runs of shards only; whichever ends last marks the folder whole. `resume` goes on
    with a folder that exists (the same run only), `overwrite` begins it anew.
    """

    executor: str = "serial"
    workers: int | None = None
    part: str = "1/1"
    resume: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class Answered:
    """What a run did: parts written now and found done, and the folder's whole once it is there."""

    written: int
    skipped: int
    detections: int
    frames: int
    seconds: float
    complete: bool
    remarks: tuple[str, ...] = ()


def run_by_shard(folder: str | Path, call: Call, manner: Manner, progress: Progress | None = None) -> Answered:
    """Fill a folder of parts with the answers to a split, or with those that are still missing.

    Raises
    ------
    InputError
        If the folder holds something else or another run, or the data are not those that the run began with.
    """
    began = time.perf_counter()
    place = Objects(str(folder)) if is_address(folder) else Path(os.path.abspath(require_local(folder)))
    call = call if "://" in call.data else replace(call, data=os.path.abspath(call.data))  # workers may stand elsewhere
    i, n = parse_part(manner.part)
    if manner.overwrite and n > 1:
        raise must(
            "--overwrite", "be left out with --part", "both", "it would delete the other parts; remove them first"
        )
    split = reopen_dataset(call.data, call.allow_partial).split(call.split)
    total = min(split.n_trajectories, call.scope.first or split.n_trajectories)
    manifest = parts.Manifest(parts.FORMAT, _run_table(call, split), total, split.guard.shard_length)
    filling = Filling((i, n), manner.resume, manner.overwrite)
    with opened(manner.executor, manner.workers) as pool, filled(place, manifest, filling) as target:
        mine = share_of((i, n), manifest.count)
        todo = parts.missing_parts(place, manifest, mine)
        frames = len(_wanted(call, split))
        jobs = [(target, call, index, *manifest.span(index), isinstance(pool, Serial)) for index in todo]
        done = sum(_length(manifest, index) for index in mine if index not in todo) * frames
        all_frames = sum(_length(manifest, index) for index in mine) * frames
        for index in pool.run(answer_part, jobs):
            done += _length(manifest, index) * frames
            if progress:
                progress(done, all_frames)
        split.require_unchanged()
        whole = parts.finish(target, manifest)
    seconds = time.perf_counter() - began
    if whole is None or whole.parts is None:
        return Answered(len(todo), len(mine) - len(todo), 0, 0, seconds, False)
    remarks = _remarks(call, split, whole.parts, total)
    rows = sum(note.rows for note in whole.parts)
    return Answered(len(todo), len(mine) - len(todo), rows, total * frames, seconds, True, remarks)


def answer_part(target: Path | Claim, call: Call, index: int, first: int, stop: int, alone: bool) -> int:
    """Answer one shard and write its part; run in a worker, which needs nothing but these arguments.

    Raises
    ------
    InputError
        If the data are no longer those that the run began with.
    """
    store = reopen_dataset(call.data, call.allow_partial)
    split = store.split(call.split)
    if split.fingerprint != call.fingerprint:
        raise must(f"{call.data}: fingerprint", f"stay {call.fingerprint} during a run", split.fingerprint)
    share = Share(split, first, stop)
    # The neighbours of a worker have the other cores.
    scope = call.scope if alone else replace(call.scope, workers=1)
    method = resolve(call.method).name
    done = unmix_each(share, method, [call.decoder], call.camera, call.options, scope)[0]
    about = {"seconds": round(done.seconds, 3), "misfit": None if done.misfit is None else done.misfit.sums()}
    remarks = tuple(text for text in done.remarks if done.misfit is None or text != done.misfit.text())
    moved = done.detections.shifted(first)
    parts.write_part(target, index, moved, _header(call, split, done), about | {"remarks": remarks})
    return index


def _header(call: Call, split: Split, done: Unmixed) -> Header:
    """Return the header of the whole, the same for every part."""
    header = header_of(split, done)
    method = {name: value for name, value in {**header.method, **call.told}.items() if name not in SPENT}
    total = min(split.n_trajectories, call.scope.first or split.n_trajectories)
    return Header(
        method, header.dataset, header.split, header.fingerprint, total * len(done.frames), header.frames,
        fingerprint_v2=header.fingerprint_v2,
    )  # fmt: skip


def _wanted(call: Call, split: Split) -> range:
    return split.scored_frames if call.scope.frames is None else call.scope.frames


def _length(manifest: parts.Manifest, index: int) -> int:
    first, stop = manifest.span(index)
    return stop - first


def _run_table(call: Call, split: Split) -> dict[str, Any]:
    """Return what tells one run from another, as it stands in a manifest."""
    frames = _wanted(call, split)
    options = {name: value for name, value in vars(call.options).items() if value not in (None, "")}
    return {
        "method": call.method,
        "decoder": call.decoder,
        "data": split.fingerprint,
        "split": call.split,
        "frames": f"{frames.start}:{frames.stop}",
        "groups": call.scope.groups,
        "false_alarms": call.scope.false_alarms,
        **({"lower_scores": True} if call.scope.lower_scores else {}),
        "noise_sigma": call.camera.noise_sigma,
        "settings": dict(call.options.settings),
        **{name: str(value) for name, value in options.items() if name in ("weights", "dtype", "threshold", "sha256")},
        **call.told,
    }


def _remarks(call: Call, split: Split, notes: tuple[parts.PartNote, ...], total: int) -> tuple[str, ...]:
    """Return what is to be said of the whole: each remark once, the misfit of all parts, a wrong width."""
    said = [text for note in notes for text in note.remarks]
    misfit = Misfit.joined([note.misfit for note in notes if note.misfit is not None])
    said.append("" if misfit is None else misfit.text())
    if call.told:
        said.append(width_remark(Share(split, 0, total), call.camera, total))
    return tuple(dict.fromkeys(text for text in said if text))
