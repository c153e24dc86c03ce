"""A newcomer with the README alone, in a fresh environment with the installed wheel; the checkout is not imported.

Commands are taken from the README word for word; only the names of files are the newcomer's own.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import csist_bench as cb
from csist_bench.leaderboard import read_rows
from tests.helpers.foreign_frames import add_spot

ROOT = Path(__file__).parents[1]
TARGETS = ((4.2, 5.2), (5.8, 5.4))  # px
OUTSIDE = ROOT / "tests" / "outside_package"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def readme_command(begin: str) -> list[str]:
    """Return the one command of the README that begins so."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    found = [line.split("  #")[0] for line in text.splitlines() if line.startswith(f"csist-bench {begin}")]
    assert len(found) == 1, found
    return shlex.split(found[0])


class Newcomer:
    """A folder, and an environment with the wheel; its dependencies are those of the running one."""

    def __init__(self, home: Path) -> None:
        self.environment, self.folder = home / "venv", home / "work"
        self.folder.mkdir()
        wheels = home / "wheels"
        isolation = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
        pip = [sys.executable, "-m", "pip"]
        subprocess.run([*pip, "wheel", "-q", "--no-deps", *isolation, "-w", wheels, ROOT], check=True, cwd=home)
        venv.create(self.environment, with_pip=True)
        site = next((self.environment / "lib").iterdir()) / "site-packages"
        self.run("python", "-m", "pip", "install", "-q", "--no-deps", *map(str, wheels.iterdir()))
        # Seen after the environment's own packages; links to checkouts that lie there are not followed.
        (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        where = self.run("python", "-c", "import csist_bench; print(csist_bench.__file__)")
        assert where.strip() == str(site / "csist_bench" / "__init__.py")

    def run(self, program: str, *arguments: str) -> str:
        """Run a program of the environment in the folder; it must succeed."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            [self.environment / "bin" / program, *arguments],
            cwd=self.folder, env={**kept, "MPLBACKEND": "Agg"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def __call__(self, command: list[str], *more: str) -> str:
        return self.run(*command, *more)


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory) -> Newcomer:
    return Newcomer(tmp_path_factory.mktemp("newcomer"))


@pytest.fixture(scope="module")
def data(newcomer):
    """A small set in the place where every command looks for one."""
    newcomer(readme_command("generate  "), "--set", "trajectories=40")
    return cb.open_dataset(newcomer.folder / "data" / "seqcsist.zarr")


def test_another_set_is_made_by_a_recipe_and_a_scene_of_ones_own(newcomer):
    newcomer(readme_command("generate --recipe"), "--set", "trajectories=10")
    assert cb.open_dataset(newcomer.folder / "data" / "noise5.zarr").recipe.noise_sigma == 5
    lines = ["trajectory,frame,target,x,y,intensity", "0,0,0,4.2,5.1,230", "0,0,1,5.0,5.1,240"]
    (newcomer.folder / "my_scene.csv").write_text("\n".join(lines) + "\n")
    newcomer(readme_command("generate --targets"))
    assert cb.open_dataset(newcomer.folder / "data" / "mine.zarr").test.frames.shape == (1, 1, 11, 11)


def test_a_foreign_file_is_scored_and_reported(newcomer, data):
    """Written with a print, as another program would: the true targets, each 0.12 px beside."""
    xy, light = data.test.target_xy, data.test.target_intensity
    with (newcomer.folder / "mine.csv").open("w") as file:
        print("trajectory,frame,x,y,score", file=file)
        for n, t, k in np.argwhere(np.isfinite(light[:, 2:18])):
            print(n, t + 2, *(xy[n, t + 2, k] + [0.12, 0]), light[n, t + 2, k], sep=",", file=file)
    said = newcomer(readme_command("evaluate mine.csv"))
    assert "CSO-mAP" in said
    assert (newcomer.folder / "report" / "report.html").stat().st_size > 10_000
    found = cb.load_predictions(newcomer.folder / "mine.csv", data.test)
    assert cb.evaluate(found, data.test).ap[:2] == (0.0, 0.0)
    assert f"{cb.evaluate(found, data.test).cso_map:.2f}" in said


def test_a_row_is_added_and_a_folder_for_a_pull_request_is_written_and_checked(newcomer):
    shutil.copytree(ROOT / "data" / "sample", newcomer.folder / "data" / "sample")
    (newcomer.folder / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "example.json", newcomer.folder / "docs")
    command = readme_command("submit docs/example.json")
    newcomer(command)
    assert [row.method for row in read_rows(newcomer.folder / "board.csv")] == ["MyNet"]
    newcomer(command, "--folder", "submissions/my-net", "--trained-on", "seqcsist seed=1")
    assert "all well" in newcomer(["csist-bench", "leaderboard", "--check", "submissions/my-net"])


def test_a_tiff_is_unmixed(newcomer):
    frames = np.random.default_rng(0).normal(0, 3, (3, 11, 11))
    for frame in frames:
        for x, y in TARGETS:
            add_spot(frame, x, y, 235.0, (0.5, 0.5))
    pages = [Image.fromarray(frame.astype(np.float32)) for frame in frames]
    pages[0].save(newcomer.folder / "my_frames.tif", save_all=True, append_images=pages[1:])
    command = readme_command("run ml --data my_frames.npy")
    newcomer([word.replace("my_frames.npy", "my_frames.tif") for word in command])
    found = cb.load_predictions(newcomer.folder / "mine.json")
    for frame in range(3):
        own = found.select(found.frame == frame)
        for x, y in TARGETS:
            assert np.hypot(own.x - x, own.y - y).min() < 0.35


def test_a_package_from_outside_adds_a_method(newcomer, data):
    """It is installed, listed, checked, run, scored and submitted by its name alone."""
    source = shutil.copytree(OUTSIDE, newcomer.folder / "outside")
    ready = all(importlib.util.find_spec(name) for name in ("setuptools", "wheel"))
    isolation = ["--no-build-isolation"] if ready else []
    newcomer.run("python", "-m", "pip", "install", "-q", "--no-deps", *isolation, str(source))
    shutil.rmtree(source)
    assert "centroid" in newcomer(["csist-bench", "methods"])
    assert "BROKEN" not in newcomer(["csist-bench", "check-method", "centroid"])
    newcomer(["csist-bench", "run", "centroid", "--out", "centroid.json"])
    assert "CSO-mAP" in newcomer(["csist-bench", "evaluate", "centroid.json"])
    folder = "submissions/centroid"
    newcomer(["csist-bench", "submit", "centroid.json", "--folder", folder, "--trained-on", "none"])
    assert "all well" in newcomer(["csist-bench", "leaderboard", "--check", folder])
    newcomer(["csist-bench", "submit", folder, "--leaderboard", "outside.csv"])
    assert [(row.method, row.status) for row in read_rows(newcomer.folder / "outside.csv")] == [
        ("Centroid", "submitted")
    ]
