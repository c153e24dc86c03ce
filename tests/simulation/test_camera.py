import numpy as np
import pytest

from csist_bench.errors import InputError
from csist_bench.recipes import DataRecipe, load_data_recipe
from csist_bench.simulation.camera import Camera, saturation_level
from csist_bench.simulation.optics import Optics


def test_saturation_is_the_lower_of_level_and_bits():
    assert saturation_level(DataRecipe(name="test", bits=8)) == 255
    assert saturation_level(DataRecipe(name="test", bits=8, saturation=200.0)) == 200
    assert saturation_level(DataRecipe(name="test", saturation=0.5)) == 0.5
    assert np.isinf(saturation_level(DataRecipe(name="test")))


def test_what_a_method_is_told():
    told = Camera.from_recipe(load_data_recipe("seqcsist"))
    assert told.centre == Camera(told.optics).centre == (told.optics.size - 1) / 2
    assert told.noise_sigma == 0.05
    assert not told.intensity_free
    assert Camera.from_recipe(load_data_recipe("seqcsist-8bit")).noise_sigma == 0.29
    assert Camera.from_recipe(load_data_recipe("seqcsist-8bit")).saturation == 255
    assert Camera.from_recipe(load_data_recipe("seqcsist-noise")).noise_sigma == 2.0
    assert Camera.from_recipe(load_data_recipe("seqcsist-noise"), 4.0).noise_sigma == 4.0
    cloudy = DataRecipe(name="test", background="clutter", background_mean=9.0, background_sigma=4.0, noise_sigma=3.0)
    assert Camera.from_recipe(cloudy).noise_sigma == 5.0
    assert Camera.from_recipe(cloudy).background == 9.0


def test_the_centre_is_the_middle_unless_the_recipe_says_otherwise():
    assert Camera.from_recipe(DataRecipe(name="test")).centre == 5
    assert Camera.from_recipe(DataRecipe(name="test", size=33)).centre == 16
    assert Camera.from_recipe(DataRecipe(name="test", size=33, centre=4.5)).centre == 4.5


def test_cameras_that_cannot_be_are_refused():
    with pytest.raises(InputError, match=r"psf_sigma_xy must be positive, got \(0.5, 0.0\)"):
        Camera(Optics(), psf_sigma_xy=(0.5, 0.0))
    with pytest.raises(InputError, match="background_law must be one of level, constant, plane, got flat"):
        Camera(Optics(), background_law="flat")
