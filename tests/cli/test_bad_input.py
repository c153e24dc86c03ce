"""What the command line says to bad input: one line, exit code 2, and nothing half-written left as if whole."""

from __future__ import annotations

import json
import shutil

import pytest

from csist_bench.predictions import FORMAT
from tests.helpers.command_line import CommandLine
from tests.helpers.sets import TINY, edit_attributes, tiny_set

FEW = [word for setting in TINY for word in ("--set", setting)]


@pytest.fixture
def cli(capsys):
    return CommandLine(capsys)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_set(tmp_path_factory.mktemp("data") / "seqcsist.zarr")


@pytest.fixture
def broken(data, tmp_path):
    """A copy of the data set, to be damaged."""
    return shutil.copytree(data, tmp_path / "broken.zarr")


# --- mistyped words -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["genrate"], "unknown command 'genrate'; did you mean 'generate'?"),
        (["run", "istanet"], "unknown method 'istanet'; did you mean 'ista-net'?"),
        (["train", "srcn"], "unknown method 'srcn'; did you mean 'srcnn'?"),
        (["train", "ista"], "method 'ista' needs no training; run it with: csist-bench run ista"),
        (["generate", "--recipe", "seqcsist-nois"], "unknown recipe 'seqcsist-nois'; did you mean 'seqcsist-noise'?"),
        (["generate", "--executor", "spark"], "--executor must be serial, processes or dask:ADDRESS, got spark"),
        (["generate", "--part", "5/4"], "--part must be i/n with 1 <= i <= n, got 5/4"),
        (["generate", "--resume", "--overwrite"], "--resume and --overwrite must not be given together"),
        (["bench", "renderin"], "unknown part 'renderin'; did you mean 'rendering'?"),
        (["bench", "start", "--resume"], "--resume needs --out FILE, which says what has been measured"),
        (["bench", "start", "--device", "cpu"], "--precision and --compile are of the part networks"),
        (["bench", "networks", "--method", "ml"], "--method must be a network, got ml"),
        (["bench", "networks", "--method", "espnc"], "unknown method 'espnc'; did you mean 'espcn'?"),
        (["bench", "networks", "--device", "cuda:99"], "device must be auto, cpu, or a GPU of this machine"),
        (["bench", "networks", "--device", "meta"], "device must be auto, cpu, or a GPU of this machine"),
        (["info", "nothing-here"], "nothing-here: no such file, folder or shipped recipe"),
        (["run"], "Missing argument 'METHOD'; see: csist-bench run --help"),
        (["run", "ista", "--lmit", "3"], "No such option '--lmit'"),
        (["run", "ista", "--limit", "0"], "Invalid value for '--limit': 0 is not in the range x>=1"),
        (["run", "ista", "--decoder", "grids"], "Invalid value for '--decoder': 'grids' is not one of"),
        (["generate", "--targets", "none.csv"], "Invalid value for '--targets': File 'none.csv' does not exist"),
    ],
)
def test_mistyped_words_are_answered_in_one_line(cli, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    cli.refuses(*arguments, says=says)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [["run", "bid"], ["evaluate", "EMPTY"], ["limit"], ["submit", "EMPTY", "--family", "traditional"]]
)
def test_an_unknown_split_is_answered_with_the_nearest(cli, data, tmp_path, arguments):
    (tmp_path / "empty.json").write_text(json.dumps({"format": FORMAT, "predictions": []}))
    filled = [tmp_path / "empty.json" if word == "EMPTY" else word for word in arguments]
    out = ["--out", tmp_path / "p.json"] if arguments[0] == "run" else []
    cli.refuses(*filled, "--data", data, "--split", "tset", *out, says="unknown split 'tset'; did you mean 'test'?")


