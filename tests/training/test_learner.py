from collections.abc import Iterator

import pytest
import torch

from csist_bench.methods.networks.base import plain_tensors
from csist_bench.training.distributed import World
from csist_bench.training.learner import Learner, MixedPrecision, make_optimiser
from csist_bench.training.recipe import TrainingRecipe

CPU = torch.device("cpu")


class Scaled(torch.nn.Module):
    """Answers each frame times one learned number."""

    def __init__(self, start: float = 0.0) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(start))

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.gain * frames


def learner(**recipe) -> Learner:
    return Learner(Scaled(), TrainingRecipe(**recipe), 0.1, slice(0, 1), World(), CPU)


FRAMES = torch.ones(2, 2, 3, 3)


def test_a_step_lowers_the_error_of_the_scored_frames_at_the_stages_rate() -> None:
    one = learner()
    labels = FRAMES.clone()
    labels[:, 1] = -100.0  # not scored
    terms = one.step(FRAMES, labels, lr_factor=0.5, step=1)
    assert terms["total"].item() == pytest.approx(1.0)
    assert not terms["total"].requires_grad
    assert one.model.gain.item() == pytest.approx(0.05, rel=1e-4)  # Adam's first step is the rate


def test_gradients_are_clipped() -> None:
    moved = []
    for clip_norm in (0.0, 0.5):
        one = learner(clip_norm=clip_norm)
        one.step(FRAMES, FRAMES, 1.0, 1)
        moved.append(one.model.gain.grad.abs().item())
    assert moved == pytest.approx([2.0, 0.5], rel=1e-4)


def test_a_restored_learner_goes_on_as_the_first_would() -> None:
    first, second = learner(ema=0.9), learner(ema=0.9)
    first.step(FRAMES, FRAMES, 1.0, 1)
    tensors, values = first.state()
    second.restore(plain_tensors(tensors), values)
    for each in (first, second):
        each.step(FRAMES, 2 * FRAMES, 1.0, 2)
    assert first.model.gain.item() == second.model.gain.item()
    assert first.ema.tensors["gain"].item() == second.ema.tensors["gain"].item()


@pytest.mark.parametrize("name,kind", [("adam", "Adam"), ("adamw", "AdamW"), ("muon", "Muon")])
def test_the_recipe_names_the_optimiser(name: str, kind: str) -> None:
    recipe = TrainingRecipe(optimiser=name, beta1=0.8, beta2=0.9)
    group = (found := make_optimiser(Scaled().parameters(), recipe, 0.3, 0.2)).param_groups[0]
    assert type(found).__name__ == kind
    assert (group["lr"], group["betas"], group["weight_decay"]) == (0.3, (0.8, 0.9), 0.2)


@pytest.fixture
def backends() -> Iterator[None]:
    """Put the process's switches back that number types set."""
    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    before = products.allow_tf32, convolutions.allow_tf32, convolutions.benchmark
    yield
    products.allow_tf32, convolutions.allow_tf32, convolutions.benchmark = before


@pytest.mark.usefixtures("backends")
@pytest.mark.parametrize(
    "name,dtype,scales",
    [("float32", torch.float32, False), ("tf32", torch.float32, False), ("bfloat16", torch.bfloat16, False),
     ("float16", torch.float16, True)],
)  # fmt: skip
def test_number_types_of_products(name: str, dtype: torch.dtype, scales: bool) -> None:
    mixed = MixedPrecision(name, CPU)
    assert torch.backends.cuda.matmul.allow_tf32 == (name != "float32")
    with mixed.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
    assert mixed.scaler.is_enabled() == scales
