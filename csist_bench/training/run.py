"""A training run from recipe to weights: network, data, stages, validation, and the run's folder.

The stages are windowed pre-training, where the recipe has it, training on full frames, and, where the recipe has it, a
calibration of the network's standard errors. Pre-training (5 x 5 px windows hold every target of SeqCSIST and all
the light) costs a fifth of the time per frame.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from csist_bench.conventions import PriorTier
from csist_bench.datasets import Dataset
from csist_bench.errors import InputError, show
from csist_bench.methods.knowledge import most_known, tier_of_law
from csist_bench.methods.networks.base import network_from_settings, require_finite_weights, resolve_settings
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.weights import WeightsCard, in_half_precision, save_weights
from csist_bench.methods.registry import Method
from csist_bench.recipes import resolved
from csist_bench.simulation.optics import Optics
from csist_bench.training import checkpoint
from csist_bench.training.adversarial import AdversarialLearner
from csist_bench.training.checkpoint import Progress, RunRecipe
from csist_bench.training.contexts import learning_only, sampled_by
from csist_bench.training.distributed import World, joined
from csist_bench.training.learner import Learner
from csist_bench.training.log import append_line, rewind_log
from csist_bench.training.loop import CALIBRATION, FULL, WINDOW, Hooks, Stage, TrainingDiverged, run_stage
from csist_bench.training.recipe import HASH_SCHEME, TrainingRecipe, training_hash
from csist_bench.training.reporter import Reporter
from csist_bench.training.stages import require_fit, stages_of
from csist_bench.training.start import Start, starting_weights
from csist_bench.training.stopping import StopRequest
from csist_bench.training.stream_recipe import STORED
from csist_bench.training.training_set import fitted_initialiser, training_data
from csist_bench.training.validation import Validation


@dataclass(frozen=True)
class Options:
    """How a run is carried out; nothing here changes its result."""

    folder: Path
    resume: bool = False
    overwrite: bool = False
    max_minutes: float = 0.0
    initial_weights: str = ""

    def __post_init__(self) -> None:
        if self.resume and self.overwrite:
            raise InputError("--resume and --overwrite must not be given together")


@dataclass(frozen=True)
class Outcome:
    """What a call of `train` came to; `best` is the validation CSO-mAP in percent.

    Of several processes only the one that `leads` knows the score. `weights` names the file to use.
    """

    finished: bool
    steps: int
    minutes: float
    best: float | None
    leads: bool
    reason: str
    weights: str


@dataclass(frozen=True)
class Place:
    """Where a run is carried out: its folder, this process's device and place among others, and who hears of it."""

    folder: Path
    device: torch.device
    world: World
    say: Callable[[str], None]


def train(
    method: Method,
    store: Dataset,
    settings: Mapping[str, Any],
    recipe: TrainingRecipe,
    options: Options,
    device: torch.device,
    say: Callable[[str], None],
) -> Outcome:
    """Train a network by a recipe, or go on with a paused run, and leave its weights in the run's folder.

    Parameters
    ----------
    method : Method
        Registry row of a network.
    store : Dataset
        Data set with splits "train" and "val".
    settings : mapping
        Settings of the network; those left out have their defaults.
    say : callable
        Takes lines of progress.

    Raises
    ------
    InputError
        If settings, recipe, data and folder do not belong together.
    TrainingDiverged
        If a loss or weight is no longer finite; what was saved before is kept.
    """
    settings = resolve_settings(method, settings)
    saved = checkpoint.read_run_recipe(options.folder) if options.resume else None
    start = starting_weights(method, settings, recipe, options.initial_weights, saved is not None)
    told = RunRecipe(
        method=method.name,
        settings=msgspec.to_builtins(settings),
        training=resolved(recipe),
        dataset=recipe.stream.title if recipe.stream else store.recipe.name,
        fingerprint=store.fingerprint,
        initial_weights=start.digest if start else saved.initial_weights if saved else "",
        prior_tier=saved.prior_tier if saved else _prior_tier(store, recipe, start),
    )
    with joined(device) as (world, own_device), StopRequest(options.max_minutes) as stop:
        folder = options.folder
        taken_up = checkpoint.check_folder(folder, told, resume=options.resume, overwrite=options.overwrite)
        world.any(taken_up, own_device)  # no process changes the folder before all have looked at it
        if told.initial_weights and not (start or taken_up):
            raise InputError(f"{folder} was stopped before its first save; give --init again")
        with torch.random.fork_rng(devices=[own_device] if own_device.type == "cuda" else []):
            place = Place(folder, own_device, world, say if world.leads else _silent)
            run = Run.of(method, store, told, recipe, start, place)
            if world.leads and not taken_up:
                checkpoint.create_folder(folder, told)
            return run.carry_out(stop, told if taken_up else None)


