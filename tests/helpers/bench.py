"""The command line over one data set and one leaderboard."""

from __future__ import annotations

from pathlib import Path

import pytest

from csist_bench.cli import main
from csist_bench.datasets import Dataset
from csist_bench.detections import Detections
from csist_bench.predictions import Header, write_predictions

RECIPE = ["trajectories=12", "splits=[0.0, 0.34, 0.66]"]

ABOUT = {"name": "ISTA", "registry_name": "ista", "decoder": "grid", "seconds": 2.0, "hardware": "cpu (2 cores)"}


class Bench:
    """The command line over one data set and one leaderboard."""

    def __init__(self, folder: Path, store: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.store, self.capsys = folder, store, capsys
        self.board = folder / "leaderboard" / "leaderboard.csv"

    def file(self, detections: Detections, name: str = "preds.json", **header) -> str:
        part = self.store.split("test")
        values = {
            "method": ABOUT,
            "dataset": "seqcsist",
            "split": "test",
            "fingerprint": self.store.fingerprint,
            "n_frames": 16 * part.n_trajectories,
            **header,
        }
        write_predictions(self.folder / name, detections, Header(**values))
        return str(self.folder / name)

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = self.capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    def submit(self, predictions: str, *options: str) -> tuple[int, str, str]:
        fixed = ("--data", self.store.path, "--leaderboard", str(self.board), "--bootstrap", "50")
        return self("submit", predictions, *fixed, *options)

    def leaderboard(self, *options: str) -> tuple[int, str, str]:
        return self("leaderboard", "--leaderboard", str(self.board), *options)
