"""What a prediction file says of itself, and what reading one gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from csist_bench.detections import Detections
from csist_bench.errors import InputError, must, show
from csist_bench.files.convention import OURS, Convention

FORMAT = "csist-bench/predictions@1"
HEADER_KEY = "csist_bench_header"
SECOND = "sha256-v2:"  # how the fingerprint begins that covers shapes and every split


@dataclass(frozen=True)
class Header:
    """Method, data set and coverage of a prediction file; whatever is not known is None.

    `method` holds `name` and anything else (decoder, settings, weights). `n_frames` is how many frames the method
    answered: it tells "no detection" from "did not run". `frames` is the range that was answered, as 'start:stop'.
    `digest` is that of the file's content (see `digest.py`). `misfit` says what the answers leave unexplained of the
    frames: `unit`, `mean`, and `per_frame`, a list of the answered frames for each trajectory.
    """

    method: dict[str, Any] = field(default_factory=dict)
    dataset: str | None = None
    split: str | None = None
    fingerprint: str | None = None
    n_frames: int | None = None
    frames: str | None = None
    digest: str | None = field(default=None, compare=False)
    fingerprint_v2: str | None = None
    misfit: dict[str, Any] | None = None

    @property
    def names_data(self) -> bool:
        """Whether the file says by a fingerprint, of either kind, which data it answers."""
        return self.fingerprint is not None or self.fingerprint_v2 is not None

    def mismatch(
        self, fingerprint: str | None, split: str, second: Callable[[], str | None] = lambda: None
    ) -> str | None:
        """Say in what the header contradicts the data that it is held against, or return None.

        Parameters
        ----------
        fingerprint : str or None
            That of the data as version 0.1.0 knew it, `sha256:...`; the one that files of that version carry.
        split : str
        second : callable
            Gives the data's `sha256-v2:...`, or None where it is not known; asked only where the header holds one.
        """
        named = [text for text in (self.fingerprint, self.fingerprint_v2) if text is not None]
        for text in named:
            own = second() if text.startswith(SECOND) else fingerprint
            if text != own and (own is not None or not text.startswith(SECOND) or len(named) == 1):
                return f"fingerprint must be that of the data, {own}, got {text}"
        if self.split is not None and self.split != split:
            return f"split must be {split!r}, got {self.split!r}"
        return None

    def to_table(self) -> dict[str, Any]:
        """Return the header as it stands in a file."""
        table = {
            "format": FORMAT,
            "dataset": {"name": self.dataset, "split": self.split, "fingerprint": self.fingerprint}
            | ({"fingerprint_v2": self.fingerprint_v2} if self.fingerprint_v2 else {}),
            "method": self.method,
            "n_frames": self.n_frames,
            "frames": self.frames,
        }
        table |= {} if self.misfit is None else {"misfit": self.misfit}
        return table if self.digest is None else table | {"digest": self.digest}


@dataclass(frozen=True, eq=False)
class Predictions:
    """Detections of a file in the file's order, its header, what the reader should be told, and how it was read."""

    detections: Detections
    header: Header
    warnings: list[str]
    convention: Convention = OURS


def header_from_table(table: dict[str, Any], where: str, warnings: list[str]) -> Header:
    """Return the header of a decoded file.

    Raises
    ------
    InputError
        If the format is another one or a field has the wrong type.
    """
    kind = table.get("format")
    if kind is None:
        warnings.append(f"{where}: no 'format' field; read as {FORMAT}")
    elif kind != FORMAT:
        raise must(f"{where}: $.format", f"be {FORMAT!r}", kind)
    dataset, method = table.get("dataset"), table.get("method")
    dataset = {"name": dataset} if isinstance(dataset, str) else _typed(dataset or {}, dict, f"{where}: $.dataset")
    method = {"name": method} if isinstance(method, str) else _typed(method or {}, dict, f"{where}: $.method")
    named = {
        key: _typed(dataset.get(key), str, f"{where}: $.dataset.{key}")
        for key in ("name", "split", "fingerprint", "fingerprint_v2")
    }
    n_frames = _typed(table.get("n_frames"), int, f"{where}: $.n_frames")
    if n_frames is not None and n_frames < 0:
        raise must(f"{where}: $.n_frames", "be a number of frames", n_frames)
    frames = _typed(table.get("frames"), str, f"{where}: $.frames")
    digest = _typed(table.get("digest"), str, f"{where}: $.digest")
    known = named["name"], named["split"], named["fingerprint"]
    misfit = _typed(table.get("misfit"), dict, f"{where}: $.misfit")
    return Header(method, *known, n_frames, frames, digest, named["fingerprint_v2"], misfit)


_TYPE_NAMES = {dict: "an object", str: "text", int: "a whole number"}


def _typed(value: Any, kind: type, name: str) -> Any:
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        raise must(name, f"be {_TYPE_NAMES[kind]}", value)
    return value


def stored_header(stored: Any, where: str, warnings: list[str]) -> Header:
    """Return the header kept as JSON text inside an array or Parquet file."""
    if stored is None:
        warnings.append(f"{where}: no header; data set and coverage are not verified")
        return Header()
    text = str(stored) if isinstance(stored, np.ndarray) else stored
    try:
        return header_from_table(msgspec.json.decode(text, type=dict[str, Any]), where, warnings)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InputError(f"{where}: damaged header ({show(str(error))})") from None
