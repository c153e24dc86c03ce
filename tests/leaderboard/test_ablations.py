"""The ablations of OffGrid-Net: every variant is one that can be trained, and the table is kept as it grows."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from csist_bench.methods.networks.base import network_from_settings, resolve_settings
from csist_bench.methods.registry import METHODS
from csist_bench.recipes import load_method_recipe, parse_overrides
from csist_bench.simulation.optics import Optics
from csist_bench.training.recipe import training_hash, training_recipe
from csist_bench.training.stages import require_fit
from tests.helpers.scripts import loaded_script

SCRIPT = Path(__file__).parents[2] / "leaderboard" / "ablations.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return loaded_script("ablations")


def test_every_variant_is_another_network_or_another_training(script: ModuleType) -> None:
    method, recipe, hashes = METHODS["offgrid-net"], load_method_recipe("offgrid-net"), []
    for name in script.VARIANTS:
        given = parse_overrides(script.overrides_of(name))
        chosen = {n.removeprefix("settings."): v for n, v in given.items() if n.startswith("settings.")}
        settings = {**recipe.settings, **chosen}
        fields = {n: v for n, v in given.items() if not n.startswith("settings.")}
        training = training_recipe({**recipe.training, **fields})
        assert training.steps == 1000
        model = network_from_settings(method, Optics(), resolve_settings(method, settings))
        require_fit(method.name, model, training)
        hashes.append(training_hash(method, settings, training))
    assert len(set(hashes)) == len(script.VARIANTS)


def test_the_table_is_written_and_read(script: ModuleType, tmp_path: Path) -> None:
    table = tmp_path / "ablations.csv"
    assert script.read(table) == {}
    row = dict.fromkeys(script.COLUMNS, "1") | {"variant": "reference", "overrides": "a=1, b"}
    script.write(table, [row])
    assert script.read(table) == {"reference": row}
    assert list(tmp_path.iterdir()) == [table]


def test_an_unknown_variant_is_refused(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["ablations.py", "depth 9"])
    with pytest.raises(SystemExit) as stopped:
        script.main()
    assert stopped.value.code == 2
    assert "NAME must be of reference" in capsys.readouterr().err
