"""How a row is repeated."""

from __future__ import annotations

import json
import shlex

import click
import pytest

from csist_bench import files
from csist_bench.cli import cli
from csist_bench.leaderboard import published_rows, read_rows, standing
from csist_bench.leaderboard.repeat import data_command, recipe_of, run_command, trained_there
from csist_bench.recipes import shipped
from tests.helpers.rows import row

COMMITTED = standing(read_rows(files.packaged("leaderboard") / "leaderboard.csv"))


def test_a_fitter_is_run_with_its_settings():
    commands = run_command(row(settings="brightness=free"))
    assert commands.split("\n") == [
        "csist-bench run ml --set brightness=free --data set.zarr --out preds.json",
        "csist-bench evaluate preds.json --data set.zarr",
    ]
    assert "--tier reproduced --rank brightness --dry-run" in run_command(row(rank="brightness"))


def test_data_are_made_by_recipe_and_departures():
    made = data_command(row(dataset_recipe='seqcsist-noise noise_sigma=5.0 curves=["line"]', data_seed=3))
    assert shlex.split(made) == [
        "csist-bench", "generate", "--recipe", "seqcsist-noise", "--set", "noise_sigma=5.0", "--set",
        'curves=["line"]', "--seed", "3", "--out", "set.zarr",
    ]  # fmt: skip


def test_what_nobody_here_can_repeat_has_no_command():
    for one in (row(tier="submitted"), row(method="MyNet", tier="submitted"), published_rows()[0]):
        assert run_command(one) == recipe_of(one) == ""
        assert not trained_there(one)


def test_weights_are_those_of_the_rows_recipe():
    weights = files.packaged("weights")
    for name in ("offgrid-net-20", "offgrid-net-free"):
        card = json.loads((weights / f"{name}.json").read_text())
        one = row(method="OffGrid-Net", recipe_hash=card["recipe_hash"], decoder="polish", prior_tier="D")
        assert run_command(one).startswith(f"csist-bench run offgrid-net --weights {name} --decoder polish --data ")
        assert recipe_of(one) == name


def test_a_network_of_an_unknown_recipe_has_no_command():
    one = row(method="ESPCN", family="super-resolution", prior_tier="D", recipe_hash="sha256:" + "0" * 64)
    assert run_command(one) == recipe_of(one) == ""


def test_every_committed_row_is_repeated_by_a_shipped_recipe():
    names = shipped("methods")
    for one in COMMITTED:
        assert recipe_of(one) in names
        assert run_command(one).count("csist-bench run ") == 1


def test_networks_without_shipped_weights_are_trained_first():
    lista = next(one for one in COMMITTED if one.method == "LISTA")
    commands = run_command(lista).split("\n")
    assert commands[:2] == ["csist-bench generate --resume", "csist-bench train lista --out runs/lista"]
    assert "--weights runs/lista/best.safetensors" in commands[2]


def test_rows_of_adapted_weights_are_known():
    adapted = {(one.method, one.dataset) for one in COMMITTED if trained_there(one)}
    assert ("ISTA-Net", "seqcsist-noise sigma=5") in adapted
    assert ("ISTA-Net", "seqcsist") not in adapted
    assert {method for method, _ in adapted} == {"ISTA-Net", "DeRefNet"}


@pytest.mark.parametrize("sample", sorted({(one.method, one.settings, one.decoder) for one in COMMITTED})[::7])
def test_commands_are_ones_that_the_command_line_knows(sample):
    one = next(one for one in COMMITTED if (one.method, one.settings, one.decoder) == sample)
    for command in [data_command(one), *run_command(one).split("\n")]:
        _, name, *words = shlex.split(command)
        known = cli.get_command(click.Context(cli), name)
        assert known is not None
        assert known.make_context(name, words).params