@dataclass(eq=False)
class Run:
    """The parts of one run, put together."""

    model: nn.Module
    recipe: TrainingRecipe
    card: WeightsCard
    stages: list[Stage]
    full_sampling: Sampling
    validation: Validation
    place: Place
    reporter: Reporter
    progress: Progress

    @classmethod
    def of(
        cls,
        method: Method,
        store: Dataset,
        told: RunRecipe,
        recipe: TrainingRecipe,
        start: Start | None,
        place: Place,
    ) -> Run:
        """Read the data, fit the initialiser and build the network, its weights drawn by the recipe's seed."""
        data = training_data(method, store, recipe, place.device)
        torch.manual_seed(recipe.seed)
        initialiser = None if start and start.whole else fitted_initialiser(data, recipe)
        model = network_from_settings(method, data.optics, told.settings, initialiser)
        if start:
            start.fill(model)
        require_fit(method.name, model, recipe)
        model.to(place.device)
        return cls(
            model,
            recipe,
            _card(method, told, recipe, data.optics, place.device),
            stages_of(recipe, data, place.world),
            getattr(model, "sampling", None) or Sampling.from_optics(data.optics).to(place.device),
            Validation.from_split(store.split("val"), recipe.validate_trajectories, recipe.validate_batch),
            place,
            Reporter(place.say),
            Progress(minutes_before=start.minutes if start else 0.0),
        )

    def carry_out(self, stop: StopRequest, resumed: RunRecipe | None) -> Outcome:
        """Take the stages in turn, from the saved state if a run is resumed."""
        tensors: dict[str, Tensor] = {}
        if resumed:
            tensors, self.progress = checkpoint.load_state(self.place.folder)
            if self.place.world.leads:
                rewind_log(self.place.folder, self.progress.total_steps)
        if self.card.device not in self.progress.devices:
            self.progress.devices.append(self.card.device)
        for stage in self.stages[self.progress.stage :]:
            with self._prepared_for(stage):
                learner = self._learner(stage)
                if resumed:
                    self._restore(learner, tensors, resumed)
                    resumed, tensors = None, {}
                hooks = self._hooks(stage, learner, stop)
                self.reporter.begin(stage, self.progress.step)
                if not run_stage(stage, learner, self.progress.step, hooks):
                    return self._outcome(False, stop.reason)
                learner.ema.settle()
            self.progress.stage += 1
            self.progress.steps_before += stage.steps
            self.progress.step = 0
        return self._outcome(True, "")

    def _restore(self, learner: Learner, tensors: Mapping[str, Tensor], resumed: RunRecipe) -> None:
        """Continue from a saved state, and write what the run is now said to train."""
        try:
            learner.restore({n: t.to(self.place.device) for n, t in tensors.items()}, self.progress.learner)
        except (KeyError, RuntimeError) as error:
            raise InputError(
                f"{self.place.folder}: the saved state must be of this network ({show(str(error))}); a setting that is "
                "younger than the run is given with --set settings.NAME=VALUE"
            ) from None
        if self.place.world.leads:
            checkpoint.write_recipe(self.place.folder, resumed)

    def _outcome(self, finished: bool, reason: str) -> Outcome:
        p = self.progress
        weights = checkpoint.LAST if finished and self.recipe.calibration else checkpoint.BEST
        return Outcome(finished, p.total_steps, p.minutes, p.best, self.place.world.leads, reason, weights)

    def _learner(self, stage: Stage) -> Learner:
        kind = AdversarialLearner if self.recipe.adversarial and stage.name == FULL else Learner
        recipe = self.recipe
        if stage.name == CALIBRATION:  # weights of other terms would leave errors without a gradient
            recipe = msgspec.structs.replace(recipe, loss_weights={})
        return kind(self.model, recipe, stage.lr, stage.data.scored, self.place.world, self.place.device)

    def _prepared_for(self, stage: Stage) -> AbstractContextManager[None]:
        """Return the context in which the network takes a stage: sized for its frames, learning what it learns."""
        if stage.name == WINDOW:
            initialiser = fitted_initialiser(stage.data, self.recipe)
            return sampled_by(self.model, Sampling.from_optics(stage.data.optics, initialiser).to(self.place.device))
        if stage.name == CALIBRATION:
            if self.recipe.half_weights:  # errors are fitted to the weights as they will be kept
                self.model.load_state_dict(in_half_precision(self.model.state_dict()))
            return learning_only(self.model, self.model.calibrating)  # type: ignore[arg-type]
        return nullcontext()

    def _hooks(self, stage: Stage, learner: Learner, stop: StopRequest) -> Hooks:
        clock = time.monotonic()

        def mark(step: int) -> None:
            nonlocal clock
            now = time.monotonic()
            self.progress.minutes += (now - clock) / 60
            clock, self.progress.step = now, step

        def log(step: int, means: dict[str, float]) -> None:
            mark(step)
            line = self.reporter.losses(stage, step, self.progress, means)
            if self.place.world.leads:
                append_line(self.place.folder, line)

        def validate(step: int) -> None:
            if self.place.world.leads:
                self._validate(stage, learner)
            mark(step)

        def save(step: int) -> None:
            mark(step)
            if self.place.world.leads:
                self._save(learner)

        return Hooks(log, validate, save, stop)

    def _validate(self, stage: Stage, learner: Learner) -> None:
        """Score the network on full frames, log it, and keep the weights if they are the best so far."""
        _require_finite(self.model)
        with learner.ema.applied(), sampled_by(self.model, self.full_sampling):
            scores = self.validation.score(self.model, self.place.device)
            improved = self.progress.best is None or scores["cso_map"] > self.progress.best
            if improved:
                self.progress.best = scores["cso_map"]
                self._write(checkpoint.BEST, scores["cso_map"])
        append_line(self.place.folder, {"step": self.progress.total_steps, "stage": stage.name, **scores})
        self.reporter.scores(scores, improved)

    def _save(self, learner: Learner) -> None:
        _require_finite(self.model)
        tensors, self.progress.learner = learner.state()
        checkpoint.save_state(self.place.folder, tensors, self.progress)
        with learner.ema.applied(), sampled_by(self.model, self.full_sampling):
            self._write(checkpoint.LAST, None)

    def _write(self, name: str, score: float | None) -> None:
        p = self.progress
        minutes = round(p.minutes_before + p.minutes, 3)
        told = {"step": p.total_steps, "cso_map": score, "minutes": minutes, "device": "; ".join(p.devices)}
        card = msgspec.structs.replace(self.card, **told)
        save_weights(self.place.folder / name, self.model, card, self.recipe.half_weights)


