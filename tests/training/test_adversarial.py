import pytest
import torch

from csist_bench.methods.networks.base import plain_tensors
from csist_bench.training.adversarial import AdversarialLearner
from csist_bench.training.distributed import World
from csist_bench.training.recipe import AdversarialRecipe, TrainingRecipe
from tests.helpers.super_resolution import build, random_frames

FRAMES, LABELS = random_frames(2, 1, 11, 11), random_frames(2, 1, 33, 33, seed=1)


def learner(**losses) -> AdversarialLearner:
    recipe = TrainingRecipe(adversarial=AdversarialRecipe(critic_lr=1e-2, **losses), ema=0.5)
    return AdversarialLearner(build("srgan"), recipe, 1e-2, slice(0, 1), World(), torch.device("cpu"))


def weights(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def test_the_critic_waits_for_the_warm_up_and_then_learns() -> None:
    one = learner(warmup_steps=1)
    before = weights(one.critic)
    first = one.step(FRAMES, LABELS, 1.0, 1)
    assert (first["adversarial"].item(), first["critic"].item()) == (0.0, 0.0)
    assert torch.equal(weights(one.critic), before)
    second = one.step(FRAMES, LABELS, 1.0, 2)
    assert second["adversarial"].item() > 0
    assert second["critic"].item() > 0
    assert not torch.equal(weights(one.critic), before)


def test_the_total_is_the_weighted_sum_of_its_terms() -> None:
    terms = learner(pixel=0.5, pixel_loss="mse", adversarial=0.25).step(FRAMES, LABELS, 1.0, 1)
    expected = 0.5 * terms["pixel"].item() + 0.25 * terms["adversarial"].item()
    assert terms["total"].item() == pytest.approx(expected, rel=1e-5)
    error = (build("srgan")(FRAMES) - LABELS) / 255
    assert terms["pixel"].item() == pytest.approx(error.square().mean().item(), rel=1e-5)


def test_a_step_of_the_generator_leaves_no_gradient_in_the_critic() -> None:
    one = learner(warmup_steps=5)
    one.step(FRAMES, LABELS, 1.0, 1)
    assert all(p.grad is None for p in one.critic.parameters())


def test_a_restored_learner_goes_on_as_the_first_would() -> None:
    first, second = learner(), learner()
    first.step(FRAMES, LABELS, 1.0, 1)
    tensors, values = first.state()
    second.restore(plain_tensors(tensors), values)
    for one in (first, second):
        one.step(FRAMES, LABELS, 0.5, 2)
    for part in ("model", "critic"):
        assert torch.equal(weights(getattr(first, part)), weights(getattr(second, part)))
