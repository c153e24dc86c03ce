from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from csist_bench.errors import InputError
from csist_bench.training.losses import Objective


class Plain(nn.Module):
    def forward(self, frames: Tensor) -> Tensor:
        return frames + 1.0


class Own(Plain):
    def loss(self, frames: Tensor, labels: Tensor, scored: slice) -> dict[str, Tensor]:
        fit, smooth = labels[:, scored].mean(), frames.mean()
        return {"total": fit + 0.5 * smooth, "fit": fit, "smooth": smooth}


def test_the_default_is_the_mean_squared_error_of_the_scored_frames() -> None:
    frames, labels = torch.zeros(2, 4, 3, 3), torch.zeros(2, 4, 3, 3)
    labels[:, 0] = 100.0  # not scored
    labels[0, 1, 0, 0] = 4.0
    terms = Objective(Plain(), slice(1, 3), {})(frames, labels)
    assert terms["total"].item() == pytest.approx(((4 - 1) ** 2 + 35) / 36)


def test_a_networks_own_loss_takes_its_place() -> None:
    terms = Objective(Own(), slice(0, 1), {})(torch.full((1, 1, 2, 2), 2.0), torch.full((1, 1, 2, 2), 3.0))
    assert {name: term.item() for name, term in terms.items()} == {"total": 4.0, "fit": 3.0, "smooth": 2.0}


def test_weights_of_the_recipe_replace_the_total() -> None:
    objective = Objective(Own(), slice(0, 1), {"smooth": 10.0})
    assert objective(torch.full((1, 1, 2, 2), 2.0), torch.ones(1, 1, 2, 2))["total"].item() == 20.0


def test_a_weight_for_a_term_that_is_not_there_is_an_error() -> None:
    batch = torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    with pytest.raises(InputError, match="unknown loss term 'smoth'; did you mean 'smooth'"):
        Objective(Own(), slice(0, 1), {"smoth": 1.0})(*batch)
    with pytest.raises(InputError, match="loss_weights must be empty"):
        Objective(Plain(), slice(0, 1), {"fit": 1.0})(*batch)
