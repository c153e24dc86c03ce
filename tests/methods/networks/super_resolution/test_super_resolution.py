import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402
from scipy.ndimage import correlate  # noqa: E402

from csist_bench.errors import InputError  # noqa: E402
from csist_bench.methods import registry  # noqa: E402
from csist_bench.methods.networks.base import count_parameters  # noqa: E402
from csist_bench.methods.networks.common.sampling import Sampling  # noqa: E402
from csist_bench.methods.networks.super_resolution.critics import UNetCritic, VGGCritic, critic_loss, generator_loss  # noqa: E402
from csist_bench.methods.networks.super_resolution.perceptual import PerceptualLoss  # noqa: E402
from csist_bench.methods.networks.super_resolution.tdan import TDAN  # noqa: E402
from csist_bench.recipes import load_method_recipe  # noqa: E402
from csist_bench.simulation.optics import Optics  # noqa: E402
from csist_bench.training.recipe import training_recipe  # noqa: E402

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
SMALL = {
    "srcnn": {"features": 4, "mapped": 3},
    "espcn": {"features": 4, "mapped": 3},
    "edsr": {"features": 4, "blocks": 2},
    "rdn": {"features": 4, "growth": 3, "blocks": 2, "layers": 2},
    "dbpn": {"wide": 6, "features": 4, "stages": 2},
    "gmfn": {"features": 4, "steps": 3, "blocks": 2, "layers": 2},
    "srgan": {"features": 4, "blocks": 2, "critic_features": 4},
    "esrgan": {"features": 4, "growth": 3, "blocks": 1, "critic_features": 4},
    "bsrgan": {"features": 4, "growth": 3, "blocks": 1, "critic_features": 4},
    "tdan": {"features": 4, "blocks_before": 1, "blocks_after": 1, "deform_groups": 2},
    "focus": {"features": 4, "mapped": 3},
}
ADVERSARIAL = ("srgan", "esrgan", "bsrgan")


def build(name, optics=None, **settings):
    torch.manual_seed(0)
    sampling = Sampling.from_optics(optics or Optics())
    kind = registry.load_class(registry.find(name))
    return kind(sampling, kind.Settings(**{**SMALL[name], **settings}))


