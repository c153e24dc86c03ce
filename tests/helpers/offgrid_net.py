"""Small OffGrid-Nets for tests."""

from __future__ import annotations

import torch
from torch import nn

from csist_bench.methods.networks.base import build_network
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics

SMALL = ["width=16", "depth=2", "heads=2"]

CAMERA = Camera.from_recipe(load_data_recipe("seqcsist"))


def network(*overrides: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_network("offgrid-net", Optics(), [*SMALL, *overrides])
