"""What the pages of the documentation name as the reader's own, made on demand: sets, frames, answers, methods."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from csist_bench import api
from csist_bench.datasets import open_dataset
from csist_bench.datasets.generation import generate
from csist_bench.datasets.public_layouts.exporting import export_layout
from csist_bench.recipes import load_data_recipe
from tests.helpers import frame_files
from tests.helpers.pages import ROOT, blocks

TRAJECTORIES = 30  # 22 to train on, 4 to validate, 4 to test
DEFAULT_SET = "data/seqcsist.zarr"


def small_recipes(folder: Path) -> Path:
    """Write the shipped recipes anew, as they are but for few trajectories and few steps of training."""
    shutil.copytree(ROOT / "recipes", folder)
    for path in (folder / "data").glob("*.toml"):
        text = re.sub(r"^trajectories = .*$", "", path.read_text(), flags=re.MULTILINE)
        path.write_text(f"trajectories = {TRAJECTORIES}\n{text}")
    for path in (folder / "methods").glob("*.toml"):
        text = path.read_text()
        if "[training]" in text:
            kept = re.sub(r"^(epochs|steps|validate_every|validate_trajectories) = .*$", "", text, flags=re.MULTILINE)
            path.write_text(kept.replace("[training]", "[training]\nsteps = 2\nvalidate_trajectories = 1", 1))
        tomllib.loads(path.read_text())
    return folder


def _set(name: str, *overrides: str) -> Callable[[Path], None]:
    return lambda path: generate(path, load_data_recipe(name, overrides), executor="serial") and None


def _default_set(path: Path) -> Path:
    folder = path.absolute().parent / DEFAULT_SET
    if not folder.exists():
        _set("seqcsist")(folder)
    return folder


def _answers(path: Path) -> None:
    """Write the targets of the default set with errors of their own, as the suffix says."""
    data = open_dataset(_default_set(path)).test
    n, t, k = np.nonzero(np.isfinite(data.target_xy[..., 0]))
    xy, errors = data.target_xy[n, t, k], np.random.default_rng(len(path.name)).normal(0, 0.05, (len(n), 2))
    found = replace(
        api.Detections(n, t, *(xy + errors).T, data.target_intensity[n, t, k]), intensity=data.target_intensity[n, t, k]
    )
    api.save_predictions(found, path, data=data, method=path.stem, n_frames=data.n_trajectories * data.n_frames)


def _foreign(path: Path) -> None:
    """Write answers as another tool has them: frames from 1, positions from the corner, x the row."""
    _answers(made := path.with_suffix(".csv.made.csv"))
    table = pd.read_csv(made)
    table["frame"] += 1
    table["x"], table["y"] = table["y"] + 0.5, table["x"] + 0.5
    table.to_csv(path, index=False)


def _frames(shape: tuple[int, ...]) -> np.ndarray:
    """Return frames with two targets 1.5 px apart in the middle of the last two axes, and noise."""
    *many, height, width = shape
    y, x = np.mgrid[:height, :width]
    light = sum(
        150 * np.exp(-((x - width // 2 - dx) ** 2 + (y - height // 2) ** 2) / 0.5)
        for dx in (-0.75, 0.75)
    )  # fmt: skip
    return np.random.default_rng(0).normal(light + 10, 3, (*many, height, width))


def _scene(path: Path) -> None:
    rows = [(0, frame, k, 5 + 0.5 * k, 5.0, 240) for frame in range(20) for k in range(2)]
    columns = ["trajectory", "frame", "target", "x", "y", "intensity"]
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)


def _pictures(path: Path) -> None:
    frame_files.write_png_folder(path, np.clip(_frames((200, 11, 11)), 0, 255).astype(np.uint8))


def _published(path: Path) -> None:
    export_layout(open_dataset(_default_set(path.parent)), path, bits=16)


def _single_frames(path: Path) -> None:
    generate(made := path.with_name("made.zarr"), load_data_recipe("csist-100k"), executor="serial")
    export_layout(open_dataset(made), path, "csist-100k")


def _weights(path: Path) -> None:
    shutil.copyfile(ROOT / "csist_bench" / "weights" / f"{path.parent.name}.safetensors", path)


def _pickled(path: Path) -> None:
    import torch

    from csist_bench.methods.networks.weight_files import shipped_weights
    from csist_bench.methods.networks.weights import load_weights

    torch.save(load_weights(shipped_weights("espcn"))[0].state_dict(), path)


def _file_of(page: str, name: str) -> Callable[[Path], None]:
    """Return what writes a file as a page has it."""

    def write(path: Path) -> None:
        path.write_text(next(block.text for block in blocks(ROOT / "docs" / page) if block.file == name))

    return write


def _copy(path: Path) -> None:
    source = ROOT / path
    (shutil.copytree if source.is_dir() else shutil.copyfile)(source, path)


# Name, as the pages have it: what makes it there.
INPUTS: dict[str, Callable[[Path], object]] = {
    DEFAULT_SET: _set("seqcsist"),
    "data/noise.zarr": _set("seqcsist-noise", "noise_sigma=2"),
    "data/noise2.zarr": _set("seqcsist-noise", "noise_sigma=2"),
    "data/noise5.zarr": _set("seqcsist-noise", "noise_sigma=5"),
    "data/sample/seqcsist.zarr": _copy,
    "docs/example.json": _copy,
    "downloads/SeqCSIST": _published,
    "downloads/cso_data": _single_frames,
    "data/csist-100k.zarr": _set("csist-100k"),
    **dict.fromkeys(("ml.json", "mine.json", "a.json", "b.json", "preds.json", "mine.csv", "ml.csv"), _answers),
    "fast.csv": _answers,
    "matlab.csv": _foreign,
    "my_scene.csv": _scene,
    "my_frames.npy": lambda path: np.save(path, _frames((8, 20, 11, 11))),
    "large_frames.npy": lambda path: np.save(path, _frames((5, 48, 48))),
    "frames.npy": lambda path: np.save(path, _frames((20, 24, 32)).transpose(1, 2, 0)),
    "session.npz": lambda path: np.savez(path, cam1=_frames((4, 11, 11)), cam2=_frames((5, 12, 12))),
    "stack.tif": lambda path: frame_files.write_tiff(path, np.clip(_frames((20, 11, 11)), 0, 999).astype(np.uint16)),
    "frames.mat": lambda path: frame_files.write_mat(path, _frames((20, 11, 11)).astype(np.float32)),
    "frames/": _pictures,
    "camera.toml": _file_of("camera.md", "camera.toml"),
    "known.toml": lambda path: path.write_text('schema = "csist-bench/camera@1"\npsf_sigma = 0.5\n'),
    "my_fit.py": _file_of("own-methods.md", "my_fit.py"),
    "my_package/fits.py": _file_of("own-methods.md", "my_fit.py"),
    "my_net.py": _file_of("tutorial-network.md", "my_net.py"),
    "my-net.toml": _file_of("tutorial-network.md", "my-net.toml"),
    "runs/edsr/best.safetensors": _weights,
    "theirs.pth": _pickled,
}


def provide(names: list[str]) -> None:
    """Make, in this folder, whatever of the names is a reader's own and is not there."""
    for name in names:
        known = "my_package/fits.py" if name.startswith("my_package.fits:") else name.partition(":")[0]
        if known in INPUTS and not Path(known).exists():
            Path(known).parent.mkdir(parents=True, exist_ok=True)
            INPUTS[known](Path(known))
