import pytest
import torch

from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.simulation.optics import Optics
from csist_bench.training.contexts import learning_only, sampled_by


def test_another_operator_holds_within_the_block_alone() -> None:
    model, own, other = torch.nn.Module(), *(Sampling.from_optics(Optics(size=n)) for n in (3, 5))
    model.sampling = own

    def fail() -> None:
        with sampled_by(model, other):
            assert model.sampling is other
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert model.sampling is own


def test_a_network_without_an_operator_gets_none() -> None:
    model = torch.nn.Linear(1, 1)
    with sampled_by(model, Sampling.from_optics(Optics(size=3))):
        assert not hasattr(model, "sampling")


def test_one_part_learns_and_what_was_fixed_before_stays_fixed() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Linear(1, 1), torch.nn.Linear(1, 1))
    model[2].requires_grad_(False)

    def learning() -> list[bool]:
        return [layer.weight.requires_grad for layer in model]

    with learning_only(model, model[1]):
        assert learning() == [False, True, False]
    assert learning() == [True, True, False]
