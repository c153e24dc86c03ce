"""`polish`: heat maps carried off the grid, never with fewer detections than the light asks for."""

import functools
from dataclasses import replace

import numpy as np
import pytest

from csist_bench.detections import Detections
from csist_bench.errors import InputError
from csist_bench.methods.ml.method import MaximumLikelihood
from csist_bench.methods.polish.method import Polish
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics, grid_from_targets
from csist_bench.simulation.rendering import frames_from_targets, render_shard

ALONE = MaximumLikelihood().detect


@functools.cache
def labelled(noise):
    recipe = load_data_recipe("seqcsist", ["seed=9", "frames=4", "scored_frames=:", f"noise_sigma={noise}"])
    shard = render_shard(recipe, range(25))
    maps = grid_from_targets(shard.scenes.xy, shard.scenes.intensity, Optics.from_recipe(recipe))
    return shard.frames, maps, shard.scenes, Camera.from_recipe(recipe)


def distances(found, scenes):
    xy = scenes.xy[found.trajectory, found.frame]
    return np.nanmin(np.hypot(found.x[:, None] - xy[..., 0], found.y[:, None] - xy[..., 1]), axis=1)


def test_labels_are_polished_to_the_truth_without_noise():
    frames, maps, scenes, camera = labelled(0)
    found = Polish(error=0.0).decode(maps, frames, camera, ALONE)
    assert len(found) == scenes.count.sum()
    assert (distances(found, scenes) < 0.05).mean() > 0.995


def test_at_strong_noise_the_cell_keeps_the_fit_near():
    frames, maps, scenes, camera = labelled(5)
    polished = distances(Polish(error=0.0).decode(maps, frames, camera, ALONE), scenes)
    alone = distances(MaximumLikelihood().detect(frames, camera), scenes)
    assert np.mean(polished**2) < 0.5 * np.mean(alone**2)
    assert (polished < 0.15).mean() > 0.7


def test_a_larger_error_loosens_the_prior():
    frames, maps, _, camera = labelled(5)
    tight = Polish(error=0.0).decode(maps, frames, camera, ALONE)
    loose = Polish(error=0.3).decode(maps, frames, camera, ALONE)
    assert tight.sigma_x.max() < 0.097 < loose.sigma_x.max()


def test_a_map_without_mass_is_answered_by_the_fallback():
    frames, maps, scenes, camera = labelled(0)
    thinned = maps.copy()
    thinned[3, 1] = 0.0
    found = Polish().decode(thinned, frames, camera, ALONE)
    assert len(found) == scenes.count.sum()
    here = found.select((found.trajectory == 3) & (found.frame == 1))
    alone = MaximumLikelihood().detect(frames[3:4, 1:2], camera).ordered()
    np.testing.assert_allclose(here.x, alone.x)
    np.testing.assert_allclose(here.y, alone.y)


def test_blank_frames_have_no_detections_whatever_the_map_says():
    maps = np.full((1, 2, 33, 33), 100.0)
    assert len(Polish().decode(maps, np.zeros((1, 2, 11, 11)), Camera(Optics()), ALONE)) == 0


@pytest.mark.parametrize("c", [1, 5])
def test_other_grids(c):
    optics = Optics(c=c)
    xy = np.array([[[[4.7, 5.1], [5.4, 5.2]]]])
    s = np.array([[[240.0, 225.0]]])
    found = Polish().decode(grid_from_targets(xy, s, optics), frames_from_targets(xy, s, optics), Camera(optics), ALONE)
    np.testing.assert_allclose(found.x, [4.7, 5.4], atol=0.01)
    np.testing.assert_allclose(found.intensity, [240, 225], atol=2)


@pytest.mark.parametrize("shape", [(1, 1, 22, 22), (1, 1, 33, 30), (1, 2, 33, 33), (33, 33), (1, 1, 5, 5)])
def test_maps_that_do_not_fit_are_refused(shape):
    with pytest.raises(InputError, match="heat_maps must have shape"):
        Polish().decode(np.zeros(shape), np.zeros((1, 1, 11, 11)), Camera(Optics()), ALONE)


def test_maps_must_be_finite_and_stay_unchanged():
    frames, maps, _, camera = labelled(0)
    before = maps.copy()
    Polish().decode(maps, frames, camera, ALONE)
    np.testing.assert_array_equal(maps, before)
    broken = maps.copy()
    broken[0, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="heat_maps must be finite"):
        Polish().decode(broken, frames, camera, ALONE)


def test_answers_with_errors_are_carried_to_the_likelihood():
    frames, _, scenes, camera = labelled(0)
    b, t, k = np.nonzero(np.isfinite(scenes.intensity))
    near = np.random.default_rng(0).normal(0.0, 0.03, (len(b), 2))
    errors = np.full(len(b), 0.03)
    rough = Detections(
        b, t, *(scenes.xy[b, t, k] + near).T, np.full(len(b), 0.8), np.full(len(b), 235.0), errors, errors, 300 * errors
    )
    polished = Polish().refine(rough, frames, camera)
    assert len(polished) == len(rough)
    assert np.quantile(distances(polished, scenes), 0.9) < 0.3 * np.quantile(distances(rough, scenes), 0.9)
    assert polished.sigma_x.max() < 0.03
    assert (polished.score == 0.8).all()  # the method's own: what else it knows of a target is not to be lost
    certain = replace(rough, sigma_x=errors * 1e-4, sigma_y=errors * 1e-4)
    kept = Polish().refine(certain, frames, camera)
    np.testing.assert_allclose(kept.x, rough.ordered().x, atol=1e-3)
    with pytest.raises(InputError, match="detections must have intensity and errors to be polished"):
        Polish().refine(replace(rough, sigma_x=None), frames, camera)
