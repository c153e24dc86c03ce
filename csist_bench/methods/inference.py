"""From a method and frames to detections: the one way every method is run."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.conventions import Decoder
from csist_bench.datasets.frame_axes import FrameLayout
from csist_bench.datasets.frame_files import BareFrames, read_bare_frames
from csist_bench.datasets.frame_kinds import is_bare_frames
from csist_bench.detections import Detections, concatenate
from csist_bench.errors import must, require_finite
from csist_bench.methods.blocks import Block, blocks_of, in_order
from csist_bench.methods.groups.method import GroupRunner, in_one_group, search_of
from csist_bench.methods.groups.policy import FALSE_ALARMS, Groups
from csist_bench.methods.linking import MOST_A_FRAME, most_together, with_tracks
from csist_bench.methods.misfit import BlockMisfit, Misfit, misfit_of, misfit_of_block
from csist_bench.methods.misfit_scores import lowered, not_judged
from csist_bench.methods.outside import register, resolve
from csist_bench.methods.registry import METHODS, Method, find
from csist_bench.methods.runners import Runner, RunOptions
from csist_bench.methods.scope import FrameSource, Scope, Unmixed
from csist_bench.predictions.header import Header
from csist_bench.recipes import frame_range
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.camera_file import CameraFile, camera_of, header_table

if TYPE_CHECKING:
    from csist_bench.datasets import Split
    from csist_bench.methods.networks.base import RunDtype

Progress = Callable[[int, int], None]
MOST_LINKED = 64  # detections of a frame, or of a group of it, that a run links; more take long
SMALL_AREA = 64 * 64  # px of a frame up to which threads take trajectories rather than parts of one


def unmix(
    source: FrameSource | NDArray[Any],
    method: str | type[Any],
    *,
    decoder: Decoder = "grid",
    camera: Camera | CameraFile | None = None,
    noise_sigma: float | None = None,
    settings: Mapping[str, Any] | None = None,
    weights: str | Path | None = None,
    device: str = "auto",
    frames: range | None = None,
    first: int | None = None,
    workers: int | None = None,
    batch: int | None = None,
    dtype: RunDtype = "float32",
    threshold: float | None = None,
    groups: Groups = "auto",
    false_alarms: float = FALSE_ALARMS,
    lower_scores: bool = False,
    progress: Progress | None = None,
    **setting: Any,
) -> Detections:
    """Unmix the frames of a source with a method of the registry.

    Parameters
    ----------
    source : Split, BareFrames, ndarray or alike
        A split of an open data set, such as `open_dataset(path).test`; what `read_frames` returns; or an array of
        frames, (H, W), (T, H, W) or (N, T, H, W), of which the optics of `seqcsist` are assumed.
    method : str or type
        Name in the registry (`list_methods`) or of an installed method, "path/to/file.py:Class",
        "package.module:Class", or such a class itself (`csist_bench.methods.interface`).
    decoder : {"grid", "polish"}
        How a heat map becomes detections. Networks that answer points are polished by "polish" and answer for
        themselves otherwise; fitters ignore it.
    camera : Camera or CameraFile, optional
        What the method is told of optics, sensor and brightness; by default what the source's recipe says. What a
        camera file (`load_camera`) leaves out is taken from the recipe.
    noise_sigma : float, optional, grey levels
        Read noise told to the method; it wins over a camera file, and is refused beside a whole Camera. By default
        the recipe's.
    settings : mapping, optional
        The method's settings by name; they can also be given as keywords.
    weights : path or str, optional
        Weights of a network, or the name of a shipped variant; by default those shipped under the method's name.
    device : str
        Of a network: "auto", "cpu", "cuda:0", ...
    frames : range, optional
        Frames to answer; by default those that count.
    first : int, optional
        Answer only the first so many trajectories.
    workers : int, optional
        Threads of a training-free method; by default one a core.
    batch : int, optional
        Frames per pass of a network.
    dtype : {"float32", "bfloat16"}
        Of the products and convolutions of a network.
    threshold : float, optional, grey levels
        Nodes at or above it are detections of the grid decoder; by default that of the data set.
    groups : {"auto", "one", "many"}
        "many" searches frames for groups and answers each in a window of its own; "one" takes every frame for a cut-out
        about one group. By default frames that are large, not square or show separate spots are searched.
    false_alarms : float
        False groups that a frame of noise alone may have, on average.
    lower_scores : bool
        Lower the scores of frames that the answers do not explain; of methods that state standard errors.
    progress : callable, optional
        Called with the frames done and those in all.
    **setting
        Settings of the method.

    Returns
    -------
    Detections
        With indices counted within the source, sorted by trajectory, frame, x and y. Where frames were searched,
        `group` counts the groups of each trajectory.

    Raises
    ------
    InputError
        If the method, a setting, the weights or the frames are not such as can be answered.

    Examples
    --------
    >>> import csist_bench as cb
    >>> data = cb.open_dataset("data/sample/seqcsist.zarr")
    >>> found = cb.unmix(data.test, "ml", brightness="free", first=1)
    >>> found.x.shape == found.score.shape
    True
    """
    method = (resolve(method) if isinstance(method, str) else register(method)).name
    if isinstance(source, np.ndarray):
        source = BareFrames.of(source, name="source")
    options = RunOptions({**(settings or {}), **setting}, weights, device, batch, dtype, threshold)
    if camera is None:
        camera = assumed_or_told(source, None, noise_sigma)
    elif isinstance(camera, CameraFile):
        camera = camera.with_noise_sigma(noise_sigma)
    elif noise_sigma is not None:
        raise must("noise_sigma", "be left out where a camera is given", noise_sigma)
    scope = Scope(frames, first, workers, groups, false_alarms, lower_scores)
    return unmix_each(source, method, [decoder], camera, options, scope, progress)[0].detections


def assumed_or_told(source: FrameSource, told: CameraFile | None, noise_sigma: float | None = None) -> Camera:
    """Return what a method is told of a source: by its recipe, by a camera file, and its read noise, grey levels.

    Of bare frames the recipe is an assumption, which `Camera.assumed` names.
    """
    return camera_of(source.recipe, told, noise_sigma, getattr(source, "assumed", ()))


def unmix_each(
    source: FrameSource,
    method: str,
    decoders: Sequence[Decoder],
    camera: Camera | CameraFile | None = None,
    options: RunOptions | None = None,
    scope: Scope | None = None,
    progress: Progress | None = None,
) -> list[Unmixed]:
    """Unmix the frames of a source once, and decode the heat maps by each of several decoders.

    Parameters
    ----------
    source : Split, BareFrames or alike
    method : str
        Name in the registry.
    decoders : sequence of {"grid", "polish"}
        At least one, each once; a fitter takes one and ignores it.
    camera : Camera or CameraFile, optional
        By default what the source's recipe tells; a camera file changes that, and goes into `Unmixed.method`.

    Returns
    -------
    list of Unmixed
        One a decoder, the same as of a run with that decoder alone; its seconds leave out the others' decoding.
    """
    told = camera if isinstance(camera, CameraFile) else None
    camera = camera if isinstance(camera, Camera) else assumed_or_told(source, told)
    scope = scope or Scope()
    row = find(method)
    options = options or RunOptions()
    if options.threshold is None:
        options = replace(options, threshold=source.recipe.grid_threshold)
    labelled = not isinstance(source, BareFrames)
    searched = search_of(scope.groups, _frame_shape(source), camera, labelled, scope.false_alarms)
    grouped = GroupRunner(row, camera, decoders, options, searched)
    if grouped.way == "one":
        require_shape_of(row, source)
    runner = grouped.whole
    _require_judged(row, runner, scope)
    wanted = source.scored_frames if scope.frames is None else scope.frames
    total = min(source.n_trajectories, scope.first or source.n_trajectories)
    threads = runner.threads if row.trainable else scope.workers or runner.threads
    per_trajectory = max(1, len(wanted) if runner.alone else source.n_frames)
    least = -(-runner.least_frames // per_trajectory)
    blocks = blocks_of(total, threads, least, runner.largest_block, source.chunk_trajectories)
    # Trajectories of large frames come one after another, each of them shared by all threads.
    in_turn = grouped.way == "many" and math.prod(_frame_shape(source)) > SMALL_AREA
    blocks = [(n, n + 1) for n in range(total)] if in_turn else blocks
    within, outer = (threads, 1) if in_turn else (1, max(1, min(threads, len(blocks))))
    threads = max(within, outer)

    def partly(block: Block) -> Callable[[float], None] | None:
        if progress is None or not in_turn:
            return None
        return lambda share: progress(int((block[0] + share) * len(wanted)), total * len(wanted))

    with runner.side_by_side(threads):
        began = time.perf_counter()
        parts: list[list[Detections]] = []
        left: list[list[BlockMisfit | None]] = []
        decoding = np.zeros(len(decoders))  # s
        answers = in_order(
            lambda block: _answer_block(source, grouped, wanted, block, within, partly(block), scope.lower_scores),
            blocks,
            outer,
        )
        for (_, stop), (part, spent, unexplained) in zip(blocks, answers, strict=True):
            parts.append(part)
            left.append(unexplained)
            decoding += spent
            if progress:
                progress(stop * len(wanted), total * len(wanted))
        # Threads decode side by side, so that what the other decoders took of the wall time is their share.
        seconds = time.perf_counter() - began - (decoding.sum() - decoding) / threads
    if grouped.way == "many" or any(one.group is not None for part in parts for one in part):
        parts = [[in_one_group(one) for one in part] for part in parts]
        for about in runner.about:
            about |= {"groups": "many", "false_alarms": scope.false_alarms}
    # A recipe knows the optics of its own frames; all that is told or assumed beside one may be wrong.
    doubtful = (told is not None or not labelled) and grouped.way != "many" and total > 0
    width = width_remark(source, camera, total) if doubtful else ""
    done = []
    for d, (about, spent) in enumerate(zip(runner.about, seconds.tolist(), strict=True)):
        about |= {
            "noise_sigma": camera.noise_sigma,
            **header_table(told),
            **({"lower_scores": True} if scope.lower_scores else {}),
            "seconds": round(spent, 3),
            "hardware": _hardware(about),
        }
        detections = concatenate([part[d] for part in parts]).ordered()
        detections, untracked = _tracked(detections, row, runner, about)
        misfit = _misfit(runner, d, [part[d] for part in left], camera, source.n_frames)
        remarks = _remarks(row, runner, misfit, width, untracked)
        done.append(Unmixed(detections, total * len(wanted), spent, wanted, about, misfit, remarks))
    return done


def _tracked(found: Detections, row: Method, runner: Runner, about: dict[str, Any]) -> tuple[Detections, str]:
    """Return the answers with tracks, where frames are answered together, else as they are, and why; `about` is told.

    A fit has them; a network answers each frame by slots or nodes without identity, which are linked.
    """
    if runner.alone or not row.trainable:
        about |= {} if found.track is None else {"tracks": "fit"}
        return found, ""
    if (most := most_together(found)) > MOST_LINKED:
        return found, f"no tracks: up to {most} detections a frame; csist-bench track links up to {MOST_A_FRAME}"
    about["tracks"] = "linked"
    return with_tracks(found), ""


def _remarks(row: Method, runner: Runner, misfit: Misfit | None, *others: str) -> tuple[str, ...]:
    unused = f"{row.name} does not use what the camera tells of: {'; '.join(runner.unused)}" if runner.unused else ""
    return tuple(text for text in (unused, "" if misfit is None else misfit.text(), *others) if text)


def width_remark(source: FrameSource, camera: Camera, total: int) -> str:
    """Return what a sample of the frames says of the PSF's width; "" where it is as told."""
    from csist_bench.methods.calibration.check import can_tell, sample_of, wrong_width

    if not can_tell(source.n_frames, camera):
        return ""
    frames = np.concatenate([source.read("frames", *part) for part in sample_of(total, source.n_frames)])
    return wrong_width(frames, camera)


