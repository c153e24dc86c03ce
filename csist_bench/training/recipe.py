"""How a network is trained: every field of the `[training]` table of a method's recipe, with its range and unit.

A recipe file lists only what departs from these defaults. Steps, not minutes, drive every schedule, so a paused and
resumed run is the same run. Published training (SeqCSIST, TGRS 2025, section V): Adam, lr 1e-4, one trajectory a batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from csist_bench.errors import must
from csist_bench.methods.networks.base import resolve_settings
from csist_bench.methods.registry import Method
from csist_bench.recipes import Count, NonNegative, Positive, convert, recipe_hash
from csist_bench.training.stream_recipe import StreamRecipe

HASH_SCHEME = 2  # of new runs; `training_hash_1` is the one before
RUN_OPTIONS = ("compile", "validate_batch", "log_every", "save_minutes", "max_ram")  # say how a run is carried out

Share = Annotated[float, Meta(ge=0, lt=1)]
Whole = Annotated[int, Meta(ge=0)]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of a recipe whose numbers are finite."""

    def __post_init__(self) -> None:
        for name, value in msgspec.structs.asdict(self).items():
            if isinstance(value, float) and not math.isfinite(value):
                raise must(name, "be finite", value)


class WindowRecipe(_Table, frozen=True, kw_only=True):
    """Windowed pre-training: the same network on crops of `size` px about the brightest pixel; `[training.window]`.

    Only for networks that do not depend on the grid's size (`resizable = True`). Fields left at 0 are those of the
    full-size stage.
    """

    size: Annotated[int, Meta(ge=3, le=512)] = 5  # px, odd
    epochs: Positive = 4.0  # passes over the chosen frames
    steps: Whole = 0  # overrides epochs when positive
    lr: NonNegative = 0.0  # highest learning rate
    batch_frames: Whole = 0  # frames a step
    batch_trajectories: Whole = 0  # trajectories a step
    validate_every: NonNegative = 0.0  # epochs, on full frames; 0: at the end only

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size % 2 == 0:
            raise must("window size", "be odd (the brightest pixel is its centre)", self.size)


class AdversarialRecipe(_Table, frozen=True, kw_only=True):
    """Adversarial training: loss weights of the generator and the critic's optimiser; `[training.adversarial]`.

    Grids are divided by 255 before any of these losses, so that the weights do not depend on the grey-level scale.
    `perceptual` needs `perceptual_weights`, a VGG19 safetensors file of the user's own; without it the term is absent.
    """

    pixel: NonNegative = 0.01  # weight of the pixel loss
    pixel_loss: Literal["l1", "mse"] = "l1"  # absolute or squared difference
    adversarial: NonNegative = 5e-3  # weight of the critic's verdict
    perceptual: NonNegative = 1.0  # weight of the difference of VGG19's features
    perceptual_weights: str = ""  # path of VGG19's weights
    critic_lr: Positive = 1e-4  # of the critic
    critic_weight_decay: NonNegative = 0.0  # of the critic
    warmup_steps: Whole = 0  # first steps: pixel loss alone, without the critic


class CalibrationRecipe(_Table, frozen=True, kw_only=True):
    """A last stage that fits the standard errors of a network and nothing else; `[training.calibration]`.

    It starts from the last weights. The likelihood hardly changes near the best standard errors (ten percent off cost
    it one percent), so that other terms of the loss outweigh it. The weights are rounded first as they will be kept.
    """

    steps: Count = 600  # of this stage
    lr: Positive = 5e-3  # learning rate
    noise_free: Annotated[float, Meta(ge=0, le=1)] = 0.5  # share without noise, in place of the stream's


