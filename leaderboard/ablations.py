"""The ablations of OffGrid-Net: each variant trained alike, on a short budget, and scored on three noise levels.

    python leaderboard/ablations.py [--data data] [--runs runs/ablations] [--out leaderboard/ablations.csv] [NAME ...]

A variant departs from the reference (`BASE`) in what its name says. Rows that are there are kept; a stopped run is
taken up. Scores are those of the test split by the network's own ranking.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

# What every variant departs from, beside the network and noise of the shipped recipe, which has moved on since.
BASE = ["steps=1000", "optimiser=adamw", "lr=1e-3", "settings.alternatives=4", "stream.noise_free=0.15",
        "stream.eight_bit=0.2", "settings.answers=likeliest", "calibration=false"]  # fmt: skip
SETS = {"noise_free": "seqcsist", "sigma_2": "noise2", "sigma_5": "noise5"}
ONE_SET = "settings.alternatives=1"
MUON = ["optimiser=muon", "lr=6e-3", "settings.alternatives=2"]
SEQUENCES = ["settings.depth=5", "settings.reach=2", "stream.length=8", "batch_trajectories=128"]

VARIANTS: dict[str, list[str]] = {
    "reference": [],
    "2 alternatives": ["settings.alternatives=2"],
    "8 alternatives": ["settings.alternatives=8"],
    "one set": [ONE_SET],
    "one set, loss over all assignments": [ONE_SET, "settings.assignments=all"],
    "one set, without moments": [ONE_SET, "settings.moments=false"],
    "window 5 px": ["settings.window=5"],
    "window 9 px": ["settings.window=9"],
    "width 128": ["settings.width=128"],
    "width 512": ["settings.width=512"],
    "depth 2": ["settings.depth=2"],
    "depth 6": ["settings.depth=6"],
    "convolutions before": ["settings.pixels=convolution"],
    "stored 70,000 frames": ["stream.scenes={stored=1.0}"],
    "5 frames, attention": SEQUENCES,
    "5 frames, convolution": [*SEQUENCES, "settings.neighbours=convolution"],
    "Muon, 2 alternatives": MUON,
    "Muon, 2 alternatives, answers moved": [*MUON, "settings.answers=moved"],
}
COLUMNS = ("variant", "overrides", "steps", "parameters", "minutes", "cso_map_noise_free", "cso_map_sigma_2",
           "cso_map_sigma_5")  # fmt: skip


def main() -> None:
    """Measure the variants that are not in the table yet."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(VARIANTS)}; all by default")
    told.add_argument("--data", type=Path, default=Path("data"))
    told.add_argument("--runs", type=Path, default=Path("runs/ablations"))
    told.add_argument("--out", type=Path, default=Path("leaderboard/ablations.csv"))
    told.add_argument("--threads", default="0", help="CPU threads of training; 0: all")
    options = told.parse_args()
    unknown = set(options.names) - set(VARIANTS)
    if unknown:
        told.error(f"NAME must be of {', '.join(VARIANTS)}, got {', '.join(sorted(unknown))}")
    table = read(options.out)
    for name in options.names or VARIANTS:
        if name in table:
            continue
        row = measure(name, options)
        table = {**read(options.out), name: row}
        write(options.out, [table[each] for each in VARIANTS if each in table])
        print(", ".join(f"{column} {value}" for column, value in row.items()), flush=True)


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Train a variant, or take its run up, and return its row."""
    run = options.runs / name.replace(" ", "-").replace(",", "")
    overrides = overrides_of(name)
    threads = [] if options.threads == "0" else ["--threads", options.threads]
    given = ["--resume"] if (run / "recipe.json").is_file() else [x for o in overrides for x in ("--set", o)]
    command("train", "offgrid-net", "--data", options.data / "noise2.zarr", "--out", run, *given, *threads)
    card = json.loads((run / "best.json").read_text())
    scores = {column: score(options.data / f"{data}.zarr", run) for column, data in SETS.items()}
    shown = " ".join(VARIANTS[name])
    values = (name, shown, card["recipe"]["steps"], parameters(run), round(card["minutes"], 1), *scores.values())
    return dict(zip(COLUMNS, values, strict=True))


def overrides_of(name: str) -> list[str]:
    """Return every override of a variant, its own in place of the base's."""
    given = dict(override.split("=", 1) for override in [*BASE, *VARIANTS[name]])
    return [f"{field}={value}" for field, value in given.items()]


def score(data: Path, run: Path) -> float:
    """Return the CSO-mAP of a run's weights on a test split, percent."""
    predictions = run / "predictions.npz"
    weights = run / "best.safetensors"
    command("run", "offgrid-net", "--data", data, "--weights", weights, "--out", predictions, "--overwrite")
    said = command("evaluate", predictions, "--data", data, "--json")
    return round(float(json.loads(said)["cso_map"]), 2)


def parameters(run: Path) -> int:
    """Return how many parameters the network of a run has."""
    from csist_bench.methods.networks.base import count_parameters
    from csist_bench.methods.networks.weights import load_weights

    return count_parameters(load_weights(run / "best.safetensors")[0])


def command(*words: object) -> str:
    """Run csist-bench and return what it prints; a failure ends the programme."""
    done = subprocess.run([sys.executable, "-m", "csist_bench", *map(str, words)], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of a table by their variants."""
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        return {row["variant"]: row for row in csv.DictReader(file)}


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Replace a table."""
    new = path.with_suffix(".tmp")
    with new.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    new.replace(path)


if __name__ == "__main__":
    main()
