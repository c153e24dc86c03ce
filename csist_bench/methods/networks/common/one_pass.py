"""A linear layer and its GELU in one pass over memory, where a network answers on a CPU.

Taken one after the other, the bias is copied into the result, the product is added to it, and GELU reads and writes it
once more: for layers of 64 to 256 features that takes as long as the product itself. oneDNN, which computes both in
PyTorch, does them in one; the numbers are the same.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

# oneDNN's own operator, by which torch.compile fuses; it stands in no public interface, so it may be missing.
_FUSED = getattr(torch.ops.mkldnn, "_linear_pointwise", None) if torch.backends.mkldnn.is_available() else None


class Perceptron(nn.Sequential):
    """Linear layers and GELUs in turn; each pair takes one pass where that can be."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., features) by the layers in their order."""
        layers = list(self)
        while layers:
            layer = layers.pop(0)
            if isinstance(layer, nn.Linear) and layers and isinstance(layers[0], nn.GELU):
                layers.pop(0)
                x = linear_gelu(layer, x)
            else:
                x = layer(x)
        return x


def linear_gelu(layer: nn.Linear, x: Tensor) -> Tensor:
    """Return gelu(layer(x)) of (..., features)."""
    if not _can_fuse(layer, x):
        return functional.gelu(layer(x))
    return cast(Tensor, _FUSED(x, layer.weight, layer.bias, "gelu", [], "none"))  # type: ignore[misc]


def _can_fuse(layer: nn.Linear, x: Tensor) -> bool:
    """Tell whether numbers are answered, not learned, counted or compiled, on a CPU and in float32."""
    return (
        _FUSED is not None
        and torch.is_inference_mode_enabled()
        and x.device.type == "cpu"
        and x.dtype == layer.weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and x.numel() > 0
    )
