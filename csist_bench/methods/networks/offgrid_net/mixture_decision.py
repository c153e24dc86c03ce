"""The answer of a network with several alternatives: the likeliest one, its targets moved to raise the expected score.

A detection counts by the thresholds of CSO-mAP that it is within. Of a target that alternatives place at p_0 (the
likeliest), p_1, ... the answer

    x = p_0 + sum_a g_a (p_a - p_0)

may lie between them, within reach of more than one: a Bayes decision under the metric's own loss (Berger, 1985), whose
g_a a small network learns. It sees distances, errors and weights only, nothing of the axes, so it moves every turned
scene alike. It also learns how correct each answer will be, and by what factor the mixture's standard errors are off.

In strong noise, arrangements turned against each other are equally likely, and a network settles on one: it then
answers the same angle whatever the scene's is. On scenes turned by any angle that costs nothing on average, but where
all scenes have the same angle the score is a matter of luck. So where the angle is open, a network trained on a law
without axes prefers the arrangement that the phase of the blob's fourth moment points at (`leaning`).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from csist_bench.methods.networks.common.assignment import best_assignment
from csist_bench.methods.networks.common.constants import constant
from csist_bench.methods.networks.common.correctness import correctness, soft_correctness
from csist_bench.methods.networks.common.one_pass import Perceptron
from csist_bench.methods.networks.common.set_loss import (
    INTENSITY,
    INTENSITY_UNIT,
    PRESENCE,
    SCORE,
    SIGMA_INTENSITY,
    SIGMA_X,
    Alternatives,
    padded_truth,
)

SENSOR_FEATURES = 3  # numbers that tell of the sensor
DISTANCE = 0.2  # px: brings distances near one
LEAST_LOG_SHARE = -10.0
FINE = 0.05  # scale of the networks' outputs: corrections are small beside an optimiser's steps
MOST_RESCALED = 5.0  # log of how far standard errors may be from the mixture's
LEAST_ERRORS = (1e-4, 1e-4, 0.01)  # px, px, grey levels: keep the likelihood bounded
MOST_LEAN = 0.5  # log of the weights' ratio up to which the phase decides between two alternatives
USUAL_DEVIATION = 5.0  # standard errors: larger deviations, such as of a wrong arrangement, have the gradient of this


class MixtureDecision(nn.Module):
    """Maps A alternatives of K slots to one set of answers; untrained, to what `likeliest` says."""

    pairs: Tensor

    def __init__(self, alternatives: int, hidden: int = 64) -> None:
        super().__init__()
        self.register_buffer("pairs", torch.triu_indices(alternatives, alternatives, 1), persistent=False)
        seen = 5 * alternatives + self.pairs.shape[1] + SENSOR_FEATURES
        self.steps = _deciding(seen, hidden, alternatives - 1)
        # Each by itself: the gradients of the errors' likelihood are many times those of the rest.
        self.trust, self.rescale = _deciding(seen + 1, hidden, 1), _deciding(seen + 1, hidden, 2)

    def forward(self, found: Alternatives, sensor: Tensor) -> Tensor:
        """Return answers (N, K, 8), columns as in `set_loss`, the score as a logit; `sensor` is (N, 3)."""
        slots, share, right = _likeliest_first(found)
        likeliest_slots, place = slots[:, 0], slots[..., :INTENSITY]
        seen = self._seen(slots, share, right, sensor)
        steps = FINE * self.steps(seen).mT.unsqueeze(-1)  # (N, A - 1, K, 1)
        moved = (steps * (place[:, 1:] - place[:, :1])).sum(dim=1)
        seen = torch.cat([seen, moved.detach().norm(dim=-1, keepdim=True) / DISTANCE], dim=-1)
        about = torch.cat([place[:, 0] + moved.detach(), likeliest_slots[..., INTENSITY, None]], dim=-1)
        scale = (MOST_RESCALED * (FINE / MOST_RESCALED * self.rescale(seen)).tanh()).exp()
        errors = _errors(slots, share, about) * scale[..., [0, 0, 1]]  # one for both axes
        return torch.cat(
            [
                place[:, 0] + moved,
                likeliest_slots[..., INTENSITY : PRESENCE + 1],
                torch.hypot(errors, constant(LEAST_ERRORS, errors)),
                right[:, 0].unsqueeze(-1) + FINE * self.trust(seen),
            ],
            dim=-1,
        )

    def _seen(self, slots: Tensor, share: Tensor, right: Tensor, sensor: Tensor) -> Tensor:
        """Return the features (N, K, F) of slots (N, A, K, 7) with weights (N, A) and logits of correctness (N, A, K).

        None of them changes when a scene is turned by a quarter.
        """
        n, a, k, _ = slots.shape
        first, second = self.pairs
        gap = (slots[:, first, :, :INTENSITY] - slots[:, second, :, :INTENSITY]).norm(dim=-1)  # (N, pairs, K)
        # All of them brought near one.
        each = [
            share.log().clamp_min(LEAST_LOG_SHARE)[..., None].expand(n, a, k) / 3.0,
            slots[..., PRESENCE].sigmoid(),
            right.clamp(-8.0, 8.0) / 4.0,
            slots[..., SIGMA_X : SIGMA_X + 2].square().mean(dim=-1).log() / 4.0,
            slots[..., SIGMA_INTENSITY].log() / 2.0,
        ]
        scene = sensor[:, None].expand(n, k, SENSOR_FEATURES)
        return torch.cat([torch.cat(each, dim=1).mT, gap.mT / DISTANCE, scene], dim=-1)


def likeliest(found: Alternatives) -> Tensor:
    """Answer the likeliest alternative, (N, K, 8), with its correctness and the errors of the mixture about it."""
    slots, share, right = _likeliest_first(found)
    errors = _errors(slots, share, slots[:, 0, :, : INTENSITY + 1])
    return torch.cat([slots[:, 0, :, : PRESENCE + 1], errors, right[:, 0].unsqueeze(-1)], dim=-1)


def _errors(slots: Tensor, share: Tensor, place: Tensor) -> Tensor:
    """Return root mean square deviations (N, K, 3) of slots (N, A, K, 7) with weights (N, A) from (N, K, 3)."""
    square = (slots[..., : INTENSITY + 1] - place[:, None]).square() + slots[..., SIGMA_X:].square()
    return (share[..., None, None] * square).sum(dim=1).sqrt()


def _deciding(seen: int, hidden: int, decided: int) -> Perceptron:
    """Return a network that answers zeros at first."""
    last = nn.Linear(hidden, decided)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return Perceptron(nn.Linear(seen, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(), last)


def _likeliest_first(found: Alternatives) -> tuple[Tensor, Tensor, Tensor]:
    """Return slots (N, A, K, 7), weights (N, A) and logits of correctness (N, A, K), the likeliest alternative first,
    with what it leans to.

    Slots of the others stand where the likeliest one's nearest do; one without a target is as if a pixel away.
    """
    order = (found.weight + found.lean).argsort(dim=1, descending=True)
    share = found.weight.softmax(dim=1).gather(1, order)
    row = torch.arange(len(order), device=order.device)[:, None]
    slots, right = found.slots[row, order], found.correctness[row, order]
    x, y = slots[..., :INTENSITY].unbind(dim=-1)
    square = (x[:, 1:, None] - x[:, :1, :, None]).square() + (y[:, 1:, None] - y[:, :1, :, None]).square()
    absent = torch.sigmoid(-slots[:, 1:, None, :, PRESENCE])
    nearest = (square + absent).argmin(dim=-1)  # (N, A - 1, K)
    others = slots[:, 1:].gather(2, nearest.unsqueeze(-1).expand_as(slots[:, 1:]))
    return (
        torch.cat([slots[:, :1], others], dim=1),
        share,
        torch.cat([right[:, :1], right[:, 1:].gather(2, nearest)], 1),
    )


def leaning(slots: Tensor, turn: Tensor) -> Tensor:
    """Return how much to lean to each of A sets of slots (N, A, K, 7) by the turns (N,), rad, of their blobs, (N, A).

    It is the cosine of four times the angle between them, as far as a set has one: that of the fourth moment of its
    slots about their middle.
    """
    presence = slots[..., PRESENCE].sigmoid()
    place = slots[..., :INTENSITY]
    middle = (presence.unsqueeze(-1) * place).sum(dim=2, keepdim=True) / presence.sum(dim=2).clamp_min(1e-6)[
        ..., None, None
    ]
    u, v = (place - middle).unbind(dim=-1)
    square, product = u.square() - v.square(), 2.0 * u * v  # of (u + i v)^2, real and imaginary part
    real = (presence * (square.square() - product.square())).sum(dim=2)
    imaginary = (presence * 2.0 * square * product).sum(dim=2)
    return MOST_LEAN * torch.cos(torch.atan2(imaginary, real) - 4.0 * turn.unsqueeze(1))


def decision_loss(answers: Tensor, xy: Tensor, intensity: Tensor) -> dict[str, Tensor]:
    """Return the mean loss of answers (N, K, 8) per frame, "answer": of places, scores and standard errors.

    Places learn the softened correctness under the assignment that is best by it and the presences, scores the true
    one, and standard errors the likelihood of the deviations.

    Parameters
    ----------
    answers : Tensor, shape (N, K, 8)
        As `MixtureDecision` returns them.
    xy : Tensor, shape (N, J, 2), px
        J <= K targets; NaN where there is none.
    intensity : Tensor, shape (N, J), grey levels
    """
    truth, present = padded_truth(xy, intensity, answers.shape[1])
    gap = (answers[:, :, None, :INTENSITY] - truth[:, None, :, :INTENSITY]).norm(dim=-1)
    soft = soft_correctness(gap) * present[:, None]
    # A slot that will not be answered must not take a target from one that will.
    target = best_assignment(-soft * answers[..., PRESENCE, None].sigmoid())
    here = present.gather(1, target)
    gained = soft.gather(2, target.unsqueeze(-1)).squeeze(-1)
    distance = gap.detach().gather(2, target.unsqueeze(-1)).squeeze(-1).masked_fill(~here, float("inf"))
    score = functional.binary_cross_entropy_with_logits(answers[..., SCORE], correctness(distance), reduction="none")
    deviation = truth.gather(1, target.unsqueeze(-1).expand(-1, -1, INTENSITY + 1)) - answers[..., : INTENSITY + 1]
    sigma = answers[..., SIGMA_X:SCORE]
    relative = deviation.detach() / sigma
    unlikely = (_unlikely(relative.abs()) + sigma.log()).sum(dim=-1) - math.log(INTENSITY_UNIT)
    return {"answer": ((1.0 - gained + unlikely) * here + score).sum(dim=1).mean()}


def _unlikely(size: Tensor) -> Tensor:
    """Return half the squares of deviations, in standard errors; a logarithm of the same slope from the usual size on.

    The best standard errors then are those of the usual deviations: without noise one wrong arrangement in ten thousand
    would outweigh them all by its size.
    """
    beyond = (size / USUAL_DEVIATION).clamp_min(1.0).log()
    return 0.5 * size.clamp(max=USUAL_DEVIATION).square() + USUAL_DEVIATION**2 * beyond
