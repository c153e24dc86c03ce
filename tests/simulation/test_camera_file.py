"""What a camera file tells, and how it changes a camera; impossible fields."""

from __future__ import annotations

import math

import numpy as np
import pytest

from csist_bench.errors import InputError
from csist_bench.recipes import DataRecipe, load_data_recipe
from csist_bench.simulation.camera import NOISE_FLOOR_FLOAT, NOISE_FLOOR_INTEGER, Camera
from csist_bench.simulation.camera_file import (
    CameraFile,
    apply,
    bad_pixel_mask,
    camera_of,
    fields_of,
    noise_sigma_map,
    recipe_fields,
)
from csist_bench.simulation.spline_psf import SplinePsf

SHAPE = (11, 11)
RECIPE = load_data_recipe("seqcsist-noise")


def told(**fields) -> CameraFile:
    arrays = {name: fields.pop(name) for name in ("spline", "noise_map", "bad") if name in fields}
    return CameraFile(fields_of(fields, "cam.toml"), "cam.toml", arrays.pop("spline", None), **arrays)


def applied(**fields) -> Camera:
    return apply(Camera.from_recipe(RECIPE), told(**fields), SHAPE)


def test_nothing_told_changes_nothing():
    for name in ("seqcsist", "seqcsist-8bit", "seqcsist-noise"):
        camera = Camera.from_recipe(load_data_recipe(name))
        assert apply(camera, told(), SHAPE) == camera
    assert camera_of(RECIPE, None) == Camera.from_recipe(RECIPE)
    assert camera_of(RECIPE, None, 3.0) == Camera.from_recipe(RECIPE, 3.0)


def test_what_is_told_replaces_and_the_rest_stays():
    camera = applied(noise_sigma=4, gain=0.5, saturation=4095, background=20, intensity=[100, 300])
    own = Camera.from_recipe(RECIPE)
    assert (camera.noise_sigma, camera.shot_gain, camera.saturation, camera.background) == (4.0, 0.5, 4095.0, 20.0)
    assert (camera.intensity_min, camera.intensity_max, camera.intensity_free) == (100.0, 300.0, False)
    assert (camera.optics, camera.centre, camera.psf_sigma_xy) == (own.optics, own.centre, None)
    assert camera.maps is None


def test_one_width_is_the_optics_and_two_are_kept_beside_their_geometric_mean():
    assert applied(psf_sigma=0.6).optics.psf_sigma == 0.6
    assert applied(psf_sigma=0.6).psf_sigma_xy is None
    assert applied(psf_sigma=[0.6, 0.6]) == applied(psf_sigma=0.6)
    both = applied(psf_sigma=[0.4, 0.9], psf_sigma_error=[0.01, 0.02])
    assert both.widths == (0.4, 0.9)
    assert both.optics.psf_sigma == pytest.approx(0.6)
    assert both.psf_sigma_error == (0.01, 0.02)
    assert applied(psf_sigma_error=0.01).psf_sigma_error == (0.01, 0.01)
    assert apply(both, told(psf_sigma=0.5), SHAPE).psf_sigma_xy is None


def test_the_background_is_a_level_or_fitted():
    assert applied(background="none").background == 0.0
    assert applied(background="none").background_law == "level"
    for law in ("constant", "plane"):
        fitted = applied(background=law)
        assert fitted.background_law == law
        assert apply(fitted, told(background=3), SHAPE).background_law == "level"


def test_intensities_are_a_range_or_free():
    free = applied(intensity="free")
    assert free.intensity_free
    assert (free.intensity_min, free.intensity_max) == (220.0, 250.0)
    assert not apply(free, told(intensity=[1, 2]), SHAPE).intensity_free
    assert apply(free, told(gain=1), SHAPE).intensity_free


def test_a_spline_is_told_with_its_effective_width_or_another():
    psf = SplinePsf.from_gaussian(0.4, 0.9)
    camera = applied(psf="spline", psf_file="psf.npy", spline=psf)
    assert camera.psf is psf
    assert camera.psf_sigma_xy is None
    assert camera.optics.psf_sigma == pytest.approx(0.6, rel=1e-6)
    assert applied(psf="spline", psf_file="p.npy", psf_sigma=0.7, spline=psf).optics.psf_sigma == 0.7
    back = apply(camera, told(psf="gaussian", psf_sigma=[0.5, 0.6]), SHAPE)
    assert (back.psf, back.widths) == (None, (0.5, 0.6))
    assert apply(back, told(psf="gaussian"), SHAPE).widths == (0.5, 0.6)


