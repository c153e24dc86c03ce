"""Checks of a leaderboard: every measured row against the evaluator, the shipped recipes, its data and itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from csist_bench.datasets import Dataset
from csist_bench.errors import InputError
from csist_bench.evaluation import EVALUATOR_VERSION, scores_alike
from csist_bench.leaderboard.datasets import dataset_label, recipe_from_text
from csist_bench.leaderboard.lines import Line, read_lines
from csist_bench.leaderboard.rows import GOSPA_COLUMNS, Row, read_numbered, same_answers
from csist_bench.methods.registry import METHODS, Method, torch_works

if TYPE_CHECKING:
    from csist_bench.evaluation.bayes_lines import BayesLine

# Percent; rows are stored unrounded, so that the mean of the APs differs from CSO-mAP by float error alone.
TOLERANCE = 1e-6
# A row that passes a Bayes line by more of its standard errors shows that the line, or the row's tier, is wrong.
BAYES_ERRORS = 2.0
# Whose answers are as many as targets, unless their settings say otherwise.
_COUNTING = ("ml", "ml-seq", "group-map")


def check(path: str | Path, store: Dataset | None = None) -> tuple[int, list[str]]:
    """Return the number of rows of a leaderboard, and what is wrong with it, one line a fault.

    Parameters
    ----------
    store : Dataset, optional
        Data whose fingerprint the rows of that name and seed must have.
    """
    path = Path(path)
    numbered, problems = read_numbered(path)
    count = len(numbered) + len(problems)
    bayes = [line for line in read_lines(path.parent) if line.kind == "bayes"]
    for place, (line, row) in enumerate(numbered):
        earlier = [other for _, other in numbered[:place]]
        faults = [
            *own_faults(row),
            *_faults_beside(row, earlier),
            *_faults_against(row, store),
            *_passed_lines(row, bayes),
        ]
        problems += [f"{path}:{line}: {row.method}, {row.dataset}: {fault}" for fault in faults]
    return count, problems


def own_faults(row: Row) -> Iterator[str]:
    """Yield what is wrong with a row by itself."""
    for rule in _RULES:
        yield from rule(row)


def _evaluator(row: Row) -> Iterator[str]:
    if not scores_alike(row.evaluator):
        major = EVALUATOR_VERSION.partition(".")[0]
        yield f"evaluator must be a version {major}.x, got {row.evaluator}; score the predictions again"


def _scores(row: Row) -> Iterator[str]:
    mean = float(np.mean(row.aps))
    if abs(mean - row.cso_map) > TOLERANCE:
        yield f"cso_map must be the mean of the five APs ({mean:.6f}), got {row.cso_map:.6f}"
    if any(wider < narrower - TOLERANCE for narrower, wider in zip(row.aps, row.aps[1:])):
        yield f"ap05..ap25 must not fall as the threshold widens, got {', '.join(f'{ap:g}' for ap in row.aps)}"
    low, high = row.cso_map_low, row.cso_map_high
    if low is not None and high is not None and not low - TOLERANCE <= row.cso_map <= high + TOLERANCE:
        yield f"cso_map must lie in its interval [{low:.4f}, {high:.4f}], got {row.cso_map:.4f}"


def _parts(row: Row) -> Iterator[str]:
    distance, *parts = (getattr(row, name) for name in GOSPA_COLUMNS)
    if distance is not None and abs(sum(parts) - distance) > TOLERANCE:
        yield f"gospa must be the sum of its three parts ({sum(parts):.6f}), got {distance:.6f}"


def _data(row: Row) -> Iterator[str]:
    if not row.dataset_recipe:
        yield "dataset_recipe must be given"
        return
    try:
        recipe = recipe_from_text(row.dataset_recipe)
    except InputError as error:
        yield f"dataset_recipe {row.dataset_recipe!r}: {error}"
        return
    if dataset_label(recipe) != row.dataset:
        yield f"dataset must be {dataset_label(recipe)!r} for the recipe {row.dataset_recipe!r}, got {row.dataset!r}"
    if row.noise_sigma != recipe.noise_sigma:
        yield f"noise_sigma must be the recipe's {recipe.noise_sigma:g}, got {row.noise_sigma}"


def _method(row: Row) -> Iterator[str]:
    method = _registered(row)
    if method is None:
        if row.status == "reproduced":
            yield "tier must be submitted: no method of this name is in the registry"
        return
    if row.family != method.family:
        yield f"family must be {method.family}, got {row.family}"
    if row.status == "reproduced" and method.trainable:
        known = _shipped_hashes(method.name)
        if known is not None and row.recipe_hash not in known:
            yield f"recipe_hash must be that of a shipped recipe of {method.name!r}, got {row.recipe_hash or 'none'}"


_RULES: tuple[Callable[[Row], Iterator[str]], ...] = (_evaluator, _scores, _parts, _data, _method)


def _registered(row: Row) -> Method | None:
    return next((method for method in METHODS.values() if method.title == row.method), None)


@cache
def _shipped_hashes(method: str) -> frozenset[str] | None:
    """Return the hashes of every shipped recipe of a network by every scheme; None without PyTorch."""
    if not torch_works():  # a network's settings are spelled out by its class
        return None
    from csist_bench.training.shipped_hashes import shipped_hashes

    return frozenset(shipped_hashes(METHODS[method]))


def _faults_beside(row: Row, earlier: Sequence[Row]) -> Iterator[str]:
    """Yield what is wrong with a row beside those that were added before it."""
    if any(same_answers(row, other) for other in earlier):
        yield "these predictions are there already"
    data = {
        other.dataset_fingerprint
        for other in earlier
        if (other.dataset, other.data_seed) == (row.dataset, row.data_seed)
    }
    if data and row.dataset_fingerprint not in data:
        yield f"dataset_fingerprint must be that of the other rows, got {row.dataset_fingerprint}"
    if row.supersedes:
        named = [other for other in earlier if (other.predictions_sha256, other.rank) == (row.supersedes, row.rank)]
        if not named:
            yield "supersedes must name the predictions of an earlier row"
        elif all(other.slot != row.slot for other in named):
            yield "supersedes must name a row of the same method, data and settings"


def _faults_against(row: Row, store: Dataset | None) -> Iterator[str]:
    """Yield what is wrong with a row of the data set at hand."""
    if store is None or (row.dataset, row.data_seed) != (dataset_label(store.recipe), store.recipe.seed):
        return
    if not store.matches(row.dataset_fingerprint):
        yield f"dataset_fingerprint must be {store.fingerprint} ({store.path}), got {row.dataset_fingerprint}"


def _passed_lines(row: Row, lines: Sequence[Line]) -> Iterator[str]:
    """Yield which Bayes lines of what it knows a row of a shipped method passes."""
    of_its_data = [
        line
        for line in lines
        if (line.dataset, line.split, line.dataset_fingerprint) == (row.dataset, row.split, row.dataset_fingerprint)
    ]
    if not of_its_data or row.status != "reproduced":
        return
    from csist_bench.evaluation.bayes_lines import BAYES_LINES

    known = {line.label: line for line in BAYES_LINES}
    for line in of_its_data:
        bayes = known.get(line.label)
        if bayes is None or not _knows_no_more(row, bayes):
            continue
        if row.cso_map > line.cso_map + BAYES_ERRORS * (line.error or 0.0) + TOLERANCE:
            yield f"cso_map must not pass '{line.label}' ({line.value_text}), got {row.cso_map:.2f}"


def _knows_no_more(row: Row, line: BayesLine) -> bool:
    """Return whether a row's method knows no more than a line, and answers as the line's decision does."""
    known, settings = line.knowledge, row.settings.split()
    if ("start=integer" in settings) != (known.start == "integer") or _frames_used(row) > known.frames:
        return False
    if known.prior_tier != "D" and not (row.prior_tier in "ABC" and row.prior_tier <= known.prior_tier):
        return False
    return line.decision != "K answers" or _answers_the_count(row)


def _frames_used(row: Row) -> int:
    """Return how many frames a row's method uses together; many where that is not known."""
    method, many = _registered(row), 1000
    settings = dict(part.partition("=")[::2] for part in row.settings.split())
    if method is None:
        return many
    if method.name == "offgrid-net":
        return 2 * int(settings.get("reach", "0")) + 1
    if method.context == "frame":
        return 1
    return int(settings["frames"]) if settings.get("frames", "").isdigit() else many


def _answers_the_count(row: Row) -> bool:
    method = _registered(row)
    counts = method is not None and method.name in _COUNTING
    return counts and row.decoder == "own" and "answers=hedged" not in row.settings.split()
