import json

import numpy as np
import pytest
from click.testing import CliRunner

from csist_bench.cli import cli
from csist_bench.datasets import open_dataset
from csist_bench.detections import Detections, detections_from_slots
from csist_bench.errors import InputError
from csist_bench.predictions import Header, write_predictions
from tests.helpers.tiny_sets import tiny_store


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_store(tmp_path_factory.mktemp("data") / "tiny.zarr", 60)


@pytest.fixture
def preds(data, tmp_path):
    """The truth of the test split as predictions, in all its frames."""
    part = data.split("test")
    found = detections_from_slots(part.target_xy, part.target_intensity, part.target_count, part.target_intensity)
    write_predictions(
        tmp_path / "preds.json", found, Header({"name": "truth"}, "seqcsist", "test", data.fingerprint, 54)
    )
    return tmp_path / "preds.json"


def call(data, *arguments):
    result = CliRunner().invoke(cli, ["evaluate", *map(str, arguments), "--data", data.path])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def test_truth_scores_100_and_json_is_all_of_stdout(data, preds):
    table = json.loads(call(data, preds, "--json").stdout)
    assert [table[name] for name in ("cso_map", "ap05", "ap25")] == [100.0] * 3
    assert (table["frames_scored"], table["ignored_detections"] > 0, table["missing_frames"]) == (36, True, 0)
    assert table["official"]


def test_the_score_of_a_file_that_names_no_data_is_not_official(data, preds, tmp_path):
    table = json.loads(preds.read_text())
    del table["dataset"], table["digest"]
    (tmp_path / "p.json").write_text(json.dumps(table))
    table = json.loads(call(data, tmp_path / "p.json", "--json").stdout)
    assert (table["official"], table["unverified"], table["cso_map"]) == (False, True, 100.0)
    assert "does not say which data it answers" in table["unverified_because"]
    assert "UNVERIFIED: the file does not say" in call(data, tmp_path / "p.json").stdout


def test_either_fingerprint_says_which_data_a_file_answers(data, preds, tmp_path):
    table = json.loads(preds.read_text())
    del table["digest"]
    table["dataset"] = {"name": "seqcsist", "split": "test", "fingerprint_v2": data.fingerprint_v2}
    (tmp_path / "p.json").write_text(json.dumps(table))
    assert json.loads(call(data, tmp_path / "p.json", "--json").stdout)["official"]


def test_terminal_report(data, preds):
    assert call(data, preds).stdout.startswith("CSO-mAP 100.00  truth\n")


def test_frames_and_trajectories_choose_what_is_scored(data, preds):
    table = json.loads(call(data, preds, "--json", "--frames", "all").stdout)
    assert (table["frames"], table["frames_scored"], table["official"]) == ("0:6", 54, False)
    table = json.loads(call(data, preds, "--json", "--trajectories", "0:2").stdout)
    assert (table["trajectories"], table["frames_scored"], table["official"]) == (2, 8, False)
    with pytest.raises(InputError, match="trajectories must be 'all' or START:STOP within 0:9"):
        call(data, preds, "--trajectories", "0:10")


def test_predictions_of_other_data_are_refused_or_stamped(data, tmp_path):
    write_predictions(tmp_path / "p.json", Detections.empty(), Header(fingerprint="sha256:0"))
    with pytest.raises(InputError, match="--allow-mismatch"):
        call(data, tmp_path / "p.json")
    result = call(data, tmp_path / "p.json", "--allow-mismatch", "--json")
    assert json.loads(result.stdout)["unverified"]
    assert "UNVERIFIED" in result.stderr
    assert "UNVERIFIED" in call(data, tmp_path / "p.json", "--allow-mismatch").stdout


def test_predictions_of_another_split_are_refused(data, tmp_path):
    write_predictions(tmp_path / "p.json", Detections.empty(), Header(split="val"))
    with pytest.raises(InputError, match="split must be 'test', got 'val'"):
        call(data, tmp_path / "p.json")
    call(data, tmp_path / "p.json", "--split", "val")


def test_warnings_go_to_stderr(data, preds, tmp_path):
    rows = json.loads(preds.read_text())["predictions"]
    (tmp_path / "bare.json").write_text(json.dumps(rows))
    result = call(data, tmp_path / "bare.json", "--json")
    assert "bare list" in result.stderr
    assert json.loads(result.stdout)["cso_map"] == 100.0


