"""The digest of a prediction file: of what it says, not of its bytes, so that it may be packed and formatted anew.

A reader that finds one refuses content that is not what was written: a flipped bit, a lost row, an edit by hand.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import msgspec
import numpy as np

from csist_bench.detections import INDICES, Detections
from csist_bench.errors import must
from csist_bench.predictions.header import Header

PREFIX = "sha256:"


def sealed(header: Header, detections: Detections) -> Header:
    """Return a header with the digest of itself and of the detections that it stands above."""
    return replace(header, digest=content_digest(header, detections))


def require_digest(detections: Detections, header: Header, where: str) -> None:
    """Raise where a header carries a digest that is not that of the content; the order of rows is free."""
    if header.digest is None or header.digest == content_digest(header, detections):
        return
    if header.digest != content_digest(header, detections.ordered()):
        remedy = "the file is damaged; if it was edited on purpose, take 'digest' out of its header"
        raise must(f"{where}: content", "be what the digest in its header says", "other content", remedy)


def content_digest(header: Header, detections: Detections) -> str:
    """Return the digest of a header without its own digest, and of columns as 64-bit numbers by name."""
    said = {name: value for name, value in header.to_table().items() if name != "digest"}
    # Through JSON once, as a reader has it: tuples are lists by then, and NaN is null.
    plain = msgspec.json.decode(msgspec.json.encode(said))
    state = hashlib.sha256(msgspec.json.encode(plain, order="sorted"))
    # Without rows it cannot be told which columns there were.
    columns = detections.columns() if len(detections) else {}
    for name, column in sorted(columns.items()):
        values = np.ascontiguousarray(column, dtype="<i8" if name in INDICES else "<f8")
        if values.dtype.kind == "f":
            values = np.where(np.isnan(values), np.nan, values)  # one pattern of bits for what is not known
        state.update(f"{name}:{len(values)}:".encode())
        state.update(values.tobytes())
    return PREFIX + state.hexdigest()
