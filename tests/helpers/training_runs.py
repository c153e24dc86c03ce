"""Small training runs for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from csist_bench.datasets import Dataset
from csist_bench.methods import registry
from csist_bench.training.recipe import training_recipe
from csist_bench.training.run import Options, Outcome, train

ESPCN = {"features": 6, "mapped": 4}

AT_ONCE = 1e-9  # minutes: pause after every step


# Recipes that between them use all that a resumed run must take up.
RECIPES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "plain": ("espcn", ESPCN, {"steps": 6, "batch_frames": 16, "lr": 1e-2}),
    "all options": (
        "espcn",
        ESPCN,
        {"steps": 6, "batch_frames": 16, "ema": 0.9, "noise": 2.0, "augment": True, "optimiser": "adamw",
         "weight_decay": 0.1, "schedule": "one-cycle", "clip_norm": 1.0, "precision": "bfloat16"},
    ),
    "muon": ("espcn", ESPCN, {"steps": 6, "batch_frames": 16, "optimiser": "muon", "weight_decay": 0.1}),
    "float16": ("espcn", ESPCN, {"steps": 6, "batch_frames": 16, "precision": "float16", "clip_norm": 1.0}),
    "window": ("srcnn", {"features": 4, "mapped": 4},
               {"steps": 2, "batch_frames": 16, "ema": 0.5, "window.steps": 3, "window.lr": 1e-3,
                "window.validate_every": 0.3}),
    "trajectories": ("tdan", {"features": 4, "blocks_before": 1, "blocks_after": 1, "deform_groups": 2},
                     {"steps": 4, "batch_trajectories": 2}),
    "adversarial": ("srgan", {"features": 4, "blocks": 1, "critic_features": 2},
                    {"steps": 4, "batch_frames": 8, "adversarial.warmup_steps": 2, "ema": 0.5, "optimiser": "muon"}),
}  # fmt: skip


def go(
    store: Dataset,
    folder: Path,
    name: str,
    settings: dict[str, Any],
    table: dict[str, Any],
    say: Callable[[str], None] = lambda line: None,
    **options: Any,
) -> Outcome:
    recipe = training_recipe({"log_every": 1, "validate_every": 0.5, **table})
    where = Options(folder, **options)
    return train(registry.find(name), store, settings, recipe, where, torch.device("cpu"), say)
