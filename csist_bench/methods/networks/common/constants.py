"""Numbers that are the same in every call, kept on the device that asks for them.

A tensor made of Python numbers is copied to a GPU in every call, and each copy waits for all that the GPU was given.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

Numbers = tuple[Any, ...] | float


def constant(values: Numbers, like: Tensor) -> Tensor:
    """Return numbers as a tensor of the type and on the device of another; it is shared, not to be written to."""
    return kept(values, like.dtype, like.device)


@functools.lru_cache(maxsize=256)
def kept(values: Numbers, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return numbers as a tensor, the same one at every call; it is not to be written to."""
    with torch.inference_mode(False):  # it may be asked for again where gradients are taken
        return torch.tensor(values, dtype=dtype, device=device)
