"""Critics and the losses of adversarial training."""

import numpy as np
import pytest
import torch

from csist_bench.methods.networks.super_resolution.critics import UNetCritic, VGGCritic, critic_loss, generator_loss
from tests.helpers.super_resolution import ADVERSARIAL, build, random_frames


@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize("side", [9, 33])
def test_critics_judge_each_grid(name, side):
    critic = build(name).critic().eval()
    grids = torch.rand(3, 1, side, side, generator=torch.Generator().manual_seed(0))
    verdict = critic(grids)
    assert len(verdict) == 3
    assert torch.isfinite(verdict).all()
    torch.testing.assert_close(critic(grids[1:2]), verdict[1:2], atol=1e-5, rtol=1e-4)


def test_unet_critic_judges_each_node_and_vgg_each_grid():
    grids = torch.rand(2, 1, 33, 33, generator=torch.Generator().manual_seed(0))
    assert UNetCritic(4)(grids).shape == (2, 1, 33, 33)
    assert VGGCritic(4)(grids).shape == (2, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_critic_learns_to_tell_grids_apart_and_guides_the_generator(name):
    model = build(name)
    torch.manual_seed(0)
    critic = model.critic()
    labels = (torch.rand(8, 1, 33, 33, generator=torch.Generator().manual_seed(0)) > 0.99).float()
    generated = model(random_frames(8, 1, 11, 11)) / 255
    optimiser = torch.optim.Adam(critic.parameters(), lr=2e-3)
    losses = []
    for _ in range(15):
        loss = critic_loss(critic(labels), critic(generated.detach()), model.adversarial)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    generator_loss(critic(labels), critic(generated), model.adversarial).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())


def test_adversarial_losses_by_hand():
    real, fake = torch.tensor([2.0, 0.0]), torch.tensor([-1.0, 1.0])

    def surprise(logit):  # -log sigmoid
        return np.log1p(np.exp(-logit))

    critic = (np.mean([surprise(2), surprise(0)]) + np.mean([surprise(1), surprise(-1)])) / 2
    assert float(critic_loss(real, fake, "vanilla")) == pytest.approx(critic, rel=1e-6)
    assert float(generator_loss(real, fake, "vanilla")) == pytest.approx(np.mean([surprise(-1), surprise(1)]), rel=1e-6)
    # Mean logits are 1 (real) and 0 (fake).
    relative = (np.mean([surprise(2), surprise(0)]) + np.mean([surprise(2), surprise(0)])) / 2
    assert float(critic_loss(real, fake, "relativistic")) == pytest.approx(relative, rel=1e-6)
    reverse = (np.mean([surprise(-2), surprise(0)]) + np.mean([surprise(-2), surprise(0)])) / 2
    assert float(generator_loss(real, fake, "relativistic")) == pytest.approx(reverse, rel=1e-6)