def test_report_folder(data, preds, tmp_path):
    result = call(data, preds, "--report", tmp_path / "report", "--bootstrap", "20", "--json")
    table = json.loads(result.stdout)
    assert table == json.loads((tmp_path / "report" / "report.json").read_text())
    assert table["intervals"]["cso_map"] == [100.0, 100.0]
    assert table["figures"]["ssim"] == pytest.approx(1.0)
    names = {path.relative_to(tmp_path / "report").as_posix() for path in (tmp_path / "report").rglob("*.*")}
    assert names >= {"report.html", "table.tex", "frames.csv", "figures/errors.pdf"}
    assert "report/report.html" in result.stderr


def test_ceiling_and_limits(data, preds):
    table = json.loads(call(data, preds, "--ceiling", "--json").stdout)["ceiling"]
    assert 0 < table["grid"]["by_brightness"]["cso_map"] <= table["grid"]["any_ranking"]["cso_map"] < 100
    assert {row["tier"] for row in table["limits"]} >= {"A", "B", "C", "D"}
    text = call(data, preds, "--ceiling").stdout
    assert "Ceiling of the 3-fold grid" in text
    assert "Cramer-Rao" in text


def test_hungarian_has_its_own_names(data, preds):
    table = json.loads(call(data, preds, "--matching", "hungarian", "--json").stdout)
    assert table["hungarian_cso_map"] == 100.0
    assert "cso_map" not in table


def test_heat_maps_are_scored(data, tmp_path):
    from csist_bench.simulation.optics import Optics, grid_from_targets

    part = data.split("test")
    maps = grid_from_targets(part.target_xy, part.target_intensity, Optics())
    np.savez(tmp_path / "maps.npz", heatmaps=maps)
    table = json.loads(call(data, tmp_path / "maps.npz", "--json", "--ceiling").stdout)
    assert table["cso_map"] == pytest.approx(table["ceiling"]["grid"]["by_brightness"]["cso_map"])


def test_no_data_says_how_to_make_it(preds, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["evaluate", str(preds)])
    assert isinstance(result.exception, InputError)
    assert "make it with: csist-bench generate" in str(result.exception)


def test_a_plain_evaluation_loads_nothing_heavy(data, preds):
    import subprocess
    import sys

    code = (
        "import sys; from csist_bench.cli import cli; cli.main(sys.argv[1:], standalone_mode=False);"
        "print([m for m in ('numba', 'scipy', 'pandas', 'torch', 'matplotlib') if m in sys.modules])"
    )
    arguments = [sys.executable, "-c", code, "evaluate", str(preds), "--data", data.path]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.fixture
def foreign(data, tmp_path):
    """The truth as another tool would write it: frames from 1, the corner as origin, rows before columns."""
    part = data.split("test")
    found = detections_from_slots(part.target_xy, part.target_intensity, part.target_count, part.target_intensity)
    lines = [
        f"{t},{f + 1},{y + 0.5!r},{x + 0.5!r},{s!r}"
        for t, f, x, y, s in zip(
            *(found.columns()[name].tolist() for name in ("trajectory", "frame", "x", "y", "score"))
        )
    ]
    (tmp_path / "foreign.csv").write_text("\n".join(["trajectory,frame,x,y,score", *lines]))
    return tmp_path / "foreign.csv"


CONVENTION = ("--first-frame", 1, "--origin", "corner", "--axes", "yx")
SAID = "read with frames counted from 1, positions from the outer corner of pixel (0, 0), x and y swapped"


def test_a_file_of_other_conventions_is_read_by_its_options_and_the_report_says_so(data, foreign, tmp_path):
    with pytest.raises(InputError, match="pass --first-frame 1"):
        call(data, foreign)
    result = call(data, foreign, *CONVENTION, "--report", tmp_path / "report", "--bootstrap", 0)
    assert "CSO-mAP 100.00" in result.stdout
    assert SAID in result.stderr
    assert SAID in (tmp_path / "report" / "report.txt").read_text()
    table = json.loads((tmp_path / "report" / "report.json").read_text())
    assert f"read with {table['conventions']}" == SAID
    for left_out in ("--origin", "--axes"):
        place = CONVENTION.index(left_out)
        part = call(data, foreign, *CONVENTION[:place], *CONVENTION[place + 2 :], "--json")
        assert json.loads(part.stdout)["cso_map"] < 50


