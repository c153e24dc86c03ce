"""The weights that a run starts from: those of the same network (fine-tuning), or of one that shares layers with it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from csist_bench.conventions import PriorTier
from csist_bench.errors import InputError
from csist_bench.methods.knowledge import tier_of_weights
from csist_bench.methods.networks.base import resolve_settings
from csist_bench.methods.networks.weight_files import shipped_weights
from csist_bench.methods.networks.weights import fill_weights, load_weights
from csist_bench.methods.registry import Method, find
from csist_bench.training.recipe import TrainingRecipe


@dataclass(frozen=True, eq=False)
class Start:
    """Tensors to start from; `whole` if network and settings are the same, else only shared layers are taken."""

    tensors: dict[str, Tensor]
    whole: bool
    digest: str
    where: str
    minutes: float  # of training them
    prior_tier: PriorTier = "D"

    def fill(self, model: nn.Module) -> None:
        """Copy the tensors into a network.

        Raises
        ------
        InputError
            If the network is not the same, or shares no layer with the one that the tensors are of.
        """
        if self.whole:
            fill_weights(model, self.tensors, self.where)
            return
        own = model.state_dict()
        shared = {n: t for n, t in self.tensors.items() if n in own and own[n].shape == t.shape}
        for part in getattr(model, "indivisible", ()):  # taken whole or not at all
            names = {name for name in own if name.startswith(f"{part}.")}
            if not names <= shared.keys():
                shared = {n: t for n, t in shared.items() if n not in names}
        if not {name for name, _ in model.named_parameters()} & shared.keys():
            raise InputError(f"start_from must be a network with layers of the same names, got {self.where}")
        model.load_state_dict({**own, **shared})


def weights_digest(file: Path) -> str:
    """Return the digest by which a run and its hash name the weights that they started from."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def starting_weights(
    method: Method, settings: Mapping[str, Any], recipe: TrainingRecipe, path: str, resumed: bool
) -> Start | None:
    """Return the weights of `--init`, or those shipped for the method that the recipe starts from; None for neither.

    A resumed run has its weights already, so only those of `--init` are read, to compare.
    """
    if not path and (resumed or not recipe.start_from):
        return None
    source = find(recipe.start_from).name if recipe.start_from else method.name
    file = Path(path) if path else shipped_weights(source)
    if file is None:
        raise InputError(
            f"start_from = {source!r} needs weights, and none are shipped; train them first "
            f"(csist-bench train {source}) and give them with --init FILE"
        )
    model, card = load_weights(file)
    if card.method not in {source, method.name}:
        raise InputError(f"{file}: weights must be of method {source!r}, got those of {card.method!r}")
    digest = weights_digest(file)
    # Weights given by hand for the same method must fit as they are; those of another variant may share some layers.
    whole = card.method == method.name and (
        not recipe.start_from or resolve_settings(method, card.settings) == settings
    )
    return Start(
        model.state_dict(),
        whole,
        digest,
        str(file),
        card.minutes,
        tier_of_weights(card.prior_tier, card.dataset, card.recipe),
    )
