"""Predictions of a large set: Parquet parts in a folder or under a prefix, each the answers to a run of trajectories.

`_parts.json` says what was run and, once all parts are there, what each of them holds; until then readers refuse the
folder. A part is written whole or not at all, then its note in `_progress/`: a run that was interrupted goes on from
there, and several may fill one folder. Readers of Parquet folders leave names that begin with `_` alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from csist_bench.detections import Detections, concatenate
from csist_bench.errors import InputError, must, offenders
from csist_bench.files import built_beside, remove_leftover, replace_file, require_new_folder
from csist_bench.files.claims import Claim
from csist_bench.files.objects import Objects, is_address
from csist_bench.files.places import Folder, Place, place_of
from csist_bench.files.sources import decoded_json, file_bytes
from csist_bench.predictions.header import Header, header_from_table
from csist_bench.predictions.parquet_format import columns_of_part, encode_parquet
from csist_bench.predictions.table import IndexBounds, detections_from_columns, to_be_written

FORMAT = "csist-bench/prediction-parts@1"
MANIFEST, PROGRESS = "_parts.json", "_progress"


class PartNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a part holds: rows, columns, the digest of its bytes, how long it took (s), and what is left unexplained."""

    rows: int
    sha256: str
    columns: tuple[str, ...]
    seconds: float = 0.0
    misfit: dict[str, Any] | None = None
    remarks: tuple[str, ...] = ()


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a folder of parts is: `run` tells runs apart, part i answers `length` trajectories from i * length on.

    `header` is that of the whole, and `parts` are their notes in order; both stand there once all parts do.
    """

    format: str
    run: dict[str, Any]
    trajectories: int
    length: int
    header: dict[str, Any] | None = None
    parts: tuple[PartNote, ...] | None = None

    @property
    def count(self) -> int:
        """Number of parts."""
        return -(-self.trajectories // self.length)

    def span(self, index: int) -> tuple[int, int]:
        """Return the first trajectory of a part and that after its last."""
        return index * self.length, min((index + 1) * self.length, self.trajectories)


def part_name(index: int) -> str:
    """Return the file name of a part."""
    return f"part-{index:06d}.parquet"


def _note_name(index: int) -> str:
    return f"{index:06d}.json"


def is_parts_folder(path: str | Path) -> bool:
    """Tell whether a folder, or a prefix of an object store, holds parts of predictions as they are written here."""
    if is_address(path):
        return Objects(str(path)).exists(MANIFEST)
    return (Path(path) / MANIFEST).is_file()


def read_manifest(folder: Path | Folder | Objects) -> Manifest:
    """Return the manifest of a folder or prefix.

    Raises
    ------
    InputError
        If it is damaged or of another format.
    """
    place = place_of(folder)
    where = place.where(MANIFEST)
    return decoded_manifest(_required(place, MANIFEST), where)


def decoded_manifest(data: bytes, where: str) -> Manifest:
    """Return a manifest from its content; errors are those of `read_manifest`."""
    manifest: Manifest = decoded_json(data, where, Manifest)
    if manifest.format != FORMAT:
        raise must(f"{where}: $.format", f"be {FORMAT!r}", manifest.format)
    if manifest.length < 1 or manifest.trajectories < 1:
        raise must(f"{where}: $.length and $.trajectories", "be at least 1", (manifest.length, manifest.trajectories))
    if manifest.parts is not None and len(manifest.parts) != manifest.count:
        raise must(f"{where}: $.parts", f"hold {manifest.count} notes", len(manifest.parts))
    return manifest


def _required(place: Place, name: str, what: str = "") -> bytes:
    """Return the content of a file, or say what is not there."""
    if isinstance(place, Folder):
        return file_bytes(place.path / name, what)
    data = place.read(name)
    if data is None:
        raise InputError(f"{what} {place.where(name)} not found".lstrip())
    return data


# --- writing ------------------------------------------------------------------------------------------------------


def begin(folder: Path, manifest: Manifest, resume: bool, overwrite: bool) -> None:
    """Make the folder of a run, or check that the one there is of the same run.

    Raises
    ------
    InputError
        If the folder holds anything else, or another run.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise must(f"{folder}", "be a folder of its own", "a link or a file", "choose another --out")
    if not is_parts_folder(folder):
        if folder.exists() and any(entry.name != PROGRESS for entry in folder.iterdir()):
            raise InputError(f"{folder}: holds other files; they are left alone, choose another --out")
    elif overwrite:
        for name in (*(entry.name for entry in folder.glob("part-*.parquet")), PROGRESS, MANIFEST):
            remove_leftover(folder / name)
    else:
        require_same(Folder(folder), read_manifest(folder), manifest, resume)
        return
    (folder / PROGRESS).mkdir(parents=True, exist_ok=True)
    replace_file(folder / MANIFEST, encoded_manifest(manifest))