class TrainingRecipe(_Table, frozen=True, kw_only=True):
    """Everything that decides the result of a training run, beside the data, the network and its settings.

    The comment of a field is its line in docs/recipe-fields.md (docs/make_reference.py).
    """

    # First weights: random (""), or those of this method for the layers that both networks have under one name.
    start_from: str = ""
    # Passes over the chosen frames (or trajectories); a last, partial batch is left out.
    epochs: Positive = 5.0
    steps: Whole = 0  # overrides epochs when positive
    batch_frames: Count = 64  # independent frames a step, of networks of context "frame"
    batch_trajectories: Count = 1  # whole trajectories a step, of networks of context "trajectory"
    frames: Literal["all", "scored"] = "all"  # which frames of a trajectory single-frame networks learn from
    trajectories: Whole = 0  # use only this many of the training split (0: all)
    noise: NonNegative = 0.0  # Gaussian read noise added to every frame, grey levels
    augment: bool = False  # random flips and transposition, one of the square's eight symmetries per sample
    # Labels lose this share of their intensity for each pixel between target and node (at most 0.236 px at c = 3): node
    # values, by which detections are ranked, then tell how near a target is. 0: the published labels.
    label_falloff: Annotated[float, Meta(ge=0, le=3)] = 0.0
    # "muon": betas and plain Adam for vectors alone, weight decay as AdamW's; critics are trained alike.
    optimiser: Literal["adam", "adamw", "muon"] = "adam"
    lr: Positive = 1e-3  # highest learning rate
    # "cosine" falls to final_lr * lr; "one-cycle" rises by a cosine first.
    schedule: Literal["cosine", "one-cycle", "constant"] = "cosine"
    warmup: Share = 0.0  # share of all steps over which the rate rises (one-cycle: 0 means 0.3)
    final_lr: Annotated[float, Meta(ge=0, le=1)] = 0.0  # share of lr at the last step
    beta1: Share = 0.9  # of the optimiser
    beta2: Share = 0.999  # of the optimiser
    weight_decay: NonNegative = 0.0  # of the optimiser
    clip_norm: NonNegative = 0.0  # largest gradient norm, for the loss in grey levels squared (0: no clipping)
    ema: Share = 0.0  # decay of the moving average of the weights (0: none); the average is what is validated and kept
    # Loss: weights of the terms that the network's own loss names; empty: the network's own total.
    loss_weights: dict[str, NonNegative] = {}
    precision: Literal["float32", "tf32", "bfloat16", "float16"] = "float32"  # number type of products
    compile: bool = False  # by torch.compile
    # Q: fitted to the split's label grids, or the ridge pseudo-inverse of Phi. That one is the same in a window as on
    # the full frame but for 0.1 % of its energy, so weights trained in the window hold on full frames as they are.
    initialiser: Literal["fitted", "pseudo-inverse"] = "fitted"
    initialiser_ridge: Positive = 1e-4  # ridge of the fit, relative to the mean eigenvalue of Y Y^T
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0  # of first weights, order and augmentation
    validate_every: Positive = 1.0  # epochs between validations
    validate_trajectories: Whole = 0  # of the validation split (0: all)
    validate_batch: Count = 512  # frames per forward pass
    log_every: Count = 50  # steps between log lines
    save_minutes: Positive = 5.0  # minutes between saves of the resumable state
    half_weights: bool = False  # store the kept weights in half precision
    max_ram: Positive = 8.0  # GB for the split in memory; a larger one is read in groups of chunks
    window: WindowRecipe | None = None  # pre-training on crops
    adversarial: AdversarialRecipe | None = None  # training against a critic
    stream: StreamRecipe | None = None  # endless scenes in place of the stored split
    calibration: CalibrationRecipe | None = None  # a last stage that fits standard errors


def training_hash(
    method: Method, settings: Mapping[str, Any], recipe: TrainingRecipe, initial_weights: str = ""
) -> str:
    """Return the hash that identifies how weights were made, 'sha256:<hex>': scheme `HASH_SCHEME`.

    It covers the method, the settings and recipe fields that are not default but for `RUN_OPTIONS`, and the digest of
    the weights that training started from, if any. A field added to the recipe, or a setting to the network, leaves the
    hash of earlier recipes as it is.
    """
    training = {name: value for name, value in _departures(recipe).items() if name not in RUN_OPTIONS}
    table = {"scheme": HASH_SCHEME, **_chosen(method, settings), "training": training}
    return recipe_hash(table | {"initial_weights": initial_weights} if initial_weights else table)


def training_hash_1(method: Method, settings: Mapping[str, Any], recipe: TrainingRecipe) -> str:
    """Return the hash of scheme 1, which cards without a scheme and rows of their weights bear: frozen.

    It covers run options, and says nothing of the weights that training started from.
    """
    return recipe_hash({**_chosen(method, settings), "training": _departures(recipe)})


def _chosen(method: Method, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a method and those of its settings that are not default."""
    usual = resolve_settings(method, {})
    chosen = {name: value for name, value in resolve_settings(method, settings).items() if value != usual[name]}
    return {"method": method.name, "settings": chosen}


def _departures(recipe: msgspec.Struct) -> dict[str, Any]:
    """Return the fields of a recipe that differ from the defaults, sub-tables likewise."""
    usual, chosen = type(recipe)(), {}
    for name in recipe.__struct_fields__:
        value = getattr(recipe, name)
        if value != getattr(usual, name):
            chosen[name] = _departures(value) if isinstance(value, msgspec.Struct) else value
    return chosen


_TABLES: dict[str, type[msgspec.Struct]] = {
    "window": WindowRecipe,
    "adversarial": AdversarialRecipe,
    "stream": StreamRecipe,
    "calibration": CalibrationRecipe,
}


def training_recipe(table: Mapping[str, Any], where: str = "training") -> TrainingRecipe:
    """Return the typed recipe of a `[training]` table; a bad field is named with its rule and the nearest spelling.

    Dotted names (`window.size`), as `--set` gives them, reach into the sub-tables; `window = false` switches one off,
    `window = true` on with its defaults.
    """
    plain: dict[str, Any] = {}
    for name, value in table.items():
        head, dot, tail = name.partition(".")
        if dot and head in _TABLES:
            plain[head] = {**(plain.get(head) or {}), tail: value}
        else:
            plain[name] = value
    for name, kind in _TABLES.items():
        if isinstance(plain.get(name), Mapping):
            plain[name] = convert(plain[name], kind, f"{where}: {name}")
        elif isinstance(plain.get(name), bool):
            plain[name] = kind() if plain[name] else None
    return convert(plain, TrainingRecipe, where)
