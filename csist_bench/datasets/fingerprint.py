"""What tells two data sets apart: digests over decoded arrays and resolved fields, never over files.

Compressed bytes and the last bit of `erf` may differ between machines, so float frames that the program renders are
told by what they are rendered from. There are two fingerprints. The first, `sha256:`, is version 0.1.0's, by which
rows, lines and cards of that version name their data; it says nothing of shapes, so that two sets of the same numbers
in other shapes share one. The second, `sha256-v2:`, covers shapes, split sizes, every split and every field of optics
and sensor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from numpy.typing import NDArray

from csist_bench.datasets.layout import FINGERPRINT_FIELDS, FINGERPRINT_FIELDS_LATER, plain_bytes
from csist_bench.recipes import DataRecipe

V1, V2 = "sha256:", "sha256-v2:"
TARGETS = ("target_xy", "target_intensity", "target_count")
BUILT_IN_BACKGROUNDS = ("none", "constant", "clutter")


class Blocks(Protocol):
    """A split whose arrays can be streamed."""

    def blocks(self, name: str) -> Iterator[NDArray[Any]]:
        """Yield one array shard by shard."""
        ...


def compute_fingerprints(
    recipe: DataRecipe, splits: Mapping[str, Blocks], attributes: Mapping[str, Any], markers: Sequence[str]
) -> tuple[str, str]:
    """Return both fingerprints of a set, `sha256:...` and `sha256-v2:...`, in one pass over its arrays.

    Parameters
    ----------
    recipe : DataRecipe
    splits : mapping
        The splits by name, in the order of their trajectories.
    attributes : mapping
        The store's: `imported_step`, `background_digest`.
    markers : sequence of str
        The digests of all shards in order.
    """
    first = hashlib.sha256(msgspec.json.encode(_fields(recipe), order="deterministic"))
    second = hashlib.sha256(msgspec.json.encode(_described(recipe, attributes), order="deterministic"))
    imported, whole = attributes.get("imported_step") is not None, recipe.dtype != "float32"
    for split, part in splits.items():
        for name in (*TARGETS, *(("frames",) if whole or imported else ())):
            of_first, length, row = name != "frames" or whole, 0, ""
            for values in part.blocks(name):
                raw = plain_bytes(values)
                second.update(raw)
                if of_first:
                    first.update(raw)
                length, row = length + len(values), f"{values.shape[1:]} {values.dtype.name}"
            second.update(f"{split}/{name} {length} {row};".encode())
    if not whole and recipe.directions == "given":
        # Given targets do not tell the noise: what was drawn from the seed, or imported, has to be told apart.
        if imported:
            for marker in markers:
                first.update(marker.encode())
        elif recipe.noise_sigma or recipe.shot_gain or recipe.background == "clutter":
            first.update(str(recipe.seed).encode())
    if background := attributes.get("background_digest"):
        first.update(str(background).encode())
    return V1 + first.hexdigest(), V2 + second.hexdigest()


def _fields(recipe: DataRecipe) -> dict[str, Any]:
    return {name: getattr(recipe, name) for name in FINGERPRINT_FIELDS}


def _described(recipe: DataRecipe, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the second fingerprint covers beside the arrays: of later fields only departures from the default."""
    usual = {field.name: field.default for field in msgspec.structs.fields(DataRecipe)}
    later = {name: getattr(recipe, name) for name in FINGERPRINT_FIELDS_LATER}
    about = _fields(recipe) | {name: value for name, value in later.items() if value != usual[name]}
    drawn = recipe.noise_sigma or recipe.shot_gain or recipe.background not in BUILT_IN_BACKGROUNDS[:2]
    if drawn and attributes.get("imported_step") is None:
        about["seed"] = recipe.seed  # the streams that noise and backgrounds are taken from
    if background := attributes.get("background_digest"):
        about |= {"background": "frames", "background_digest": str(background)}  # wherever they lay
    return about
