"""The whole story in one call: make the published set, run what needs no training, score it, draw one picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import NamedTuple

import msgspec
import numpy as np

from csist_bench.conventions import AP_TITLES
from csist_bench.datasets import Split, open_dataset
from csist_bench.datasets.generation import generate
from csist_bench.detections import Detections
from csist_bench.errors import InputError
from csist_bench.evaluation.ceilings import grid_ceiling
from csist_bench.evaluation.report import evaluate
from csist_bench.evaluation.truth import Truth
from csist_bench.jit import when_compiling
from csist_bench.leaderboard.published import published_rows
from csist_bench.methods.ahead import FEW, compile_ahead, cores
from csist_bench.methods.inference import unmix_each
from csist_bench.methods.registry import find, torch_works
from csist_bench.methods.scope import Scope, Unmixed
from csist_bench.plots.frames import frames_picture
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.camera import Camera

Say = Callable[[str], None]

# What runs, on how many of the 750 test trajectories (None: all). ISTA needs 3,000 iterations a frame.
Programme = tuple[tuple[str, int | None], ...]
ON_THE_GRID: Programme = (("bid", 20), ("ista", 10))
FITTERS: Programme = (("ml", None), ("ml-seq", None), ("group-map", None))
NOISY_FITTERS: Programme = (("ml", 200), ("ml-seq", 200), ("group-map", 200))
NOISE_SIGMA = 2.0
NOISE = f"noise_sigma={NOISE_SIGMA:g}"
SHOWN_FRAMES = 4
# A row of the picture each: what a grid costs, what noise does, and what more frames give.
SHOWN = (("noise-free", "ista"), (f"sigma {NOISE_SIGMA:g}", "ml"), (f"sigma {NOISE_SIGMA:g}", "ml-seq"))
SHOWN_NETWORKS = ("espcn", "edsr", "ista-net", "offgrid-net")  # one a kind: all that are shipped would take minutes
NETWORK_TRAJECTORIES = 15


@dataclass(frozen=True)
class Result:
    """One line of the demonstration's table; percents and seconds."""

    title: str
    data: str
    trajectories: int
    total: int
    cso_map: float
    ap: tuple[float, ...]
    frames_per_second: float
    published: float | None


def demonstrate(folder: Path, say: Say) -> list[Result]:
    """Generate, unmix, score and draw; everything is written under `folder`. Returns the rows of the table."""
    folder.mkdir(parents=True, exist_ok=True)
    beside = Beside(say)
    end = when_compiling(beside.start)
    try:
        return _demonstrated(folder, beside, say)
    finally:
        end()


def _demonstrated(folder: Path, beside: Beside, say: Say) -> list[Result]:
    clean = _made(folder / "seqcsist.zarr", "seqcsist", say)
    noisy = _made(folder / "noise.zarr", "seqcsist-noise", say, NOISE, "trajectories=1500")
    results, rows = [], []
    # The fitters come last, when most of their kernels are there.
    for split, data, programme, context in (
        (clean, "noise-free", ON_THE_GRID, compiled(noisy, ON_THE_GRID, 1)),
        (clean, "noise-free", tuple(_networks()), beside.leaving_cores()),
        (clean, "noise-free", FITTERS, compiled(noisy, FITTERS, FEW)),
        (noisy, f"sigma {NOISE_SIGMA:g}", NOISY_FITTERS, nullcontext()),
    ):
        with context:
            scored, found = _programme(split, data, programme, say)
        results += scored
        rows += [_Row(f"{find(name).title}, {data}", split, detections) for name, detections in found.items()]
    ceiling = grid_ceiling(_truth(clean), 3)
    say(table_text(results, ceiling["by_brightness"]["cso_map"], ceiling["any_ranking"]["cso_map"]))
    picture = folder / "frames.png"
    _draw(rows, picture)
    say(f"picture: {picture}")
    return results


class Beside:
    """Other processes that compile the fitters' kernels while this one does what does not need them.

    They start when the first kernel is compiled, so on any later day never. Nothing depends on them.
    """

    def __init__(self, say: Say) -> None:
        self.say, self.processes = say, list[Popen[bytes]]()

    def start(self, kept: bool) -> None:
        """Start them, where there are cores for it and what they compile is `kept`."""
        self.say("compiling kernels" + ", once after an installation: some 30 s" * kept)
        first, *others = (name for name, _ in FITTERS)
        camera = Camera.from_recipe(load_data_recipe("seqcsist-noise", [NOISE]))
        number = min(cores() - 1, len(others)) if kept else 0
        for i in range(number):
            # This process begins with the first fitter, so they come to it last, and from its far end.
            started = compile_ahead(first, camera, others[i::number])
            self.processes += [started] if started else []

    @contextmanager
    def leaving_cores(self) -> Iterator[None]:
        """Let networks take the other cores: threads that wait for a core that is taken lose far more than it gives."""
        running = sum(process.poll() is None for process in self.processes)
        if not running or not torch_works():
            yield
            return
        from csist_bench.methods.networks.base import torch_threads

        with torch_threads(max(1, cores() - running)):
            yield


