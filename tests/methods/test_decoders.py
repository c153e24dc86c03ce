"""Several decoders in one run: the method answers once, and every file is that of a run by itself."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import torch

from csist_bench.datasets import open_dataset
from csist_bench.errors import InputError
from csist_bench.methods import inference
from csist_bench.methods.inference import header_of
from csist_bench.methods.networks.base import BatchedGridNetwork, build_network
from csist_bench.methods.networks.weights import save_weights
from csist_bench.predictions import read_predictions
from csist_bench.simulation.optics import Optics
from tests.helpers.cards import card_of
from tests.helpers.command_line import CommandLine
from tests.helpers.sets import tiny_set
from tests.helpers.unmixing import unmixed, unmixed_each

BOTH = ("--decoder", "grid", "--decoder", "polish")
SMALL = {
    "srcnn": {"features": 4, "mapped": 4},
    "tdan": ["features=4", "blocks_before=1", "blocks_after=1", "deform_groups=2"],
}


@pytest.fixture
def cli(capsys):
    return CommandLine(capsys)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_set(tmp_path_factory.mktemp("data") / "set.zarr")


@pytest.fixture(scope="module")
def test(data):
    return open_dataset(data).split("test")


@pytest.fixture(scope="module", params=list(SMALL))
def network(request, tmp_path_factory):
    """Name and weights of a small untrained network: one answers frames, one whole trajectories."""
    name, path = request.param, tmp_path_factory.mktemp("weights") / "small.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_weights(path, build_network(name, Optics(), SMALL[name]), card_of(name, SMALL[name]))
    return name, path


def read(path):
    return read_predictions(path, frames_per_trajectory=4, n_trajectories=6)


def without_seconds(header):
    return {key: value for key, value in header.to_table()["method"].items() if key != "seconds"}


def assert_each_is_as_alone(source, method, **how):
    together = unmixed_each(source, method, ["polish", "grid"], **how)
    for decoder, one in zip(("polish", "grid"), together):
        alone = unmixed(source, method, decoder=decoder, **how)
        assert len(alone.detections)
        assert one.detections.columns().keys() == alone.detections.columns().keys()
        for name, column in one.detections.columns().items():
            np.testing.assert_array_equal(column, alone.detections.columns()[name], err_msg=name)
        first, second = header_of(source, one), header_of(source, alone)
        assert list(first.method) == list(second.method)  # the order of the fields is that of the file's bytes
        assert without_seconds(first) == without_seconds(second)
        assert (first.n_frames, first.frames, first.split) == (second.n_frames, second.frames, second.split)


def test_a_network_is_run_once_and_each_answer_is_as_alone(test, network, monkeypatch):
    method, weights = network
    how = {"weights": weights, "device": "cpu", "threshold": 1.0}
    assert_each_is_as_alone(test, method, **how)
    passes = []
    original = BatchedGridNetwork.heat_maps
    monkeypatch.setattr(BatchedGridNetwork, "heat_maps", lambda *a: passes.append(1) or original(*a))
    unmixed(test, method, **how)
    once = len(passes)
    unmixed_each(test, method, ["grid", "polish"], **how)
    assert len(passes) == 2 * once > 0


@pytest.mark.parametrize("workers", [1, 3])
def test_a_training_free_method_is_run_once_on_any_number_of_threads(test, workers):
    assert_each_is_as_alone(test, "ista", settings={"iterations": 50}, workers=workers, frames=range(1, 4))


def test_seconds_leave_out_the_decoding_of_the_others(test, monkeypatch):
    # Clock readings 0, 1, 4, ...: start; grid from 1 to 4; polish from 9 to 16; end at 25.
    squares = (n**2 for n in itertools.count())
    monkeypatch.setattr(inference.time, "perf_counter", lambda: float(next(squares)))
    settings = {"settings": {"iterations": 1}, "workers": 1, "first": 1}
    grid, polish = unmixed_each(test, "ista", ["grid", "polish"], **settings)
    assert (grid.seconds, polish.seconds) == (25 - (16 - 9), 25 - (4 - 1))
    assert (grid.method["seconds"], polish.method["seconds"]) == (18.0, 22.0)


def test_decoders_must_be_different_known_and_fit_the_method(test):
    with pytest.raises(InputError, match="decoders must be at least one, each once, got grid, grid"):
        unmixed_each(test, "ista", ["grid", "grid"])
    with pytest.raises(InputError, match="decoders must be at least one, each once, got none"):
        unmixed_each(test, "ista", [])
    with pytest.raises(InputError, match="unknown decoder 'polsh'; did you mean 'polish'"):
        unmixed(test, "ista", decoder="polsh")
    with pytest.raises(InputError, match="decoders must be one for a method that answers points, got grid, polish"):
        unmixed_each(test, "ml", ["grid", "polish"])


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".json", ".json.gz", ".npz"])
def test_one_file_a_decoder_is_written_and_named(cli, data, tmp_path, suffix):
    run = ("run", "ista", "--set", "iterations=50", "--data", data)
    _, said = cli.passes(*run, *BOTH, "--out", tmp_path / f"p{suffix}")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"p-grid{suffix}", f"p-polish{suffix}"]
    for decoder in ("grid", "polish"):
        cli.passes(*run, "--decoder", decoder, "--out", tmp_path / f"alone{suffix}", "--overwrite")
        assert f"{tmp_path}/p-{decoder}{suffix}: " in said
        together, alone = (read(tmp_path / f"{name}{suffix}") for name in (f"p-{decoder}", "alone"))
        assert without_seconds(together.header) == without_seconds(alone.header)
        assert together.header.fingerprint == alone.header.fingerprint
        for name, column in together.detections.columns().items():
            np.testing.assert_array_equal(column, alone.detections.columns()[name])


def test_files_are_the_same_text_but_for_the_seconds(cli, data, network, tmp_path):
    method, weights = network
    run = ("run", method, "--weights", weights, "--threshold", "1", "--device", "cpu", "--data", data)
    cli.passes(*run, *BOTH, "--out", tmp_path / "p.json")
    for decoder in ("grid", "polish"):
        cli.passes(*run, "--decoder", decoder, "--out", tmp_path / "alone.json", "--overwrite")
        texts = [(tmp_path / name).read_text() for name in (f"p-{decoder}.json", "alone.json")]
        for place, text in enumerate(texts):
            header = json.loads(text)
            for said in (f'"seconds":{header["method"]["seconds"]}', f'"digest":"{header["digest"]}"'):
                assert said in text
                texts[place] = texts[place].replace(said, "")
        assert texts[0] == texts[1]


def test_an_output_that_exists_is_refused_before_the_run(cli, data, tmp_path):
    (tmp_path / "p-polish.json").write_text("kept")
    run = ("run", "ista", "--set", "iterations=1", "--data", data, *BOTH, "--out", tmp_path / "p.json")
    cli.refuses(*run, says=f"{tmp_path}/p-polish.json: the file exists; pass --overwrite to replace it")
    assert [path.name for path in tmp_path.iterdir()] == ["p-polish.json"]
    assert (tmp_path / "p-polish.json").read_text() == "kept"
    (tmp_path / "p.json").write_text("not in the way")
    cli.passes(*run, "--overwrite")
    assert (tmp_path / "p.json").read_text() == "not in the way"
    assert json.loads((tmp_path / "p-polish.json").read_text())["method"]["decoder"] == "polish"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ista", "--decoder", "grid", "--decoder", "grid"], "--decoder must be given once for each decoder, got grid"),
        (["ml", *BOTH], "--decoder must be left out for a method that answers points, got grid, polish"),
        (["ml", "--decoder", "polish"], "--decoder must be left out for a method that answers points, got polish"),
        (
            ["ista", "--precision", "bfloat16"],
            "--precision must be left out for a method without training, got bfloat16",
        ),
        (["ista", *BOTH, "--out", "p.txt"], "unknown prediction file suffix '.txt'"),
    ],
)
def test_decoders_that_make_no_sense_are_refused(cli, data, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    cli.refuses("run", *arguments, "--data", data, says=says)
    assert not list(tmp_path.iterdir())
