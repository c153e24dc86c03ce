"""Recipes as files, as settings and as what is stored with a set; those that are shipped, one by one."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csist_bench.conventions import SPLITS
from csist_bench.errors import InputError
from csist_bench.methods import registry
from csist_bench.methods.networks.base import resolve_settings
from csist_bench.methods.registry import METHODS
from csist_bench.recipes import (
    DESCRIPTIVE,
    DataRecipe,
    MethodRecipe,
    convert,
    frame_range,
    load_data_recipe,
    load_method_recipe,
    parse_overrides,
    recipe_from_stored,
    recipe_hash,
    resolved,
    shipped,
    stored_table,
)
from csist_bench.simulation.rendering import render_shard
from csist_bench.training.recipe import training_recipe

NETWORKS = [name for name, row in METHODS.items() if row.trainable]


def written(tmp_path, text, name="mine.toml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


# --- files --------------------------------------------------------------------------------------------------------


def test_a_recipe_of_ones_own_is_named_after_its_file(tmp_path):
    recipe = load_data_recipe(written(tmp_path, "noise_sigma = 2\ncurves = ['circle']\n"))
    assert (recipe.name, recipe.noise_sigma, recipe.curves, recipe.trajectories) == ("mine", 2.0, ("circle",), 5000)
    assert load_data_recipe(written(tmp_path, "name = 'other'\n")).name == "other"


def test_settings_come_on_top_of_the_file(tmp_path):
    path = written(tmp_path, "noise_sigma = 2\nseed = 7\n")
    recipe = load_data_recipe(path, ["noise_sigma=5", "trajectories=10", "noise_sigma=3"])
    assert (recipe.noise_sigma, recipe.seed, recipe.trajectories) == (3.0, 7, 10)


def told_nothing(recipe):
    """Return a recipe without page and licence."""
    return msgspec.structs.replace(recipe, **dict.fromkeys(DESCRIPTIVE, ""))


def test_an_empty_recipe_is_the_default_one(tmp_path):
    recipe = load_data_recipe(written(tmp_path, ""))
    assert msgspec.structs.replace(recipe, name="seqcsist") == told_nothing(load_data_recipe("seqcsist"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("noise_sigma = ", r"mine\.toml: not a TOML recipe"),
        ("noise_sigma = 1\nnoise_sigma = 2\n", "not a TOML recipe"),
        ("[noise]\nsigma = 2\n", r"mine\.toml: unknown field 'noise'"),
        ("k_max = '4'\n", r"mine\.toml: k_max must be int, got 4"),
        ("rotate = 1\n", "rotate must be bool, got 1"),
        ("splits = [0.5, 0.5]\n", "splits must be"),
        ("curves = []\n", "curves must name at least one curve"),
        ("curves = ['line', 'spiral']\n", "must be one of line, quadratic, circle"),
        ("dtype = 'float64'\n", "dtype must be one of float32, uint8, uint16, got float64"),
        ("bits = 9\ndtype = 'uint8'\n", r"bits must be in 1\.\.8"),
        ("k_max = 5\n", "k_max must be at most 4 for directions='axes', got 5"),
        ("k_min = 0\n", "k_min must be at least 1"),
        ("trajectories = 1_000_000_001\n", "trajectories must be int <= 1000000000"),
        ("psf_sigma = 0\n", "psf_sigma must be float > 0"),
        ("noise_sigma = nan\n", "noise_sigma must be"),
        ("background_sigma = inf\n", "background_sigma must be finite, got inf"),
        ("offset_max = nan\n", "offset_max must be finite, got nan"),
    ],
)
def test_a_bad_file_is_named_with_its_field(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as caught:
        load_data_recipe(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_files_that_are_no_recipes_are_named(tmp_path):
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"binary\.toml: not a TOML recipe"):
        load_data_recipe(str(tmp_path / "binary.toml"))
    with pytest.raises(InputError, match=r"none\.toml not found; shipped recipes: csist-100k"):
        load_data_recipe(str(tmp_path / "none.toml"))
    with pytest.raises(InputError, match="not found"):
        load_data_recipe(str(tmp_path))


def test_method_recipes_of_ones_own_are_checked(tmp_path):
    path = written(tmp_path, "method = 'ista'\n[settings]\niterations = 7\n")
    assert load_method_recipe(path) == MethodRecipe(method="ista", settings={"iterations": 7})
    with pytest.raises(InputError, match="unknown field 'setting'; did you mean 'settings'"):
        load_method_recipe(written(tmp_path, "method = 'ista'\n[setting]\niterations = 7\n"))
    with pytest.raises(InputError, match="method"):
        load_method_recipe(written(tmp_path, "[settings]\niterations = 7\n"))


@pytest.mark.parametrize("name", shipped("data"))
def test_every_shipped_recipe_renders(name):
    recipe = load_data_recipe(name)
    shard = render_shard(recipe, range(2))
    assert shard.frames.shape == (2, recipe.frames, recipe.size, recipe.size)
    assert shard.frames.dtype == recipe.dtype
    assert shard.scenes.count.min() >= recipe.k_min
    assert shard.scenes.count.max() <= recipe.k_max


# --- settings in text ---------------------------------------------------------------------------------------------


def test_values_are_toml_or_bare_words():
    texts = ["a=1", "b = 2.5", "c=true", "d=[1, 2]", "e=fast", 'f="1"', "g=a=b", "h=1e-3"]
    assert parse_overrides(texts) == {
        "a": 1, "b": 2.5, "c": True, "d": [1, 2], "e": "fast", "f": "1", "g": "a=b", "h": 1e-3,
    }  # fmt: skip


def test_a_number_stays_text_where_the_field_is_text():
    assert parse_overrides(["name=7", "seed=7"], DataRecipe) == {"name": "7", "seed": 7}


@pytest.mark.parametrize("text", ["seed", "=1", "seed=", "", " = "])
def test_a_setting_without_name_or_value_is_refused(text):
    with pytest.raises(InputError, match="--set must be NAME=VALUE"):
        parse_overrides([text], DataRecipe)


# --- frames and splits ----------------------------------------------------------------------------------------------


@given(st.integers(1, 50), st.integers(0, 60), st.integers(0, 60))
@settings(max_examples=200, deadline=None)
def test_a_range_is_taken_exactly_where_it_lies_within_the_sequence(frames, start, stop):
    if 0 <= start < stop <= frames:
        assert frame_range(f"{start}:{stop}", frames) == range(start, stop)
    else:
        with pytest.raises(InputError, match=f"frames must be 'all' or START:STOP within 0:{frames}"):
            frame_range(f"{start}:{stop}", frames)


def test_open_ranges_and_all():
    assert frame_range("all", 20) == frame_range(":", 20) == frame_range(" all ", 20) == range(20)
    assert frame_range("5:", 20) == range(5, 20)
    assert frame_range(":5", 20) == range(5)
    for text in ("", "5", "a:b", "1:2:3", "-1:5", "1.5:3"):
        with pytest.raises(InputError, match="scored must be 'all' or START:STOP"):
            frame_range(text, 20, name="scored")


@given(st.integers(1, 10**6), st.integers(0, 100), st.integers(0, 100))
@settings(max_examples=200, deadline=None)
def test_splits_hold_every_trajectory_once(trajectories, val, test):
    if val + test > 100:
        val, test = val // 2, test // 2
    splits = [(100 - val - test) / 100, val / 100, test / 100]
    sizes = load_data_recipe("seqcsist", [f"trajectories={trajectories}", f"splits={splits}"]).split_sizes()
    assert tuple(sizes) == SPLITS
    assert sum(sizes.values()) == trajectories
    assert sizes["val"] == trajectories * val // 100
    assert sizes["test"] == trajectories * test // 100


def test_the_published_split():
    assert load_data_recipe("seqcsist").split_sizes() == {"train": 3500, "val": 750, "test": 750}
    assert load_data_recipe("seqcsist", ["trajectories=40"]).split_sizes() == {"train": 28, "val": 6, "test": 6}
    assert load_data_recipe("csist-100k").split_sizes() == {"train": 80_000, "val": 10_000, "test": 10_000}


# --- what is stored -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped("data"))
def test_a_resolved_recipe_gives_back_the_recipe(name):
    recipe = load_data_recipe(name)
    table = resolved(recipe)
    assert set(table) == set(DataRecipe.__struct_fields__)
    assert convert(msgspec.json.decode(msgspec.json.encode(table)), DataRecipe, "stored") == recipe


def test_every_field_moves_the_hash_and_the_order_of_fields_does_not():
    recipe = load_data_recipe("seqcsist")
    plain = recipe_hash(recipe)
    assert plain.startswith("sha256:")
    table = stored_table(recipe)
    assert recipe_hash(dict(reversed(table.items()))) == plain
    changed = {name: recipe_hash({**table, name: "changed"}) for name in (*table, "centre")}
    assert len({plain, *changed.values()}) == len(changed) + 1


# --- fields that version 0.1.0 did not have -------------------------------------------------------------------------

LATER = ("centre", "grid_threshold", *DESCRIPTIVE)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("url=example.org", "url must be an address such as https://example.org/set, got example.org"),
        ("url=https://a b", "url must be an address"),
        ("license='see the README'", "license must be an SPDX identifier such as CC-BY-4.0, or an address"),
    ],
)
def test_page_and_licence_are_checked(override, message):
    with pytest.raises(InputError, match=message):
        load_data_recipe("seqcsist", [override])
    assert load_data_recipe("seqcsist", ["license=CC-BY-4.0"]).license == "CC-BY-4.0"


def test_hashes_of_sets_that_0_1_0_drew_alike_stay():
    recipe = load_data_recipe("seqcsist")
    without = {name: value for name, value in resolved(recipe).items() if name not in LATER}
    assert recipe_hash(recipe) == recipe_hash(without)
    assert stored_table(recipe) == without
    for same in (["centre=5"], ["grid_threshold=60"]):
        assert recipe_hash(load_data_recipe("seqcsist", same)) == recipe_hash(recipe)
    for other in (["centre=6"], ["size=33"]):
        changed = load_data_recipe("seqcsist", other)
        kept = {name: value for name, value in resolved(changed).items() if name not in LATER}
        assert recipe_hash(changed) != recipe_hash(kept)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["centre=5"],
        ["grid_threshold=70"],
        ["size=33"],
        ["size=33", "centre=5"],
        ["centre=7"],
        ["grid_threshold=50"],
    ],
)
@pytest.mark.parametrize("name", ["seqcsist", "csist-100k", "csist-pairs"])
def test_a_recipe_is_read_back_as_it_was_stored(name, overrides):
    recipe = load_data_recipe(name, overrides)
    again = recipe_from_stored(stored_table(recipe), "set")
    assert again == told_nothing(recipe)  # what describes a set lies beside its recipe
    assert again.reference == recipe.reference
    assert again.grid_threshold == recipe.grid_threshold
    assert recipe_hash(again) == recipe_hash(recipe)


def test_a_set_of_0_1_0_of_another_size_was_drawn_about_5():
    old = {k: v for k, v in resolved(load_data_recipe("seqcsist", ["size=33"])).items() if k not in LATER}
    assert recipe_from_stored(old, "set").reference == 5.0
    assert recipe_hash(recipe_from_stored(old, "set")) == recipe_hash(old)


def test_the_threshold_of_csist_100k_is_its_own():
    assert load_data_recipe("csist-100k").grid_threshold == 50.0
    assert load_data_recipe("seqcsist").grid_threshold == 70.0


# --- the shipped ones ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped("data"))
def test_data_recipes_load_under_their_own_name(name: str) -> None:
    assert load_data_recipe(name).name == name


@pytest.mark.parametrize("name", shipped("methods"))
def test_method_recipes_are_of_the_method_they_are_named_after(name: str) -> None:
    method = load_method_recipe(name).method
    assert method in METHODS
    assert name == method or name.startswith(f"{method}-")  # a variant of it


@pytest.mark.parametrize("name", [name for name in shipped("methods") if name not in METHODS])
def test_variants_have_known_settings_and_training_fields(name: str) -> None:
    recipe = load_method_recipe(name)
    assert set(recipe.settings) <= set(resolve_settings(registry.find(recipe.method), recipe.settings))
    assert training_recipe(recipe.training, name)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_has_a_recipe_with_known_settings_and_training_fields(name: str) -> None:
    recipe = load_method_recipe(name)
    resolved = resolve_settings(registry.find(name), recipe.settings)
    assert set(recipe.settings) <= set(resolved)
    training = training_recipe(recipe.training, name)
    network = registry.load_class(registry.find(name))
    assert training.window is None or getattr(network, "resizable", False)
    assert training.adversarial is None or hasattr(network, "critic")


def test_a_data_recipe_lists_only_departures_and_overrides_change_its_hash() -> None:
    plain, other = load_data_recipe("seqcsist"), load_data_recipe("seqcsist", ["noise_sigma=2"])
    assert (plain.trajectories, plain.frames, plain.noise_sigma, other.noise_sigma) == (5000, 20, 0.0, 2.0)
    assert recipe_hash(plain) != recipe_hash(other)
    assert recipe_hash(plain) == recipe_hash(load_data_recipe("seqcsist", ["noise_sigma=0.0"]))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("noise=2", "unknown field 'noise'"),
        ("noise_sigma=-1", "noise_sigma must be"),
        ("c=4", "c must be odd"),
        ("k_max=5", "k_max must be at most 4"),
        ("intensity_min=300", "intensity_min must be at most intensity_max"),
        ("scored_frames=2:30", "scored_frames must be"),
        ("splits=[0.5, 0.1, 0.1]", "splits must sum to 1"),
        ("dtype=uint8", "bits must be in 1..8"),
    ],
)
def test_bad_fields_of_data_recipes_are_named(override: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_data_recipe("seqcsist", [override])


def test_an_unknown_recipe_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'seqcsist-noise'"):
        load_data_recipe("seqcsist-nois")


def test_a_recipe_nested_too_deeply_is_one_line(tmp_path):
    (tmp_path / "deep.toml").write_text("curves = " + "[" * 100_000)
    with pytest.raises(InputError, match=r"deep\.toml: not a TOML recipe: nested too deeply"):
        load_data_recipe(str(tmp_path / "deep.toml"))
