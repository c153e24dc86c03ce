"""Who fills a folder of parts: one process for each part of a run, by a lock or, in an object store, by a claim."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from csist_bench import __version__
from csist_bench.errors import InputError
from csist_bench.files import WAIT_OR_STOP, locked
from csist_bench.files.claims import CLAIMS, Claim, claimed, is_held
from csist_bench.files.objects import MOST_LOOKED_AT, Objects
from csist_bench.predictions import parts
from csist_bench.predictions.parts import MANIFEST, PROGRESS, Manifest

LOCK_WAIT_S = 0.2  # two runs that fill one part are a mistake
_PART = re.compile(r"part-\d+\.parquet")
_OURS = re.compile(rf"{CLAIMS}/.*|{MANIFEST}")  # parts without a manifest are of nobody knows what run


@dataclass(frozen=True)
class Filling:
    """Which part (i, n) of a run is made, and what of a folder that is there: go on with it, or begin anew."""

    part: tuple[int, int]
    resume: bool
    overwrite: bool


@contextmanager
def filled(folder: Path | Objects, manifest: Manifest, filling: Filling) -> Iterator[Path | Claim]:
    """Begin a folder, or take up the one there, and yield what `parts.write_part` writes by.

    Raises
    ------
    InputError
        If it holds something else or another run, or another process is at work on the same part.
    """
    i, n = filling.part
    resume = filling.resume or n > 1
    if isinstance(folder, Objects):
        _refuse_other_claims(folder, filling)
        if filling.resume and not filling.overwrite and folder.read(MANIFEST) is not None:
            # Before a claim is taken from whoever makes another run.
            parts.require_same(folder, parts.read_manifest(folder), manifest, resume)
        about = {"version": __version__, "method": str(manifest.run.get("method"))}
        with claimed(folder, f"{CLAIMS}/run-{i}-of-{n}.json", about, filling.resume) as claim:
            _refuse_other_claims(folder, filling)
            _begin(folder, manifest, resume, filling.overwrite)
            yield claim
        return
    parts.begin(folder, manifest, resume, filling.overwrite)
    busy = f"{folder}: another process is writing part {i}/{n} of it; {WAIT_OR_STOP}"
    with locked(folder / PROGRESS / f"run-{i}-of-{n}.lock", busy, LOCK_WAIT_S):
        yield folder


def _begin(objects: Objects, manifest: Manifest, resume: bool, overwrite: bool) -> None:
    """Put the manifest of a run if none is there, or check that the one there is of the same run."""
    there, asked = objects.read_tagged(MANIFEST), parts.encoded_manifest(manifest)
    if there is None and any(not _OURS.fullmatch(name) for name in objects.names(most=MOST_LOOKED_AT)):
        raise InputError(f"{objects}: holds other objects; they are left alone, choose another --out")
    if there is not None and overwrite:
        # Notes first: without them no old part is taken for one of the new run. Until the manifest is replaced, the
        # old run is whole; then nothing is, wherever a kill comes.
        objects.remove(objects.names(f"{PROGRESS}/"))
        if objects.replace(MANIFEST, asked, there[1]) is None:
            raise InputError(f"{objects}: another run wrote here meanwhile; it is left alone")
        objects.remove([name for name in objects.names() if _PART.fullmatch(name)])
    elif there is not None or objects.create(MANIFEST, asked) is None:
        parts.require_same(objects, parts.read_manifest(objects), manifest, resume)


def _refuse_other_claims(objects: Objects, filling: Filling) -> None:
    """Raise where any other part is being written, if all is to be begun anew."""
    i, n = filling.part
    if not filling.overwrite:
        return
    for name in objects.names(f"{CLAIMS}/"):
        if name != f"{CLAIMS}/run-{i}-of-{n}.json" and is_held(objects, name):
            raise InputError(
                f"{objects.where(name)}: another run is writing here; wait for it, or if it is gone, go on with it by"
                " --resume and the same --part"
            )