def _misfit(
    runner: Runner, which: int, left: Sequence[BlockMisfit | None], camera: Camera, frames: int
) -> Misfit | None:
    """Return what the answers of a decoder leave unexplained, from what they leave of the blocks."""
    blocks = [one for one in left if one is not None]
    fitted = runner.judged_as(which) == "fit"
    return misfit_of(blocks, camera, runner.together(frames), frames, fitted) if blocks else None


def _require_judged(row: Method, runner: Runner, scope: Scope) -> None:
    """Refuse, before the work, to lower scores of answers that are not compared with their frames."""
    if scope.lower_scores and not all(runner.judged_as(d) for d in range(len(runner.about))):
        raise not_judged(row.name)


def require_shape_of(row: Method, source: FrameSource) -> None:
    """Refuse frames that are not square for a method that takes no others, where they are not cut into windows."""
    height, width = _frame_shape(source)
    if height != width and not row.any_shape:
        takes = ", ".join(name for name, one in METHODS.items() if one.any_shape)
        remedy = f"leave --groups out, or use a method that takes any shape: {takes}"
        raise must(f"{source.name}: frames", f"be square for {row.name}", f"{height} x {width}", remedy)


def _frame_shape(source: FrameSource) -> tuple[int, int]:
    """Return height and width of a source's frames, px."""
    if isinstance(source, BareFrames):
        return source.frame_shape[-2:]
    return source.recipe.size, source.recipe.size


