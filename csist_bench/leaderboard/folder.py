"""A submission by pull request: a folder with the predictions, packed, and `row.toml`, which says all the rest.

The folder holds `predictions.json.gz` with the columns that the scorer reads and no others. Where that file is larger
than `LARGEST_FILE` it lies at an address, and row.toml says which and what its sha256 is.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from csist_bench import files
from csist_bench.conventions import TOLD_BY_TIER, Told
from csist_bench.detections import Detections
from csist_bench.errors import InputError, must, show, unknown
from csist_bench.files.download import fetched, require_digest
from csist_bench.files.sources import file_bytes, require_file
from csist_bench.files.toml import toml_table, toml_value
from csist_bench.leaderboard.overlap import TrainingData
from csist_bench.leaderboard.rows import COLUMNS, Row, checked_row
from csist_bench.leaderboard.submission import Scored
from csist_bench.predictions import Header
from csist_bench.predictions.digest import sealed
from csist_bench.predictions.json_format import encode_json

FORMAT = "csist-bench/submission@1"
FOLDERS = "leaderboard/submissions"
ROW_FILE, PREDICTIONS_FILE = "row.toml", "predictions.json.gz"
LARGEST_FILE = 5_000_000  # bytes of predictions in a folder
LARGEST_FETCHED = 200_000_000
LARGEST_ROW_FILE = 100_000
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Where the packed predictions lie: a file of the folder, or an address; and the sha256 of their bytes."""

    sha256: Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$")]
    file: Annotated[str, Meta(max_length=80)] = ""
    address: Annotated[str, Meta(max_length=2000, pattern=r"^(https?://[^\s\x00-\x1f\x7f]+)?$")] = ""