@contextmanager
def compiled(split: Split, programme: Programme, first: int) -> Iterator[None]:
    """Answer the `first` trajectories by each method, so that what is compiled still is in no method's frames/s."""
    for name, _ in programme:
        with suppress(InputError):  # is said when the method runs
            unmix_each(split, name, ["grid"], scope=Scope(first=first, workers=1))
    yield


def _made(path: Path, recipe: str, say: Say, *overrides: str) -> Split:
    """Return the test split of a set, made now unless an equal one is there."""
    wanted = load_data_recipe(recipe, overrides)
    made = generate(path, wanted, resume=path.exists())
    if made.written:
        rate = made.written / made.seconds
        say(f"{path}: {made.written:,} frames in {made.seconds:.2f} s ({rate:,.0f} frames/s)")
    else:
        say(f"{path}: was there")
    return open_dataset(path).split("test")


def _networks() -> Iterator[tuple[str, int | None]]:
    """Yield the networks that are shown, where PyTorch is installed."""
    if torch_works():
        yield from ((name, NETWORK_TRAJECTORIES) for name in SHOWN_NETWORKS)


def _programme(split: Split, data: str, programme: Programme, say: Say) -> tuple[list[Result], dict[str, Detections]]:
    """Run and score methods; return the lines of the table, and the detections of those that are shown."""
    published = {row.method: row.cso_map for row in published_rows() if row.dataset == "seqcsist"}
    results, shown = [], {}
    for name, first in programme:
        try:
            done = unmix_each(split, name, ["grid"], scope=Scope(first=first))[0]
        except InputError as error:
            say(f"{name}: left out ({error})")
            continue
        result = _scored(split, name, data, done, first, published)
        results.append(result)
        say(f"{result.title} ({data}): {done.n_frames:,} frames in {done.seconds:.1f} s, CSO-mAP {result.cso_map:.2f}")
        if (data, name) in SHOWN:
            shown[name] = done.detections
    return results, shown


def _truth(split: Split, first: int | None = None) -> Truth:
    chosen = None if first is None else range(min(first, split.n_trajectories))
    return Truth.from_split(split, trajectories=chosen)


def _scored(
    split: Split, name: str, data: str, done: Unmixed, first: int | None, published: dict[str, float]
) -> Result:
    report = evaluate(done.detections, _truth(split, first))
    title = find(name).title
    rate = done.n_frames / max(done.seconds, 1e-9)
    beside = published.get(title) if data == "noise-free" else None
    used = min(first or split.n_trajectories, split.n_trajectories)
    return Result(title, data, used, split.n_trajectories, report.cso_map, report.ap, rate, beside)


def table_text(results: Sequence[Result], by_brightness: float, any_ranking: float) -> str:
    """Return the table for a terminal, published figures in their own column."""
    head = f"{'method':<12}{'data':<12}{'CSO-mAP':>8}" + "".join(f"{title:>7}" for title in AP_TITLES)
    lines = ["", f"{head}{'published':>11}{'frames/s':>10}  test trajectories"]
    for row in results:
        aps = "".join(f"{value:7.2f}" for value in row.ap)
        published = "-" if row.published is None else f"{row.published:.2f}"
        part = "all" if row.trajectories == row.total else "a part:"
        used = f"{part} {row.trajectories} of {row.total}"
        lines.append(
            f"{row.title:<12}{row.data:<12}{row.cso_map:8.2f}{aps}{published:>11}{row.frames_per_second:10,.0f}  {used}"
        )
    best = max(published_rows(), key=lambda row: row.cso_map)
    lines.append(f"{'best of 23':<12}{'noise-free':<12}{'':43}{best.cso_map:>11.2f}{'':10}  published, {best.method}")
    lines += [
        "",
        f"A perfect detector on the 3-fold grid scores {by_brightness:.1f} ranked by brightness,"
        f" {any_ranking:.1f} with the best ranking possible.",
        "What they know: BID, ISTA: optics; ML: + brightness law; ML-seq: + rigid motion; Group MAP: the generator.",
    ]
    return "\n".join(lines)


class _Row(NamedTuple):
    """A row of the picture."""

    title: str
    split: Split
    detections: Detections


def _draw(rows: Sequence[_Row], path: Path) -> None:
    """Draw the middle scored frame of the first trajectories, a row a method."""
    frames, truth, found, errors, titles = [], [], [], [], []
    for row in rows:
        middle = row.split.scored_frames[len(row.split.scored_frames) // 2]
        images = row.split.read("frames", 0, SHOWN_FRAMES)
        for trajectory, image in enumerate(images[:, middle]):
            own = row.detections
            own = own.select((own.trajectory == trajectory) & (own.frame == middle))
            frames.append(image)
            truth.append(row.split.target_xy[trajectory, middle])
            found.append(np.stack([own.x, own.y], axis=-1))
            sigmas = [np.full(len(own), np.nan) if sigma is None else sigma for sigma in (own.sigma_x, own.sigma_y)]
            errors.append(np.stack(sigmas, axis=-1))
            titles.append(f"{row.title}\ntrajectory {trajectory}, frame {middle}")
    if rows:
        frames_picture(np.array(frames), np.array(truth), found, path, titles, errors)


def results_table(results: Sequence[Result]) -> list[dict[str, object]]:
    """Return the rows as plain tables."""
    return [msgspec.to_builtins(row) for row in results]