def _answer_block(
    source: FrameSource,
    grouped: GroupRunner,
    wanted: range,
    block: Block,
    threads: int,
    partly: Callable[[float], None] | None,
    lower_scores: bool,
) -> tuple[list[Detections], list[float], list[BlockMisfit | None]]:
    """Return each decoder's detections in the wanted frames of a block's trajectories, how long it took, s, and what
    they leave unexplained; `lower_scores` as `Scope` says.
    """
    start, stop = block
    values = source.read("frames", start, stop)
    if values.dtype.kind == "f":
        require_finite(f"{source.name}: frames of trajectories {start}..{stop - 1}", values)
    if grouped.whole.alone:
        found, seconds = grouped.answer_each(values[:, wanted.start : wanted.stop], threads, partly)
    else:
        found, seconds = grouped.answer_each(values, threads, partly)
        inside = [one.select((one.frame >= wanted.start) & (one.frame < wanted.stop)) for one in found]
        found = [one.shifted(0, -wanted.start) for one in inside]
    answered = values[:, wanted.start : wanted.stop]
    left = [
        misfit_of_block(answered, one, grouped.camera) if grouped.whole.judged_as(d) and answered.size else None
        for d, one in enumerate(found)
    ]
    if lower_scores:
        name = grouped.row.name
        found = [lowered(one, rest, grouped.camera, name) for one, rest in zip(found, left, strict=True)]
    return [one.shifted(start, wanted.start) for one in found], seconds, left


