"""Make a data set: run its shards serially, in processes or on a Dask cluster, in parts, resumably."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csist_bench import datasets
from csist_bench.datasets import object_sets
from csist_bench.datasets.backgrounds import open_background
from csist_bench.datasets.executors import Serial, opened
from csist_bench.datasets.object_sets import Making
from csist_bench.datasets.resuming import as_begun, require_resumable
from csist_bench.datasets.target_tables import TargetTable
from csist_bench.errors import InputError, must
from csist_bench.files import PARTIAL, WAIT_OR_STOP, locked, place_lock, remove_leftover, require_local
from csist_bench.files.claims import Claim
from csist_bench.files.objects import Objects, is_address
from csist_bench.recipes import DataRecipe, convert, resolved
from csist_bench.simulation.rendering import render_shard, shard_from_scenes
from csist_bench.simulation.sensor import Background

SERIAL_BELOW = 20_000  # trajectories; starting workers costs more than it saves under this
PART_WAIT_S = 0.2  # two writers of one part are a mistake
STORE_WAIT_S = 60.0  # several parts may begin or finish together

Progress = Callable[[int, int], None]  # (frames done, frames in this part)
Maker = Callable[[datasets.Task], datasets.Task]


@dataclass(frozen=True)
class Generated:
    """What a call of `generate` did: frames written now, frames found done, and the state of the whole set."""

    path: Path | str
    written: int
    skipped: int
    complete: bool
    fingerprint: str | None
    seconds: float


def parse_part(text: str) -> tuple[int, int]:
    """Return (i, n) of a part 'i/n', 1-based."""
    match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise must("--part", "be i/n with 1 <= i <= n", text, "for example --part 3/16")
    return int(match[1]), int(match[2])


def share_of(part: tuple[int, int], count: int) -> range:
    """Return which of so many tasks are those of part (i, n)."""
    i, n = part
    return range((i - 1) * count // n, i * count // n)


def generate(
    path: str | Path,
    recipe: DataRecipe,
    *,
    targets: TargetTable | None = None,
    executor: str | None = None,
    workers: int | None = None,
    part: tuple[int, int] = (1, 1),
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Generated:
    """Render a recipe into a store, or the part of it that is still missing.

    Parameters
    ----------
    path : str or Path
        Local folder of the store, or the address of its objects, `s3://bucket/key`.
    recipe : DataRecipe
    targets : TargetTable, optional
        A user's own scene instead of drawn ones; it becomes split `test`.
    executor : {"serial", "processes", "dask:ADDRESS"}, optional
        By default serial under 20,000 trajectories, else processes.
    part : (int, int)
        (i, n): make the i-th of n parts; the part that finishes last marks the set complete.
    resume, overwrite : bool
        What to do with a store that exists: go on with it (the same recipe only), or make it anew.

    Returns
    -------
    Generated

    Raises
    ------
    InputError
        If the path holds something else, the recipe differs from the one resumed, or another writer is at work.
    """
    began = time.perf_counter()
    if overwrite and part != (1, 1):
        raise InputError("--overwrite would delete the other parts; remove the data set first, or leave out --part")
    sizes = {"train": 0, "val": 0, "test": targets.n_trajectories} if targets else recipe.split_sizes()
    # Bad input is refused before anything is written.
    executor = _executor_name(executor, recipe, targets)
    background = open_background(recipe)
    extra = {"targets_digest": targets.digest} if targets else {}
    if background is not None:
        extra["background_digest"] = background.digest
    with ExitStack() as held:
        pool = held.enter_context(opened(executor, workers))  # a cluster that is not there leaves nothing behind
        making = Making(sizes, extra, part, resume, overwrite)
        keeper = (_Objects if is_address(path) else _Folder)(path, making, held)
        recipe = keeper.begin(recipe)
        all_tasks = datasets.tasks_of(recipe, sizes)
        mine = [all_tasks[index] for index in share_of(part, len(all_tasks))]
        todo = keeper.missing_or_damaged(recipe, mine)
        done = _frames(recipe, mine) - _frames(recipe, todo)
        total = _frames(recipe, mine)
        if isinstance(pool, Serial) or len(todo) < 2:
            made = Serial().run(_make(keeper.place, recipe, targets, background), [(task,) for task in todo])
        else:
            table = resolved(recipe)
            made = pool.run(run_task, [(keeper.place, table, task) for task in todo])
        for task in made:
            done += _frames(recipe, [task])
            if progress:
                progress(done, total)
        fingerprint = keeper.finish_if_whole(recipe, all_tasks)
    written = _frames(recipe, todo)
    return Generated(
        keeper.path, written, total - written, fingerprint is not None, fingerprint, time.perf_counter() - began
    )


class _Folder:
    """Keeps a set in a local folder, under locks."""

    def __init__(self, path: str | Path, making: Making, held: ExitStack) -> None:
        self.path = self.place = require_local(path)
        self.making, self.held = making, held

    def begin(self, recipe: DataRecipe) -> DataRecipe:
        """Create the set or take up the one there, and return the recipe to go on with."""
        making = self.making
        with _store_lock(self.path):
            resume = making.resume or making.part != (1, 1)
            recipe = _prepare(self.path, recipe, making.sizes, making.extra, resume, making.overwrite)
            _refuse_other_division(self.path, making.part)
            # Taken before the store's lock goes, and kept to the very end: whoever would replace the set sees it.
            self.held.enter_context(_part_lock(self.path, making.part))
        return recipe

    def missing_or_damaged(self, recipe: DataRecipe, tasks: list[datasets.Task]) -> list[datasets.Task]:
        """Return the shards that are still to be made."""
        done = {task for task in tasks if datasets.is_done(self.path, recipe, task)}
        return _missing_or_damaged(self.path, done, tasks)

    def finish_if_whole(self, recipe: DataRecipe, tasks: list[datasets.Task]) -> str | None:
        """Mark the set complete when every shard is there; the lock lets one of several finishing parts do it."""
        if not all(datasets.is_done(self.path, recipe, task) for task in tasks):
            return None
        with _store_lock(self.path):
            existing = datasets.open_dataset(self.path, allow_partial=True).fingerprint
            if existing is None:
                return datasets.finalise(self.path)
            datasets.add_metadata(self.path)
            return existing


class _Objects:
    """Keeps a set in an object store, under claims."""

    place: Claim

    def __init__(self, path: str | Path, making: Making, held: ExitStack) -> None:
        self.objects = Objects(str(path))
        self.path = self.objects.address
        self.making, self.held = making, held

    def begin(self, recipe: DataRecipe) -> DataRecipe:
        """Create the set or take up the one there, and return the recipe to go on with."""
        recipe, self.place = object_sets.begin(self.objects, recipe, self.making, self.held)
        return recipe

    def missing_or_damaged(self, recipe: DataRecipe, tasks: list[datasets.Task]) -> list[datasets.Task]:
        """Return the shards that are still to be made."""
        return _missing_or_damaged(self.path, object_sets.done_tasks(self.objects, recipe, tasks), tasks)

    def finish_if_whole(self, recipe: DataRecipe, tasks: list[datasets.Task]) -> str | None:
        """Mark the set complete when every shard is there; of several finishing parts the store lets one do it."""
        return object_sets.finish_if_whole(self.place, recipe, tasks)


def _missing_or_damaged(path: str | Path, done: set[datasets.Task], tasks: list[datasets.Task]) -> list[datasets.Task]:
    """Return the shards without a marker, and those that are not what it says."""
    if not done:
        return tasks
    splits = datasets.open_dataset(path, allow_partial=True).splits
    return [task for task in tasks if task not in done or splits[task.split].guard.shard_fault(task.index)]


def _frames(recipe: DataRecipe, tasks: Iterable[datasets.Task]) -> int:
    return sum(task.stop - task.start for task in tasks) * recipe.frames


def _store_lock(path: Path) -> AbstractContextManager[None]:
    return locked(
        place_lock(path),
        f"{path}: another process is creating or finishing this data set; {WAIT_OR_STOP}",
        STORE_WAIT_S,
    )


def _part_lock(path: Path, part: tuple[int, int]) -> AbstractContextManager[None]:
    """Hold the lock of a writer of a part; the whole set is part 1/1."""
    i, n = part
    busy = f"{path}: another process is writing part {i}/{n} of this data set; {WAIT_OR_STOP}"
    return locked(path / datasets.PROGRESS / f"part-{i}-of-{n}.lock", busy, PART_WAIT_S)


def _writers(path: Path) -> list[tuple[int, int]]:
    """Return the parts that somebody writes or has written, by their lock files."""
    names = [entry.name for entry in (path / datasets.PROGRESS).glob("part-*.lock")]
    found = [re.fullmatch(r"part-(\d+)-of-(\d+)\.lock", name) for name in names]
    return sorted((int(match[1]), int(match[2])) for match in found if match)


def _refuse_other_division(path: Path, part: tuple[int, int]) -> None:
    """Raise where a writer is at work that divides the set into other parts: the two would share shards."""
    for other in _writers(path):
        if other[1] != part[1]:
            with _part_lock(path, other):
                pass


def _prepare(
    path: Path, recipe: DataRecipe, sizes: dict[str, int], extra: dict[str, Any], resume: bool, overwrite: bool
) -> DataRecipe:
    """Create the store, or check that the one there may be resumed or replaced; return the recipe to go on with."""
    remove_leftover(_discarded(path))
    if path.is_symlink() and (overwrite or not path.exists()):
        what = "points to nothing" if not path.exists() else "what it points to is never removed"
        raise InputError(f"{path}: is a symbolic link, and {what}; name its target, or remove the link")
    started = (path / "zarr.json").is_file()
    if path.exists() and not started and (not path.is_dir() or any(path.iterdir())):
        _refuse_foreign(path)
    if started:
        try:
            existing = datasets.open_dataset(path, allow_partial=True)
        except InputError:
            if not datasets.is_ours(path):
                _refuse_unfinished_creation(path)
            elif not overwrite:
                raise
        else:
            if not overwrite:
                recipe = as_begun(existing, recipe)
                require_resumable(existing, recipe, extra, resume)
                return recipe
        _discard(path)
    datasets.create_dataset(path, recipe, sizes, extra)
    return recipe


def _discarded(path: Path) -> Path:
    return path.with_name(f".{path.name}.replaced{PARTIAL}")


def _discard(path: Path) -> None:
    """Remove a store that nobody writes: moved aside first, so that a kill leaves it whole or gone from its place."""
    with ExitStack() as held:
        for part in _writers(path):
            held.enter_context(_part_lock(path, part))
        path.rename(_discarded(path))
    remove_leftover(_discarded(path))


def _refuse_foreign(path: Path) -> None:
    raise InputError(f"{path}: exists and is not a csist-bench data set; it is left alone, choose another --out")


def _refuse_unfinished_creation(path: Path) -> None:
    # A kill between creating the group and writing its attributes leaves an empty store of ours; anything else is kept.
    content = {entry.name for entry in path.iterdir()}
    if not content <= {"zarr.json", "train", "val", "test", datasets.PROGRESS} or any(
        (path / datasets.PROGRESS).glob("*.json")
    ):
        _refuse_foreign(path)
    if datasets.has_attributes(path):
        _refuse_foreign(path)


# --- shards -------------------------------------------------------------------------------------------------------


def _executor_name(executor: str | None, recipe: DataRecipe, targets: TargetTable | None) -> str:
    if executor is None:
        return "processes" if recipe.trajectories >= SERIAL_BELOW and targets is None else "serial"
    if targets is not None and executor != "serial":
        raise must("--executor", "be serial with --targets", executor)
    return executor


def _make(place: Path | Claim, recipe: DataRecipe, targets: TargetTable | None, background: Background | None) -> Maker:
    """Return what makes one shard in this process."""

    def make(task: datasets.Task) -> datasets.Task:
        if targets is None:
            shard = render_shard(recipe, task.indices, background)
        else:
            shard = shard_from_scenes(recipe, targets.scenes(task.start, task.stop), task.indices, background)
        if isinstance(place, Claim):
            object_sets.put_shard(place, recipe, task, shard)
        else:
            datasets.write_shard(place, recipe, task, shard)
        return task

    return make


def run_task(place: Path | Claim, recipe_table: dict[str, Any], task: datasets.Task) -> datasets.Task:
    """Make one shard in a worker process; everything it needs is in its small arguments."""
    recipe = convert(recipe_table, DataRecipe, "recipe")
    return _make(place, recipe, None, open_background(recipe))(task)
