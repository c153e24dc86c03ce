import numpy as np
import pytest
import torch
from scipy.ndimage import correlate

from csist_bench.errors import InputError
from csist_bench.methods import registry
from csist_bench.methods.networks.base import count_parameters
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.recipes import load_method_recipe
from csist_bench.simulation.optics import Optics
from csist_bench.training.recipe import training_recipe
from tests.helpers.super_resolution import ADVERSARIAL, build, perturb, random_frames

PARAMETERS = {
    "srcnn": 15_841,
    "espcn": 22_729,
    "edsr": 389_025,
    "rdn": 22_305_729,
    "dbpn": 1_963_594,
    "gmfn": 2_796_518,
    "srgan": 1_552_193,
    "esrgan": 16_658_753,
    "bsrgan": 11_622_785,
    "tdan": 584_833,
    "focus": 46_037,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_size_is_the_benchmarks(name):
    sampling = Sampling.from_optics(Optics())
    kind = registry.load_class(registry.find(name))
    with torch.device("meta"):
        model = kind(sampling, kind.Settings())
    assert count_parameters(model) == PARAMETERS[name]


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("optics", [Optics(size=7, c=1), Optics(size=5, c=5)])
def test_any_frame_and_grid_size(name, optics):
    answer = build(name, optics)(random_frames(2, 3, optics.size, optics.size))
    assert answer.shape == (2, 3, optics.grid_size, optics.grid_size)
    assert torch.isfinite(answer).all()


@pytest.mark.parametrize("name", PARAMETERS)
def test_gradient_reaches_every_parameter(name):
    model = perturb(build(name))
    frames, labels = random_frames(1, 5, 11, 11), random_frames(1, 5, 33, 33, seed=1)
    if hasattr(model, "loss"):
        model.loss(frames, labels, slice(1, 4))["total"].backward()
    else:
        (model(frames) - labels).square().mean().backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert silent == []


@pytest.mark.parametrize("name", sorted(set(PARAMETERS) - {"tdan"}))
def test_frames_are_answered_one_by_one(name):
    model = build(name).eval()
    frames = random_frames(2, 3, 11, 11)
    with torch.no_grad():
        together, alone = model(frames), model(frames[1:, 2:])
    torch.testing.assert_close(together[1:, 2:], alone, atol=1e-3, rtol=1e-4)
    assert not torch.allclose(together[0, 0], together[1, 2], atol=1e-2)


def test_srcnn_is_three_correlations_of_the_linear_estimate():
    model = build("srcnn")
    frames = random_frames(1, 1, 11, 11)
    channels = model.sampling.initial(frames)[0].numpy() / 255
    for layer, last in ((model.extract, False), (model.map, False), (model.reconstruct, True)):
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        planes = [
            sum(correlate(x, w, mode="constant") for x, w in zip(channels, kernel)) + b
            for kernel, b in zip(weight, bias)
        ]
        channels = np.stack(planes) if last else np.maximum(planes, 0)
    np.testing.assert_allclose(model(frames)[0].detach().numpy(), 255 * channels, atol=1e-2)


def test_espcn_interleaves_one_image_per_node_of_a_pixel():
    model = build("espcn")
    images = {}
    convolution = model.layers[-1][0]
    convolution.register_forward_hook(lambda _m, _i, output: images.update(nodes=output))
    grid = model(random_frames(1, 1, 11, 11))[0, 0]
    for row in range(3):
        for column in range(3):
            torch.testing.assert_close(grid[row::3, column::3], 255 * images["nodes"][0, 3 * row + column])


@pytest.mark.parametrize(("name", "convolutions"), [("edsr", 1), ("srgan", 0)])
def test_zero_residuals_leave_the_long_skip(name, convolutions):
    model = build(name)
    x = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    for parameter in model.trunk.parameters():
        torch.nn.init.zeros_(parameter)
    torch.testing.assert_close(model.trunk(x), x * (convolutions == 0))


def test_dense_block_matches_its_equation():
    block = build("rdn").blocks[0]
    x = torch.randn(1, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    first = torch.relu(block.layers[0][0](x))
    second = torch.relu(block.layers[1][0](torch.cat((x, first), dim=1)))
    torch.testing.assert_close(block(x), x + block.fusion(torch.cat((x, first, second), dim=1)))


def test_projections_undo_each_others_size_and_correct_their_error():
    model = build("dbpn")
    up, down = model.units[0], model.units[1]
    low = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    high = up(low)
    assert high.shape == (2, 4, 15, 15)
    assert down(high).shape == low.shape
    torch.testing.assert_close(high, up.first(low) + up.correct(up.back(up.first(low)) - low))
    torch.testing.assert_close(down(high), down.first(high) + down.correct(down.back(down.first(high)) - high))


def test_gmfn_averages_the_error_of_all_its_steps():
    model = perturb(build("gmfn"))
    frames, labels = random_frames(2, 4, 11, 11), random_frames(2, 4, 33, 33, seed=1)
    scored = slice(1, 3)
    errors = []
    for steps in (1, 2, 3):
        model.steps = steps
        errors.append((model(frames)[:, scored] - labels[:, scored]).square().mean().item())
    assert len({round(error, 4) for error in errors}) == 3
    assert model.loss(frames, labels, scored)["total"].item() == pytest.approx(np.mean(errors), rel=1e-5)


def test_gmfn_needs_a_step_to_feed_back_from():
    with pytest.raises(InputError, match="steps must be at least 2"):
        build("gmfn", steps=1)


@pytest.mark.parametrize("name", PARAMETERS)
def test_recipe_is_valid(name):
    recipe = load_method_recipe(name)
    training = training_recipe(recipe.training, f"{name} training")
    assert recipe.method == name
    assert (training.adversarial is not None) == (name in ADVERSARIAL)
