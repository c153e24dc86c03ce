"""One bit flipped in every kind of file that the program writes with a digest: it is found, or does no harm."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.faults.tools import Tally, command, run, said_badly

# Text that people write carries no digest: a flip may give other numbers that are as good, and is counted as such.
BY_HAND = "(by hand)"


def flip_often(folder: Path, each: int, seed: int) -> Iterator[Tally]:
    """Flip one random bit of one file at a time, `each` times a kind, and run what reads it."""
    rng = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for kind, files, readers in _kinds(folder):
        tally = Tally(f"bit flips in {kind}")
        sound = [run(words) for words in readers]
        for words, (code, text) in zip(readers, sound):
            if code:
                raise RuntimeError(f"{' '.join(words)}: {text}")
        quiet = other = 0
        for _ in range(each):
            fault, harmless = _trial(rng.choice(files), rng, readers, sound)
            quiet += harmless
            if BY_HAND in kind and fault and "another answer" in fault:
                fault, other = None, other + 1
            tally.add(fault)
        tally.kind += f" ({quiet} of them harmless" + (f", {other} read as other numbers)" if other else ")")
        yield tally


def _trial(
    path: Path, rng: random.Random, readers: Sequence[Sequence[str]], sound: Sequence[tuple[int, str]]
) -> tuple[str | None, bool]:
    content = path.read_bytes()
    damaged = bytearray(content)
    place = rng.randrange(len(damaged))
    damaged[place] ^= 1 << rng.randrange(8)
    path.write_bytes(damaged)
    try:
        ends = [run(words) for words in readers]
    finally:
        path.write_bytes(content)
    where = f"{path.name}, byte {place}"
    for code, text in ends:
        fault = said_badly(code, text, (0, 1, 2))
        if fault:
            return f"{where}: {fault}", False
    if any(code for code, _ in ends):
        return None, False  # found
    same = all(_figures(text) == _figures(before) for (_, text), (_, before) in zip(ends, sound))
    return (None, True) if same else (f"{where}: another answer without a word", False)


def _figures(text: str) -> list[str]:
    """Return what was said but for how long it took."""
    return [line for line in text.splitlines() if " s (" not in line and "seconds" not in line]


def _kinds(folder: Path) -> Iterator[tuple[str, list[Path], list[list[str]]]]:
    data = folder / "set.zarr"
    made = [
        command("generate", "--set", "trajectories=40", "--out", data, "--overwrite"),
        command("run", "ml", "--data", data, "--out", folder / "preds.json", "--overwrite"),
        command("run", "ista", "--data", data, "--out", folder / "preds.npz", "--overwrite"),
        command("run", "ml", "--data", data, "--out", folder / "preds.csv", "--overwrite"),
        command("train", "espcn", "--data", data, "--out", folder / "run", "--overwrite", "--device", "cpu",
                "--set", "steps=4", "--set", "batch_frames=16", "--max-minutes", "1e-9"),
    ]  # fmt: skip
    for words in made:
        code, text = run(words)
        if code:
            raise RuntimeError(f"{' '.join(words)}: {text}")
    scored = command("evaluate", folder / "preds.json", "--data", data, "--json")
    unmixed = command("run", "ml", "--data", data, "--out", folder / "out.csv", "--overwrite")
    trained = folder / "run"
    weights = folder / "espcn.safetensors"
    shutil.copy2(Path("csist_bench/weights/espcn.safetensors"), weights)
    shutil.copy2(Path("csist_bench/weights/SHA256SUMS"), folder / "SHA256SUMS")
    by_network = command("run", "espcn", "--weights", weights, "--data", data, "--out", folder / "e.csv", "--overwrite")

    def inside(*parts: str) -> list[Path]:
        root = data.joinpath(*parts)
        return [p for p in sorted(root.rglob("*")) if p.is_file() and p.name != "zarr.json"]

    yield "target_xy of a store", inside("test", "target_xy"), [scored]
    yield "target_intensity of a store", inside("test", "target_intensity"), [scored]
    yield "frames of a store", inside("test", "frames"), [unmixed]
    yield "metadata of a store", sorted(data.rglob("zarr.json")), [scored, unmixed]
    yield "done-markers of a store", _markers(data), [command("validate", data)]
    yield "preds.json", [folder / "preds.json"], [scored]
    yield "preds.npz", [folder / "preds.npz"], [command("evaluate", folder / "preds.npz", "--data", data, "--json")]
    yield (
        "preds.csv (by hand)",
        [folder / "preds.csv"],
        [command("evaluate", folder / "preds.csv", "--data", data, "--json")],
    )
    yield "weights", [weights], [by_network]
    resumed = command("train", "espcn", "--data", data, "--out", trained, "--resume", "--device", "cpu",
                      "--max-minutes", "1e-9", "--set", "steps=4", "--set", "batch_frames=16")  # fmt: skip
    yield "a checkpoint", [trained / "resume.safetensors"], [resumed]


def _markers(data: Path) -> list[Path]:
    return sorted((data / "_progress").glob("*.json"))