def random_frames(*shape, seed=0):
    return 200 * torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def perturb(model, seed=1):
    """Give every parameter a value of its own, so that nothing rests at the zero it started from."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return model


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


def looped_tdan(model: TDAN, frames):
    """TDAN for one trajectory (T, S, S) as the paper says it: centre by centre, neighbour by neighbour."""
    grids, last = [], len(frames) - 1
    for j in range(len(frames)):
        centre = model.extract(frames[None, None, j] / 255)
        window = []
        for step in (-2, -1, 0, 1, 2):
            i = min(max(j + step, 0), last)
            if step == 0:
                window.append(frames[None, None, j] / 255)
                continue
            neighbour = model.extract(frames[None, None, i] / 255)
            guide = model.guide(model.pair(torch.cat((centre, neighbour), dim=1)))
            window.append(model.to_frame(model.align(model.align_by_guide(neighbour, guide))))
        grids.append(255 * model.reconstruct(torch.cat(window, dim=1))[0, 0])
    return torch.stack(grids)


def test_tdan_in_one_batch_equals_the_loops():
    model = perturb(build("tdan")).eval()
    frames = random_frames(2, 6, 11, 11)
    with torch.no_grad():
        got, want = model(frames), torch.stack([looped_tdan(model, sequence) for sequence in frames])
    torch.testing.assert_close(got, want, atol=1e-3, rtol=1e-4)


def test_tdan_sees_two_frames_either_way():
    model = perturb(build("tdan")).eval()
    frames = random_frames(1, 8, 11, 11)
    changed = frames.clone()
    changed[:, 4] += 50
    with torch.no_grad():
        moved = (model(changed) - model(frames)).abs().amax(dim=(0, 2, 3)) > 1e-3
    assert moved.tolist() == [False, False, True, True, True, True, True, False]


def test_tdan_published_slip_pastes_the_middle_frame():
    frames = random_frames(1, 7, 11, 11)
    own, slip = (perturb(build("tdan", centre=centre)).eval() for centre in ("own", "frame10"))
    with torch.no_grad():
        same = (own(frames) - slip(frames)).abs().amax(dim=(0, 2, 3)) < 1e-4
    assert same.tolist() == [False, False, False, True, False, False, False]


def test_tdan_loss_counts_the_scored_frames_and_their_alignment():
    model = perturb(build("tdan"))
    frames, labels = random_frames(2, 6, 11, 11), random_frames(2, 6, 33, 33, seed=1)
    terms = model.loss(frames, labels, slice(2, 5))
    want = (model(frames)[:, 2:5] - labels[:, 2:5]).square().mean()
    torch.testing.assert_close(terms["unmixing"], want, rtol=1e-5, atol=1e-3)
    assert terms["alignment"] > 0
    torch.testing.assert_close(terms["total"], terms["unmixing"] + 0.01 * terms["alignment"])
    by_index = model.loss(frames, labels, torch.tensor([2, 3, 4]))
    torch.testing.assert_close(by_index["total"], terms["total"])


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


TINY_VGG = (2, 2, 0, 3, 0, 3)


def tiny_vgg_file(folder, **changes):
    generator = torch.Generator().manual_seed(0)
    shapes = {"0": (2, 3), "2": (2, 2), "5": (3, 2), "8": (3, 3)}
    tensors = {}
    for layer, (wide, narrow) in shapes.items():
        tensors[f"features.{layer}.weight"] = torch.randn(wide, narrow, 3, 3, generator=generator)
        tensors[f"features.{layer}.bias"] = torch.randn(wide, generator=generator)
    tensors["classifier.0.weight"] = torch.zeros(2, 2)
    tensors.update(changes)
    path = folder / "vgg.safetensors"
    save_file({name: tensor for name, tensor in tensors.items() if tensor is not None}, path)
    return path


def test_perceptual_distance_is_zero_only_for_the_same_grid(tmp_path):
    loss = PerceptualLoss(tiny_vgg_file(tmp_path), TINY_VGG)
    grids, labels = torch.rand(2, 1, 33, 33, requires_grad=True), torch.rand(2, 1, 33, 33)
    assert float(loss(labels, labels)) == 0
    distance = loss(grids, labels)
    distance.backward()
    assert distance > 0
    assert grids.grad.abs().max() > 0
    assert all(not p.requires_grad for p in loss.parameters())


def test_perceptual_features_are_those_of_the_file(tmp_path):
    loss = PerceptualLoss(tiny_vgg_file(tmp_path), TINY_VGG)
    tensors = loss.features.state_dict()
    assert [type(layer).__name__[:4] for layer in loss.features] == [
        "Conv", "ReLU", "Conv", "ReLU", "MaxP", "Conv", "ReLU", "MaxP", "Conv",
    ]  # fmt: skip
    assert set(tensors) == {f"{layer}.{part}" for layer in (0, 2, 5, 8) for part in ("weight", "bias")}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features.5.bias": None}, r"features.5.bias must have shape \(3,\), got no such tensor"),
        ({"features.2.weight": torch.zeros(2, 3, 3, 3)}, r"features.2.weight must have shape \(2, 2, 3, 3\), got"),
    ],
)
def test_perceptual_weights_of_another_network_are_named(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        PerceptualLoss(tiny_vgg_file(tmp_path, **changes), TINY_VGG)


def test_perceptual_weights_missing_or_damaged(tmp_path):
    with pytest.raises(InputError, match="perceptual_weights must be a safetensors file of VGG19, got"):
        PerceptualLoss(tmp_path / "absent.safetensors")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"not at all")
    with pytest.raises(InputError, match="not a safetensors file"):
        PerceptualLoss(damaged)


def test_perceptual_loss_needs_room_for_four_maxima(tmp_path):
    loss = PerceptualLoss(tiny_vgg_file(tmp_path), TINY_VGG)
    with pytest.raises(InputError, match="grids must be at least 16 nodes a side"):
        loss(torch.zeros(1, 1, 15, 33), torch.zeros(1, 1, 15, 33))


@pytest.mark.parametrize("name", PARAMETERS)
def test_recipe_is_valid(name):
    recipe = load_method_recipe(name)
    training = training_recipe(recipe.training, f"{name} training")
    assert recipe.method == name
    assert (training.adversarial is not None) == (name in ADVERSARIAL)
