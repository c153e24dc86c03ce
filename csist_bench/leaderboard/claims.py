"""What the submitter, the file and the registry say of a method: the columns of a row about it, and contradictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from csist_bench.conventions import FAMILIES, Status
from csist_bench.datasets import Dataset
from csist_bench.errors import InputError, must, show, unknown
from csist_bench.files.convention import AS_THE_FORM, Convention
from csist_bench.leaderboard.rows import Row
from csist_bench.methods.registry import METHODS, Method
from csist_bench.predictions import Header, Predictions
from csist_bench.predictions.header import SECOND
from csist_bench.predictions.heat_maps import AbsentChunks
from csist_bench.simulation.camera import Camera


@dataclass(frozen=True)
class Reading:
    """How a prediction file is to be read: its convention, the pixel size of nanometres, what absent chunks mean."""

    convention: Convention = AS_THE_FORM
    pixel_size_nm: float | None = None
    absent_chunks: AbsentChunks = "error"  # of Zarr heat maps: "empty" says that nothing was found there


AS_THE_FILE = Reading()


@dataclass(frozen=True)
class Claim:
    """What the submitter says; whatever is None is taken from the file's header, or from the registry by it.

    `reading` says how the file counts and measures; the row's note says what was applied.
    """

    method: str | None = None
    family: str | None = None
    status: Status = "submitted"
    prior_tier: str | None = None
    decoder: str | None = None
    rank: str = "score"
    settings: str | None = None
    seed: int | None = None
    parameters: int | None = None
    macs_per_frame: float | None = None
    frames_per_second: float | None = None
    hardware: str | None = None
    training_minutes: float | None = None
    training_device: str | None = None
    paper: str | None = None
    code: str = ""
    note: str = ""
    date: str | None = None
    reading: Reading = AS_THE_FILE


def columns_of_method(where: str, claim: Claim, read: Predictions, store: Dataset) -> dict[str, Any]:
    """Return the columns about the method: what is claimed, else what the file says, else what the registry knows."""
    said = read.header.method
    row = _registered(where, said.get("registry_name"))
    _refuse_other_method(where, claim, said, row)
    known: dict[str, Any] = {"paper": row.paper, "family": row.family, "prior_tier": row.prior_tier} if row else {}
    known |= {} if row else {name: said[name] for name in ("paper", "family") if isinstance(said.get(name), str)}
    known |= {
        "method": said.get("name"),
        "decoder": said.get("decoder"),
        "settings": _settings_text(said, store),
        "frames_per_second": _rate(where, said, read.header.n_frames),
        **{name: said[name] for name in _COPIED if said.get(name) is not None},
        **(_costs(row, said) if row and (claim.parameters is None or claim.macs_per_frame is None) else {}),
    }
    names = ("method", "family", "paper", "decoder", "settings", "frames_per_second", *_COSTS, *_COPIED)
    values = {name: getattr(claim, name, None) for name in names}
    values = {name: known.get(name) if value is None else value for name, value in values.items()}
    values["decoder"] = values["decoder"] or "own"
    missing = [name for name in ("method", "family", "prior_tier") if not values[name]]
    if missing:
        options = " ".join(f"--{name.replace('_', '-')} {name.upper()}" for name in missing)
        said_not = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not in the file's header"
        raise InputError(f"{where}: {said_not}; pass {options}")
    _require_own_family(str(values["method"]), str(values["family"]))
    return {name: value for name, value in values.items() if value is not None}


def _refuse_other_method(where: str, claim: Claim, said: Mapping[str, Any], row: Method | None) -> None:
    """Raise where the submitter calls the answers by another method's name or family than the file does."""
    for name, own in (("method", said.get("name")), ("family", row.family if row else said.get("family"))):
        claimed = getattr(claim, name)
        if own and claimed is not None and claimed != own:
            remedy = (
                f"leave --{name} out, since the file holds the answers of {show(said.get('name'))}; answers of your own"
                " need a file of their own: see docs/prediction-formats.md"
            )
            raise must(f"{where}: {name} in the header", f"be that of --{name} {show(claimed)}", own, remedy)


