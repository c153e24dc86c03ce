"""Card and metadata written into the folder of a set."""

from __future__ import annotations

import json
from pathlib import Path

from csist_bench.datasets.metadata.croissant import croissant
from csist_bench.datasets.metadata.data_card import MARK, data_card
from csist_bench.datasets.metadata.facts import Facts
from csist_bench.datasets.metadata.ro_crate import ro_crate
from csist_bench.files.objects import Objects
from csist_bench.files.places import place_of

CARD, CROISSANT_FILE, CRATE = "README.md", "croissant.json", "ro-crate-metadata.json"
FILES = (CARD, CROISSANT_FILE, CRATE)


def write_metadata(folder: Path | Objects, facts: Facts) -> None:
    """Write the data card, Croissant and RO-Crate metadata of a set whose other files lie in `folder` already.

    A README.md that somebody else wrote is left alone.
    """
    place = place_of(folder)
    if is_our_card(place.read(CARD)):
        place.write(CARD, data_card(facts).encode())
    place.write(CROISSANT_FILE, _text(croissant(facts, Path(str(folder)))))
    place.write(CRATE, _text(ro_crate(facts, _parts(facts))))


def is_our_card(text: bytes | None) -> bool:
    """Tell whether a data card may be written: none is there, or one that was written here."""
    return text is None or text.startswith(MARK.encode())


def has_metadata(folder: Path) -> bool:
    """Tell whether a set has all of it; sets of earlier versions have none."""
    return all((folder / name).is_file() for name in FILES)


def _text(table: dict[str, object]) -> bytes:
    return (json.dumps(table, indent=1, ensure_ascii=True) + "\n").encode()


def _parts(facts: Facts) -> dict[str, str]:
    parts = {CARD: "The data card.", CROISSANT_FILE: "Croissant metadata."}
    if facts.form == "parquet":
        for split in facts.sizes:
            parts |= {f"{split}-{what}.parquet": f"The {what} of split {split}." for what in ("targets", "frames")}
        return parts
    side = {"zarr": ("zarr.json", "Metadata of the store.")}.get(facts.form, ("csist-bench.json", "The side file."))
    parts[side[0]] = side[1]
    return parts | {f"{split}/": f"Frames and targets of split {split}." for split in facts.sizes}