def require_same(folder: Place, there: Manifest, asked: Manifest, resume: bool) -> None:
    """Raise unless a folder may be gone on with: `resume` is given, and its run is that which is asked for."""
    if not resume:
        state = "incomplete" if there.parts is None else "complete"
        raise InputError(f"{folder}: exists already ({state}); pass --resume to finish it or --overwrite to begin anew")
    named = {"trajectories": there.trajectories, "length": there.length, **there.run}
    wanted = {"trajectories": asked.trajectories, "length": asked.length, **asked.run}
    # As they stand in a file: tuples are lists by then.
    wanted = msgspec.json.decode(msgspec.json.encode(wanted))
    changed = [
        f"{name}: {named.get(name)} -> {wanted.get(name)}"
        for name in {**named, **wanted}
        if named.get(name) != wanted.get(name)
    ]
    if changed:
        raise InputError(
            f"{folder}: was begun with another run ({'; '.join(changed)});"
            " use the same one, another --out or --overwrite"
        )


def encoded_manifest(manifest: Manifest) -> bytes:
    """Return a manifest as it stands in a folder."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def write_part(folder: Path | Claim, index: int, detections: Detections, header: Header, about: dict[str, Any]) -> None:
    """Write the answers to one part's trajectories and then its note; `about` holds the note's other fields.

    Raises
    ------
    InputError
        If a value is not finite or beyond 1e6, two rows are equal, or another writer took the claim over.
    """
    checked = to_be_written(detections)
    data = encode_parquet(checked, header)
    place = _place_claimed(folder)
    place.write(part_name(index), data)
    note = PartNote(len(checked), hashlib.sha256(data).hexdigest(), tuple(checked.columns()), **about)
    stored = {"header": header.to_table(), "note": msgspec.to_builtins(note)}
    _place_claimed(folder)
    place.write(f"{PROGRESS}/{_note_name(index)}", json.dumps(stored).encode())


def _place_claimed(folder: Path | Claim) -> Place:
    """Return where a writer writes, if it still may: the claim of an object store can be taken over."""
    if isinstance(folder, Claim):
        folder.require()
        return folder.objects
    return Folder(folder)


def read_note(place: Place, index: int) -> tuple[dict[str, Any], PartNote] | None:
    """Return the header and the note of a part; None where it is not there, or not what its note says."""
    try:
        stored = msgspec.json.decode(place.read(f"{PROGRESS}/{_note_name(index)}") or b"", type=dict[str, Any])
        note = msgspec.convert(stored["note"], PartNote)
        data = place.read(part_name(index))
    except (OSError, msgspec.MsgspecError, KeyError):
        return None
    return (stored["header"], note) if data is not None and hashlib.sha256(data).hexdigest() == note.sha256 else None


def _noted(place: Place, indices: Iterable[int]) -> list[int]:
    """Return which of the parts have a note."""
    there = set(place.names(f"{PROGRESS}/"))
    return [index for index in indices if f"{PROGRESS}/{_note_name(index)}" in there]


def missing_parts(folder: Path | Objects, manifest: Manifest, indices: Iterable[int]) -> list[int]:
    """Return which of the parts are not there, or are damaged."""
    place, wanted = place_of(folder), list(indices)
    whole = {index for index in _noted(place, wanted) if read_note(place, index) is not None}
    return [index for index in wanted if index not in whole]


def finish(folder: Path | Claim, manifest: Manifest) -> Manifest | None:
    """Write the notes of all parts and the header of the whole into the manifest; None while parts are missing.

    Raises
    ------
    InputError
        If two parts were made by different runs.
    """
    place = folder.objects if isinstance(folder, Claim) else Folder(folder)
    if len(_noted(place, range(manifest.count))) < manifest.count:
        return None  # before the parts that are there are read
    found = [read_note(place, index) for index in range(manifest.count)]
    whole = [one for one in found if one is not None]
    if len(whole) < len(found):
        return None
    header = whole[0][0]
    for index, (other, _) in enumerate(whole):
        if other != header:
            raise must(place.where(part_name(index)), f"be of the same run as {part_name(0)}", "another header")
    done = msgspec.structs.replace(manifest, header=header, parts=tuple(note for _, note in whole))
    if isinstance(folder, Claim):
        _put_last(folder, manifest, done)
    else:
        replace_file(folder / MANIFEST, encoded_manifest(done))
    return done


def _put_last(claim: Claim, begun: Manifest, done: Manifest) -> None:
    """Put the manifest of the whole in the place of the one that was begun with, and of no other."""
    claim.require()
    objects, data = claim.objects, encoded_manifest(done)
    there = objects.read_tagged(MANIFEST)
    if there is not None and there[0] == data:
        return  # of two parts that end together, each finds all parts there
    if there is not None:
        require_same(objects, decoded_manifest(there[0], objects.where(MANIFEST)), begun, resume=True)
    if (there is None or objects.replace(MANIFEST, data, there[1]) is None) and objects.read(MANIFEST) != data:
        raise InputError(f"{objects}: was begun anew by another writer meanwhile; nothing was marked complete")


def merge(folder: str | Path, sources: Sequence[str | Path]) -> Manifest:
    """Join folders that each hold some of the parts of one run, as machines without a common disk leave them.

    Folders and prefixes of object stores may be mixed; the new one is a folder.

    Raises
    ------
    InputError
        If the folders are of different runs, a part is in none of them or in two, or is damaged.
    """
    if is_address(folder):
        raise must("--out", "be a folder", str(folder), "runs that write to one address need no merge")
    folder, places = Path(folder), [place_of(source) for source in sources]
    require_new_folder(folder)
    manifests = [read_manifest(place) for place in places]
    for place, manifest in zip(places[1:], manifests[1:]):
        require_same(place, manifest, manifests[0], resume=True)
    holders: dict[int, list[Folder | Objects]] = {index: [] for index in range(manifests[0].count)}
    for place in places:
        names = {*place.names(f"{PROGRESS}/"), *place.names()}
        for index in holders:
            if f"{PROGRESS}/{_note_name(index)}" in names or part_name(index) in names:
                holders[index].append(place)
    _refuse_gaps_and_overlaps(folder, holders)
    with built_beside(folder) as building:
        (building / PROGRESS).mkdir(parents=True)
        for index, (place,) in holders.items():
            if read_note(place, index) is None:
                raise must(place.where(part_name(index)), "be what its note says", "a damaged part", "run it again")
            for name in (part_name(index), f"{PROGRESS}/{_note_name(index)}"):
                (building / name).write_bytes(place.read(name) or b"")
        done = finish(building, msgspec.structs.replace(manifests[0], header=None, parts=None))
    if done is None:
        raise must(f"{folder}", "stay as it was during the merge", "parts that went away")
    return done


def _refuse_gaps_and_overlaps(folder: Path, holders: dict[int, list[Folder | Objects]]) -> None:
    absent = [part_name(index) for index, found in holders.items() if not found]
    if absent:
        raise offenders(f"{folder}", "every part must be in one of the folders; missing", absent, len(absent))
    twice = [f"{part_name(i)} in {found[0]} and {found[1]}" for i, found in holders.items() if len(found) > 1]
    if twice:
        raise offenders(f"{folder}", "every part must be in one folder alone; twice", twice, len(twice))


# --- reading ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class PartsFolder:
    """A folder of parts that is whole; any part can be read by itself."""

    folder: Folder | Objects
    manifest: Manifest

    @classmethod
    def open(cls, path: str | Path) -> PartsFolder:
        """Open a folder of parts, or a prefix of an object store that holds them.

        Raises
        ------
        InputError
            If parts are missing, or the manifest is damaged.
        """
        folder = place_of(path)
        manifest = read_manifest(folder)
        if manifest.parts is None:
            there = len(_noted(folder, range(manifest.count)))
            raise InputError(
                f"{folder}: {there:,} of {manifest.count:,} parts are there;"
                " finish it with the same command and --resume"
            )
        return cls(folder, manifest)

    @cached_property
    def header(self) -> Header:
        """The header of the whole."""
        return header_from_table(self.manifest.header or {}, self.folder.where(MANIFEST), [])

    @property
    def notes(self) -> Sequence[PartNote]:
        """What each part holds."""
        return self.manifest.parts or ()

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Columns that every part with rows has."""
        named = [note.columns for note in self.notes if note.rows] or [self.notes[0].columns]
        return tuple(name for name in named[0] if all(name in columns for columns in named))

    @property
    def rows(self) -> int:
        """Detections of all parts."""
        return sum(note.rows for note in self.notes)

    def part(self, index: int) -> Part:
        """Return what is needed to read a part by itself."""
        first, stop = self.manifest.span(index)
        return Part(self.folder, part_name(index), first, stop, self.notes[index].sha256, self.columns)