# --- recipes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("noise_sigm = 2\n", "mine.toml: unknown field 'noise_sigm'; did you mean 'noise_sigma'?"),
        ("noise_sigma = -1\n", "mine.toml: noise_sigma must be float >= 0"),
        ("c = 4\n", "c must be odd"),
        ("frames = 'many'\n", "frames must be int, got many"),
        ("scored_frames = '2:40'\n", "scored_frames must be 'all' or START:STOP within 0:20, got 2:40"),
        ("curves = ['spiral']\n", "must be one of line, quadratic, circle"),
        ("noise_sigma = \n", "mine.toml: not a TOML recipe"),
        ("background = 'no/such/folder'\n", "background must be one of none, constant, clutter or an existing folder"),
        (None, "mine.toml not found; shipped recipes: "),
    ],
)
def test_a_bad_recipe_is_named_with_its_field(cli, tmp_path, text, says):
    if text is not None:
        (tmp_path / "mine.toml").write_text(text)
    cli.refuses("generate", "--recipe", tmp_path / "mine.toml", "--out", tmp_path / "x.zarr", says=says)
    assert not (tmp_path / "x.zarr").exists()
    if text is None or "background" not in text:
        cli.refuses("validate", tmp_path / "mine.toml", says=says)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("trajectories", "--set must be NAME=VALUE, got trajectories"),
        ("trajectorys=3", "unknown field 'trajectorys'; did you mean 'trajectories'?"),
        ("trajectories=0", "trajectories must be int >= 1, got 0"),
        ("seed=-1", "seed must be int >= 0, got -1"),
        ("intensity_min=nan", "intensity_min must be"),
    ],
)
def test_a_bad_setting_is_named(cli, tmp_path, setting, says):
    cli.refuses("generate", "--set", setting, "--out", tmp_path / "x.zarr", says=says)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("method", "setting", "says"),
    [
        ("ista", "lamda=2", "ista settings: unknown field 'lamda'; did you mean 'lambda'?"),
        ("ista", "iterations=0", "ista settings: iterations must be int >= 1, got 0"),
        ("bid", "alpha=fast", "bid settings: alpha must be float, got fast"),
    ],
)
def test_a_bad_setting_of_a_method_is_named(cli, data, tmp_path, method, setting, says):
    cli.refuses("run", method, "--data", data, "--set", setting, "--out", tmp_path / "p.json", says=says)
    assert list(tmp_path.iterdir()) == []


# --- data sets that are not right -----------------------------------------------------------------------------------

READERS = [
    ["run", "bid", "--out", "OUT.json", "--data", "SET"],
    ["evaluate", "PREDS", "--data", "SET"],
    ["submit", "PREDS", "--data", "SET", "--leaderboard", "OUT"],
    ["limit", "--data", "SET"],
    ["train", "srcnn", "--out", "OUT", "--data", "SET"],
    ["plot", "frames", "--out", "OUT.png", "--data", "SET"],
    ["export", "SET", "OUT"],
]


def reading(arguments, folder, path):
    (folder / "preds.json").write_text(json.dumps({"format": FORMAT, "predictions": []}))
    given = {"SET": path, "PREDS": folder / "preds.json"}
    return [given.get(word) or word.replace("OUT", str(folder / "out")) for word in arguments]


@pytest.mark.parametrize("arguments", READERS, ids=lambda words: words[0])
def test_data_sets_that_are_not_there_not_ours_or_not_complete(cli, broken, tmp_path, arguments):
    import zarr

    (tmp_path / "work").mkdir()
    missing, foreign = tmp_path / "none.zarr", tmp_path / "foreign.zarr"
    zarr.create_group(foreign, zarr_format=3)
    edit_attributes(broken, status="incomplete", fingerprint=None)
    for path, says in (
        (missing, f"data set {missing} not found; make it with: csist-bench generate --out {missing}"),
        (tmp_path / "work", "not a csist-bench data set (no zarr.json inside)"),
        (foreign, "has no 'schema' attribute"),
        (broken, f"not complete; finish it with: csist-bench generate --out {broken} --resume"),
    ):
        cli.refuses(*reading(arguments, tmp_path, path), says=says)
        assert not list(tmp_path.glob("out*"))


def test_an_incomplete_set_is_read_when_asked(cli, broken, tmp_path):
    edit_attributes(broken, status="incomplete", fingerprint=None)
    cli.passes("run", "bid", "--set", "iterations=2", "--data", broken, "--out", tmp_path / "p.json", "--allow-partial")
    assert cli.json("info", broken)["status"] == "incomplete"
    cli.refuses("validate", broken, says="not complete")
    cli.passes("generate", "--out", broken, *FEW, "--resume")
    cli.passes("validate", broken)


def test_a_damaged_set_fails_validation_in_text_and_in_json(cli, broken):
    import zarr

    zarr.open_group(broken / "val", mode="r+")["frames"][2, 1, 5, 5] = 999.0
    code, out, err = cli("validate", broken)
    assert (code, out) == (2, "")
    assert "contents differ from the digest" in err
    code, out, _ = cli("validate", broken, "--json")
    assert code == 2
    assert json.loads(out)["valid"] is False
    assert len(json.loads(out)["faults"]) == 1


