"""A folder of a submission, for tests: the truth of a tiny set, moved a little."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from csist_bench.datasets import Dataset, open_dataset
from csist_bench.datasets.generation import generate
from csist_bench.detections import Detections
from csist_bench.files.toml import toml_value
from csist_bench.leaderboard.claims import Claim
from csist_bench.leaderboard.folder import Wanted, write_submission
from csist_bench.leaderboard.overlap import training_from_text
from csist_bench.leaderboard.submission import score_submission
from csist_bench.predictions import Header, write_predictions
from csist_bench.recipes import load_data_recipe
from tests.helpers.bench import RECIPE

BOOTSTRAP = 20
ABOUT = {"name": "MyNet", "family": "unfolding", "prior_tier": "D", "seed": 3}


def answers_of(store: Dataset, shift: float = 0.12) -> Detections:
    part = store.test
    xy, intensity = part.target_xy[:, 2:18], part.target_intensity[:, 2:18]
    b, t, k = np.nonzero(np.isfinite(intensity))
    x, y, s = xy[b, t, k, 0], xy[b, t, k, 1], intensity[b, t, k]
    moved = x + shift * np.sin(np.arange(len(x)))
    return Detections(b, t + 2, moved, y, s, s, np.full(len(x), 0.02), np.full(len(x), 0.02))


def predictions_of(store: Dataset, path: Path, answers: Detections | None = None, **header: Any) -> Path:
    values = {
        "method": ABOUT,
        "dataset": "seqcsist",
        "split": "test",
        "fingerprint": store.fingerprint,
        "n_frames": 16 * store.test.n_trajectories,
        "misfit": {"unit": "grey levels", "mean": 1.0, "per_frame": []},
    }
    write_predictions(path, answers_of(store) if answers is None else answers, Header(**{**values, **header}))
    return path


def tiny_set(path: Path) -> Dataset:
    generate(path, load_data_recipe("seqcsist", RECIPE))
    return open_dataset(path)


def written_submission(folder: Path, name: str = "my-net", trained: str = "seqcsist seed=1") -> Path:
    """Write a set, predictions and a submission into a folder; return the submission's."""
    store = tiny_set(folder / "set.zarr")
    scored = score_submission(predictions_of(store, folder / "preds.json"), store, Claim(), bootstrap=BOOTSTRAP)
    wanted = Wanted(folder / name, training=(training_from_text(trained),))
    write_submission(scored, wanted, BOOTSTRAP)
    return folder / name


def copied(folder: Path, to: Path, content: dict[str, Any]) -> Path:
    """Copy a submission with another content of its row.toml."""
    shutil.copytree(folder, to)
    lines = [f"{name} = {toml_value(value)}" for name, value in content.items() if not _is_table(value)]
    for name, value in content.items():
        if isinstance(value, dict):
            lines += [f"[{name}]", *(f"{key} = {toml_value(one)}" for key, one in value.items())]
        for table in value if _is_table(value) and isinstance(value, list) else ():
            lines += [f"[[{name}]]", *(f"{key} = {toml_value(one)}" for key, one in table.items())]
    (to / "row.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return to


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(one, dict) for one in value))
