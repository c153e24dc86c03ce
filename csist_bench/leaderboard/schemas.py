"""JSON Schemas (2020-12) of what is handed in: a prediction file, a row of the leaderboard, a submission's row.toml.

They are made from the structs that read these files, and travel in `schemas/` for programs of any language;
`python -m csist_bench.leaderboard.schemas` writes them anew, and a test holds the shipped ones to this module.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from csist_bench.errors import unknown
from csist_bench.files import replace_file
from csist_bench.leaderboard.folder import Submission
from csist_bench.leaderboard.rows import PROVENANCE, Row
from csist_bench.predictions.json_rows import Columns
from csist_bench.predictions.json_rows import Row as Detection

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = Path(__file__).parent / "schemas"
Digest = Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$")]
Fingerprint = Annotated[str, Meta(pattern=r"^sha256(-v2)?:[0-9a-f]{64}$")]
Fingerprint2 = Annotated[str, Meta(pattern=r"^sha256-v2:[0-9a-f]{64}$")]


class DatasetNamed(msgspec.Struct, kw_only=True):
    """Which data a file answers: the recipe's name, the split, and the set's fingerprints."""

    name: str | None = None
    split: str | None = None
    fingerprint: Fingerprint | None = None
    fingerprint_v2: Fingerprint2 | None = None


class MethodNamed(msgspec.Struct, kw_only=True):
    """Whose answers a file holds; other fields are kept with it."""

    name: str | None = None


class PredictionFile(msgspec.Struct, kw_only=True):
    """A prediction file in its canonical form: a header, and detections as rows or as columns.

    `n_frames` is how many frames were answered, `frames` their range, as "2:18". Positions are in px, pixel centres at
    integers; frames count from 0.
    """

    format: Literal["csist-bench/predictions@1"]
    predictions: list[Detection] | Columns
    dataset: DatasetNamed | str | None = None
    method: MethodNamed | str | None = None
    n_frames: Annotated[int, Meta(ge=0)] | None = None
    frames: str | None = None
    misfit: dict[str, Any] | None = None
    digest: Digest | None = None


def _predictions() -> dict[str, Any]:
    schema = _of(PredictionFile, "prediction file")
    placed = [{"required": ["trajectory", "frame"]}, {"required": ["image_id"]}]
    schema["$defs"]["Row"]["anyOf"] = placed
    return schema


def _row() -> dict[str, Any]:
    schema = _of(Row, "row of the leaderboard")
    row = schema["$defs"]["Row"]
    # `leaderboard --json` says beside a row whether another took its place.
    row["properties"]["superseded"] = {"type": "boolean"}
    return schema


def _submission() -> dict[str, Any]:
    schema = _of(Submission, "row.toml of a submission")
    row = _of(Row, "")["$defs"]["Row"]
    row["properties"]["tier"] = {"const": "submitted"}
    row["properties"]["supersedes"] = {"const": ""}
    schema["$defs"]["Row"] = row
    schema["$defs"]["Submission"]["properties"]["row"] = {"$ref": "#/$defs/Row"}
    place = schema["$defs"]["Place"]
    place["oneOf"] = [{"required": ["file"]}, {"required": ["address"]}]
    training = schema["$defs"]["TrainingData"]
    training["oneOf"] = [{"required": ["recipe"]}, {"required": ["other"]}]
    return schema


SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "predictions": _predictions,
    "row": _row,
    "submission": _submission,
}


def _of(kind: type[msgspec.Struct], title: str) -> dict[str, Any]:
    schema = msgspec.json.schema(kind)
    for part in schema["$defs"].values():
        part["description"] = " ".join(part.get("description", "").split())
    if "Row" in schema["$defs"] and kind is Row:
        row = schema["$defs"]["Row"]
        row["additionalProperties"] = False
        measured = {"properties": {"tier": {"not": {"const": "published"}}}}
        given = {"required": list(PROVENANCE), "properties": {name: {"minLength": 1} for name in PROVENANCE}}
        row["if"], row["then"] = measured, given
        row["dependentRequired"] = {"cso_map_low": ["cso_map_high"], "cso_map_high": ["cso_map_low"]}
        row["properties"]["date"] = {"type": "string", "pattern": r"^(\d{4}-\d{2}-\d{2})?$"}
    return {"$schema": DIALECT, "title": f"csist-bench: {title}", **schema}


def schema_text(name: str) -> str:
    """Return a schema as JSON: "predictions", "row" or "submission".

    Raises
    ------
    InputError
        If there is none of this name.
    """
    if name not in SCHEMAS:
        raise unknown("schema", name, SCHEMAS)
    return (FOLDER / f"{name}.schema.json").read_text(encoding="utf-8")


def made_anew(name: str) -> str:
    """Return the text of a schema as the structs say now."""
    text = msgspec.json.encode(SCHEMAS[name](), order="deterministic")
    return msgspec.json.format(text, indent=1).decode() + "\n"


if __name__ == "__main__":
    for name in SCHEMAS:
        replace_file(FOLDER / f"{name}.schema.json", made_anew(name).encode())
