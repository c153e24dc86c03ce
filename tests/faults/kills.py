"""Commands killed at any moment: run again, they end as if nothing had happened."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.faults.tools import Tally, command, digest_of, killed, run, said_badly, seconds_of

TRAJECTORIES = 600


@dataclass(frozen=True)
class Case:
    """A command: what is run, what is run after a kill, and what must then be equal to an undisturbed run's."""

    name: str
    begin: Callable[[Path], list[list[str]]]
    go_on: Callable[[Path], list[list[str]]]
    outcome: Callable[[Path], str]
    prepare: Callable[[Path], None] = lambda folder: None


def kill_often(folder: Path, count: int, seed: int) -> Iterator[Tally]:
    """Kill each command at random moments, `count` times in all, and run it again."""
    rng = random.Random(seed)
    material = folder / "material"
    _make_material(material)
    cases = _cases(material)
    for place, case in enumerate(cases):
        tally = Tally(f"killed {case.name}")
        whole = folder / "whole"
        _fresh(whole, case)
        _all(case.begin(whole))  # compiles what is not compiled yet
        _fresh(whole, case)
        took = seconds_of(lambda: _all(case.begin(whole)))  # noqa: B023 (used at once)
        wanted = case.outcome(whole)
        for _ in range(count // len(cases) + (place < count % len(cases))):
            tally.add(_trial(folder / "trial", case, wanted, rng, took))
        yield tally


def _trial(folder: Path, case: Case, wanted: str, rng: random.Random, took: float) -> str | None:
    _fresh(folder, case)
    for words in case.begin(folder):
        killed(words, rng.uniform(0.1, took))
    for words in case.go_on(folder):
        fault = said_badly(*run(words))
        if fault:
            return fault
    left = [p.name for p in folder.iterdir() if "tmp" in p.name or p.name.startswith(".trial")]
    if left:
        return f"left behind: {left}"
    return None if case.outcome(folder) == wanted else "another outcome than an undisturbed run"


def _fresh(folder: Path, case: Case) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    case.prepare(folder)


def _all(commands: list[list[str]]) -> None:
    for words in commands:
        code, text = run(words)
        if code:
            raise RuntimeError(f"{' '.join(words)}: {text}")


def _make_material(folder: Path) -> None:
    folder.mkdir(parents=True)
    _all(
        [
            command("generate", "--set", "trajectories=40", "--out", folder / "small.zarr"),
            command("run", "ista", "--data", folder / "small.zarr", "--out", folder / "preds.json"),
            command("export", folder / "small.zarr", folder / "pictures"),
        ]
    )


def _fingerprint(path: Path) -> str:
    code, text = run(command("info", path, "--json"))
    return str(json.loads(text)["fingerprint"]) if code == 0 else text


def _generate(name: str, *options: str) -> Case:
    def words(folder: Path) -> list[str]:
        return command("generate", "--set", f"trajectories={TRAJECTORIES}", "--out", folder / "set.zarr", *options)

    return Case(
        f"generate {name}",
        lambda folder: [words(folder)],
        lambda folder: [[*words(folder), "--resume"]],
        lambda folder: _fingerprint(folder / "set.zarr"),
    )


def _parts() -> Case:
    def words(folder: Path, part: int) -> list[str]:
        fixed = ("--set", f"trajectories={TRAJECTORIES}", "--out", folder / "set.zarr", "--part", f"{part}/2")
        return command("generate", *fixed, "--resume")

    return Case(
        "generate --part",
        lambda folder: [words(folder, 1), words(folder, 2)],
        lambda folder: [words(folder, 1), words(folder, 2)],
        lambda folder: _fingerprint(folder / "set.zarr"),
    )


def _cases(material: Path) -> list[Case]:
    data = material / "small.zarr"

    def train(folder: Path) -> list[str]:
        settings = ("--set", "steps=60", "--set", "batch_frames=16", "--set", "save_minutes=0.001", "--threads", "1")
        return command("train", "espcn", "--data", data, "--out", folder / "run", "--device", "cpu", *settings)

    def submit(folder: Path) -> list[list[str]]:
        board = folder / "board.csv"
        fixed = ("--data", data, "--leaderboard", board, "--date", "2026-01-02", "--bootstrap", "50")
        return [command("submit", material / "preds.json", *fixed, "--supersede", "--rank", "brightness")]

    def submit_again(folder: Path) -> list[list[str]]:
        there = (folder / "board.csv").is_file() and (folder / "board.csv").read_text().count("\n") > 1
        return [command("leaderboard", "--leaderboard", folder / "board.csv", "--check")] if there else submit(folder)

    def pages(folder: Path) -> list[list[str]]:
        return [command("leaderboard", "--markdown", folder / "README.md", "--html", folder / "index.html")]

    def pages_so_far(folder: Path) -> None:
        for name in ("README.md", "index.html"):
            (folder / name).write_text("as it was\n")

    def export(folder: Path) -> list[list[str]]:
        return [command("export", data, folder / "out")]

    def imported(folder: Path) -> list[list[str]]:
        return [command("import", material / "pictures", folder / "out.zarr")]

    def where_missing(path: str, commands: Callable[[Path], list[list[str]]]) -> Callable[[Path], list[list[str]]]:
        return lambda folder: [] if (folder / path).exists() else commands(folder)

    return [
        _generate("serial", "--executor", "serial"),
        _generate("processes", "--executor", "processes", "--workers", "2"),
        _generate("dask", "--executor", "dask:"),
        _parts(),
        Case(
            "train",
            lambda folder: [train(folder)],
            lambda folder: [[*train(folder), *(["--resume"] if (folder / "run" / "recipe.json").is_file() else [])]],
            lambda folder: _tensors(folder / "run" / "last.safetensors"),
        ),
        Case("submit", submit, submit_again, lambda folder: digest_of(folder / "board.csv")),
        Case(
            "leaderboard",
            pages,
            pages,
            lambda folder: digest_of(folder / "README.md") + digest_of(folder / "index.html"),
            pages_so_far,
        ),
        # These write beside and rename: what is there is whole.
        Case("export", export, where_missing("out", export), lambda folder: digest_of(folder / "out")),
        Case("import", imported, where_missing("out.zarr", imported), lambda folder: _fingerprint(folder / "out.zarr")),
    ]


def _tensors(path: Path) -> str:
    from csist_bench.methods.networks.weights import read_tensors

    return json.dumps({name: value.double().sum().item() for name, value in sorted(read_tensors(path)[0].items())})
