import pytest
import torch

from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.unfolding.derefnet import DeRefNet
from csist_bench.methods.networks.unfolding.ista_net import ISTANet
from csist_bench.simulation.optics import Optics
from csist_bench.speed.loop_derefnet import loop_forward, loop_loss

SIZE = 4
CENTRES = range(1, 6)


@pytest.fixture
def model() -> DeRefNet:
    torch.manual_seed(0)
    network = DeRefNet(Sampling.from_optics(Optics(size=SIZE)), DeRefNet.Settings(phases=2, features=6, blocks=2))
    with torch.no_grad():  # away from the start values, so that every part matters
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
        network.alignment.offset.bias.normal_(0, 1.0)
    return network


@pytest.fixture
def scene() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    frames = 250 * torch.rand(2, 7, SIZE, SIZE, generator=generator)
    labels = 250 * torch.rand(2, 7, 3 * SIZE, 3 * SIZE, generator=generator)
    return frames, labels


def test_batched_equals_the_loop(model: DeRefNet, scene) -> None:
    with torch.no_grad():
        batched, looped = model(scene[0]), loop_forward(model, scene[0])
    assert (batched - looped).abs().max() < 1e-5 * looped.abs().max()


def test_batched_loss_and_gradients_equal_the_loop(model: DeRefNet, scene) -> None:
    batched = model.loss(*scene, slice(1, 6))["total"]
    looped = loop_loss(model, *scene, CENTRES)
    torch.testing.assert_close(batched, looped, rtol=1e-5, atol=0)
    parameters = dict(model.named_parameters())
    mine = torch.autograd.grad(batched, list(parameters.values()))
    theirs = torch.autograd.grad(looped, list(parameters.values()))
    for name, a, b in zip(parameters, mine, theirs):
        assert (a - b).abs().max() <= 2e-3 * b.abs().max() + 1e-6, name


def test_full_size_has_the_published_parameters() -> None:
    sampling = Sampling.from_optics(Optics())
    with torch.device("meta"):
        network = DeRefNet(sampling.to("meta"), DeRefNet.Settings())
    position = sum(p.numel() for p in network.position.parameters())
    total = sum(p.numel() for p in network.parameters())
    assert (total, total - position) == (1_482_879, 295_869)


def test_phases_take_the_weights_of_ista_net() -> None:
    sampling = Sampling.from_optics(Optics(size=3))
    source = ISTANet(sampling, ISTANet.Settings(phases=2, features=4))
    target = DeRefNet(sampling, DeRefNet.Settings(phases=2, features=4, blocks=1))
    target.phases.load_state_dict(source.phases.state_dict())


def test_every_parameter_receives_gradient_at_the_start(scene) -> None:
    torch.manual_seed(0)
    network = DeRefNet(Sampling.from_optics(Optics(size=SIZE)), DeRefNet.Settings(phases=2, features=6, blocks=2))
    network.loss(*scene, slice(0, 7))["total"].backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_a_neighbour_three_frames_away_does_not_matter(model: DeRefNet, scene) -> None:
    frames, changed = scene[0], scene[0].clone()
    changed[:, 6] += 100
    with torch.no_grad():
        difference = (model(frames) - model(changed)).abs().amax(dim=(0, 2, 3))
    assert difference[:4].max() == 0
    assert difference[4:].min() > 0


def test_one_frame_trajectories_are_answered(model: DeRefNet, scene) -> None:
    with torch.no_grad():
        assert torch.isfinite(model(scene[0][:, :1])).all()


def test_many_trajectories_equal_one_at_a_time(model: DeRefNet) -> None:
    frames = 250 * torch.rand(6, 5, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        together = model(frames)
        single = torch.cat([model(frames[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(together, single, rtol=1e-4, atol=1e-3)


def test_compiled_operator_gives_the_same_answer(model: DeRefNet, scene, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mmcv._ext")
    with torch.no_grad():
        own = model(scene[0])
        monkeypatch.setenv("CSIST_BENCH_DCN", "mmcv")
        compiled = model(scene[0])
    assert (own - compiled).abs().max() < 1e-5 * own.abs().max()
