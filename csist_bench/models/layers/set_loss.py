"""Loss of a set of slots against a set of targets, in no order: the likelihood under the best assignment, or under all.

A slot answers (x, y, intensity, presence) with standard errors. For slot i and target j

    c_ij = (dx^2 / sx^2 + dy^2 / sy^2 + ds^2 / ss^2) / 2 + log sx sy ss - log p_i,

and for a slot left without a target -log (1 - p_i). The assignment with the least sum is exact (`layers.assignment`).
Summed over all assignments, with weights exp(-cost), it is the likelihood of the targets as a multi-Bernoulli set:
slots that overlap share a target, and the number of targets follows the Poisson binomial law of the presences.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from csist_bench.checks import must
from csist_bench.models.layers.assignment import best_assignment, log_sum_of_assignments

INTENSITY_UNIT = 100.0  # grey levels: makes the errors of intensities numbers near those of positions

# Columns of a slot.
X, Y, INTENSITY, PRESENCE, SIGMA_X, SIGMA_Y, SIGMA_INTENSITY = range(7)
COLUMNS = 7


def set_loss(
    slots: Tensor, xy: Tensor, intensity: Tensor, assignments: Literal["best", "all"] = "best"
) -> dict[str, Tensor]:
    """Return the mean loss per frame, "total", and its terms, which are those of the best assignment.

    Parameters
    ----------
    slots : Tensor, shape (N, K, 7)
        x, y (px), intensity (grey levels), presence (logit), and the standard errors of the first three.
    xy : Tensor, shape (N, J, 2), px
        J <= K targets; NaN where there is none.
    intensity : Tensor, shape (N, J), grey levels
    """
    k, j = slots.shape[1], xy.shape[1]
    if j > k:
        raise must("slots", f"be at least the {j} targets of a scene", k)
    xy = functional.pad(xy, (0, 0, 0, k - j), value=float("nan"))
    intensity = functional.pad(intensity, (0, k - j), value=float("nan"))
    present = ~intensity.isnan()
    truth = torch.cat([xy, intensity.unsqueeze(-1)], dim=-1).masked_fill(~present.unsqueeze(-1), 0.0)
    position, light, presence = _costs(slots, truth, present)
    cost = position + light + presence
    target = best_assignment(cost).unsqueeze(-1)
    terms = {
        name: cost.gather(2, target).sum(dim=(1, 2)).mean()
        for name, cost in (("position", position), ("intensity", light), ("presence", presence))
    }
    if assignments == "best":
        return {"total": torch.stack(list(terms.values())).sum(), **terms}
    # Slots left over can be given the absent targets in any order.
    orders = torch.lgamma(1.0 + (~present).sum(dim=1))
    return {"total": (orders - log_sum_of_assignments(cost)).mean(), **{n: term.detach() for n, term in terms.items()}}


def _costs(slots: Tensor, truth: Tensor, present: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the three costs of every pair, (N, K, K) each; only that of presence where there is no target."""
    error = slots[:, :, None, : INTENSITY + 1] - truth[:, None]  # (N, K, K, 3)
    sigma = slots[:, :, None, SIGMA_X:]
    here = present[:, None, :]
    logit = slots[:, :, None, PRESENCE]
    unlikely = 0.5 * (error / sigma).square() + sigma.log()
    position = unlikely[..., :INTENSITY].sum(dim=-1) * here
    light = (unlikely[..., INTENSITY] - math.log(INTENSITY_UNIT)) * here
    presence = torch.where(here, functional.softplus(-logit), functional.softplus(logit))
    return position, light, presence
