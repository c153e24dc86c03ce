import numpy as np

from csist_bench.recipes import DataRecipe, load_data_recipe
from csist_bench.simulation.camera import Camera, saturation_level


def test_saturation_is_the_lower_of_level_and_bits():
    assert saturation_level(DataRecipe(name="test", bits=8)) == 255
    assert saturation_level(DataRecipe(name="test", bits=8, saturation=200.0)) == 200
    assert np.isinf(saturation_level(DataRecipe(name="test")))


def test_what_a_method_is_told():
    told = Camera.from_recipe(load_data_recipe("seqcsist"))
    assert told.centre == Camera(told.optics).centre == (told.optics.size - 1) / 2
    assert told.noise_sigma == 0.05
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
