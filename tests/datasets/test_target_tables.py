import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csist_bench import datasets
from csist_bench.datasets.generation import generate
from csist_bench.datasets.target_tables import read_target_table
from csist_bench.datasets.verification import verify
from csist_bench.errors import InputError
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets

HEADER = "trajectory,frame,target,x,y,intensity\n"
GOOD = HEADER + "0,0,0,5.0,5.0,240\n0,0,1,5.4,5.0,230\n0,2,0,-3.25,11.5,0.5\n1,1,7,4.5,4.5,1000\n"


def written(tmp_path, text, name="scene.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_users_scene_is_rendered_as_it_stands(tmp_path):
    table = read_target_table(written(tmp_path, GOOD))
    recipe = table.recipe(load_data_recipe("seqcsist"))
    generate(tmp_path / "mine.zarr", recipe, targets=table)
    data = datasets.open_dataset(tmp_path / "mine.zarr")
    assert list(data.splits) == ["test"]
    split = data.split("test")
    assert split.frames.shape == (2, 3, 11, 11)
    assert split.target_count.tolist() == [[2, 0, 1], [0, 1, 0]]
    assert split.scored_frames == range(3)
    expected = frames_from_targets(split.target_xy, split.target_intensity, Optics())
    assert np.abs(split.frames - expected).max() < 1e-4
    assert (split.frames[0, 1] == 0).all()
    assert split.frames[1, 1].sum() == pytest.approx(1000, rel=1e-6)
    assert verify(tmp_path / "mine.zarr") == []


def test_rows_may_come_in_any_order_with_any_column_order(tmp_path):
    rows = GOOD.splitlines()
    shuffled = "\n".join([rows[0], rows[3], "", rows[1], rows[4], rows[2]]) + "\n"
    swapped = "\n".join(",".join(reversed(row.split(","))) for row in GOOD.splitlines())
    first = read_target_table(written(tmp_path, GOOD))
    for text in (shuffled, swapped, "\ufeff" + GOOD, GOOD.replace("\n", "\r\n")):
        other = read_target_table(written(tmp_path, text))
        assert np.array_equal(first.xy, other.xy, equal_nan=True)
        assert np.array_equal(first.intensity, other.intensity, equal_nan=True)


def test_noise_can_be_asked_for_and_another_table_is_not_resumed(tmp_path):
    table = read_target_table(written(tmp_path, GOOD))
    noisy = table.recipe(load_data_recipe("seqcsist", ["noise_sigma=2"]))
    generate(tmp_path / "noisy.zarr", noisy, targets=table)
    assert datasets.open_dataset(tmp_path / "noisy.zarr").split("test").frames[0, 1].std() == pytest.approx(2, rel=0.3)
    moved = read_target_table(written(tmp_path, GOOD.replace("5.4", "5.5")))
    with pytest.raises(InputError, match="begun with another target table"):
        generate(tmp_path / "noisy.zarr", noisy, targets=moved, resume=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"scene\.csv must begin with a line of column names \(trajectory, frame, target, x, y, intensity\)"),
        ("trajectory,frame,x,y,intensity\n", "missing: target"),
        (HEADER, "holds no targets"),
        (
            HEADER + "0,0,0,5,5,240\n0,0,1,abc,5,240\n",
            r"scene\.csv: .* one number per column; offending: line 3: x 'abc' is not a number",
        ),
        (HEADER + "0,0,0,nan,5,240\n", r"scene\.csv: x must be finite and within ±1e\+06; offending: line 2: x = nan"),
        (HEADER + "0,0,0,1e7,5,240\n", "x must be finite and within .* line 2: x = 1e"),
        (HEADER + "0,-1,0,5,5,240\n", "frame must be a whole number from 0; offending: line 2: frame = -1"),
        (HEADER + "0,0.5,0,5,5,240\n", r"frame must be a whole number from 0; offending: line 2: frame = 0\.5"),
        (HEADER + "0,0,0,5,5,0\n", "intensity must be above 0 grey levels; offending: line 2: intensity = 0"),
        (HEADER + "0,0,0,5\n", "line 2 has 4 fields instead of 6"),
        (HEADER + "0,0,0,5,5,240\n0,0,0,6,6,240\n", "must occur once; offending: trajectory 0 frame 0 target 0"),
        (HEADER + "0,20000,0,5,5,240\n", "frame must be below 10000"),
        (HEADER + "999999,9000,0,5,5,240\n", "trajectories x frames x targets must be at most 1e"),
    ],
)
def test_bad_tables_are_named(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_target_table(written(tmp_path, text))


def test_frames_are_counted_up_to_the_last_that_may_be(tmp_path):
    assert read_target_table(written(tmp_path, HEADER + "0,9999,0,5,5,240\n")).count.shape == (1, 10_000)


def test_a_binary_file_is_named(tmp_path):
    (tmp_path / "scene.csv").write_bytes(b"\x89PNG\xff\xfe\x00")
    with pytest.raises(InputError, match="not a text file"):
        read_target_table(tmp_path / "scene.csv")


@given(st.text(alphabet=st.sampled_from('0123456789.,-e\n "nax'), max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_table_or_an_input_error(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_text(HEADER + text, encoding="utf-8")
    try:
        table = read_target_table(path)
    except InputError as error:
        message = str(error)
    else:
        message = str(path) if table.count.sum() > 0 else ""
    assert str(path) in message


def test_noise_of_another_seed_is_another_set(tmp_path):
    table = read_target_table(written(tmp_path, GOOD))
    made = []
    for seed in (1, 2):
        recipe = table.recipe(load_data_recipe("seqcsist-noise", [f"seed={seed}"]))
        made.append(generate(tmp_path / f"{seed}.zarr", recipe, targets=table).fingerprint)
    assert made[0] != made[1]


def test_the_brightness_law_is_that_of_the_table(tmp_path):
    recipe = read_target_table(written(tmp_path, GOOD)).recipe(load_data_recipe("seqcsist"))
    assert (recipe.intensity_min, recipe.intensity_max) == (0.5, 1000.0)
    asked = load_data_recipe("seqcsist", ["intensity_max=5000"])
    kept = read_target_table(written(tmp_path, GOOD)).recipe(asked, keep=("intensity_max",))
    assert (kept.intensity_min, kept.intensity_max) == (0.5, 5000.0)
