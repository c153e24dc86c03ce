"""Number types of the arithmetic in training: float32, TF32, or mixed with bfloat16 or float16."""

from __future__ import annotations

from typing import Literal

import torch

TrainingDtype = Literal["float32", "tf32", "bfloat16", "float16"]

_MIXED = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class MixedPrecision:
    """Autocast and, for float16, the loss scale that keeps small gradients from vanishing."""

    def __init__(self, dtype: TrainingDtype, device: torch.device) -> None:
        self.device = device
        self.dtype = _MIXED.get(dtype)
        self.scaler = torch.amp.GradScaler(device.type, enabled=dtype == "float16")
        torch.backends.cuda.matmul.allow_tf32 = dtype != "float32"
        torch.backends.cudnn.allow_tf32 = dtype != "float32"
        torch.backends.cudnn.benchmark = True  # every batch has the same shape

    def autocast(self) -> torch.autocast:
        """Return the context in which networks are evaluated."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None)
