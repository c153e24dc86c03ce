from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from csist_bench.cli.train_command import command
from csist_bench.datasets import Dataset
from csist_bench.methods.networks.weights import load_weights

QUICK = ["--device", "cpu", "--set", "steps=2", "--set", "batch_frames=16"]
SMALL = ["--set", "settings.features=6", "--set", "settings.mapped=4"]


def call(store: Dataset, out: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, ["espcn", "--data", store.path, "--out", str(out), *arguments])


def message(result: Result) -> str:
    assert isinstance(result.exception, ValueError), result.output
    return str(result.exception)


def test_a_run_ends_by_telling_how_to_go_on(tiny: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = call(tiny, out, *QUICK, *SMALL)
    assert result.exit_code == 0, result.output
    assert "finished after 2 steps" in result.stdout
    assert f"csist-bench run espcn --data {tiny.path} --weights {out}/best.safetensors" in result.stdout
    assert "csist-bench evaluate preds.json" in result.stdout
    assert "frames/s" in result.stderr
    card = load_weights(out / "best.safetensors")[1]
    assert card.settings == {"features": 6, "mapped": 4}
    assert card.recipe["batch_frames"] == 16


def test_a_paused_run_goes_on_by_its_own_recipe(tiny: Dataset, tmp_path: Path) -> None:
    paused = call(tiny, tmp_path / "run", *QUICK, *SMALL, "--max-minutes", "1e-9")
    assert "paused (--max-minutes is over) after 1 steps" in paused.stdout
    assert f"--out {tmp_path}/run --resume" in paused.stdout
    assert "finished after 2 steps" in call(tiny, tmp_path / "run", "--device", "cpu", "--resume").stdout


def test_a_recipe_file_is_read(tiny: Dataset, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('method = "espcn"\n[settings]\nfeatures = 6\n[training]\nsteps = 1\nbatch_frames = 8\n')
    result = call(tiny, tmp_path / "run", "--device", "cpu", "--recipe", str(recipe), "--set", "lr=1e-4")
    assert result.exit_code == 0, result.output
    card = load_weights(tmp_path / "run" / "last.safetensors")[1]
    assert (card.settings["features"], card.recipe["lr"], card.recipe["batch_frames"]) == (6, 1e-4, 8)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "lr=-1"], "espcn training: lr must be float > 0.0, got -1"),
        (["--set", "learning=1"], "unknown field 'learning'"),
        (["--set", "settings.wide=1"], "espcn settings: unknown field 'wide'"),
        (["--set", "settings=1"], "--set settings must name one"),
        (["--set", "lr"], "--set must be NAME=VALUE, got lr"),
        (["--device", "cuda:77"], "device must be auto, cpu, or a GPU"),
        (["--device", "quantum"], "device must be auto, cpu, or a GPU"),
        (["--recipe", "nowhere.toml"], "recipe nowhere.toml not found"),
        (["--init", "nowhere.safetensors"], "weights nowhere.safetensors not found"),
        (["--resume"], "holds no run to resume"),
        (["--resume", "--overwrite"], "--resume and --overwrite must not be given together"),
    ],
)
def test_bad_input_is_one_line(tiny: Dataset, tmp_path: Path, arguments: list[str], words: str) -> None:
    assert words in message(call(tiny, tmp_path / "run", *arguments))
    assert not (tmp_path / "run").exists()


def test_methods_without_training_and_unknown_ones() -> None:
    free = CliRunner().invoke(command, ["ista"])
    assert "needs no training; run it with: csist-bench run ista" in message(free)
    assert "did you mean 'espcn'" in message(CliRunner().invoke(command, ["epscn"]))


def test_a_missing_data_set_says_how_to_make_it(tmp_path: Path) -> None:
    arguments = ["espcn", "--data", str(tmp_path / "no.zarr"), "--out", str(tmp_path / "run")]
    assert "csist-bench generate" in message(CliRunner().invoke(command, arguments))


def test_a_recipe_of_another_method_is_refused(tiny: Dataset, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('method = "srcnn"\n')
    assert "--recipe must be one of espcn, got srcnn" in message(call(tiny, tmp_path / "run", "--recipe", str(recipe)))
