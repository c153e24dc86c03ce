import json
import os
import platform
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from csist_bench import datasets
from csist_bench.datasets import generation, layout
from csist_bench.datasets.generation import generate, parse_part
from csist_bench.datasets.metadata.writing import FILES as METADATA
from csist_bench.datasets.verification import verify
from csist_bench.errors import InputError
from csist_bench.recipes import load_data_recipe, recipe_hash, shipped
from tests.helpers.sets import as_schema_1, tiny_recipe, tiny_set

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "data_sets.json").read_text())


@pytest.fixture
def small_shards(monkeypatch):
    """Ten trajectories per shard: five shards in the tiny set."""
    monkeypatch.setattr(layout, "FRAMES_PER_CHUNK", 4)


def digests(path):
    data = datasets.open_dataset(path)
    return [datasets.digest({name: part.read(name) for name in datasets.ARRAYS}) for part in data.splits.values()]


def test_any_split_into_parts_gives_the_same_bytes(tmp_path, small_shards):
    whole = tiny_set(tmp_path / "whole.zarr")
    parts = tmp_path / "parts.zarr"
    results = [generate(parts, tiny_recipe(), part=(i, 4)) for i in (3, 1, 4, 2)]
    assert [made.complete for made in results] == [False] * 3 + [True]
    assert sum(made.written for made in results) == 160
    assert digests(parts) == digests(whole)
    assert datasets.open_dataset(parts).fingerprint == datasets.open_dataset(whole).fingerprint


def test_more_parts_than_shards_are_fine(tmp_path):
    written = [generate(tmp_path / "set.zarr", tiny_recipe(), part=(i, 9)).written for i in range(1, 10)]
    assert sorted(written) == [0] * 6 + [24, 24, 112]
    assert datasets.open_dataset(tmp_path / "set.zarr").fingerprint


def test_worker_processes_give_the_same_bytes(tmp_path):
    recipe = tiny_recipe("seqcsist-noise")
    generate(tmp_path / "serial.zarr", recipe)
    generate(tmp_path / "processes.zarr", recipe, executor="processes", workers=2)
    assert digests(tmp_path / "serial.zarr") == digests(tmp_path / "processes.zarr")


