"""Scenes drawn on the device follow the simulator's laws."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp

from csist_bench.errors import InputError
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation import scenes as trajectories
from csist_bench.training import stream_scenes
from csist_bench.training.stream_scenes import draw_scenes, require_streamable

RECIPES = [
    "seqcsist",
    "seqcsist-rotated",
    "seqcsist-rotated-scaled",
    "seqcsist-dense",
    "seqcsist-free",
    "csist-100k",
]
SIMULATED, STREAMED = 400, 1600
# One comparison in a thousand of equal laws falls below; the seeds are fixed, so it does or does not.
SIGNIFICANCE = 1e-3


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@functools.cache
def simulated(name: str) -> tuple[np.ndarray, np.ndarray]:
    scenes = trajectories.draw_scenes(load_data_recipe(name), range(SIMULATED))
    return scenes.xy, scenes.intensity


@functools.cache
def streamed(name: str) -> tuple[np.ndarray, np.ndarray]:
    scenes = draw_scenes(load_data_recipe(name), STREAMED, generator())
    return scenes.xy.double().numpy(), scenes.intensity.double().numpy()


def separations(xy: np.ndarray) -> np.ndarray:
    """Distances of all pairs in frame 0 and of the first pair in the last one, px."""
    first, second = np.triu_indices(xy.shape[2], 1)
    pairs = np.linalg.norm(xy[:, 0, first] - xy[:, 0, second], axis=-1)
    return pairs[np.isfinite(pairs)]


def bearings(xy: np.ndarray) -> np.ndarray:
    """Directions from the first target to the second, rad; one number a scene, so independent ones."""
    along = (xy[:, 0, 1] - xy[:, 0, 0])[~np.isnan(xy[:, 0, 1, 0])]
    return np.arctan2(along[:, 1], along[:, 0])


FIGURES = {
    "count": lambda xy, light: np.isfinite(xy[:, 0, :, 0]).sum(axis=1),
    "intensity": lambda xy, light: light[:, 0, 0],
    "x of the first frame": lambda xy, light: xy[:, 0, 0, 0],
    "y of the first frame": lambda xy, light: xy[:, 0, 0, 1],
    "x of the last frame": lambda xy, light: xy[:, -1, 0, 0],
    "y of the last frame": lambda xy, light: xy[:, -1, 0, 1],
    "way along x": lambda xy, light: xy[:, -1, 0, 0] - xy[:, 0, 0, 0],
    "way along y": lambda xy, light: xy[:, -1, 0, 1] - xy[:, 0, 0, 1],
    "separations": lambda xy, light: separations(xy),
    "bearing": lambda xy, light: bearings(xy),
    "growth": lambda xy, light: (
        np.linalg.norm(xy[:, -1, 1] - xy[:, -1, 0], axis=-1) - np.linalg.norm(xy[:, 0, 1] - xy[:, 0, 0], axis=-1)
    )[~np.isnan(xy[:, 0, 1, 0])],
}


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("name", RECIPES)
def test_a_figure_of_the_scenes_has_the_simulators_distribution(name: str, figure: str) -> None:
    # Positions are rounded to 1e-6 px there and to single precision here; 1e-4 px tells neither apart.
    mine, theirs = (np.round(FIGURES[figure](*scenes(name)), 4) for scenes in (streamed, simulated))
    assert ks_2samp(mine, theirs).pvalue > SIGNIFICANCE


def test_another_law_is_told_apart() -> None:
    plain, turned = bearings(streamed("seqcsist")[0]), bearings(simulated("seqcsist-rotated")[0])
    assert ks_2samp(plain, turned).pvalue < SIGNIFICANCE
    assert ks_2samp(separations(streamed("seqcsist")[0]), separations(simulated("seqcsist-dense")[0])).pvalue < 1e-9


@pytest.mark.parametrize("name", RECIPES)
def test_absent_targets_come_last_and_are_nan(name: str) -> None:
    recipe = load_data_recipe(name)
    scenes = draw_scenes(recipe, 50, generator())
    assert scenes.xy.shape == (50, recipe.frames, recipe.k_max, 2)
    assert scenes.intensity.shape == (50, recipe.frames, recipe.k_max)
    present = ~scenes.intensity.isnan()
    assert torch.equal(present, scenes.xy.isfinite().all(dim=-1))
    assert (present.int().diff(dim=-1) <= 0).all()
    assert int(present[:, 0].sum(dim=-1).min()) >= recipe.k_min


def test_targets_placed_freely_keep_their_distance_and_stay_in_the_disc() -> None:
    recipe = load_data_recipe("seqcsist-free", ["k_min=4", "growth_max=0"])
    xy = draw_scenes(recipe, 300, generator()).xy.numpy()
    assert separations(xy).min() >= recipe.separation_min - 1e-5
    assert separations(xy).max() <= 2 * recipe.radius_max + 1e-5


def test_a_target_on_the_reference_point_has_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load_data_recipe("seqcsist-free", ["k_min=1", "k_max=1"])
    monkeypatch.setattr(stream_scenes, "_scattered", lambda _, targets, __: torch.zeros((len(targets), 1, 2)))
    assert draw_scenes(recipe, 5, torch.Generator().manual_seed(0)).xy.isfinite().all()


def test_the_generator_decides_the_scenes() -> None:
    recipe = load_data_recipe("seqcsist-dense")
    first, again, other = (draw_scenes(recipe, 9, generator(seed)).xy for seed in (4, 4, 5))
    assert torch.equal(first.nan_to_num(), again.nan_to_num())
    assert not torch.equal(first.nan_to_num(), other.nan_to_num())


def test_what_cannot_be_drawn_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for override, words in (
        ("background=clutter", "background must be none or constant to be streamed, got clutter"),
        ("shot_gain=2", "shot_gain must be 0"),
        ("label_collision=last", "label_collision must be 'sum'"),
        ("directions=given", "stream must be a recipe that draws its targets"),
        ("directions=pairs", "k_max must be at most 2 for directions='pairs'"),
    ):
        with pytest.raises(InputError, match=words):
            require_streamable(load_data_recipe("seqcsist", [override]))
    with pytest.raises(InputError, match="stream must be a recipe that draws its targets, and not in pairs"):
        require_streamable(load_data_recipe("csist-pairs"))
    with pytest.raises(InputError, match="too few paths were accepted"):
        draw_scenes(load_data_recipe("seqcsist", ["path_min=4.99", "path_max=5.01"]), 2, generator())
    monkeypatch.setattr(stream_scenes, "MAX_ATTEMPTS", 20)
    with pytest.raises(InputError, match="leaves no room for 8 targets"):
        draw_scenes(load_data_recipe("seqcsist-free", ["k_max=8", "separation_min=0.8"]), 2, generator())
