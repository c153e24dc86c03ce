"""What the fingerprints tell apart, and that old and new files and sets know each other."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from csist_bench.datasets import fingerprint as prints
from csist_bench.datasets import layout, open_dataset
from csist_bench.datasets.generation import generate
from csist_bench.datasets.public_layouts.exporting import export_layout
from csist_bench.datasets.public_layouts.importing import import_layout
from csist_bench.datasets.target_tables import read_target_table
from csist_bench.predictions import Header, read_predictions
from csist_bench.recipes import DataRecipe, load_data_recipe
from tests.helpers.command_line import CommandLine
from tests.helpers.sets import as_schema_1, tiny_recipe, tiny_set

SAMPLE_OF_0_1_0 = Path(__file__).parents[2] / "data" / "sample" / "seqcsist.zarr"
# Fields that neither optics nor sensor are: what is drawn shows in the targets, how labels are made is nobody's data.
OTHER_FIELDS = {
    "url", "license", "grid_threshold",
    "name", "trajectories", "frames", "splits", "scored_frames", "seed", "c", "label_collision",
    "k_min", "k_max", "intensity_min", "intensity_max", "directions", "radius_min", "radius_max", "growth_max",
    "separation_min", "placement_misses", "curves", "step", "start_min", "start_max", "line_slope_max",
    "quadratic_max", "offset_min", "offset_max", "circle_radius_min", "circle_radius_max", "circle_x_min",
    "circle_x_max", "circle_y_min", "circle_y_max", "path_min", "path_max", "slope_max", "rotate", "centre",
}  # fmt: skip


@pytest.fixture
def cli(capsys):
    return CommandLine(capsys)


class Arrays:
    """Splits in memory."""

    def __init__(self, **arrays):
        self.arrays = arrays

    def blocks(self, name):
        yield self.arrays[name]


def targets(n=2, t=4, **changes):
    values = np.arange(n * t, dtype=float)
    own = {"target_xy": np.stack([values, values], axis=-1).reshape(n, t, 1, 2), "frames": np.zeros((n, t, 3, 3), "u1")}
    own |= {"target_intensity": values.reshape(n, t, 1), "target_count": np.ones((n, t), "u1")}
    return Arrays(**(own | changes))


def both(splits, recipe=None, **attributes):
    return prints.compute_fingerprints(recipe or tiny_recipe(), splits, attributes, [])


def test_fingerprints_stay_as_they_were():
    """Rows of leaderboards and headers of prediction files name them: of the sample set, and of imported frames."""
    first, second = open_dataset(SAMPLE_OF_0_1_0).compute_fingerprints()
    assert first == "sha256:a7a09c6b8a2ceb368ec60952d58c64d3d58be361183b1017699c27e8010f4a69"
    assert second == "sha256-v2:d1e94c6566184a9ece48d0630938478e799da0da1f7b720a692b9a35311c7cb9"
    first, second = both({"test": targets()}, imported_step=1 / 64)
    assert first == "sha256:0b1585eb16a2375ce2bbf1135f56af9752dc7e8816214106da75d9a25b62bd03"
    assert second == "sha256-v2:e975142415786f31514dc41f605f63834b45d4b56415f58f2aa2fd54acc2a81f"


def test_the_same_numbers_in_another_shape_are_other_data():
    one, other = both({"test": targets(2, 4)}), both({"test": targets(4, 2)})
    assert one[0] == other[0]  # that of version 0.1.0 stays as it was
    assert one[1] != other[1]
    assert one[1].startswith("sha256-v2:")


def test_every_split_and_every_array_counts():
    splits = {name: targets() for name in ("train", "val", "test")}
    first = both(splits)
    eight = tiny_recipe("seqcsist-8bit")
    for split in splits:
        for name, values in targets().arrays.items():
            changed = values.copy()
            changed.flat[-1] += 1
            now = {**splits, split: targets(**{name: changed})}
            if name == "frames":
                assert both(now, eight)[1] != both(splits, eight)[1]
                assert both(now)[1] == first[1]  # rendered float frames are told by what they are rendered from
                assert both(now, imported_step=1 / 64)[1] != both(splits, imported_step=1 / 64)[1]
            else:
                assert both(now)[1] != first[1], (split, name)
    moved = {"train": targets(1, 4), "val": targets(3, 4), "test": targets()}
    assert both(moved)[1] != first[1]


def test_every_field_of_optics_and_sensor_counts_and_is_listed():
    known = {*layout.FINGERPRINT_FIELDS, *layout.FINGERPRINT_FIELDS_LATER}
    assert {field.name for field in msgspec.structs.fields(DataRecipe)} == known | OTHER_FIELDS
    changes = {
        "size": 12, "psf_sigma": 0.6, "background": "clutter", "background_mean": 3.0, "background_sigma": 1.0,
        "background_exponent": 1.5, "shot_gain": 0.5, "noise_sigma": 2.0, "saturation": 300.0, "bits": 8,
        "dtype": "uint8",
    }  # fmt: skip
    assert set(changes) == set(layout.FINGERPRINT_FIELDS)
    splits, found = {"test": targets()}, set()
    for name, value in changes.items():
        with_bits = {"bits": 8} if name == "dtype" else {}
        found.add(both(splits, msgspec.structs.replace(tiny_recipe(), **{name: value}, **with_bits))[1])
    found.add(both(splits)[1])
    assert len(found) == len(changes) + 1


def test_a_field_of_later_counts_only_where_it_departs(monkeypatch):
    splits, usual = {"test": targets()}, both({"test": targets()})
    monkeypatch.setattr(prints, "FINGERPRINT_FIELDS_LATER", ("path_max",))
    assert both(splits) == usual
    changed = both(splits, msgspec.structs.replace(tiny_recipe(), path_max=8.5))
    assert (changed[0], changed[1] == usual[1]) == (usual[0], False)


def test_the_noise_of_another_seed_and_another_background_are_other_data(tmp_path):
    noisy = tiny_recipe("seqcsist-noise", "directions='given'")
    other = msgspec.structs.replace(noisy, seed=1)
    splits = {"test": targets()}
    assert both(splits, noisy)[1] != both(splits, other)[1]
    assert both(splits, background_digest="a")[1] != both(splits, background_digest="b")[1]


def test_a_store_carries_both_and_matches_either(tmp_path):
    path = tiny_set(tmp_path / "set.zarr")
    data = open_dataset(path)
    first, second = data.compute_fingerprints()
    assert (data.attributes["fingerprint"], data.attributes["fingerprint_v2"]) == (first, second)
    assert (data.test.fingerprint, data.test.fingerprint_v2) == (first, second)
    old = open_dataset(as_schema_1(path))
    assert "fingerprint_v2" not in old.attributes
    for one in (data, old):
        assert one.matches(first)
        assert one.matches(second)
        for wrong in ("", "sha256:0", "sha256-v2:0", first.replace("sha256:", "sha256-v2:")):
            assert not one.matches(wrong)


def test_a_digest_of_another_layout_or_machine_is_the_same(tmp_path, monkeypatch):
    first = open_dataset(tiny_set(tmp_path / "a.zarr")).fingerprint_v2
    monkeypatch.setattr(layout, "FRAMES_PER_CHUNK", 4)
    assert open_dataset(tiny_set(tmp_path / "b.zarr")).fingerprint_v2 == first
    assert open_dataset(tiny_set(tmp_path / "c.zarr", "seqcsist", "c=5")).fingerprint_v2 == first


def old_file(path, data):
    """A prediction file as version 0.1.0 wrote it."""
    rows = [{"trajectory": 0, "frame": f, "x": 5.0, "y": 5.0, "score": 1.0} for f in data.scored_frames]
    about = {"name": data.recipe.name, "split": "test", "fingerprint": data.fingerprint}
    count = data.n_trajectories * len(data.scored_frames)
    table = {"format": "csist-bench/predictions@1", "dataset": about, "method": {"name": "M"}, "n_frames": count}
    path.write_text(json.dumps({**table, "frames": "2:18", "predictions": rows}))
    return path


def test_a_file_of_0_1_0_scores_against_a_new_store_and_a_new_file_against_one_of_0_1_0(tmp_path, cli):
    recipe = open_dataset(SAMPLE_OF_0_1_0).recipe
    new = tmp_path / "new.zarr"
    generate(new, recipe)
    sample = open_dataset(SAMPLE_OF_0_1_0)
    assert sample.attributes["schema"] == "csist-bench/dataset@1"
    before = old_file(tmp_path / "old.json", sample.test)
    scores = [cli.json("evaluate", before, "--data", path) for path in (new, SAMPLE_OF_0_1_0)]
    assert scores[0]["scores"] == scores[1]["scores"] if "scores" in scores[0] else scores[0] == scores[1]
    cli.passes("run", "ista", "--data", new, "--out", tmp_path / "new.json")
    header = read_predictions(tmp_path / "new.json", frames_per_trajectory=20, n_trajectories=1).header
    assert header.fingerprint_v2 == open_dataset(new).fingerprint_v2
    for path in (new, SAMPLE_OF_0_1_0):
        assert cli("evaluate", tmp_path / "new.json", "--data", path)[0] == 0
        assert cli("validate", tmp_path / "new.json", "--data", path)[0] == 0


def test_a_file_of_data_that_only_the_second_fingerprint_tells_apart_is_refused(tmp_path, cli):
    scene = "trajectory,frame,target,x,y,intensity\n"
    paths = []
    for name, (n, t) in {"a": (2, 4), "b": (4, 2)}.items():
        rows = "".join(f"{i // t},{i % t},0,5,5,240\n" for i in range(n * t))
        (tmp_path / f"{name}.csv").write_text(scene + rows)
        table = read_target_table(tmp_path / f"{name}.csv")
        generate(tmp_path / f"{name}.zarr", table.recipe(load_data_recipe("seqcsist")), targets=table)
        paths.append(tmp_path / f"{name}.zarr")
    one, other = (open_dataset(path) for path in paths)
    assert one.fingerprint == other.fingerprint
    cli.passes("run", "ista", "--data", paths[1], "--out", tmp_path / "p.json")
    for path in (paths[0], as_schema_1(paths[0])):
        says = f"fingerprint must be that of the data, {one.fingerprint_v2}, got {other.fingerprint_v2}"
        cli.refuses("plot", "trajectory", tmp_path / "p.json", "--data", path, "--out", tmp_path / "p.png", says="must")
        header = Header(fingerprint=other.fingerprint, fingerprint_v2=other.fingerprint_v2)
        data = open_dataset(path)
        assert header.mismatch(data.fingerprint, "test", lambda data=data: data.fingerprint_v2) == says


def test_imported_frames_are_part_of_it(tmp_path):
    path, found = tiny_set(tmp_path / "set.zarr", "seqcsist-noise"), set()
    for seed in (0, 1):
        source = tiny_set(tmp_path / f"{seed}.zarr", "seqcsist-noise", f"seed={seed}")
        export_layout(open_dataset(source), tmp_path / f"{seed}", bits=16)
        import_layout(tmp_path / f"{seed}", tmp_path / f"back{seed}.zarr")
        found.add(open_dataset(tmp_path / f"back{seed}.zarr").fingerprint_v2)
    assert len(found | {open_dataset(path).fingerprint_v2}) == 3
