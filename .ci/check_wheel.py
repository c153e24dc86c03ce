"""Install the built wheel into a folder of its own and use it from another one, without torch, compiler or network."""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

WANTED = (
    "csist_bench/py.typed",
    "csist_bench/recipes_data/data/seqcsist.toml",
    "csist_bench/recipes_data/methods/ista.toml",
    "csist_bench/leaderboard_data/leaderboard.csv",
    "csist_bench/leaderboard_data/published.csv",
    "csist_bench/weights/offgrid-net.safetensors",
)

LARGEST_MB = 45


def main() -> None:
    wheel = next(Path(sys.argv[1]).glob("*.whl"))
    size = wheel.stat().st_size / 1e6
    if size > LARGEST_MB:
        sys.exit(f"wheel: must be at most {LARGEST_MB} MB, got {size:.1f}")
    names = set(zipfile.ZipFile(wheel).namelist())
    missing = [name for name in WANTED if name not in names]
    foreign = [name for name in names if name.startswith("tests") or "__pycache__" in name]
    if missing or foreign:
        sys.exit(f"wheel: missing {missing}, foreign {foreign}")
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site"
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site), str(wheel)]
        subprocess.run(pip, check=True)
        block = Path(folder) / "block" / "torch"
        block.mkdir(parents=True)
        (block / "__init__.py").write_text("raise ModuleNotFoundError('torch is blocked here', name='torch')\n")
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(block.parent)])}
        elsewhere = Path(folder) / "elsewhere"
        elsewhere.mkdir()
        for arguments in (
            ["--version"],
            ["generate", "--set", "trajectories=40", "--out", "set.zarr"],
            ["run", "bid", "--data", "set.zarr"],
            ["evaluate", "preds.json", "--data", "set.zarr", "--json"],
            ["methods", "--json"],
            ["leaderboard", "--json"],
        ):
            done = subprocess.run(
                [sys.executable, "-m", "csist_bench", *arguments],
                cwd=elsewhere,
                env=env,
                capture_output=True,
                text=True,
            )
            if done.returncode:
                sys.exit(f"wheel: {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        print(f"{wheel.name}: {len(names)} files, works elsewhere without torch")


main()
