"""Data-parallel training under torchrun: every process takes its slice of each batch, gradients are averaged."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from csist_bench.errors import must


@dataclass(frozen=True)
class World:
    """The processes of a run: how many, and which one this is."""

    size: int = 1
    rank: int = 0

    @property
    def leads(self) -> bool:
        """Whether this process validates, prints and writes."""
        return self.rank == 0

    def share(self, batch: Tensor) -> Tensor:
        """Return this process's slice of a batch's index (B,)."""
        own = len(batch) // self.size
        return batch[self.rank * own : (self.rank + 1) * own]

    def require_divisible(self, batch: int) -> None:
        """Raise unless a batch can be shared evenly."""
        if batch % self.size:
            raise must("batch", f"be divisible by the {self.size} processes", batch)

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by their mean over the processes, in place, by one exchange."""
        if self.size == 1:
            return
        tensors = list(tensors)
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.size
        start = 0
        for tensor in tensors:
            tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
            start += tensor.numel()

    def any(self, flag: bool, device: torch.device) -> bool:
        """Tell whether the flag is set in any process."""
        if self.size == 1:
            return flag
        shared = torch.tensor(float(flag), device=device)
        dist.all_reduce(shared, op=dist.ReduceOp.MAX)
        return bool(shared)


@contextmanager
def joined(device: torch.device) -> Iterator[tuple[World, torch.device]]:
    """Join the processes that torchrun started, if it did; yields the world and this process's device."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield World(), device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield World(dist.get_world_size(), dist.get_rank()), device
    finally:
        dist.destroy_process_group()