def _silent(line: str) -> None:
    """Take a line of progress of a process that does not lead."""


def _require_finite(model: nn.Module) -> None:
    try:
        require_finite_weights(model)
    except InputError as error:
        raise TrainingDiverged(f"{error}; lower lr or set clip_norm; what was saved before is kept") from None


def _card(method: Method, told: RunRecipe, recipe: TrainingRecipe, optics: Optics, device: torch.device) -> WeightsCard:
    where = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"{device.type}, {torch.get_num_threads()} threads"
    )
    return WeightsCard(
        method=told.method,
        settings=told.settings,
        psf_sigma=optics.psf_sigma,
        size=optics.size,
        c=optics.c,
        recipe=told.training,
        recipe_hash=training_hash(method, told.settings, recipe, told.initial_weights),
        hash_scheme=HASH_SCHEME,
        dataset=told.dataset,
        fingerprint=told.fingerprint,
        step=0,
        device=where,
        initial_weights=told.initial_weights,
        prior_tier=told.prior_tier,
    )


def _prior_tier(store: Dataset, recipe: TrainingRecipe, start: Start | None) -> PriorTier:
    """Return what the network will know: the laws that it learns from, and what its first weights know already."""
    names = recipe.stream.scenes if recipe.stream else [STORED]
    laws = [store.recipe.prior_tier if name == STORED else tier_of_law(name) for name in names]
    return most_known([*laws, *([start.prior_tier] if start else [])])
