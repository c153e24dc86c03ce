"""Distance of VGG19 features."""

import pytest
import torch
from safetensors.torch import save_file

from csist_bench.errors import InputError
from csist_bench.methods.networks.super_resolution.perceptual import PerceptualLoss

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
