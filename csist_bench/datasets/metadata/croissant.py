"""Croissant 1.1 (MLCommons): JSON-LD by which catalogues and loaders find a set.

Pictures and tables are described down to the field, so that Croissant's own loader reads them. It does not know Zarr:
of a store it reads the splits and the list of arrays, which name what any Zarr reader opens.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from csist_bench.datasets.folder_layouts import LAYOUTS
from csist_bench.datasets.layout import DIMENSIONS, UNITS, array_plan
from csist_bench.datasets.metadata.facts import AUTHORS, FORMS, KEYWORDS, RELEASED, Facts

Json = dict[str, Any]

CROISSANT = "http://mlcommons.org/croissant/1.1"
RAI = "http://mlcommons.org/croissant/RAI/1.0"
ZARR_TYPE = "application/vnd+zarr"
_OF_CROISSANT = (
    "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileProperty",
    "fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5", "parentField",
    "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator", "source",
    "subField", "transform",
)  # fmt: skip
CONTEXT: Json = {  # the standard one of Croissant 1.1
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{name: f"cr:{name}" for name in _OF_CROISSANT},
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "sc": "https://schema.org/",
}
ABOUT_ARRAYS = {
    "frames": "frames, [row = y, column = x]",
    "target_xy": "positions (x, y), pixel centres at whole numbers, NaN beyond target_count",
    "target_intensity": "intensities, summed over all pixels, NaN beyond target_count",
    "target_count": "number of targets",
}


def croissant(facts: Facts, folder: Path) -> Json:
    """Return the Croissant metadata of a set whose files lie in `folder` (those of tables are hashed)."""
    distribution, records = {"zarr": _zarr, "parquet": _parquet}.get(facts.form, _pictures)(facts, folder)
    recipe = facts.recipe
    table: Json = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [CROISSANT, RAI],
        "name": facts.title,
        "description": facts.description(),
        "keywords": list(KEYWORDS),
        "inLanguage": "en",
    }
    if facts.imported is None:
        table["creator"] = {"@type": "sc:Organization", "name": AUTHORS}
        table["datePublished"] = RELEASED
        table["version"] = facts.semantic_version
        table["citeAs"] = " ".join(facts.citations)
    told = {"url": recipe.url, "license": facts.license_address, "identifier": facts.fingerprint_v2}
    table |= {name: text for name, text in told.items() if text}
    return table | _responsible(facts) | {"distribution": distribution, "recordSet": [_splits(facts), *records]}


def _responsible(facts: Facts) -> Json:
    drawn = "imported; see the description" if facts.imported is not None else "simulated; no sensor took these frames"
    return {
        "rai:dataCollection": drawn,
        "rai:dataUseCases": "Training and scoring of methods that find sub-pixel positions and intensities of targets.",
        "rai:dataLimitations": "Small frames of few point targets, one Gaussian PSF and a stationary sensor; real"
        " sensors have bad pixels, drift, jitter and structured clutter.",
        "rai:personalSensitiveInformation": "None.",
    }


def _field(record: str, name: str, kind: str, description: str, source: Json | None = None, **more: Any) -> Json:
    field = {"@type": "cr:Field", "@id": f"{record}/{name}", "name": name, "description": description, "dataType": kind}
    return field | ({"source": source} if source else {}) | more


def _splits(facts: Facts) -> Json:
    rows = [
        {"splits/name": split, "splits/trajectories": size, "splits/frames": size * facts.recipe.frames}
        for split, size in facts.sizes.items()
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "description": "The splits; no trajectory is in two of them.",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [
            _field("splits", "name", "sc:Text", "Name of the split."),
            _field("splits", "trajectories", "sc:Integer", "Trajectories in it."),
            _field("splits", "frames", "sc:Integer", "Frames in it."),
        ],
        "data": rows,
    }


def _file_set(name: str, description: str, kind: str, includes: list[str]) -> Json:
    about = {"@type": "cr:FileSet", "@id": name, "name": name, "description": description}
    return about | {"encodingFormat": kind, "includes": includes}


# --- a Zarr store ----------------------------------------------------------------------------------------------------


def _zarr(facts: Facts, folder: Path) -> tuple[list[Json], list[Json]]:
    files = [
        _file_set("zarr-metadata", "Metadata of the groups and arrays.", "application/json", ["*zarr.json"]),
        *(
            _file_set(name, f"Chunks of the array {name} of each split: {text}.", ZARR_TYPE, [f"*/{name}/c/*"])
            for name, text in ABOUT_ARRAYS.items()
        ),
    ]
    columns = ("path", "dimensions", "shape", "type", "unit", "description")
    rows = [
        {
            "arrays/path": f"{split}/{name}",
            "arrays/dimensions": ", ".join(DIMENSIONS[name]),
            "arrays/shape": " x ".join(map(str, plan.shape)),
            "arrays/type": plan.kind,
            "arrays/unit": UNITS[name],
            "arrays/description": ABOUT_ARRAYS[name],
        }
        for split, size in facts.sizes.items()
        for name, plan in array_plan(facts.recipe, size).items()
    ]
    words = ("Path in the store.", "Axes in order.", "Lengths of the axes.", "Type of the values.", "Unit.", "Meaning.")
    fields = [_field("arrays", column, "sc:Text", text) for column, text in zip(columns, words)]
    arrays = {"@type": "cr:RecordSet", "@id": "arrays", "name": "arrays", "field": fields, "data": rows}
    return files, [arrays | {"description": f"The arrays of the store ({FORMS['zarr']})."}]


# --- pictures and annotations ----------------------------------------------------------------------------------------


def _pictures(facts: Facts, folder: Path) -> tuple[list[Json], list[Json]]:
    layout = LAYOUTS[facts.form]
    places = [(split, f"{split}/{layout.images}/*.png", f"{split}/{layout.annotations}/*.xml") for split in facts.sizes]
    words = "sigma, the size of the picture, and xc, yc (px) and brightness (grey levels) of each target"
    files = [
        _file_set("pictures", "Frames as grey pictures.", "image/png", [place[1] for place in places]),
        _file_set("annotations", f"One file a frame: {words}.", "application/xml", [place[2] for place in places]),
    ]

    return files, [_by_frame()]


def _by_frame() -> Json:
    """Return the records of the pictures, one a frame. Croissant's loader reads no XML, so annotations have none."""
    record = "pictures-by-frame"

    def source(extracted: str, regex: str = "") -> Json:
        told: Json = {"fileSet": {"@id": "pictures"}, "extract": {"fileProperty": extracted}}
        return told | ({"transform": {"regex": regex}} if regex else {})

    # The loader also applies the pattern to the names of the splits that are referred to.
    split = source("fullpath", r"^(?:.*/)?(train|val|test)(?:/.*)?$")
    references = {"references": {"field": {"@id": "splits/name"}}}
    fields = [
        _field(record, "split", "sc:Text", "Split of the frame.", split, **references),
        _field(record, "number", "sc:Integer", "Its number: the first in the name.", source("filename", r"^\D*(\d+)")),
        _field(record, "content", "sc:ImageObject", "The frame, [row = y, column = x].", source("content")),
    ]
    about = {"@type": "cr:RecordSet", "@id": record, "name": record, "description": "The pictures, one a frame."}
    return about | {"field": fields}


