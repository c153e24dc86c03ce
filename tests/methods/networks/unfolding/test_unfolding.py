import copy

import numpy as np
import pytest
import torch

from csist_bench.errors import InputError
from csist_bench.methods.networks.base import network_from_settings
from csist_bench.methods.networks.common.sampling import Sampling, fit_initialiser
from csist_bench.methods.networks.unfolding.dista_net import DISTANet
from csist_bench.methods.networks.unfolding.fista_net import FISTANet
from csist_bench.methods.networks.unfolding.ista_net import ISTANet
from csist_bench.methods.networks.unfolding.ista_net_plus import ISTANetPlus
from csist_bench.methods.networks.unfolding.ista_net_plus_plus import ISTANetPlusPlus
from csist_bench.methods.networks.unfolding.lamp import LAMP
from csist_bench.methods.networks.unfolding.liht import LIHT
from csist_bench.methods.networks.unfolding.lista import LISTA
from csist_bench.methods.networks.unfolding.phases import ISTAPhase, gradient_step
from csist_bench.methods.networks.unfolding.rpcanet import RPCANet
from csist_bench.methods.networks.unfolding.tilista import TiLISTA
from csist_bench.methods.networks.unfolding.usrnet import USRNet
from csist_bench.methods.registry import find
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.optics import Optics, grid_from_targets
from csist_bench.simulation.rendering import render_shard

OPTICS = Optics()
PARAMETERS = {
    LISTA: 21_100_464,
    LIHT: 21_100_464,
    LAMP: 2_125_728,
    TiLISTA: 2_125_744,
    ISTANet: 171_090,
    ISTANetPlus: 336_978,
    ISTANetPlusPlus: 760_220,
    FISTANet: 37_607,
    USRNet: 1_068_736,
    RPCANet: 679_896,
    DISTANet: 2_177_322,
}
SMALL = {
    LISTA: {"layers": 2},
    LIHT: {"layers": 2},
    LAMP: {"layers": 2},
    TiLISTA: {"layers": 2},
    ISTANet: {"phases": 2, "features": 4},
    ISTANetPlus: {"phases": 2, "features": 4},
    ISTANetPlusPlus: {"phases": 2, "features": 4},
    FISTANet: {"phases": 3, "features": 4},
    USRNet: {"iterations": 2, "features": 4, "blocks": 1, "hidden": 8},
    RPCANet: {"stages": 2, "features": 4},
    DISTANet: {"stages": 2, "features": 4, "mixer": 3, "gate": 3},
}
WITH_LOSS = [ISTANet, ISTANetPlus, FISTANet, DISTANet, RPCANet]


@pytest.fixture(scope="module")
def data() -> tuple[torch.Tensor, torch.Tensor]:
    shard = render_shard(load_data_recipe("seqcsist", ["trajectories=10"]), range(6))
    labels = grid_from_targets(shard.scenes.xy, shard.scenes.intensity, OPTICS)
    return torch.tensor(shard.frames), torch.tensor(labels, dtype=torch.float32)


@pytest.fixture(scope="module")
def sampling() -> Sampling:
    scenes = render_shard(load_data_recipe("seqcsist", ["trajectories=200"]), range(140)).scenes
    labels = grid_from_targets(scenes.xy, scenes.intensity, OPTICS)
    return Sampling.from_optics(OPTICS, fit_initialiser(labels.reshape(-1, 33, 33), OPTICS, ridge=1e-3))


def build(kind: type, sampling: Sampling) -> torch.nn.Module:
    torch.manual_seed(0)
    return kind(copy.deepcopy(sampling), kind.Settings(**SMALL[kind]))


@pytest.mark.parametrize("kind", PARAMETERS, ids=lambda kind: kind.__name__)
def test_full_size_has_the_benchmarks_parameters(kind: type) -> None:
    sampling = Sampling.from_optics(OPTICS)
    with torch.device("meta"):
        model = kind(sampling.to("meta"), kind.Settings())
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[kind]


@pytest.mark.parametrize("kind", SMALL, ids=lambda kind: kind.__name__)
def test_training_lowers_the_loss_through_every_parameter(kind: type, sampling: Sampling, data) -> None:
    frames, labels = data[0][:1, :4], data[1][:1, :4]
    model = build(kind, sampling)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)

    def loss() -> torch.Tensor:
        if kind in WITH_LOSS:
            return model.loss(frames, labels, slice(0, 4))["total"]
        return (model(frames) - labels).square().mean()

    first = loss()
    first.backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())
    for _ in range(8):
        optimiser.step()
        optimiser.zero_grad()
        last = loss()
        last.backward()
    assert last < first


@pytest.mark.parametrize("kind", WITH_LOSS, ids=lambda kind: kind.__name__)
def test_loss_contains_the_error_of_the_scored_frames(kind: type, sampling: Sampling, data) -> None:
    frames, labels = data[0][:2, :5], data[1][:2, :5]
    model = build(kind, sampling)
    terms = model.loss(frames, labels, slice(1, 4))
    assert set(terms) > {"total", "mse"}
    # Batch normalisation answers by the batch it is given, so the scored frames go in alone.
    torch.testing.assert_close(terms["mse"], (model(frames[:, 1:4]) - labels[:, 1:4]).square().mean())
    by_index = model.loss(frames, labels, torch.tensor([1, 2, 3]))
    torch.testing.assert_close(by_index["total"], terms["total"])


