"""Methods from outside: how they are found, that nothing else loads them, and what is said of their answers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import csist_bench as cb
from csist_bench.cli import main
from csist_bench.errors import InputError
from csist_bench.methods import registry
from csist_bench.methods.outside import OutsideMethod, register, resolve
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from tests.helpers.tiny_sets import tiny_recipe, tiny_shard, tiny_store

pytestmark = pytest.mark.usefixtures("registry_as_it_was")

PACKAGE = Path(__file__).parents[1] / "outside_package"
CENTROID = f"{PACKAGE / 'csist_bench_example' / 'centroid.py'}:Centroid"
CAMERA = Camera(Optics())


def written(folder: Path, body: str, name: str = "own.py") -> Path:
    path = folder / name
    path.write_text("import numpy as np\nfrom csist_bench import Detections\n" + textwrap.dedent(body))
    return path


def answering(folder: Path, expression: str, method: str = "answer") -> str:
    body = f"class Mine:\n    def {method}(self, frames, camera):\n        return {expression}\n"
    return f"{written(folder, body)}:Mine"


def test_a_file_and_its_class_are_a_method_with_settings():
    row = resolve(CENTROID)
    assert (row.name, row.title, row.family, row.prior_tier) == ("centroid", "Centroid", "traditional", "A")
    assert (row.output, row.context, row.trainable, row.any_shape, row.outside) == (
        "points", "frame", False, True, CENTROID,
    )  # fmt: skip
    frames = np.zeros((1, 2, 5, 7))
    frames[0, 0, 1, 3] = frames[0, 0, 3, 3] = 10.0
    found = OutsideMethod(row, {"floor": 2}).detect(frames, CAMERA)
    assert [found.trajectory.tolist(), found.frame.tolist(), found.x.tolist(), found.y.tolist()] == [[0], [0], [3], [2]]
    assert found.score.tolist() == [16.0]
    assert resolve(CENTROID) == row


def test_a_module_is_found_below_this_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written(
        tmp_path,
        "class TwoWords:\n    def heat_maps(self, frames, camera):\n        return frames\n",
        "fits_of_mine.py",
    )
    row = resolve("fits_of_mine:TwoWords")
    assert (row.name, row.output) == ("two-words", "grid")


def test_a_class_can_be_handed_over_from_python(tmp_path):
    kind = registry.load_class(resolve(CENTROID))
    store = tiny_store(tmp_path / "set.zarr")
    found = cb.unmix(store.test, kind, floor=1.0)
    assert set(zip(found.trajectory.tolist(), found.frame.tolist())) == {
        (n, f) for n in range(store.test.n_trajectories) for f in range(1, 5)
    }
    named = cb.unmix(store.test, CENTROID, floor=1.0)
    assert (named.x == found.x).all()


def test_a_network_learns_without_a_loss_of_its_own_and_is_run(tmp_path):
    network = f"{PACKAGE / 'csist_bench_example' / 'tiny_net.py'}:TinyNet"
    store = tiny_store(tmp_path / "set.zarr")
    row = resolve(network)
    assert (row.name, row.trainable, row.output) == ("tiny-net", True, "grid")
    done = cb.train(network, store, tmp_path / "run", settings={"features": 4}, steps=4)
    assert done.finished
    found = cb.unmix(store.test, network, weights=tmp_path / "run" / "best.safetensors", threshold=-1e3)
    assert len(found) == store.test.n_trajectories * 4 * 33**2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nowhere.py:Mine", "nowhere.py: no such file"),
        ("no_such_module.at_all:Mine", "no module 'no_such_module.at_all'"),
        ("no-such-method", "unknown method 'no-such-method'"),
        ("ml-sek", "did you mean 'ml-seq'"),
        (f"{CENTROID}s", r"must name a class of the module, got Centroids; its classes are: Centroid"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(text, said):
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        resolve(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("class Mine: pass", "or be a torch.nn.Module, got neither"),
        ("class Mine:\n  answer = heat_maps = lambda self, frames, camera: frames", "got both"),
        ("class Mine:\n  about = 'A'\n  def answer(self, frames, camera): pass", "about must be a csist_bench"),
        ("class ML:\n  def answer(self, frames, camera): pass", "the name ml must not be taken"),
        ("import nothing_of_this_name", "was not loaded: ModuleNotFoundError"),
        ("x = 1 / 0", "was not loaded: ZeroDivisionError: division by zero (own.py:3)"),
        ("def f(:", "was not loaded: SyntaxError"),
    ],
)
def test_code_that_is_no_method_or_does_not_load_is_said_in_one_line(tmp_path, body, said):
    name = "ML" if "class ML" in body else "Mine"
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        resolve(f"{written(tmp_path, body)}:{name}")
    assert "\n" not in str(caught.value)


def one(trajectory="0", frame="0", x="0.0") -> str:
    return f"Detections(np.array([{trajectory}]), np.array([{frame}]), np.array([{x}]), np.zeros(1), np.zeros(1))"


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("frames", "mine: answer must return csist_bench.Detections, got ndarray"),
        (one(x="np.nan"), "x of its answers must be finite"),
        (one(trajectory="2"), "trajectory of its answers must be whole numbers in [0, 2), got 2"),
        (one(frame="-1"), "frame of its answers must be whole numbers in [0, 3), got -1"),
        ("frames @ np.zeros(3)", "mine failed in answer: ValueError"),
    ],
)
def test_answers_that_can_not_be_used_name_the_method(tmp_path, expression, said):
    method = OutsideMethod(resolve(answering(tmp_path, expression)), {})
    with pytest.raises(InputError, match=re.escape(said)):
        method.detect(np.ones((2, 3, 11, 11)), CAMERA)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("frames", "heat_maps must be numbers of shape (2, 3, 33, 33), got float64 (2, 3, 11, 11)"),
        ("np.full((2, 3, 33, 33), np.inf)", "heat_maps must be finite, got 6,534 values"),
    ],
)
def test_heat_maps_that_can_not_be_used_name_the_method(tmp_path, expression, said):
    method = OutsideMethod(resolve(answering(tmp_path, expression, "heat_maps")), {})
    with pytest.raises(InputError, match=re.escape(said)):
        method.heat_maps(np.ones((2, 3, 11, 11)), CAMERA)


def test_settings_are_checked(tmp_path):
    with pytest.raises(InputError, match="centroid settings: unknown field 'flor'"):
        OutsideMethod(resolve(CENTROID), {"flor": 1})
    with pytest.raises(InputError, match=r"mine settings must be fields of a class that is a msgspec\.Struct"):
        OutsideMethod(resolve(answering(tmp_path, "frames")), {"floor": 1})


def test_neither_recipes_nor_weights_load_code(tmp_path, capsys):
    """What they go through knows the registry alone."""
    trap = written(tmp_path, "raise SystemExit('loaded')", "trap.py")
    with pytest.raises(InputError, match="unknown method"):
        registry.find(f"{trap}:Mine")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f'method = "{trap}:Mine"\n')
    tiny_store(tmp_path / "set.zarr")
    with pytest.raises(SystemExit) as ended:
        main(["train", "espcn", "--recipe", str(recipe), "--data", str(tmp_path / "set.zarr")])
    assert ended.value.code == 2
    assert "--recipe must be one of espcn" in capsys.readouterr().err


@pytest.mark.long
def test_a_package_that_is_installed_adds_its_methods(tmp_path):
    """pip installs it; then it is listed, checked, run and submitted by its name alone."""
    site = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site), str(PACKAGE)]
    subprocess.run([*command, "--no-build-isolation"] if _can_build() else command, check=True, cwd=tmp_path)
    tiny_store(tmp_path / "set.zarr")
    root = str(Path(cb.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), root])}

    def said(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "csist_bench", *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    listed = said("methods")
    assert re.search(r"^centroid +Centroid +traditional .* A ", listed, re.M)
    assert re.search(r"^tiny-net +TinyNet .* 1,465 ", listed, re.M)
    assert "BROKEN" not in said("check-method", "centroid")
    said("run", "centroid", "--data", "set.zarr", "--set", "floor=1")
    said("submit", "preds.json", "--data", "set.zarr", "--leaderboard", "board.csv", "--bootstrap", "5")
    assert "Centroid" in said("leaderboard", "--leaderboard", "board.csv", "--dataset", "all")
    assert "all well" in said("leaderboard", "--leaderboard", "board.csv", "--check")


def _can_build() -> bool:
    try:
        import setuptools
        import wheel  # noqa: F401
    except ModuleNotFoundError:
        return False
    return int(setuptools.__version__.partition(".")[0]) >= 65


def test_registering_twice_is_the_same_and_two_classes_of_one_name_are_not(tmp_path):
    first = resolve(answering(tmp_path, "frames"))
    assert register(registry.load_class(first), where=first.outside) == first
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match="the name mine must not be taken by another method"):
        resolve(answering(tmp_path / "b", "frames"))


def test_the_shard_of_the_helpers_is_answered_like_the_set(tmp_path):
    frames = tiny_shard(4).frames
    found = cb.unmix(frames, CENTROID)
    assert len(found) == 4 * tiny_recipe().frames
