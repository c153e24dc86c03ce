"""The facts of a set that its card and its metadata tell, gathered once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from csist_bench.datasets.reading import Dataset
from csist_bench.recipes import DataRecipe, frame_range

RELEASED = "2026-11-22"  # of the version in CITATION.cff; sets made anew have no date of their own
AUTHORS = "csist-bench developers"
SOFTWARE = "csist-bench: a toolkit for closely-spaced infrared small target unmixing"
PAPERS = {
    "seqcsist": "SeqCSIST: Sequential Closely-Spaced Infrared Small Target Unmixing. IEEE Transactions on Geoscience"
    " and Remote Sensing, 2025. https://arxiv.org/abs/2507.09556",
    "csist-100k": "DISTA-Net: Dynamic Closely-Spaced Infrared Small Target Unmixing. Proceedings of the IEEE/CVF"
    " International Conference on Computer Vision, 2025, pp. 14655-14664",
}
KEYWORDS = ("infrared", "small target", "closely-spaced targets", "unmixing", "super-resolution", "simulation")
FORMS = {
    "zarr": "Zarr v3",
    "published": "PNG pictures and XML annotations, in the layout of SeqCSIST",
    "csist-100k": "PNG pictures and XML annotations, in the layout of CSIST-100K",
    "parquet": "Parquet tables",
}


@dataclass(frozen=True)
class Facts:
    """What is told of a set in one of its `FORMS`.

    `sizes` are the trajectories of the splits that it has; fingerprints are "" of a set that is not complete.
    `imported` is how foreign annotations were read, {} where a set was imported before that was kept, None where this
    program rendered the set.
    """

    recipe: DataRecipe
    sizes: dict[str, int]
    fingerprint: str
    fingerprint_v2: str
    version: str
    imported: dict[str, Any] | None
    form: str = "zarr"
    bits: int = 0  # of pictures

    @property
    def title(self) -> str:
        """Name of the set."""
        return self.recipe.name

    @property
    def license_address(self) -> str:
        """Address of the licence, "" where none is told."""
        told = self.recipe.license
        return told if not told or "://" in told else f"https://spdx.org/licenses/{told}.html"

    @property
    def citations(self) -> list[str]:
        """What to cite: this program and the paper of the recipe; nothing is known of imported sets."""
        if self.imported is not None:
            return []
        paper = PAPERS["csist-100k" if self.recipe.name == "csist-100k" else "seqcsist"]
        return [f"{AUTHORS}. {SOFTWARE}, version {self.version}.", paper]

    @property
    def semantic_version(self) -> str:
        """The version of the program that made the set, as MAJOR.MINOR.PATCH[-more]; "" for imported sets."""
        found = re.match(r"(\d+\.\d+\.\d+)\.?(\w*)", self.version)
        if self.imported is not None or not found:
            return ""
        return f"{found[1]}-{found[2]}" if found[2] else found[1]

    @property
    def frames(self) -> int:
        """Frames of all splits."""
        return sum(self.sizes.values()) * self.recipe.frames

    @property
    def scored(self) -> int:
        """Frames of a trajectory that are scored."""
        return len(frame_range(self.recipe.scored_frames, self.recipe.frames))

    def description(self) -> str:
        """Return the set in three sentences."""
        return " ".join([self._what(), self._sensor(), self._origin()])

    def _what(self) -> str:
        recipe = self.recipe
        count = f"{recipe.k_min} to {recipe.k_max}" if recipe.k_min != recipe.k_max else str(recipe.k_max)
        many = sum(self.sizes.values())
        sequences = f"{many:,} trajector{'y' if many == 1 else 'ies'} of {recipe.frames} frame{_s(recipe.frames)}"
        pixels = f"{recipe.size} x {recipe.size} px"
        return f"{sequences} of {pixels} with {count} closely-spaced infrared point target{_s(recipe.k_max)} in each."

    def _sensor(self) -> str:
        recipe = self.recipe
        parts = [f"a Gaussian PSF of sigma {recipe.psf_sigma:g} px integrated over pixels"]
        if recipe.background != "none":
            known = recipe.background in ("constant", "clutter")
            parts.append(f"{recipe.background} background" if known else "backgrounds from frames of the user")
        if recipe.shot_gain:
            parts.append(f"shot noise of gain {recipe.shot_gain:g}")
        if recipe.noise_sigma:
            parts.append(f"Gaussian read noise of sigma {recipe.noise_sigma:g} grey levels")
        if recipe.bits or self.bits:
            parts.append(f"{self.bits or recipe.bits}-bit values")
        return f"Imaged by {', '.join(parts)}."

    def _origin(self) -> str:
        if self.imported is not None:
            return "Imported from pictures and annotations of others by csist-bench."
        scenes = "from the user's own table of targets" if self.recipe.directions == "given" else "from a seed"
        return f"Simulated by csist-bench {self.version} {scenes}."


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def facts_of(source: Dataset, form: str = "zarr", bits: int = 0, prints: tuple[str, str] | None = None) -> Facts:
    """Return the facts of an open set; `prints` are its fingerprints where the set does not hold them yet."""
    first, second = prints or (source.fingerprint or "", source.fingerprint_v2 or "")
    read = source.attributes.get("imported")
    imported = source.attributes.get("imported_step") is not None
    return Facts(
        source.recipe,
        {split: part.n_trajectories for split, part in source.splits.items()},
        first,
        second,
        str(source.attributes.get("generator_version", "")),
        (read if isinstance(read, dict) else {}) if imported else None,
        form,
        bits,
    )
