"""Batched DeRefNet against one call per centre and neighbour: `python -m tests.reference.derefnet_speed`.

Both run on one set of full-size weights, turn about, in one process, so that other work on the machine hits both.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from csist_bench.methods.networks.base import build_network
from csist_bench.methods.networks.unfolding.derefnet import DeRefNet
from csist_bench.simulation.optics import Optics
from csist_bench.speed.loop_derefnet import loop_forward, loop_loss
from csist_bench.speed.parts import best_of

FRAMES, SCORED, ROUNDS = 20, range(2, 18), 3


def main() -> None:
    """Print the seconds of one trajectory by both ways and their ratio."""
    torch.manual_seed(0)
    optics = Optics()
    # With the symmetry residual of the paper, which the loop always computes.
    model = build_network("derefnet", optics, ["symmetry_weight=0.01"])
    assert isinstance(model, DeRefNet)
    frames = 250 * torch.rand(1, FRAMES, optics.size, optics.size)
    labels = 250 * torch.rand(1, FRAMES, optics.grid_size, optics.grid_size)
    with torch.no_grad():
        report("forward", lambda: model(frames), lambda: loop_forward(model, frames))
    scored = slice(SCORED.start, SCORED.stop)
    report(
        "training step",
        lambda: model.loss(frames, labels, scored)["total"].backward(),
        lambda: loop_loss(model, frames, labels, SCORED).backward(),
    )


def report(name: str, batched: Callable[[], object], looped: Callable[[], object]) -> None:
    """Time two ways turn about and print the least of each."""
    times = [(best_of(batched, 1), best_of(looped, 1)) for _ in range(ROUNDS + 1)][1:]  # the first warms up
    fast, slow = (min(way) for way in zip(*times))
    print(f"{name:<14} batched {fast:.3f} s, one call a pair {slow:.3f} s: {slow / fast:.2f} x")


if __name__ == "__main__":
    main()
