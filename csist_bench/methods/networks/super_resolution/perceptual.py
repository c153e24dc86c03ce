"""Perceptual distance: mean absolute difference of VGG19 features (SRGAN, CVPR 2017, equation 5; ESRGAN, 3.3).

Optional: the weights of VGG19's convolutions (Simonyan & Zisserman, ICLR 2015), trained on photographs, come from a
safetensors file of the user's own, with torchvision's names (`features.<layer>.weight`, `features.<layer>.bias`).
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from csist_bench.errors import InputError, must

# Up to the sixteenth convolution, torchvision's layer 34, taken before its ReLU.
VGG19 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512)
MIN_SIDE = 16  # four maxima halve the grid
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class PerceptualLoss(nn.Module):
    """Distance of grids in the feature space of VGG19; its weights are fixed.

    Parameters
    ----------
    path : str or Path
        Safetensors file with at least the sixteen convolutions of VGG19.
    widths : tuple of int
        Channels of each convolution, 0 for a 2x2 maximum.

    Raises
    ------
    InputError
        If the file is missing, is no safetensors file, or lacks a tensor or holds one of another shape.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, path: str | Path, widths: tuple[int, ...] = VGG19) -> None:
        super().__init__()
        self.features = _vgg_layers(widths)
        _load(self.features, Path(path))
        self.features.requires_grad_(False).eval()
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, grids: Tensor, labels: Tensor) -> Tensor:
        """Return the distance of two batches of grids (B, 1, h, w), h and w at least 16, scaled to about [0, 1]."""
        if min(grids.shape[-2:]) < MIN_SIDE:
            raise must("grids", f"be at least {MIN_SIDE} nodes a side for VGG19 features", tuple(grids.shape))
        with torch.no_grad():
            wanted = self._describe(labels)
        return (self._describe(grids) - wanted).abs().mean()

    def _describe(self, grids: Tensor) -> Tensor:
        return self.features((grids - self.mean) / self.std)  # one channel broadcast to three


def _vgg_layers(widths: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for width in widths:
        if width:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        else:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers[:-1])


def _load(features: nn.Sequential, path: Path) -> None:
    if not path.is_file():
        raise must("perceptual_weights", "be a safetensors file of VGG19", path, "leave it empty to train without")
    try:
        stored = load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path}: not a safetensors file: {error}") from None
    for name, tensor in features.state_dict().items():
        found = stored.get(f"features.{name}")
        if found is None or found.shape != tensor.shape:
            got = "no such tensor" if found is None else tuple(found.shape)
            raise InputError(f"{path}: features.{name} must have shape {tuple(tensor.shape)}, got {got}")
    features.load_state_dict({name: stored[f"features.{name}"] for name in features.state_dict()})