@dataclass(frozen=True)
class Part:
    """One part, small enough to travel to a worker: its file, trajectories first..stop-1, digest, columns to read."""

    folder: Folder | Objects
    name: str
    first: int
    stop: int
    sha256: str
    columns: tuple[str, ...]

    def read(self, bounds: IndexBounds) -> Detections:
        """Return the detections, with trajectories counted within the split.

        Raises
        ------
        InputError
            If the part is missing, damaged, or holds what it should not.
        """
        where, data = self.folder.where(self.name), _required(self.folder, self.name, "part")
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise must(where, f"have the content that {MANIFEST} tells of", "other content", "run it again")
        columns = columns_of_part(data, where, bounds, [])
        kept = {name: values for name, values in columns.items() if name in self.columns}
        found = detections_from_columns(kept, where, lambda row, name: f"row {row}", bounds)
        if len(found) and (found.trajectory.min() < self.first or found.trajectory.max() >= self.stop):
            rule = f"be in [{self.first}, {self.stop})"
            raise must(f"{where}: trajectory", rule, "others", "it is another part")
        return found


def read_parts(path: str | Path, bounds: IndexBounds) -> tuple[Detections, Header]:
    """Read all parts of a folder."""
    parts = PartsFolder.open(path)
    whole = concatenate([parts.part(index).read(bounds) for index in range(parts.manifest.count)])
    return whole, parts.header