def test_a_dask_cluster_gives_the_same_bytes(tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        generate(tmp_path / "dask.zarr", tiny_recipe(), executor=f"dask:{cluster.scheduler_address}")
    assert digests(tmp_path / "dask.zarr") == digests(tiny_set(tmp_path / "serial.zarr"))


def test_resume_redoes_only_what_has_no_marker(tmp_path, small_shards):
    path = tiny_set(tmp_path / "set.zarr")
    before = digests(path)
    (path / datasets.PROGRESS / "train-00001.json").unlink()
    (path / datasets.PROGRESS / "test-00000.json").write_text("{truncated")
    again = generate(path, tiny_recipe(), resume=True)
    assert (again.written, again.skipped) == ((10 + 6) * 4, 24 * 4)
    assert digests(path) == before
    assert generate(path, tiny_recipe(), resume=True).written == 0


def test_resume_starts_an_absent_set(tmp_path):
    assert generate(tmp_path / "new.zarr", tiny_recipe(), resume=True).complete


@pytest.mark.long
def test_a_killed_run_resumes_to_the_same_bytes(tmp_path):
    path = tmp_path / "killed.zarr"
    script = (
        "import csist_bench.datasets.layout as s; s.FRAMES_PER_CHUNK = 4\n"
        "from csist_bench.datasets.generation import generate\n"
        "from tests.helpers.sets import tiny_recipe\n"
        f"generate({str(path)!r}, tiny_recipe('seqcsist', 'trajectories=4000'))\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and len(list(path.glob("_progress/*.json"))) < 3:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    done = len(list(path.glob("_progress/*.json")))
    assert 3 <= done < 400
    with pytest.raises(InputError, match="not complete"):
        datasets.open_dataset(path)
    recipe = tiny_recipe("seqcsist", "trajectories=4000")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "FRAMES_PER_CHUNK", 4)
        again = generate(path, recipe, resume=True)
        assert again.complete
        assert again.skipped >= 10 * 4 * (done - 2)
        fingerprint = again.fingerprint
    assert generate(tmp_path / "whole.zarr", recipe).fingerprint == fingerprint


def test_a_store_killed_while_it_was_created_is_made_anew(tmp_path):
    path = tiny_set(tmp_path / "set.zarr")
    (path / "zarr.json").write_text('{"attributes": {}, "zarr_format": 3, "node_type": "group"}')
    for later in (*(path / datasets.PROGRESS).iterdir(), *(path / name for name in METADATA)):
        later.unlink()
    assert generate(path, tiny_recipe(), resume=True).complete


def test_an_existing_set_is_not_touched_without_a_word(tmp_path):
    path = tiny_set(tmp_path / "set.zarr")
    with pytest.raises(InputError, match=r"exists already \(complete\); pass --resume to finish it or --overwrite"):
        generate(path, tiny_recipe())
    with pytest.raises(InputError, match=r"begun with another recipe \(seed: 0 -> 1\)"):
        generate(path, tiny_recipe("seqcsist", "seed=1"), resume=True)
    assert generate(path, tiny_recipe("seqcsist", "seed=1"), overwrite=True).written == 160


@pytest.mark.parametrize("flag", ["resume", "overwrite"])
def test_foreign_folders_are_left_alone(tmp_path, flag):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="is not a csist-bench data set; it is left alone"):
        generate(tmp_path / "mine", tiny_recipe(), **{flag: True})
    import zarr

    zarr.create_group(tmp_path / "other.zarr", zarr_format=3, attributes={"owner": "someone"})
    with pytest.raises(InputError, match="is not a csist-bench data set; it is left alone"):
        generate(tmp_path / "other.zarr", tiny_recipe(), **{flag: True})
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_two_writers_of_one_part_are_told_apart(tmp_path):
    path = tmp_path / "set.zarr"

    def second_writer(done, total):
        if not caught:
            with pytest.raises(InputError, match="another process is writing part 1/1") as error:
                generate(path, tiny_recipe(), resume=True)
            caught.append(error)

    caught = []
    generate(path, tiny_recipe(), progress=second_writer)
    assert len(caught) == 1


SLOW_WRITER = """
import sys, time
from csist_bench.datasets.generation import generate, parse_part
from tests.helpers.sets import tiny_recipe
def slowly(done, total):
    print("writing", flush=True)
    time.sleep(600)
generate(sys.argv[1], tiny_recipe(), part=parse_part(sys.argv[2]), progress=slowly)
"""


@contextmanager
def slow_writer(path, part="1/1"):
    """Another process that holds the store half written."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", SLOW_WRITER, str(path), part]
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "writing\n"
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_a_second_writer_is_refused_by_whom_and_a_dead_one_is_not_waited_for(tmp_path):
    path = tmp_path / "set.zarr"
    with slow_writer(path) as first:
        for how in ({"overwrite": True}, {"resume": True}, {"part": (2, 3)}):
            with pytest.raises(InputError) as refused:
                generate(path, tiny_recipe(), **how)
            assert "another process is writing part 1/1 of this data set; wait for it or stop it" in str(refused.value)
            assert f"(process {first.pid} on {platform.node()}, since 20" in str(refused.value)
        with pytest.raises(InputError, match="exists already"):
            generate(path, tiny_recipe())
    assert generate(path, tiny_recipe(), overwrite=True).written == 160
    assert verify(path) == []


def test_parts_share_a_store_but_not_with_another_division(tmp_path):
    path = tmp_path / "set.zarr"
    with slow_writer(path, "1/2"):
        assert generate(path, tiny_recipe(), part=(2, 2)).written > 0
        with pytest.raises(InputError, match="is writing part 1/2"):
            generate(path, tiny_recipe(), part=(3, 3))


def test_links_are_read_and_written_through_but_never_replaced(tmp_path):
    real = tiny_set(tmp_path / "real.zarr")
    link = tmp_path / "link.zarr"
    link.symlink_to(real)
    before = digests(real)
    assert digests(link) == before
    with pytest.raises(InputError, match="is a symbolic link, and what it points to is never removed"):
        generate(link, tiny_recipe("seqcsist", "seed=1"), overwrite=True)
    assert digests(real) == before
    dangling = tmp_path / "dangling.zarr"
    dangling.symlink_to(tmp_path / "nowhere.zarr")
    with pytest.raises(InputError, match="is a symbolic link, and points to nothing"):
        generate(dangling, tiny_recipe())
    assert not (tmp_path / "nowhere.zarr").exists()


def test_a_link_inside_a_store_is_removed_not_followed(tmp_path):
    path = tiny_set(tmp_path / "set.zarr")
    kept = tmp_path / "kept"
    (path / "test").rename(kept)
    (path / "test").symlink_to(kept)
    generate(path, tiny_recipe("seqcsist", "seed=1"), overwrite=True)
    assert (kept / "frames" / "zarr.json").is_file()
    assert not (path / "test").is_symlink()


def test_both_names_of_a_store_have_one_lock(tmp_path):
    path = tmp_path / "set.zarr"
    (tmp_path / "link.zarr").symlink_to(path)
    with slow_writer(path), pytest.raises(InputError, match="is writing part 1/1"):
        generate(tmp_path / "link.zarr", tiny_recipe(), resume=True)


def test_what_a_kill_left_while_a_set_was_replaced_goes(tmp_path):
    path = tiny_set(tmp_path / "set.zarr")
    path.rename(tmp_path / ".set.zarr.replaced.partial")
    tiny_set(path)
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.endswith(".partial")] == []


def test_no_permission_and_a_full_disk_end_in_an_os_error_and_resume(tmp_path, monkeypatch):
    path = tmp_path / "set.zarr"

    def full(*_):
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(datasets, "write_shard", full)
        with pytest.raises(OSError, match="No space left"):
            generate(path, tiny_recipe())
    with pytest.raises(InputError, match="not complete"):
        datasets.open_dataset(path)
    assert generate(path, tiny_recipe(), resume=True).complete


@pytest.mark.parametrize("text", ["0/4", "5/4", "1-4", "a/b", "1/0", ""])
def test_bad_parts_are_named(text):
    with pytest.raises(InputError, match="--part must be i/n with 1 <= i <= n"):
        parse_part(text)


def test_bad_executors_are_named(tmp_path):
    with pytest.raises(InputError, match="--executor must be serial, processes or dask:ADDRESS, got spark"):
        generate(tmp_path / "x.zarr", tiny_recipe(), executor="spark")


def test_the_default_executor_depends_on_the_size():
    assert generation._executor_name(None, tiny_recipe(), None) == "serial"
    assert generation._executor_name(None, tiny_recipe("seqcsist", "trajectories=20000"), None) == "processes"


def test_shards_cover_every_trajectory_once():
    recipe = tiny_recipe("seqcsist", "trajectories=30001")
    tasks = datasets.tasks_of(recipe, recipe.split_sizes())
    covered = np.concatenate([np.array(task.indices) for task in tasks])
    assert np.array_equal(covered, np.arange(30001))


def test_overwriting_one_part_is_refused(tmp_path):
    generate(tmp_path / "set.zarr", tiny_recipe(), part=(1, 3))
    with pytest.raises(InputError, match="would delete the other parts"):
        generate(tmp_path / "set.zarr", tiny_recipe(), part=(2, 3), overwrite=True)


# --- sets of version 0.1.0 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped("data"))
def test_shipped_recipes_make_the_sets_that_they_made_when_they_were_new(tmp_path, name):
    assert recipe_hash(load_data_recipe(name)) == GOLDEN[name]["recipe_hash"]
    made = generate(tmp_path / "set.zarr", load_data_recipe(name, ["trajectories=40"]))
    assert made.fingerprint == GOLDEN[name]["fingerprint"]


def as_of_0_1_0(path, *overrides):
    """A set as version 0.1.0 made it: it drew about 5 px whatever the size, and recorded neither of the new fields."""
    generate(path, tiny_recipe("seqcsist", "centre=5", *overrides))
    assert {"centre", "grid_threshold"}.isdisjoint(json.loads((path / "zarr.json").read_text())["attributes"]["recipe"])
    as_schema_1(path)
    return path


def test_a_wide_set_of_version_0_1_0_is_read_checked_and_resumed_about_its_centre(tmp_path, small_shards):
    path = as_of_0_1_0(tmp_path / "old.zarr", "size=15")
    before = digests(path)
    assert datasets.open_dataset(path).recipe.reference == 5
    assert verify(path) == []
    (path / datasets.PROGRESS / "train-00001.json").unlink()
    assert generate(path, tiny_recipe("seqcsist", "size=15"), resume=True).written > 0
    assert digests(path) == before
    with pytest.raises(InputError, match=r"begun with another recipe \(centre: 5\.0 -> 4\.0\)"):
        generate(path, tiny_recipe("seqcsist", "size=15", "centre=4"), resume=True)


def test_a_wide_set_of_today_records_its_centre(tmp_path):
    path = tiny_set(tmp_path / "new.zarr", "seqcsist", "size=15")
    data = datasets.open_dataset(path)
    assert (data.attributes["recipe"]["centre"], data.recipe.centre, data.recipe.reference) == (7.0, None, 7.0)
    assert verify(path) == []


@pytest.mark.parametrize("bright", [["intensity_min=1e308", "intensity_max=1e308"], ["noise_sigma=1e300"]])
def test_frames_that_are_not_finite_are_refused(tmp_path, bright):
    with pytest.raises(InputError, match="frames must be finite in float32"):
        generate(tmp_path / "set.zarr", tiny_recipe("seqcsist", *bright))
    with pytest.raises(InputError, match="not complete"):
        datasets.open_dataset(tmp_path / "set.zarr")
