"""Muon: momentum whose matrices are made orthogonal before the step; vectors and scalars take Adam's step.

Of a gradient's directions plain momentum follows mostly the few strong ones; with all singular values made alike, the
weak ones are learned too. After K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024). The
step of a gradient of full rank has the size of Adam's (Liu et al., arXiv:2502.16982, section 2.2), so that one learning
rate serves both.
`torch.optim.Muon` takes matrices alone, neither the kernels of convolutions nor vectors.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
ADAM_RMS = 0.2  # root mean square of a usual Adam step of rate 1
ROUNDS = 5
# x -> a x + b x^3 + c x^5, five times over, takes singular values in (0.0015, 1] to between 0.68 and 1.21 (Jordan).
QUINTIC = (3.4445, -4.7750, 2.0315)
_FLOOR = 1e-8


def orthogonalised(matrix: Tensor) -> Tensor:
    """Return a matrix (rows, columns) with its singular values taken to between 0.68 and 1.21.

    Those under 0.0015 of the Frobenius norm stay smaller.
    """
    a, b, c = QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = matrix.T if tall else matrix
    x = x / x.norm().clamp_min(_FLOOR)
    for _ in range(ROUNDS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Muon for parameters of two and more dimensions, as matrices (first, all others); Adam for the rest.

    So is a transposed convolution's kernel, by its inputs. A stack of matrices in one parameter (LISTA's layers) would
    be mixed up; `train` refuses it.

    Parameters
    ----------
    parameters : iterable
    lr : float
        Learning rate of both.
    betas : (float, float)
        Adam's decay rates; Muon's momentum is 0.95.
    weight_decay : float
        Outside the gradient, as AdamW's.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, betas: tuple[float, float], weight_decay: float
    ) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take one step along the gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state, gradient = self.state[parameter], parameter.grad
                move = _matrix_move(gradient, state) if _is_matrix(parameter) else _adam_move(gradient, state, group)
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.sub_(group["lr"] * move)


def _is_matrix(parameter: Tensor) -> bool:
    return parameter.ndim >= 2 and parameter.numel() > parameter.shape[0] > 1


def _matrix_move(gradient: Tensor, state: dict[str, Any]) -> Tensor:
    if not state:
        state["momentum"] = torch.zeros_like(gradient)
    momentum = state["momentum"].lerp_(gradient, 1 - MOMENTUM)
    ahead = gradient.lerp(momentum, MOMENTUM).flatten(1)  # Nesterov's
    return (ADAM_RMS * math.sqrt(max(ahead.shape)) * orthogonalised(ahead)).view_as(gradient)


def _adam_move(gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
    if not state:
        state.update(step=torch.zeros(()), mean=torch.zeros_like(gradient), square=torch.zeros_like(gradient))
    state["step"] += 1
    count, (beta1, beta2) = float(state["step"]), group["betas"]
    mean: Tensor = state["mean"].lerp_(gradient, 1 - beta1) / (1 - beta1**count)
    square: Tensor = state["square"].lerp_(gradient.square(), 1 - beta2) / (1 - beta2**count)
    return mean / (square.sqrt() + _FLOOR)
