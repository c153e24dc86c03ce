import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from csist_bench.methods import cost
from csist_bench.methods.cost import cache_folder, method_row, method_rows, variant_costs
from csist_bench.methods.networks.base import build_network, count_parameters
from csist_bench.methods.registry import METHODS
from csist_bench.simulation.optics import Optics
from tests.methods.test_contract import PARAMETERS

NODES, PIXELS = 33 * 33, 11 * 11


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache folder that is empty at first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield cache_folder()


@pytest.fixture(scope="module")
def rows(cache):
    return {row["name"]: row for row in method_rows()}


def test_every_method_has_a_row(rows):
    assert list(rows) == list(METHODS)
    for name, row in rows.items():
        assert set(row) >= {"name", "title", "family", "parameters", "macs_per_frame", "prior_tier", "paper"}
        assert (row["title"], row["family"]) == (METHODS[name].title, METHODS[name].family)


def test_parameters_are_those_of_the_full_sizes(rows):
    assert {name: row["parameters"] for name, row in rows.items() if row["trainable"]} == PARAMETERS
    assert {row["parameters"] for row in rows.values() if not row["trainable"]} == {0}


def test_multiplications_of_plain_networks_are_those_counted_by_hand(rows):
    srcnn = NODES * (81 * 32 + 25 * 32 * 16 + 25 * 16)  # three convolutions on the label grid
    assert rows["srcnn"]["macs_per_frame"] == pytest.approx(srcnn + NODES * PIXELS, rel=0.01)  # and x0 = Q y
    espcn = PIXELS * (25 * 64 + 9 * 64 * 32 + 9 * 32 * 9)  # three convolutions on the frame
    assert rows["espcn"]["macs_per_frame"] == pytest.approx(espcn, rel=1e-9)


def test_training_free_methods_have_no_count_of_multiplications(rows):
    assert all((row["macs_per_frame"] is None) == (not row["trainable"]) for row in rows.values())
    assert all(row["macs_per_frame"] > 1e5 for row in rows.values() if row["trainable"])


def test_without_torch_the_costs_are_left_blank(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "torch", None)
    row = method_row(METHODS["srcnn"])
    assert (row["parameters"], row["macs_per_frame"]) == (None, None)
    assert method_row(METHODS["ista"])["parameters"] == 0


# --- what is kept -------------------------------------------------------------------------------------------------


@pytest.fixture
def counted(monkeypatch, tmp_path):
    """The names of the networks that are counted from now on, with an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    names, count = [], cost._counted
    monkeypatch.setattr(cost, "_counted", lambda method, settings: names.append(method.name) or count(method, settings))
    return names


def test_a_second_call_gives_the_same_rows_without_counting_or_torch(rows, cache):
    code = "import json, sys; from csist_bench.methods.cost import method_rows; rows = method_rows()"
    code += "; assert 'torch' not in sys.modules; print(json.dumps(rows))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(told) == list(rows.values())


def test_one_row_counts_one_network_and_keeps_it(counted):
    first = [method_row(METHODS[name]) for name in ("espcn", "srcnn", "espcn")]
    assert counted == ["espcn", "srcnn"]
    assert first[0] == first[2]
    method_row(METHODS["ista"])
    assert counted == ["espcn", "srcnn"]


def test_another_source_is_counted_anew(counted, monkeypatch, tmp_path):
    method_row(METHODS["espcn"])
    network = "methods/networks/espcn.py"
    for name in ("methods/registry.py", "simulation/optics.py", network):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    monkeypatch.setattr(cost, "PACKAGE", tmp_path)
    for text in ("features = 64", "features = 65", "features = 65"):
        (tmp_path / network).write_text(text)
        method_row(METHODS["espcn"])
    assert counted == ["espcn"] * 3


@pytest.mark.parametrize("content", [b"", b"[]", b'{"source": "x"}', b"\xff", b'{"source": 1, "costs": {"espcn": 2}}'])
def test_a_file_that_is_not_what_was_written_is_replaced(counted, content):
    cache_folder().mkdir()
    (cache_folder() / "costs.json").write_bytes(content)
    assert method_row(METHODS["espcn"]) == method_row(METHODS["espcn"])
    assert counted == ["espcn"]


def test_where_nothing_can_be_kept_the_rows_are_the_same(counted, rows, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert [method_row(METHODS["espcn"]) for _ in range(2)] == [rows["espcn"]] * 2
    assert counted == ["espcn"] * 2


def test_the_cache_folder_is_never_relative(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "csist-bench"
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as where there is no home folder
    assert cache_folder() == Path(os.devnull)


def test_a_network_with_settings_of_its_own_is_counted_with_them():
    method, told = METHODS["offgrid-net"], {"width": 64, "reach": 1, "scenes": "seqcsist-free", "precision": "bfloat16"}
    parameters, macs = variant_costs(method, told)
    model = build_network("offgrid-net", Optics(), ["width=64", "reach=1"])
    assert parameters == count_parameters(model)
    assert 0 < macs < method_row(method)["macs_per_frame"]
    assert variant_costs(METHODS["espcn"], {"label_falloff": 2.0})[0] == 22_729
