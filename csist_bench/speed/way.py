"""On which device networks are measured, and how."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import msgspec
import torch

from csist_bench.methods.networks.base import RunDtype, resolve_device
from csist_bench.training.recipe import TrainingRecipe

Precision = Literal["float32", "tf32", "bfloat16"]


@dataclass(frozen=True)
class Way:
    """A device, the number type of products (TF32 is of training alone), and whether networks are compiled."""

    device: torch.device
    precision: Precision = "float32"
    compile: bool = False

    @classmethod
    def of(cls, device: str, precision: Precision = "float32", compile: bool = False) -> Way:
        """Return the way on a device that is named."""
        return cls(resolve_device(device), precision, compile)

    @property
    def on_gpu(self) -> bool:
        """Whether the device takes whole batches in its stride."""
        return self.device.type != "cpu"

    @property
    def dtype(self) -> RunDtype:
        """The number type in which networks answer."""
        return "bfloat16" if self.precision == "bfloat16" else "float32"

    def rounding(self) -> AbstractContextManager[object]:
        """Return the context in which products are rounded, if they are."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.precision == "bfloat16" else nullcontext()

    def changed(self, recipe: TrainingRecipe) -> TrainingRecipe:
        """Return a training recipe that is carried out this way."""
        precision = recipe.precision if self.precision == "float32" else self.precision
        return msgspec.structs.replace(recipe, precision=precision, compile=self.compile)