# --- tables ----------------------------------------------------------------------------------------------------------

TARGET_COLUMNS = {
    "trajectory": ("sc:Integer", "Trajectory in the split, from 0."),
    "frame": ("sc:Integer", "Frame in the trajectory, from 0."),
    "target": ("sc:Integer", "Target in the frame, from 0."),
    "x": ("sc:Float", "Position to the right, px; pixel centres at whole numbers."),
    "y": ("sc:Float", "Position downwards, px."),
    "intensity": ("sc:Float", "Grey levels, summed over all pixels."),
}
FRAME_COLUMNS = {
    "trajectory": ("sc:Integer", "Trajectory in the split, from 0."),
    "frame": ("sc:Integer", "Frame in the trajectory, from 0."),
    "scored": ("sc:Boolean", "Whether the frame is scored."),
}


def _parquet(facts: Facts, folder: Path) -> tuple[list[Json], list[Json]]:
    files, records = [], []
    pixels = {"isArray": True, "arrayShape": str(facts.recipe.size**2)}
    for split in facts.sizes:
        for what, columns in (("targets", TARGET_COLUMNS), ("frames", FRAME_COLUMNS)):
            name = f"{split}-{what}.parquet"
            file: Json = {"@type": "cr:FileObject", "@id": name, "name": name, "contentUrl": name}
            file |= {"encodingFormat": "application/x-parquet", "contentSize": f"{(folder / name).stat().st_size} B"}
            files.append(file | {"sha256": _digest(folder / name)})
            record = f"{split}-{what}"
            fields = [
                _field(record, column, kind, text, _column(name, column)) for column, (kind, text) in columns.items()
            ]
            if what == "frames":
                text = "Grey levels, row by row."
                fields.append(_field(record, "pixels", "sc:Float", text, _column(name, "pixels"), **pixels))
            about = f"The {what} of the split {split}, one a row."
            kind_of = {"@type": "cr:RecordSet", "@id": record, "name": record, "description": about}
            records.append(kind_of | {"field": fields})
    return files, records


def _column(file: str, column: str) -> Json:
    return {"fileObject": {"@id": file}, "extract": {"column": column}}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