def test_submit_validate_plot_and_targets_take_the_same_options(data, foreign, tmp_path):
    def run(*arguments):
        result = CliRunner().invoke(cli, list(map(str, arguments)))
        assert result.exit_code == 0, result.output + str(result.exception)
        return result

    own = ("--data", data.path, *CONVENTION)
    claim = ("--method", "Mine", "--family", "unfolding", "--prior-tier", "D", "--dry-run", "--json", "--note", "first")
    submitted = run("submit", foreign, *own, *claim, "--bootstrap", 1)
    row = json.loads(submitted.stdout)
    assert (row["cso_map"], row["note"]) == (100.0, f"first; {SAID}")
    assert SAID in run("validate", foreign, *own).stderr
    assert SAID in run("plot", "pr", foreign, *own, "--out", tmp_path / "pr.png").stderr
    targets = "trajectory,frame,target,x,y,intensity\n0,1,0,3.5,6.0,200\n"
    (tmp_path / "targets.csv").write_text(targets)
    made = run("generate", "--targets", tmp_path / "targets.csv", "--out", tmp_path / "mine.zarr", *CONVENTION)
    assert SAID in made.stderr
    found = open_dataset(tmp_path / "mine.zarr").split("test")
    assert found.frames.shape[:2] == (1, 1)
    assert found.target_xy[0, 0, 0].tolist() == [5.5, 3.0]
    refused = CliRunner().invoke(cli, ["generate", "--axes", "yx", "--out", str(tmp_path / "none.zarr")])
    assert "must come with --targets" in str(refused.exception)


def test_answers_can_be_capped_under_another_name(data, preds, tmp_path):
    table = json.loads(call(data, preds, "--json", "--max-answers", 1).stdout)
    assert (table["capped_answers_per_frame"], table["official"]) == (1.0, False)
    assert table["capped_ap25"] == pytest.approx(100 * 36 / table["targets"])
    assert table["dropped_answers"] == table["targets"] - 36
    assert "cso_map" not in table
    assert "at most 1 answers a frame" in call(data, preds, "--max-answers", 1).stdout
    refused = CliRunner().invoke(cli, ["evaluate", str(preds), "--max-answers", "0"])
    assert refused.exit_code == 2


def test_the_page_shows_frames_of_the_data_set(data, preds, tmp_path):
    """The darkest and brightest pixels of a worst frame are those of the data set's frame."""
    import base64
    import io
    import re

    from PIL import Image

    table = json.loads(preds.read_text())
    table["predictions"] = [row for row in table["predictions"] if (row["trajectory"], row["frame"]) != (2, 3)]
    del table["digest"]
    (tmp_path / "p.json").write_text(json.dumps(table))
    call(data, tmp_path / "p.json", "--report", tmp_path / "report", "--bootstrap", 0)
    text = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "Something went wrong in 1 of 36 frames" in text
    assert re.findall(r'aria-label="(Trajectory[^"]*)"', text) == [
        f"Trajectory 2, frame 3: {len(missing(data))} missed"
    ]
    address, x, y = re.search(r'<image href="data:image/png;base64,([^"]*)" x="([^"]*)" y="([^"]*)"', text).groups()
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(address))))
    whole = data.split("test").frames[2, 3].astype(float)
    rows, columns = int(float(y) + 0.5), int(float(x) + 0.5)
    part = whole[rows : rows + shown.shape[0], columns : columns + shown.shape[1]]
    grey = 255 * (part - whole.min()) / np.ptp(whole)
    assert np.abs(shown - grey).max() <= 1


def missing(data):
    return range(int(data.split("test").target_count[2, 3]))


def test_a_swapped_file_gets_a_hint_and_its_own_score(data, preds, tmp_path):
    table = json.loads(preds.read_text())
    for row in table["predictions"]:
        row["x"], row["y"] = row["y"], row["x"]
    del table["digest"]
    (tmp_path / "p.json").write_text(json.dumps(table))
    result = call(data, tmp_path / "p.json")
    assert "hint: if the file has x and y swapped, it would score CSO-mAP 100.0 in place of" in result.stdout
    assert "pass --axes yx" in result.stdout
    assert "CSO-mAP 100.00" not in result.stdout


def test_a_file_of_another_split_gets_a_hint(data, tmp_path):
    part = data.split("val")
    found = detections_from_slots(part.target_xy, part.target_intensity, part.target_count, part.target_intensity)
    write_predictions(tmp_path / "p.json", found, Header(n_frames=54))
    assert "pass --split val" in call(data, tmp_path / "p.json").stdout
