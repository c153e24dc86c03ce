"""The public layouts by name."""

from csist_bench.datasets.folder_layouts import LAYOUTS
from csist_bench.recipes import load_data_recipe


def test_layouts_name_shipped_recipes_and_their_own_length():
    for name, layout in LAYOUTS.items():
        assert layout.name == name
        assert load_data_recipe(layout.recipe).frames == layout.frames