@pytest.mark.parametrize(("dtype", "floor"), [("float32", NOISE_FLOOR_FLOAT), ("uint8", NOISE_FLOOR_INTEGER)])
def test_noise_has_the_floor_of_the_frames_type(dtype, floor):
    recipe = DataRecipe(name="test", dtype=dtype, bits=8 if dtype == "uint8" else 0)
    assert camera_of(recipe, told(noise_sigma=0)).noise_sigma == floor
    assert camera_of(recipe, told(noise_sigma=0.01)).noise_sigma == floor
    noise = np.full(SHAPE, 2.0)
    noise[0, 0] = 0.0
    mapped = camera_of(recipe, told(noise_sigma="n.npy", noise_map=noise))
    assert (mapped.noise_sigma, mapped.maps.noise_sigma[0, 0]) == (2.0, floor)


def test_noise_sigma_given_apart_wins_over_number_and_map():
    noise = np.full(SHAPE, 2.0)
    for camera in (told(noise_sigma=7), told(noise_sigma="n.npy", noise_map=noise), told(gain=1)):
        made = camera_of(RECIPE, camera, 3.0)
        assert (made.noise_sigma, made.maps) == (3.0, None)
        assert camera.with_noise_sigma(3.0).table()["noise_sigma"] == 3.0
    assert told(noise_sigma=7).with_noise_sigma(None).table() == {"noise_sigma": 7.0}


def test_bad_pixels_are_a_mask_of_the_frames_shape_and_leave_the_median_noise():
    bad = np.zeros(SHAPE, dtype=bool)
    bad[2, 3] = True
    noise = np.full(SHAPE, 2.0)
    noise[2, 3] = 1e6
    camera = applied(bad_pixels="b.npy", bad=bad, noise_sigma="n.npy", noise_map=noise)
    np.testing.assert_array_equal(camera.maps.bad, bad)
    assert camera.noise_sigma == 2.0
    assert applied(bad_pixels="b.npy", bad=np.zeros(SHAPE, dtype=bool)).maps is None
    assert apply(camera, told(noise_sigma=4), SHAPE).maps.noise_sigma is None
    found = apply(Camera.from_recipe(RECIPE), told(bad_pixels="auto"), SHAPE, found_bad=bad)
    np.testing.assert_array_equal(found.maps.bad, bad)


def test_names_told_are_no_longer_assumed():
    from dataclasses import replace

    assumed = replace(Camera.from_recipe(RECIPE), assumed=("psf_sigma", "noise_sigma", "intensity", "background"))
    psf = SplinePsf.from_gaussian(0.5, 0.5)
    assert apply(assumed, told(noise_sigma=2, intensity="free"), SHAPE).assumed == ("psf_sigma", "background")
    assert apply(assumed, told(psf="spline", psf_file="p.npy", spline=psf), SHAPE).assumed == (
        "noise_sigma",
        "intensity",
        "background",
    )
    assert apply(assumed, told(gain=2), SHAPE).assumed == assumed.assumed


def test_the_table_holds_what_was_told_as_it_was_told():
    assert told(psf_sigma=0.5, background="plane").table() == {"psf_sigma": 0.5, "background": "plane"}
    assert told(psf_sigma=[0.5, 0.6], intensity=[1, 2]).table() == {"psf_sigma": [0.5, 0.6], "intensity": [1.0, 2.0]}


