import pytest
import torch

from csist_bench.training.ema import EMA


@pytest.fixture
def model() -> torch.nn.Linear:
    layer = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(layer.weight)
    return layer


def test_the_decay_rises_to_the_recipes(model: torch.nn.Linear) -> None:
    average, by_hand = EMA(model, 0.5), 0.0
    for step in (1, 2, 50):
        torch.nn.init.constant_(model.weight, float(step))
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        by_hand = decay * by_hand + (1 - decay) * step
        assert average.tensors["weight"].item() == pytest.approx(by_hand)


def test_the_average_stands_in_for_the_weights_and_then_settles(model: torch.nn.Linear) -> None:
    average = EMA(model, 0.9)
    torch.nn.init.ones_(model.weight)

    def fail() -> None:
        with average.applied() as network:
            assert network.weight.item() == 0.0
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert model.weight.item() == 1.0  # put back even so
    average.settle()
    assert model.weight.item() == 0.0


def test_without_decay_the_weights_stand_for_themselves(model: torch.nn.Linear) -> None:
    average = EMA(model, 0.0)
    torch.nn.init.ones_(model.weight)
    average.update(1)
    average.settle()
    assert (average.tensors, model.weight.item()) == ({}, 1.0)
