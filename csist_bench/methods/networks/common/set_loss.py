"""Loss of a set of slots against a set of targets, in no order: the likelihood under the best assignment, or under all.

A slot answers (x, y, intensity, presence) with standard errors. For slot i and target j

    c_ij = (dx^2 / sx^2 + dy^2 / sy^2 + ds^2 / ss^2) / 2 + log sx sy ss - log p_i,

and for a slot left without a target -log (1 - p_i). The assignment with the least sum is exact (`common.assignment`).
Summed over all assignments, with weights exp(-cost), it is the likelihood of the targets as a multi-Bernoulli set:
slots that overlap share a target, and the number of targets follows the Poisson binomial law of the presences.

Where light lies so close that several arrangements fit it, one set would answer their mean. A network may answer
several alternatives, each a whole set, with weights w_a: a mixture density (Bishop, 1994) whose components are sets,

    L = -log sum_a w_a exp(-cost of a's best assignment).

Beside it each slot learns how correct it will be if its alternative is shown: the share of CSO-mAP's thresholds that
its distance to its target is within. What is made of the alternatives is in `offgrid_net.mixture_decision`.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from csist_bench.errors import must
from csist_bench.methods.networks.common.assignment import best_assignment, log_sum_of_assignments
from csist_bench.methods.networks.common.correctness import correctness

INTENSITY_UNIT = 100.0  # grey levels: makes the errors of intensities numbers near those of positions

# Columns of a slot; the loss reads all but the score.
X, Y, INTENSITY, PRESENCE, SIGMA_X, SIGMA_Y, SIGMA_INTENSITY, SCORE = range(8)
COLUMNS, LEARNED = 8, 7


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
    found = _assigned(slots, xy, intensity)
    terms = {name: getattr(found, name).mean() for name in _TERMS}
    if assignments == "best":
        return {"total": torch.stack(list(terms.values())).sum(), **terms}
    # Slots left over can be given the absent targets in any order.
    orders = torch.lgamma(1.0 + (~found.present).sum(dim=1))
    total = (orders - log_sum_of_assignments(found.cost)).mean()
    return {"total": total, **{name: term.detach() for name, term in terms.items()}}


class Alternatives(NamedTuple):
    """A sets of K slots for each of N frames: `slots` (N, A, K, 7), the logits of the sets' weights `weight` (N, A),
    and those of each slot's expected correctness, `correctness` (N, A, K).

    `lean` (N, A) is added to the logits of the weights where one set is chosen, and nowhere else.
    """

    slots: Tensor
    weight: Tensor
    correctness: Tensor
    lean: Tensor | float = 0.0


def alternatives_loss(found: Alternatives, xy: Tensor, intensity: Tensor) -> dict[str, Tensor]:
    """Return the mean loss per frame, "total", and its terms: the mixture's "likelihood", and "correctness".

    Parameters
    ----------
    found : Alternatives
    xy : Tensor, shape (N, J, 2), px
        J <= K targets; NaN where there is none.
    intensity : Tensor, shape (N, J), grey levels
    """
    count = found.weight.shape[1]
    truth = xy.repeat_interleave(count, dim=0), intensity.repeat_interleave(count, dim=0)
    each = _assigned(found.slots.flatten(0, 1), *truth)
    likely = found.weight.log_softmax(dim=1) - (each.position + each.intensity + each.presence).unflatten(
        0, (-1, count)
    )
    aim = correctness(each.distance.detach()).unflatten(0, (-1, count))
    judged = functional.binary_cross_entropy_with_logits(found.correctness, aim, reduction="none").sum(dim=2)
    # Alternatives that could be shown are judged most.
    weight = 0.5 * (found.weight.detach().softmax(dim=1) + 1.0 / count)
    terms = {"likelihood": -torch.logsumexp(likely, dim=1).mean(), "correctness": (weight * judged).sum(dim=1).mean()}
    return {"total": terms["likelihood"] + terms["correctness"], **terms}


_TERMS = ("position", "intensity", "presence")


class _Assigned(NamedTuple):
    """Costs under the best assignment, (N,) each; each slot's distance to its target, (N, K), infinite without one."""

    position: Tensor
    intensity: Tensor
    presence: Tensor
    distance: Tensor
    cost: Tensor  # (N, K, K), of every pair
    present: Tensor  # (N, K)


def _assigned(slots: Tensor, xy: Tensor, intensity: Tensor) -> _Assigned:
    truth, present = padded_truth(xy, intensity, slots.shape[1])
    costs = _costs(slots, truth, present)
    cost = torch.stack(costs).sum(dim=0)
    target = best_assignment(cost).unsqueeze(-1)
    position, brightness, presence = (part.gather(2, target).sum(dim=(1, 2)) for part in costs)
    gap = (slots[:, :, None, :INTENSITY] - truth[:, None, :, :INTENSITY]).norm(dim=-1)
    gap = gap.masked_fill(~present[:, None], float("inf"))
    return _Assigned(position, brightness, presence, gap.gather(2, target).squeeze(2), cost, present)


def padded_truth(xy: Tensor, intensity: Tensor, slots: int) -> tuple[Tensor, Tensor]:
    """Return targets (N, K, 3), zeros where there is none of the J <= K given, and which there are, (N, K)."""
    j = xy.shape[1]
    if j > slots:
        raise must("slots", f"be at least the {j} targets of a scene", slots)
    xy = functional.pad(xy, (0, 0, 0, slots - j), value=float("nan"))
    intensity = functional.pad(intensity, (0, slots - j), value=float("nan"))
    present = ~intensity.isnan()
    return torch.cat([xy, intensity.unsqueeze(-1)], dim=-1).masked_fill(~present.unsqueeze(-1), 0.0), present


def _costs(slots: Tensor, truth: Tensor, present: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the three costs of every pair, (N, K, K) each; only that of presence where there is no target."""
    error = slots[:, :, None, : INTENSITY + 1] - truth[:, None]  # (N, K, K, 3)
    sigma = slots[:, :, None, SIGMA_X:]
    here = present[:, None, :]
    logit = slots[:, :, None, PRESENCE]
    unlikely = 0.5 * (error / sigma).square() + sigma.log()
    position = unlikely[..., :INTENSITY].sum(dim=-1) * here
    brightness = (unlikely[..., INTENSITY] - math.log(INTENSITY_UNIT)) * here
    presence = torch.where(here, functional.softplus(-logit), functional.softplus(logit))
    return position, brightness, presence