@pytest.mark.parametrize(
    "name", ["zarr.json", "test/zarr.json", "test/frames/zarr.json", "test/frames/c", "test/target_xy/c"]
)
def test_truncated_files_of_a_set_are_one_line(cli, broken, tmp_path, name):
    (tmp_path / "preds.json").write_text(json.dumps({"format": FORMAT, "predictions": []}))
    files = [broken / name] if (broken / name).is_file() else [p for p in (broken / name).rglob("*") if p.is_file()]
    for file in files:
        file.write_bytes(file.read_bytes()[:40])
    command = (
        ["run", "bid", "--out", tmp_path / "p.json"] if "frames" in name else ["evaluate", tmp_path / "preds.json"]
    )
    cli.refuses(*command, "--data", broken, says=str(broken))
    assert not (tmp_path / "p.json").exists()


# --- prediction files that are not right ----------------------------------------------------------------------------

ROW = {"trajectory": 1, "frame": 2, "x": 5.5, "y": 4.25, "score": 231.5}


def rows(*changes):
    return json.dumps({"format": FORMAT, "predictions": [{**ROW, **change} for change in changes]})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (rows({})[:-20], "preds.json"),
        (rows({"x": float("nan")}), "preds.json"),
        (rows({"x": 1e300}), "x must be"),
        (rows({}, {}), "offending: "),
        (rows({"frame": 4}), "frame must be in [0, 4)"),
        (rows({"trajectory": 6}), "trajectory must be in [0, 6)"),
        (rows({"trajectory": -1}), "trajectory must be"),
        (rows({"score": "high"}), "score"),
        (json.dumps({"format": "other@3", "predictions": []}), f"$.format must be '{FORMAT}', got other@3"),
        (json.dumps({"format": FORMAT}), "preds.json"),
        ("", "the file is empty"),
        ("\x00\xff\x13garbage", "begin with '{' or '['"),
        ("[" * 100_000, "preds.json"),
    ],
    ids=(
        "truncated", "nan", "huge", "duplicate", "frame", "trajectory", "negative",
        "text", "format", "no rows", "empty", "binary", "nested",
    ),
)  # fmt: skip
def test_bad_predictions_are_one_line(cli, data, tmp_path, content, says):
    path = tmp_path / "preds.json"
    path.write_text(content, encoding="latin-1")
    leaderboard = tmp_path / "leaderboard.csv"
    assert str(path) in cli.refuses("evaluate", path, "--data", data, says=says)
    cli.refuses("validate", path, "--data", data, says=says)
    cli.refuses("submit", path, "--data", data, "--leaderboard", leaderboard, says=says)
    assert not leaderboard.exists()


def test_a_missing_prediction_file_is_named(cli, data, tmp_path):
    for command in ("evaluate", "submit"):
        cli.refuses(command, tmp_path / "none.json", "--data", data, says="none.json not found")


def test_predictions_of_other_data_are_refused(cli, data, tmp_path):
    other = tiny_set(tmp_path / "other.zarr", "seqcsist", "seed=1")
    cli.passes("run", "bid", "--set", "iterations=2", "--data", other, "--out", tmp_path / "p.json")
    for command in ("evaluate", "submit", "validate"):
        cli.refuses(command, tmp_path / "p.json", "--data", data, says="fingerprint must be that of")
    out, err = cli.passes("evaluate", tmp_path / "p.json", "--data", data, "--allow-mismatch")
    assert "UNVERIFIED" in out
    assert "UNVERIFIED" in err


@pytest.mark.parametrize("frames", ["2:99", "3:3", "a:b", "5", "-1:2"])
def test_a_range_outside_the_sequence_is_named(cli, data, tmp_path, frames):
    out = tmp_path / "p.json"
    cli.refuses("run", "bid", "--data", data, "--out", out, f"--frames={frames}", says="START:STOP within 0:4")
    assert not out.exists()


def test_names_in_files_cannot_act_on_the_terminal(bench, truth, tmp_path, capsys):
    from csist_bench.predictions import Header, write_predictions

    header = Header({"name": "a\x1b]0;x\x07\u202eb"}, "seqcsist", "test", bench.store.fingerprint, 140)
    write_predictions(tmp_path / "p.json", truth, header)
    for arguments in (("evaluate", tmp_path / "p.json"), ("evaluate", tmp_path / "\x1bmissing.json")):
        _, out, err = bench(*map(str, arguments), "--data", str(bench.store.path))
        assert "\x1b" not in out + err
        assert "\u202e" not in out + err
        assert "\\x1b" in out + err
    assert "\x7f" not in bench("evaluate", str(tmp_path / "p.json"), "--json", "--data", str(bench.store.path))[1]
