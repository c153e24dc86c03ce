"""The public interface: what it offers, that it is lazy, and that its examples run."""

from __future__ import annotations

import ast
import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import csist_bench as cb

REPOSITORY = Path(__file__).parents[1]
WITH_EXAMPLES = (
    "csist_bench",
    "csist_bench.api",
    "csist_bench.datasets.reading",
    "csist_bench.detections",
    "csist_bench.methods.inference",
)


@pytest.fixture(scope="module")
def data():
    return cb.open_dataset(REPOSITORY / "data" / "sample" / "seqcsist.zarr")


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    module = importlib.import_module(name)
    done = doctest.testmod(module, extraglobs={"tmp_path": tmp_path}, raise_on_error=False)
    assert done.attempted
    assert not done.failed


@pytest.mark.parametrize("name", [name for name in cb.__all__ if name[0].islower()])
def test_every_function_has_an_example(name):
    if name != "save_predictions":  # it stands in that of load_predictions
        assert ">>> import csist_bench as cb" in getattr(cb, name).__doc__


def test_nothing_is_imported_before_it_is_used():
    code = (
        "import sys, csist_bench; print([m for m in sys.modules if m.startswith(('csist_bench.', 'numpy', 'torch'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_type_checkers_see_the_names_that_are_there():
    package = ast.parse((REPOSITORY / "csist_bench" / "__init__.py").read_text())
    block = next(node for node in package.body if isinstance(node, ast.If))
    named = {f"{node.module}:{node.names[0].name}" for node in block.body if isinstance(node, ast.ImportFrom)}
    assert named == {f"csist_bench.{module}:{name}" for name, module in cb._PUBLIC.items()}
    assert set(dir(cb)) == set(cb.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = cb.nothing


def test_from_data_to_score_and_back(data, tmp_path):
    found = cb.unmix(data.test, "ml", brightness="free", first=2)
    table = found.to_pandas()
    assert list(table.columns) == list(found.columns())
    again = cb.Detections.from_pandas(table)
    for name, column in found.columns().items():
        np.testing.assert_array_equal(column, again.columns()[name])
    whole = cb.unmix(data.test, "ml")
    cb.save_predictions(whole, tmp_path / "preds.json", data=data.test, method="ML")
    report = cb.evaluate(cb.load_predictions(tmp_path / "preds.json", data.test), data.test)
    assert report.cso_map == cb.evaluate(whole, data.test).cso_map > 99
    assert f"<td>{report.cso_map:.2f}</td>" in report._repr_html_()
    with pytest.raises(cb.InputError, match="split must be 'train', got 'test'"):
        cb.load_predictions(tmp_path / "preds.json", data.train)


def test_predictions_of_other_tools_are_read_in_their_convention(data, tmp_path):
    (tmp_path / "corner.csv").write_text("trajectory,frame,x,y,score\n0,3,4.5,6.5,1\n")
    found = cb.load_predictions(tmp_path / "corner.csv", data.test, first_frame=1, origin="corner", axes="yx")
    assert (found.frame[0], found.x[0], found.y[0]) == (2, 6.0, 4.0)
    with pytest.raises(cb.InputError, match="origin must be one of centre, corner, one, got middle"):
        cb.load_predictions(tmp_path / "corner.csv", origin="middle")


def test_bad_input_is_said(data, tmp_path):
    table = cb.Detections.empty().to_pandas()
    with pytest.raises(cb.InputError, match="have the columns"):
        cb.Detections.from_pandas(table.drop(columns="x"))
    with pytest.raises(cb.InputError, match="unknown column 'sigma'"):
        cb.Detections.from_pandas(table.assign(sigma=1.0))
    row = {"trajectory": [0.5], "frame": [0], "x": [1.0], "y": [1.0], "score": [1.0]}
    with pytest.raises(cb.InputError, match=r"column trajectory must hold whole numbers, got 0\.5"):
        cb.Detections.from_pandas(table.__class__(row))
    with pytest.raises(cb.InputError, match="unknown field 'brightnes'"):
        cb.unmix(data.test, "ml", brightnes="free")
    with pytest.raises(cb.InputError, match="did you mean 'off-grid'"):
        cb.list_methods(family="offgrid")
    with pytest.raises(cb.InputError, match="must be a network, got ml"):
        cb.train("ml", data, tmp_path)
    with pytest.raises(cb.InputError, match="weights nowhere not found"):
        cb.load_network("nowhere")
    with pytest.raises(cb.InputError, match="noise_sigma must be left out"):
        cb.unmix(data.test, "ml", camera=cb.Camera.from_recipe(data.recipe), noise_sigma=1.0)
