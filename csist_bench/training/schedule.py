"""Learning rates as pure functions of the step, so that nothing about a schedule has to be saved."""

from __future__ import annotations

import math
from typing import Literal

ONE_CYCLE_START = 1 / 25  # share of the peak rate at the first step (Smith & Topin, arXiv:1708.07120)
ONE_CYCLE_WARMUP = 0.3


def lr_factor(
    step: int, steps: int, schedule: Literal["cosine", "one-cycle", "constant"], warmup: float, final: float
) -> float:
    """Return what a step's learning rate is to the recipe's.

    Parameters
    ----------
    step, steps : int
        Index of the step, and their number.
    warmup : float
        Share of all steps over which the rate rises: linearly, or by a cosine for "one-cycle" (0 means 0.3).
    final : float
        Share of the rate at the last step ("constant" ignores it).
    """
    if schedule == "one-cycle":
        warmup = warmup or ONE_CYCLE_WARMUP
    rising = math.ceil(warmup * steps)
    if step < rising:
        if schedule == "one-cycle":
            return ONE_CYCLE_START + (1 - ONE_CYCLE_START) * _cosine_rise(step / rising)
        return (step + 1) / rising
    if schedule == "constant":
        return 1.0
    falling = max(1, steps - 1 - rising)
    return final + (1 - final) * (1 - _cosine_rise(min(1.0, (step - rising) / falling)))


def _cosine_rise(progress: float) -> float:
    return 0.5 * (1 - math.cos(math.pi * progress))