class Submission(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What row.toml holds. `told` is what the method was told, `training` what it was trained on, none of a fit.

    `bootstrap` is the number of resamples behind the row's interval; `row` has the columns of leaderboard.csv.
    """

    format: Literal["csist-bench/submission@1"]
    predictions: Place
    told: tuple[Told, ...]
    training: Annotated[tuple[TrainingData, ...], Meta(max_length=100)]
    row: dict[str, Any]
    bootstrap: Annotated[int, Meta(ge=1, le=100_000)] = 1000


@dataclass(frozen=True)
class Submitted:
    """A folder as it was read: its path, what row.toml says, and its row, typed."""

    folder: Path
    content: Submission
    row: Row

    @property
    def where(self) -> str:
        """The path of row.toml, for errors."""
        return str(self.folder / ROW_FILE)

    def predictions(self, fetch: bool = False) -> Path:
        """Return the path of the packed predictions, their digest checked; those of an address if `fetch` says so."""
        place = self.content.predictions
        digest = place.sha256.removeprefix("sha256:")
        if place.address:
            if not fetch:
                raise InputError(f"{self.where}: the predictions lie at {place.address}; pass --fetch to get them")
            kept = files.cache_folder() / "submissions" / f"{digest}.json.gz"
            return fetched(place.address, digest, kept, "predictions", LARGEST_FETCHED)
        path = self.folder / place.file
        require_digest(file_bytes(path, "predictions"), digest, str(path))
        return path


# --- reading --------------------------------------------------------------------------------------------------------


def is_submission(path: str | Path) -> bool:
    """Whether a path is a folder with a row.toml."""
    return (Path(path) / ROW_FILE).is_file()


def read_submission(folder: str | Path) -> Submitted:
    """Read a folder's row.toml strictly, and look at what else lies there.

    Raises
    ------
    InputError
        If a file is missing, left over, a link, too large or outside the folder, a field is unknown or wrong, or the
        row is not one of a submission.
    """
    folder = Path(folder)
    if not folder.is_dir():
        remedy = "a table is checked with --leaderboard FILE --check" if folder.exists() else ""
        raise must(f"{folder}", f"be a folder with {ROW_FILE}", "a file" if folder.exists() else "nothing", remedy)
    if not NAME.fullmatch(folder.resolve().name):
        raise must("name of a submission", "be at most 80 letters, digits, '.', '_' and '-'", folder.resolve().name)
    path = folder / ROW_FILE
    _require_own_file(path)
    if (size := path.stat().st_size) > LARGEST_ROW_FILE:
        raise must(f"{path}", f"be at most {LARGEST_ROW_FILE:,} bytes", f"{size:,}")
    content = _converted(toml_table(file_bytes(path), str(path), "row of a submission"), str(path))
    _require_files(folder, content.predictions)
    return Submitted(folder, content, _row_of(content, str(path)))


def _require_own_file(path: Path) -> None:
    """Refuse a link, which may lead anywhere, and what is no file."""
    if path.is_symlink():
        raise must(f"{path}", "be a file of the folder", "a link")
    require_file(path)


def _converted(table: dict[str, Any], where: str) -> Submission:
    known = [field.encode_name for field in msgspec.structs.fields(Submission)]
    for name in table:
        if name not in known:
            raise InputError(f"{where}: {unknown('field', name, known)}")
    try:
        return msgspec.convert(table, Submission)
    except msgspec.ValidationError as error:
        rule, _, at = str(error).partition(" - at `$")
        raise InputError(f"{where}: {at.strip('`.') or 'content'}: {show(rule)}") from None


def _require_files(folder: Path, place: Place) -> None:
    """Refuse files that row.toml does not name, and a name that is not of a file in the folder."""
    if bool(place.file) == bool(place.address):
        raise must(f"{folder / ROW_FILE}: predictions", "name either a file or an address", "both or neither")
    if place.file and not NAME.fullmatch(place.file):
        raise must(f"{folder / ROW_FILE}: predictions.file", "be the name of a file of the folder", place.file)
    wanted = {ROW_FILE, place.file} - {""}
    for entry in sorted(folder.iterdir()):
        if entry.name not in wanted:
            raise InputError(f"{entry}: is no part of a submission ({', '.join(sorted(wanted))}); remove it")
    if not place.file:
        return
    path = folder / place.file
    _require_own_file(path)
    if (size := path.stat().st_size) > LARGEST_FILE:
        remedy = "keep it elsewhere, and give its address in place of the file"
        raise must(f"{path}", f"be at most {LARGEST_FILE:,} bytes", f"{size:,}", remedy)


def _row_of(content: Submission, where: str) -> Row:
    for name in content.row:
        if name not in COLUMNS:
            raise InputError(f"{where}: {unknown('column of the row', name, COLUMNS)}")
    for name in (
        "method",
        "family",
        "dataset",
        "dataset_recipe",
        "tier",
        "cso_map",
        "ap05",
        "ap10",
        "ap15",
        "ap20",
        "ap25",
    ):
        if name not in content.row:
            raise InputError(f"{where}: row: {must(name, 'be given', 'nothing')}")
    row = checked_row(content.row, f"{where}: row")
    require_submitted(row, where)
    require_told(row, content.told, where)
    return row


def require_submitted(row: Row, where: str) -> None:
    """Refuse a row of another tier than a folder may claim, or one that takes another row's place."""
    if row.status != "submitted":
        remedy = "a folder claims no more; a file that does not say which data it answers has no row"
        raise must(f"{where}: row: tier", "be submitted", row.status, remedy)
    if row.supersedes:
        raise must(f"{where}: row: supersedes", "be left out", row.supersedes, "it is said when the row is added")


def require_told(row: Row, told: Sequence[Told], where: str) -> None:
    """Refuse a list of what was told that is shorter than the row's prior tier says."""
    missing = [name for name in TOLD_BY_TIER[row.prior_tier] if name not in told]
    if missing:
        rule = f"hold {', '.join(missing)}, as prior tier {row.prior_tier} says"
        raise must(f"{where}: told", rule, ", ".join(told) or "nothing")


def require_trained(training: Sequence[TrainingData], header: Header, where: str) -> None:
    """Refuse to call a method untrained whose answers say what it was trained on."""
    trained_on = header.method.get("trained_on")
    if trained_on and not training:
        rule = f"name what it was trained on, since the header of the predictions says {show(trained_on)}"
        raise must(f"{where}: training", rule, "none")


# --- writing --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """Which folder is to be written, and what it says beside the row."""

    folder: Path
    told: tuple[Told, ...] = ()
    training: tuple[TrainingData, ...] = ()
    address: str = ""


def require_new(wanted: Wanted) -> None:
    """Refuse a place that is taken, a name that cannot be one, and an address that is none; called before long work."""
    name = wanted.folder.absolute().name
    if not NAME.fullmatch(name):
        raise must("name of a submission", "be at most 80 letters, digits, '.', '_' and '-'", name)
    files.require_new_folder(wanted.folder)
    files.require_place(wanted.folder / ROW_FILE)
    try:
        msgspec.convert({"sha256": "sha256:" + "0" * 64, "address": wanted.address}, Place)
    except msgspec.ValidationError:
        raise must("--address", "begin with http:// or https://", wanted.address) from None


def write_submission(scored: Scored, wanted: Wanted, bootstrap: int) -> Path:
    """Write the folder of a scored file whole or not at all; return where the packed predictions are.

    With an address they stand beside the folder, to be put there.

    Raises
    ------
    InputError
        If the folder exists, the row is none of a submission, or the predictions are too large to be in it.
    """
    folder, row = wanted.folder, scored.row
    require_submitted(row, str(folder))
    told = wanted.told or TOLD_BY_TIER[row.prior_tier]
    require_told(row, told, str(folder))
    require_trained(wanted.training, scored.header, str(folder))
    packed = gzip.compress(_slim(scored), compresslevel=9, mtime=0)
    if len(packed) > LARGEST_FILE and not wanted.address:
        raise InputError(
            f"{folder}: the packed predictions are {len(packed):,} bytes, more than {LARGEST_FILE:,}; say with"
            " --address URL where you will put them"
        )
    name = "" if wanted.address else PREDICTIONS_FILE
    place = Place(sha256=f"sha256:{hashlib.sha256(packed).hexdigest()}", file=name, address=wanted.address)
    content = Submission(
        format="csist-bench/submission@1", predictions=place, told=told, training=wanted.training,
        row={column: value for column, value in row.values().items() if value not in (None, "")}, bootstrap=bootstrap,
    )  # fmt: skip
    files.require_local(folder).parent.mkdir(parents=True, exist_ok=True)
    outside = folder.with_name(f"{folder.name}-{PREDICTIONS_FILE}")
    with files.built_beside(folder) as building:
        building.mkdir()
        files.replace_file(building / ROW_FILE, submission_text(content).encode())
        files.replace_file(building / name if name else outside, packed)
    return folder / name if name else outside


def _slim(scored: Scored) -> bytes:
    """Return the predictions as JSON with the columns that the scorer reads for this row, and no misfit of frames."""
    detections, row = scored.answers.ordered(), scored.row
    read = {"brightness": ("intensity",), "precision": ("sigma_x", "sigma_y"), "score": ()}[row.rank]
    kept = {"trajectory", "frame", "x", "y", "score", *read, *(("track",) if row.hota is not None else ())}
    slim = Detections(**{name: column for name, column in detections.columns().items() if name in kept})
    method = dict(scored.header.method)
    if isinstance(method.get("outside"), str):  # where the class lies on the submitter's machine is nobody's business
        method["outside"] = Path(method["outside"]).name
    header = replace(scored.header, method=method, misfit=None, digest=None)
    return encode_json(slim, sealed(header, slim))


def submission_text(content: Submission) -> str:
    """Return row.toml."""
    lines = [f"format = {toml_value(content.format)}", f"told = {toml_value(content.told)}"]
    lines += [f"bootstrap = {content.bootstrap}"] + ["training = []"] * (not content.training)
    lines += ["", "[predictions]", *_fields(msgspec.to_builtins(content.predictions))]
    for data in content.training:
        lines += ["", "[[training]]", *_fields(data.table())]
    return "\n".join([*lines, "", "[row]", *_fields(content.row)]) + "\n"


def _fields(table: dict[str, Any]) -> list[str]:
    return [f"{name} = {toml_value(value)}" for name, value in table.items()]