def test_numbers_at_their_bounds_are_taken():
    least = {"psf_sigma": 1e-9, "psf_sigma_error": 0, "noise_sigma": 0, "gain": 0, "background": -5, "saturation": -4}
    assert told(**least).table() == least
    most = {"psf_sigma": 50.0, "saturation": math.inf, "intensity": [2.0, 2.0]}
    assert told(**most).table() == most
    assert told(gain=0.1, psf_sigma_error=0.1, noise_sigma=0.1).fields.gain == 0.1


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"psf_sgma": 1}, "cam.toml: unknown field 'psf_sgma'; did you mean 'psf_sigma'?"),
        ({"psf": "moffat"}, "cam.toml: psf must be 'gaussian' or 'spline', got moffat"),
        ({"psf": "spline"}, "cam.toml: psf_file must be told with psf = 'spline', got none"),
        ({"psf_file": "psf.npy"}, "cam.toml: psf must be 'spline' where psf_file is told, got none"),
        ({"psf": "gaussian", "psf_file": "psf.npy"}, "psf must be 'spline' where psf_file is told, got gaussian"),
        ({"psf_file": 3}, "cam.toml: psf_file must be the name of an .npy file, got 3"),
        (
            {"psf": "spline", "psf_file": "p.npy", "psf_sigma": [1, 2]},
            "psf_sigma must be one number with psf = 'spline'",
        ),
        ({"psf_sigma": 0}, "cam.toml: psf_sigma must be above 0, got 0"),
        ({"psf_sigma": -0.5}, "cam.toml: psf_sigma must be above 0, got -0.5"),
        ({"psf_sigma": [0.5, math.nan]}, "cam.toml: psf_sigma must be above 0, got [0.5, nan]"),
        ({"psf_sigma": math.inf}, "cam.toml: psf_sigma must be above 0, got inf"),
        ({"psf_sigma": [1e308, 1e308]}, "cam.toml: psf_sigma must be at most 50 px, got 1e+308"),
        ({"psf_sigma": [0.5]}, "cam.toml: psf_sigma must be a number of px, or two, [x, y], got [0.5]"),
        ({"psf_sigma": [0.5, 0.5, 0.5]}, "cam.toml: psf_sigma must be a number of px, or two"),
        ({"psf_sigma": "wide"}, "cam.toml: psf_sigma must be a number of px, or two, [x, y], got wide"),
        ({"psf_sigma": [0.5, "wide"]}, "cam.toml: psf_sigma must be a number of px, or two"),
        ({"psf_sigma_error": -0.1}, "cam.toml: psf_sigma_error must be at least 0, got -0.1"),
        ({"noise_sigma": True}, "noise_sigma must be a number of grey levels, or the name of an .npy map, got True"),
        ({"noise_sigma": -1}, "cam.toml: noise_sigma must be at least 0, got -1"),
        ({"noise_sigma": 10**400}, "cam.toml: noise_sigma must be a number of grey levels"),
        ({"gain": [1, 2]}, "cam.toml: gain must be a number, grey levels per photo-electron, got [1, 2]"),
        ({"gain": math.nan}, "cam.toml: gain must be at least 0, got nan"),
        ({"background": "flat"}, "background must be 'none', 'constant', 'plane' or a number of grey levels, got flat"),
        ({"background": math.inf}, "cam.toml: background must be finite, got inf"),
        ({"saturation": math.nan}, "cam.toml: saturation must be finite, got nan"),
        ({"saturation": -math.inf}, "cam.toml: saturation must be finite, got -inf"),
        ({"saturation": 20, "background": 20}, "cam.toml: saturation must be above the background, 20, got 20"),
        ({"saturation": 0, "background": "none"}, "cam.toml: saturation must be above the background, 0, got 0"),
        ({"intensity": [3, 2]}, "cam.toml: intensity must be [low, high] with low <= high, got [3.0, 2.0]"),
        ({"intensity": [0, 2]}, "cam.toml: intensity must be above 0, got [0.0, 2.0]"),
        ({"intensity": "any"}, "cam.toml: intensity must be [low, high], grey levels, or 'free', got any"),
        ({"intensity": 4}, "cam.toml: intensity must be [low, high], grey levels, or 'free', got 4"),
        (
            {"bad_pixels": ["a", "b"]},
            "cam.toml: bad_pixels must be the name of an .npy mask, or 'auto', got ['a', 'b']",
        ),
        ({"bad_pixels": {}}, "cam.toml: bad_pixels must be the name of an .npy mask, or 'auto', got {}"),
    ],
)
def test_impossible_fields_are_named(fields, says):
    with pytest.raises(InputError) as error:
        fields_of(fields, "cam.toml")
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (
            {"bad_pixels": "b.npy", "bad": np.zeros((5, 4), dtype=bool)},
            "cam.toml: bad_pixels b.npy must have shape (H, W), that of the frames, = (11, 11), got (5, 4)",
        ),
        (
            {"bad_pixels": "b.npy", "bad": np.ones(SHAPE, dtype=bool)},
            "cam.toml: bad_pixels must leave pixels that are good",
        ),
        ({"bad_pixels": "auto"}, "cam.toml: bad_pixels must be the name of a file here, got auto"),
        ({"noise_sigma": "n.npy", "noise_map": np.ones((3, 3))}, "cam.toml: noise_sigma n.npy must have shape (H, W)"),
        ({"background": 5000, "gain": 1}, ""),
        ({"saturation": -3}, "cam.toml: saturation must be above the background, 0, got -3.0; tell both"),
        ({"saturation": 0}, "cam.toml: saturation must be above the background, 0, got 0.0; tell both"),
    ],
)
def test_what_does_not_fit_the_frames_is_named(fields, says):
    if not says:
        assert applied(**fields).background == 5000  # this recipe does not clip
        return
    with pytest.raises(InputError) as error:
        applied(**fields)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("read", "values", "says"),
    [
        (bad_pixel_mask, np.zeros(4, dtype=bool), "map must have shape (H, W)"),
        (bad_pixel_mask, np.full((2, 2), 2), "map must hold truth values, or 0 and 1, got int64 (2, 2)"),
        (bad_pixel_mask, np.full((2, 2), -1), "map must hold truth values, or 0 and 1, got int64 (2, 2)"),
        (bad_pixel_mask, np.zeros((2, 2)), "map must hold truth values"),
        (noise_sigma_map, np.zeros((2, 2, 1)), "map must have shape (H, W)"),
        (noise_sigma_map, np.array([[1.0, np.nan]]), "map must be finite everywhere"),
        (noise_sigma_map, np.array([[1.0, -1.0]]), "map must be at least 0 everywhere, got -1"),
        (noise_sigma_map, np.array([["a"]]), "map must hold numbers"),
    ],
)
def test_maps_that_cannot_be_are_named(read, values, says):
    with pytest.raises(InputError) as error:
        read(values, "map")
    assert says in str(error.value)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64])