def refuse_contradictions(row: Row, header: Header, store: Dataset, where: str) -> None:
    """Raise where a row says something else of a method or its data than the header of its predictions does.

    `submit` lets the submitter decide on settings and prior tier; a folder must not say two things at once.
    """
    said = header.method
    told = {column: said.get(name) for column, name in _SAID.items()} | {
        "settings": _settings_text(said, store),
        "dataset_fingerprint": None if (header.fingerprint or "").startswith(SECOND) else header.fingerprint,
        "split": header.split,
    }
    for column, value in told.items():
        if value not in (None, "") and getattr(row, column) != value:
            name = f"{where}: {column}"
            raise must(name, f"be what the header of the predictions says, {show(value)}", getattr(row, column))


_COSTS = ("parameters", "macs_per_frame")
_COPIED = ("prior_tier", "hardware", "training_minutes", "training_device", "recipe_hash", "seed")
# Columns by the names that a header has for them.
_SAID = {"method": "name"} | {name: name for name in ("family", "decoder", "paper", *_COPIED)}


def _registered(where: str, name: object) -> Method | None:
    if name is None:
        return None
    if not isinstance(name, str) or name not in METHODS:
        raise InputError(f"{where}: $.method.registry_name: {unknown('method', str(name), METHODS)}")
    return METHODS[name]


def note_text(read: Predictions, note: str) -> str:
    """Return the row's note, which says whether a network began from other weights, and how the file was read."""
    said = read.header.method
    parts = [note] if note else []
    if said.get("pretrained") and "begun from" not in note:
        parts.insert(0, " ".join(f"begun from the weights of {said.get('begun_from') or 'another run'}".split()))
    if conventions := read.convention.text():
        parts.append(f"read with {conventions}")
    return "; ".join(parts)


def _settings_text(said: Mapping[str, Any], store: Dataset) -> str:
    """Return the settings as 'name=value' texts, with the decoder's threshold and the noise told where they depart."""
    settings = said.get("settings")
    texts = [f"{name}={value}" for name, value in settings.items()] if isinstance(settings, Mapping) else []
    if said.get("threshold", store.recipe.grid_threshold) != store.recipe.grid_threshold:
        texts.append(f"threshold={said['threshold']}")
    own = Camera.from_recipe(store.recipe).noise_sigma
    if said.get("noise_sigma", own) != own:
        texts.append(f"noise_sigma={said['noise_sigma']}")
    if said.get("lower_scores"):
        texts.append("lower_scores=true")
    camera = said.get("camera")
    texts += [f"camera.{name}={value}" for name, value in camera.items()] if isinstance(camera, Mapping) else []
    return " ".join(" ".join(texts).split())


def _rate(where: str, said: Mapping[str, Any], n_frames: int | None) -> float | None:
    seconds = said.get("seconds")
    if seconds is None or not n_frames:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
        raise must(f"{where}: $.method.seconds", "be a positive number", seconds)
    return float(f"{n_frames / seconds:.4g}")


def _costs(row: Method, said: Mapping[str, Any]) -> dict[str, Any]:
    from csist_bench.methods.cost import method_row, variant_costs

    settings = said.get("settings")
    own = variant_costs(row, settings) if row.trainable and isinstance(settings, Mapping) and settings else None
    if own is not None:
        return dict(zip(_COSTS, own, strict=True))
    found = method_row(row)
    return {name: found[name] for name in _COSTS}


def _require_own_family(method: str, family: str) -> None:
    if family not in FAMILIES:
        raise unknown("family", family, FAMILIES)
    registered = next((row.family for row in METHODS.values() if row.title == method), family)
    if registered != family:
        raise must(f"family of {method}", f"be {registered!r}", family)
