"""Data sets made under a prefix of an object store, where nothing can be renamed or locked.

The objects are those of a local set, byte for byte. The root's `zarr.json` is put first, only if none is there, and
says that the set is incomplete: so one recipe wins. Shards follow, each with its done-marker after it, and at last the
root is put again, only in the place of the very one that was read: no reader ever takes half a set for a whole one.
Writers hold claims (`files/claims.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from csist_bench import __version__
from csist_bench.datasets.layout import ARRAYS, COMPLETE, PROGRESS, ROOT, Task, arrays_of
from csist_bench.datasets.metadata.facts import facts_of
from csist_bench.datasets.metadata.writing import CARD, CRATE, CROISSANT_FILE, is_our_card, write_metadata
from csist_bench.datasets.reading import described_set, open_dataset
from csist_bench.datasets.resuming import as_begun, require_resumable
from csist_bench.datasets.writing import (
    create_split,
    fill_array,
    first_attributes,
    is_done,
    is_schema,
    mark_complete,
    marker_of,
    write_attributes,
)
from csist_bench.errors import InputError, must
from csist_bench.files.claims import CLAIMS, Claim, claimed, is_held
from csist_bench.files.objects import MOST_LOOKED_AT, Objects
from csist_bench.recipes import DataRecipe, recipe_hash

if TYPE_CHECKING:
    from csist_bench.simulation.rendering import Shard

_CLAIM = re.compile(rf"{CLAIMS}/part-(\d+)-of-(\d+)\.json")
_ARRAY = "|".join(ARRAYS)
_OF_A_SET = re.compile(
    rf"(train|val|test)/(zarr\.json|({_ARRAY})/(zarr\.json|c(/\d+)+))|{PROGRESS}/(train|val|test)-\d+\.json|{ROOT}|{CROISSANT_FILE}|{CRATE}"
)
ASKED_AT_ONCE = 8


@dataclass(frozen=True)
class Making:
    """What a call is to make: the sizes of the splits, further attributes, part (i, n), and what of a set there."""

    sizes: dict[str, int]
    extra: dict[str, Any]
    part: tuple[int, int]
    resume: bool
    overwrite: bool


def begin(objects: Objects, recipe: DataRecipe, making: Making, held: ExitStack) -> tuple[DataRecipe, Claim]:
    """Claim a part of a set, create the set or check that the one there may be resumed or replaced.

    Returns the recipe to go on with, and the claim, which `held` gives back.

    Raises
    ------
    InputError
        If the prefix holds something else, another recipe, or another writer is at work.
    """
    if objects.address.count("/") < 3:
        raise InputError(f"{objects}: a data set needs a key in the bucket, as {objects}/set.zarr")
    _refuse_foreign(objects)
    _refuse_other_claims(objects, making)
    i, n = making.part
    if making.resume and not making.overwrite and objects.exists(ROOT):
        _resumed(objects, recipe, making)  # before a claim is taken from whoever makes another set
    about = {"version": __version__, "recipe_hash": recipe_hash(recipe)}
    claim = held.enter_context(claimed(objects, f"{CLAIMS}/part-{i}-of-{n}.json", about, making.resume))
    _refuse_other_claims(objects, making)  # of two that divide the set otherwise at once, one sees the other
    begun = objects.exists(ROOT)
    if making.overwrite or (not begun and n == 1):  # what a writer left that was killed while it removed a set
        remove_set(objects)
        begun = False
    parts = _metadata(recipe, making)
    first = not begun and objects.create(ROOT, parts[ROOT]) is not None
    if not first:
        recipe = _resumed(objects, recipe, making)
    for name in sorted(parts.keys() - {ROOT}):
        if objects.create(name, parts[name]) is not None:
            continue  # it was not there, or is the same
        if not first:
            raise must(objects.where(name), "be as this version writes it", "other metadata", "use the same version")
        objects.write(name, parts[name])
    return recipe, claim


def _resumed(objects: Objects, recipe: DataRecipe, making: Making) -> DataRecipe:
    """Return the recipe to go on with of a set that is there, if it may be gone on with."""
    existing = described_set(str(objects), _attributes(objects), allow_partial=True)
    recipe = as_begun(existing, recipe)
    require_resumable(existing, recipe, making.extra, making.resume or making.part[1] > 1)
    return recipe


def _attributes(objects: Objects) -> dict[str, Any]:
    try:
        table = json.loads(objects.read(ROOT) or b"{}")["attributes"]
    except (ValueError, KeyError, TypeError):
        return {}
    return table if isinstance(table, dict) else {}


def _refuse_foreign(objects: Objects) -> None:
    """Raise where a prefix holds what is no set of this program, nor what a killed creation leaves behind."""
    if is_schema(_attributes(objects).get("schema")):
        return
    names = objects.names(most=MOST_LOOKED_AT)
    others = [name for name in names if not _OF_A_SET.fullmatch(name) and not _CLAIM.fullmatch(name)]
    if ROOT in names or (others and not (others == [CARD] and is_our_card(objects.read(CARD)))):
        raise InputError(
            f"{objects}: holds objects of something else than a csist-bench data set; they are left alone,"
            " choose another --out"
        )


def _refuse_other_claims(objects: Objects, making: Making) -> None:
    """Raise where a writer is at work that shares shards: of another division, or of any if all is to be replaced."""
    own = making.part
    for name in objects.names(f"{CLAIMS}/"):
        match = _CLAIM.fullmatch(name)
        part = (int(match[1]), int(match[2])) if match else own
        if part != own and (making.overwrite or part[1] != own[1]) and is_held(objects, name):
            raise InputError(
                f"{objects}: another writer is at work on part {part[0]}/{part[1]} of this data set; wait for it, or if"
                f" it is gone, go on with --part {part[0]}/{part[1]} --resume"
            )


def remove_set(objects: Objects) -> None:
    """Remove what the layout of a set names, the root first, so that no reader takes what is left for a set."""
    objects.remove([ROOT])
    names = objects.names()
    ours = [name for name in names if _OF_A_SET.fullmatch(name)]
    if CARD in names and is_our_card(objects.read(CARD)):
        ours.append(CARD)
    objects.remove(ours)


def _metadata(recipe: DataRecipe, making: Making) -> dict[str, bytes]:
    """Return the metadata objects of a set that has no shard yet, by name."""

    def build(root: Any) -> None:
        for split, size in making.sizes.items():
            if size:
                create_split(root.create_group(split), recipe, size)
        write_attributes(root, first_attributes(recipe, making.sizes, making.extra))

    return _built(build)


def _built(build: Callable[[Any], None], there: dict[str, bytes] | None = None) -> dict[str, bytes]:
    """Return the objects of a Zarr group that is built in memory, from nothing or from what is `there`."""
    import zarr
    from zarr.core.buffer import default_buffer_prototype
    from zarr.storage import MemoryStore

    wrap = default_buffer_prototype().buffer.from_bytes
    held = {name: wrap(data) for name, data in (there or {}).items()}
    store = MemoryStore(store_dict=held)
    build(zarr.open_group(store, mode="r+" if there else "w-", zarr_format=3))
    return {name: bytes(data.to_bytes()) for name, data in held.items()}


def put_shard(claim: Claim, recipe: DataRecipe, task: Task, shard: Shard) -> None:
    """Put one whole shard and then its done-marker, if the claim is still this writer's.

    Raises
    ------
    InputError
        If another writer took the claim over.
    """
    arrays = arrays_of(shard)

    def build(root: Any) -> None:
        group = root.create_group(task.split)
        create_split(group, recipe, task.stop)  # as far as this shard: its bytes are the same
        for name, values in arrays.items():
            fill_array(group[name], task, values)

    chunks = [(name, data) for name, data in _built(build).items() if not name.endswith(ROOT)]
    claim.require()
    with ThreadPoolExecutor(len(chunks)) as pool:
        list(pool.map(lambda chunk: claim.objects.write(*chunk), chunks))
    claim.require()
    claim.objects.write(f"{PROGRESS}/{task.marker}", marker_of(recipe, arrays))


def done_tasks(objects: Objects, recipe: DataRecipe, tasks: Iterable[Task]) -> set[Task]:
    """Return which shards have a marker of this recipe."""
    there = set(objects.names(f"{PROGRESS}/"))
    marked = [task for task in tasks if f"{PROGRESS}/{task.marker}" in there]
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        kept = pool.map(lambda task: is_done(str(objects), recipe, task), marked)
        return {task for task, done in zip(marked, kept) if done}


def finish_if_whole(claim: Claim, recipe: DataRecipe, tasks: list[Task]) -> str | None:
    """Mark a set complete when every shard is there, and return its fingerprint; None while shards are missing.

    Raises
    ------
    InputError
        If the set was begun anew meanwhile.
    """
    objects = claim.objects
    if len(done_tasks(objects, recipe, tasks)) < len(tasks):
        return None
    root = objects.read_tagged(ROOT)
    store = open_dataset(str(objects), allow_partial=True)
    if store.attributes.get("status") == COMPLETE:
        return store.fingerprint
    prints = store.compute_fingerprints()
    claim.require()
    write_metadata(objects, facts_of(store, prints=prints))
    whole = _built(lambda group: mark_complete(group, store.attributes, prints), {ROOT: root[0] if root else b""})
    if root is None or objects.replace(ROOT, whole[ROOT], root[1]) is None:
        there = _attributes(objects)
        # Of two parts that end together, each finds all shards there.
        if there.get("status") != COMPLETE or there.get("fingerprint") != prints[0]:
            raise InputError(f"{objects}: was begun anew by another writer meanwhile; nothing was marked complete")
    return prints[0]