@pytest.mark.parametrize("kind", [k for k in SMALL if k.resizable], ids=lambda kind: kind.__name__)
def test_same_weights_work_on_a_window(kind: type, sampling: Sampling) -> None:
    model = build(kind, sampling).eval()
    frames = torch.zeros(1, 1, 11, 11)
    target = np.zeros((33, 33))
    target[16, 17] = 230.0
    frames[0, 0] = torch.tensor(OPTICS.sample(target))
    model.sampling = Sampling.from_optics(OPTICS)
    with torch.no_grad():
        whole = model(frames)
        model.sampling = Sampling.from_optics(Optics(size=5))
        window = model(frames[..., 3:8, 3:8])
    assert window.shape == (1, 1, 15, 15)
    # Borders and the regularised guess differ, the answer near the target hardly.
    middle = whole[0, 0, 14:19, 14:19]
    assert (window[0, 0, 5:10, 5:10] - middle).abs().max() < 0.15 * middle.abs().max()


@pytest.mark.parametrize("kind", [LISTA, LIHT, LAMP, TiLISTA], ids=lambda kind: kind.__name__)
def test_untrained_shrinkage_networks_already_sharpen(kind: type, sampling: Sampling, data) -> None:
    frames, labels = data
    with torch.no_grad():
        answer = kind(sampling, kind.Settings())(frames)
        guess = sampling.initial(frames)
    assert (answer - labels).square().mean() < (guess - labels).square().mean()


def ista_steps(frames: torch.Tensor, sampling: Sampling, steps: int, theta: float) -> torch.Tensor:
    """k steps of ISTA on the dense Phi, from x = Q y."""
    phi = torch.tensor(OPTICS.sampling_matrix, dtype=torch.float64)
    y = frames.flatten(2).double()
    x = y @ sampling.initialiser.double().T
    for _ in range(steps):
        x = x - (x @ phi.T - y) @ phi / sampling.lipschitz
        x = torch.sign(x) * torch.clamp(x.abs() - theta, min=0)
    return x.unflatten(-1, (33, 33))


def test_lista_with_analytic_weights_is_ista(sampling: Sampling, data) -> None:
    model = LISTA(sampling, LISTA.Settings(layers=5, theta=2.0, start="gradient"))
    expected = ista_steps(data[0], sampling, steps=5, theta=2.0)
    torch.testing.assert_close(model(data[0]).double(), expected, rtol=1e-4, atol=1e-2)


def test_tilista_without_support_selection_is_ista(sampling: Sampling, data) -> None:
    model = TiLISTA(sampling, TiLISTA.Settings(layers=4, theta=2.0, support=0.0, start="gradient"))
    expected = ista_steps(data[0], sampling, steps=4, theta=2.0)
    torch.testing.assert_close(model(data[0]).double(), expected, rtol=1e-4, atol=1e-2)


def test_lamp_follows_the_papers_recursion(sampling: Sampling, data) -> None:
    model = LAMP(sampling, LAMP.Settings(layers=3, shrinkage=1.0))
    phi = torch.tensor(OPTICS.sampling_matrix, dtype=torch.float32)
    y = data[0][0, 0].flatten() / 100
    x, v = torch.zeros(1089), torch.zeros(121)
    for b in model.feedforward:
        v = y - phi @ x + min(1.0, float((x != 0).sum()) / 121) * v
        u = x + b @ v
        x = torch.sign(u) * torch.clamp(u.abs() - v.norm() / 11, min=0)
    torch.testing.assert_close(model(data[0])[0, 0].flatten(), 100 * x, rtol=1e-3, atol=1e-2)


def test_an_untrained_phase_is_a_gradient_step(sampling: Sampling, data) -> None:
    phase = ISTAPhase(8)
    with torch.no_grad():
        phase.threshold.fill_(0.0)
        for join in (phase.forward_out, phase.backward_out):
            join.weight[0, 2:] = 0  # leave the identity alone
        y = data[0][0, :2].unsqueeze(1) / 100
        x = sampling.initial(y)
        answer, r, code = phase(x, y, sampling)
    torch.testing.assert_close(r, gradient_step(x, y, sampling, phase.step))
    torch.testing.assert_close(answer, r)
    assert (phase.invert(code) - r).square().mean() < 1e-10


def test_data_step_of_usrnet_is_the_minimiser(sampling: Sampling, data) -> None:
    y = data[0][0, :3].double()
    x = torch.rand(3, 33, 33, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weight = torch.tensor(0.3, dtype=torch.float64)
    solver = copy.deepcopy(sampling).double()
    z = solver.proximal(y, x, weight)
    gradient = solver.adjoint(solver(z) - y) + weight * (z - x)
    assert gradient.abs().max() < 1e-3 * y.max()  # the buffers were rounded to float32


def test_liht_from_the_identity_adds_what_least_squares_sees_once_a_layer() -> None:
    sampling = Sampling.from_optics(Optics(size=3))
    frames = torch.rand(1, 2, 3, 3, generator=torch.Generator().manual_seed(1)) * 100
    found = LIHT(sampling, LIHT.Settings(layers=4, theta=0.0, start="identity"))(frames)
    torch.testing.assert_close(found, 5 * sampling.initial(frames.flatten(0, 1))[None], rtol=1e-4, atol=1e-3)


def test_unknown_start_is_named() -> None:
    with pytest.raises(InputError, match="lista settings: start must be one of least-squares, gradient, identity"):
        network_from_settings(find("lista"), Optics(size=3), {"start": "grad"})


def test_phases_need_two_features() -> None:
    with pytest.raises(InputError, match="features must be at least 2, got 1"):
        ISTAPhase(1)
