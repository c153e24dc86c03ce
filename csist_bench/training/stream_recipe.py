"""What a stream of scenes is drawn from: the `[training.stream]` table of a method's recipe."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from csist_bench.errors import must
from csist_bench.recipes import NonNegative, Positive

Portion = Annotated[float, Meta(ge=0, le=1)]

# Scenes of the training split, drawn with replacement, in place of those of a law.
STORED = "stored"


class StreamRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Endless scenes by the laws of data recipes, in place of the stored training split.

    Counted in steps; an epoch is 102,400 units. Fields left empty leave that part of the sensor to the data recipes.
    """

    # Data recipes, by name or file, and how often each is drawn, relative to the others.
    scenes: dict[str, Positive] = msgspec.field(default_factory=lambda: {"seqcsist": 1.0})
    # Frames of a unit, consecutive ones of a trajectory, at a random place (0: one where the network answers frames by
    # themselves, else the whole trajectory, of which the scored frames count).
    length: Annotated[int, Meta(ge=0)] = 0
    # Read noise, grey levels: lowest and highest of a uniform law, one level a scene.
    noise: tuple[NonNegative, ...] = ()
    noise_free: Portion = 0.0  # share of the scenes without noise
    # Share of the scenes that are rounded and clipped as 8-bit frames are.
    eight_bit: Portion = 0.0
    # Constant background, grey levels: lowest and highest. It is subtracted again after the sensor, as in use.
    background: tuple[NonNegative, ...] = ()

    def __post_init__(self) -> None:
        if not self.scenes:
            raise must("stream.scenes", "name at least one data recipe", self.scenes)
        for name in ("noise", "background"):
            bounds = getattr(self, name)
            ordered = len(bounds) in (0, 2) and all(map(math.isfinite, bounds)) and tuple(sorted(bounds)) == bounds
            if not ordered:
                raise must(f"stream.{name}", "be [lowest, highest]", list(bounds))
        if self.noise_free and not self.noise:
            raise must("stream.noise_free", "be 0 where no noise is drawn", self.noise_free, "set stream.noise")

    @property
    def title(self) -> str:
        """The data recipes' names, joined."""
        return " + ".join(self.scenes)


def scenes_from_texts(texts: Iterable[str]) -> dict[str, Any]:
    """Return the `scenes` that `--stream NAME` or `--stream NAME=WEIGHT` options mean."""
    scenes: dict[str, Any] = {}
    for text in texts:
        name, equals, weight = text.partition("=")
        try:
            scenes[name] = float(weight) if equals else 1.0
        except ValueError:
            raise must("--stream", "be RECIPE or RECIPE=WEIGHT", text) from None
        if not name or not scenes[name] > 0 or not math.isfinite(scenes[name]):
            raise must("--stream", "be RECIPE or RECIPE=WEIGHT with a positive weight", text)
    return scenes
