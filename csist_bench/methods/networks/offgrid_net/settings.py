"""Settings of OffGrid-Net."""

from __future__ import annotations

from typing import Literal

import msgspec

from csist_bench.errors import must
from csist_bench.recipes import Count


class OffGridNetSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of OffGrid-Net.

    `moments`, `pixels`, `neighbours`, `assignments` and `answers` hold what was tried beside their defaults, for
    comparison: a network without moments; pixels through convolutions first; neighbours by convolution in time; with
    one set of slots, the loss under all assignments; with more, the likeliest set as it is.
    """

    width: Count = 512  # features of a frame
    depth: Count = 4  # residual blocks
    slots: Count = 4  # in a set
    reach: int = 0  # frames on either side that are looked at (0: the frame alone)
    heads: Count = 8  # of the attention
    window: Count = 7  # px, odd
    alternatives: Count = 1  # sets of slots
    moments: bool = True
    pixels: Literal["linear", "convolution"] = "linear"
    neighbours: Literal["attention", "convolution"] = "attention"
    assignments: Literal["best", "all"] = "best"
    start: Literal["upright", "phase"] = "upright"  # of the alternatives' polygons
    answers: Literal["likeliest", "moved"] = "moved"
    smooth: bool = False  # whether places keep to the smooth path of the blob through the frames within reach

    def __post_init__(self) -> None:
        if self.window % 2 == 0:
            raise must("window", "be odd and at most twice the frame's size", self.window)
        if self.reach < 0:
            raise must("reach", "be 0 or more frames", self.reach)
        if self.reach and self.neighbours == "attention" and self.width % self.heads:
            raise must("width", f"be divisible by the {self.heads} heads", self.width)
        if self.several:
            self._check_several()
        else:
            self._check_single()

    @property
    def several(self) -> bool:
        """Whether there are alternatives to choose from."""
        return self.alternatives > 1

    @property
    def later_blocks(self) -> int:
        """Residual blocks that follow a look at the neighbours."""
        return self.depth // 2 if self.reach else 0

    def _check_several(self) -> None:
        if not self.moments:
            raise must("moments", "be true where there are alternatives, which are judged by them", self.moments)
        if self.assignments == "all":
            raise must("assignments", "be best where there are alternatives", self.assignments)
        if self.smooth and not self.reach:
            raise must("smooth", "be false without reach or alternatives", self.smooth)
        if self.start == "phase" and self.slots % 4:
            raise must("slots", 'be divisible by 4 to start by "phase", which is known up to a quarter', self.slots)

    def _check_single(self) -> None:
        if self.smooth:
            raise must("smooth", "be false without reach or alternatives", self.smooth)
        if self.start == "phase":
            raise must("alternatives", 'be 2 or more to start by "phase"', self.alternatives)