def test_masks_are_truth_values_or_zeros_and_ones(kind):
    mask = bad_pixel_mask(np.array([[0, 1], [1, 1]], dtype=kind), "map")
    assert mask.dtype == np.bool_
    assert mask.tolist() == [[False, True], [True, True]]


def test_a_recipe_renders_what_it_can_express():
    assert recipe_fields(told()) == {}
    every = told(
        psf="gaussian",
        psf_sigma=[0.6, 0.6],
        psf_sigma_error=0.01,
        noise_sigma=2,
        gain=0.1,
        background=7,
        saturation=math.inf,
        intensity=[1, 2],
    )
    assert recipe_fields(every) == {
        "psf_sigma": 0.6,
        "noise_sigma": 2.0,
        "shot_gain": 0.1,
        "background": "constant",
        "background_mean": 7.0,
        "saturation": 0.0,
        "intensity_min": 1.0,
        "intensity_max": 2.0,
    }
    assert recipe_fields(told(background="none")) == {"background": "none", "background_mean": 0.0}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"psf": "spline", "psf_file": "p.npy"}, "psf must be 'gaussian' to render frames, got spline"),
        ({"psf_sigma": [0.5, 0.6]}, "psf_sigma must be one width for both axes to render frames, got (0.5, 0.6)"),
        ({"noise_sigma": "n.npy"}, "noise_sigma must be one number to render frames, got n.npy"),
        ({"background": "constant"}, "background must be a level to render frames, got constant"),
        ({"background": "plane"}, "background must be a level to render frames, got plane"),
        ({"intensity": "free"}, "intensity must be a range to render frames, got free"),
        ({"bad_pixels": "auto"}, "bad_pixels must be left out to render frames, got auto"),
    ],
)
def test_what_no_recipe_can_express_is_refused_by_name(fields, says):
    with pytest.raises(InputError) as error:
        recipe_fields(told(**fields))
    assert f"cam.toml: {says}" in str(error.value)