def _hardware(about: dict[str, Any]) -> str:
    return f"{about.get('device', 'cpu')} ({os.cpu_count()} cores, {platform.machine()})"


def header_of(source: FrameSource, unmixed: Unmixed) -> Header:
    """Return the header of the prediction file of a run."""
    return Header(
        method=unmixed.method,
        dataset=source.recipe.name,
        split=source.name,
        fingerprint=getattr(source, "fingerprint", None),
        fingerprint_v2=getattr(source, "fingerprint_v2", None),
        n_frames=unmixed.n_frames,
        frames=f"{unmixed.frames.start}:{unmixed.frames.stop}",
        misfit=None if unmixed.misfit is None else unmixed.misfit.table(),
    )


def open_source(
    path: str, split: str, allow_partial: bool = False, layout: FrameLayout | None = None
) -> Split | BareFrames:
    """Open a split of a data set, or frames without targets, which a layout says how to read."""
    if is_bare_frames(path):
        return read_bare_frames(path, layout)
    from csist_bench.datasets import open_dataset

    opened = open_dataset(path, allow_partial).split(split)
    if layout is not None:
        layout.refuse_for_data_set(path)
    return opened


def chosen_frames(source: FrameSource, text: str | None) -> range:
    """Return the frames that a `--frames` text means for a source; None: the scored ones."""
    return source.scored_frames if text is None else frame_range(text, source.n_frames, "--frames")
