"""`submit`, `leaderboard` and `plot` on the command line, on a test split of 7 trajectories."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from csist_bench.cli import main
from csist_bench.datasets import Store, open_store
from csist_bench.datasets.generation import generate
from csist_bench.detections import Detections
from csist_bench.leaderboard import read_rows, standing
from csist_bench.predictions import Header, write_predictions
from csist_bench.recipes import load_data_recipe
from tests.helpers.rows import row

RECIPE = ["trajectories=12", "splits=[0.0, 0.34, 0.66]"]
ABOUT = {"name": "ISTA", "registry_name": "ista", "decoder": "grid", "seconds": 2.0, "hardware": "cpu (2 cores)"}


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    path = tmp_path_factory.mktemp("data") / "seqcsist.zarr"
    generate(path, load_data_recipe("seqcsist", RECIPE))
    return open_store(path)


@pytest.fixture(scope="module")
def truth(store) -> Detections:
    """Every scored target, ranked by brightness, with standard errors."""
    part = store.split("test")
    xy, intensity = part.target_xy[:, 2:18], part.target_intensity[:, 2:18]
    b, t, k = np.nonzero(np.isfinite(intensity))
    x, y, s = xy[b, t, k, 0], xy[b, t, k, 1], intensity[b, t, k]
    return Detections(b, t + 2, x, y, s, s, np.full(len(x), 0.02), np.full(len(x), 0.02), np.ones(len(x)))


class Bench:
    """The command line over one data set and one leaderboard."""

    def __init__(self, folder: Path, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.store, self.capsys = folder, store, capsys
        self.board = folder / "leaderboard" / "leaderboard.csv"

    def file(self, detections: Detections, name: str = "preds.json", **header) -> str:
        part = self.store.split("test")
        values = {
            "method": ABOUT,
            "dataset": "seqcsist",
            "split": "test",
            "fingerprint": self.store.fingerprint,
            "n_frames": 16 * part.n_trajectories,
            **header,
        }
        write_predictions(self.folder / name, detections, Header(**values))
        return str(self.folder / name)

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = self.capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    def submit(self, predictions: str, *options: str) -> tuple[int, str, str]:
        fixed = ("--data", self.store.path, "--leaderboard", str(self.board), "--bootstrap", "50")
        return self("submit", predictions, *fixed, *options)

    def leaderboard(self, *options: str) -> tuple[int, str, str]:
        return self("leaderboard", "--leaderboard", str(self.board), *options)


@pytest.fixture
def bench(tmp_path, store, capsys) -> Bench:
    return Bench(tmp_path, store, capsys)


# --- submit -----------------------------------------------------------------------------------------------------


def test_the_row_says_that_training_started_from_other_weights(bench, truth):
    path = bench.file(truth, method=ABOUT | {"pretrained": True})
    assert bench.submit(path)[0] == 0
    assert bench.submit(path, "--note", "my own", "--rank", "brightness")[0] == 0
    assert [row.note for row in read_rows(bench.board)] == ["training started from other trained weights", "my own"]


def test_a_submission_is_scored_here_and_filled_from_the_header(bench, truth):
    code, out, err = bench.submit(bench.file(truth), "--json", "--note", "the truth", "--date", "2026-01-02")
    assert code == 0, err
    added = read_rows(bench.board)
    assert len(added) == 1
    assert json.loads(out) == added[0].values()
    only = added[0]
    assert (only.method, only.family, only.prior_tier, only.decoder, only.status) == (
        "ISTA", "traditional", "A", "grid", "submitted",
    )  # fmt: skip
    assert only.aps == (100.0,) * 5
    assert (only.cso_map, only.cso_map_low, only.cso_map_high) == (100.0, 100.0, 100.0)
    assert only.dataset == "seqcsist trajectories=12 splits=[0.0,0.34,0.66]"
    assert only.dataset_fingerprint == bench.store.fingerprint
    assert only.frames_per_second == 16 * bench.store.split("test").n_trajectories / 2
    assert (only.parameters, only.note, only.date) == (0, "the truth", "2026-01-02")
    assert bench.leaderboard("--check", "--data", bench.store.path)[0] == 0


def test_the_score_is_that_of_evaluate_not_of_the_file(bench, truth):
    moved = replace(truth, x=truth.x + 0.12)
    code, _, err = bench.submit(bench.file(moved, method={**ABOUT, "cso_map": 100.0}))
    assert code == 0, err
    assert read_rows(bench.board)[0].aps[:2] == (0.0, 0.0)
    assert read_rows(bench.board)[0].aps[2] > 0


def test_the_same_predictions_are_refused_but_another_ranking_is_another_row(bench, truth):
    path = bench.file(replace(truth, score=-truth.score))
    assert bench.submit(path)[0] == 0
    code, _, err = bench.submit(path, "--seed", "5")
    assert code == 2
    assert "these predictions are there already (ISTA" in err
    assert bench.submit(path, "--rank", "brightness")[0] == 0
    assert bench.submit(path, "--rank", "precision")[0] == 0
    assert [r.rank for r in read_rows(bench.board)] == ["score", "brightness", "precision"]


def test_ranked_by_precision_the_surest_detections_come_first(bench, truth):
    right = np.random.default_rng(0).random(len(truth.x)) < 0.6
    sigma = np.where(right, 0.01, 0.5)
    found = replace(truth, x=truth.x + np.where(right, 0.0, 3.0), sigma_x=sigma, sigma_y=sigma)
    assert bench.submit(bench.file(found), "--rank", "precision")[0] == 0
    assert bench.submit(bench.file(found), "--rank", "brightness")[0] == 0
    precision, brightness = (row.cso_map for row in read_rows(bench.board))
    assert precision == pytest.approx(100 * right.mean(), abs=1.0)  # all that are right before all that are wrong
    assert precision > brightness + 5
    bare = bench.file(replace(truth, sigma_x=None, sigma_y=None), "bare.json")
    assert "must have sigma_x and sigma_y to be ranked by precision" in bench.submit(bare, "--rank", "precision")[2]


def test_a_row_of_the_same_slot_must_supersede_and_both_stay(bench, truth):
    first = replace(truth, x=truth.x + 0.01)
    assert bench.submit(bench.file(first))[0] == 0
    better = bench.file(truth, "better.json")
    code, _, err = bench.submit(better)
    assert code == 2
    assert "pass --supersede" in err
    code, _, err = bench.submit(better, "--supersede")
    assert code == 0
    assert "superseding sha256:" in err
    old, new = read_rows(bench.board)
    assert new.supersedes == old.predictions_sha256
    shown = json.loads(bench.leaderboard("--json", "--tier", "submitted")[1])
    assert [r["predictions_sha256"] for r in shown] == [new.predictions_sha256]
    shown = json.loads(bench.leaderboard("--json", "--tier", "submitted", "--superseded")[1])
    assert {r["predictions_sha256"]: r["superseded"] for r in shown} == {
        old.predictions_sha256: True,
        new.predictions_sha256: False,
    }
    assert bench.leaderboard("--check")[0] == 0


def test_another_seed_or_setting_is_a_row_of_its_own(bench, truth):
    assert bench.submit(bench.file(truth))[0] == 0
    assert bench.submit(bench.file(replace(truth, x=truth.x + 0.01), "b.json"), "--seed", "1")[0] == 0
    told = {**ABOUT, "settings": {"iterations": 5}, "noise_sigma": 2.0, "threshold": 50.0}
    assert bench.submit(bench.file(replace(truth, x=truth.x + 0.02), "c.json", method=told))[0] == 0
    assert [r.settings for r in read_rows(bench.board)] == ["", "", "iterations=5 threshold=50.0 noise_sigma=2.0"]


@pytest.mark.parametrize(
    "header, message",
    [
        ({"fingerprint": "sha256:" + "0" * 64}, "fingerprint must be that of"),
        ({"split": "val"}, "split must be 'test', got val"),
        ({"method": {"name": "MyNet"}}, "family is not in the file's header; pass --family"),
        ({"method": {}}, "method is not in the file's header; pass --method"),
        ({"method": {**ABOUT, "registry_name": "istaa"}}, "unknown method 'istaa'; did you mean 'ista'?"),
        ({"method": {**ABOUT, "seconds": "2"}}, "$.method.seconds must be a positive number, got 2"),
        ({"method": {**ABOUT, "seed": "x"}}, "seed must be a whole number, got x"),
        ({"method": {**ABOUT, "decoder": "other"}}, "decoder must be one of grid, polish, own, got other"),
        ({"method": {**ABOUT, "name": "EDSR"}}, "family of EDSR must be 'super-resolution', got traditional"),
    ],
)
def test_what_does_not_belong_is_refused_in_one_line_and_nothing_is_written(bench, truth, header, message):
    code, out, err = bench.submit(bench.file(truth, **header))
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert out == ""
    assert not bench.board.exists()


@pytest.mark.parametrize(
    "options, message",
    [
        (["--date", "yesterday"], "date must be a day as YYYY-MM-DD, got yesterday"),
        (["--paper", "example.org"], "paper must be a link that starts with http:// or https://"),
        (["--note", "a\nb"], "note must be one line of text"),
        (["--family", "unfolding"], "family of ISTA must be 'traditional', got unfolding"),
        (["--split", "nothing"], "unknown split 'nothing'"),
    ],
)
def test_ill_claims_are_refused(bench, truth, options, message):
    code, _, err = bench.submit(bench.file(truth), *options)
    assert code == 2
    assert message in err
    assert not bench.board.exists()


def test_a_file_that_misses_scored_frames_is_refused_unless_it_says_it_answered_them(bench, truth):
    fewer = truth.select(truth.frame != 7)
    n = bench.store.split("test").n_trajectories
    for answered in (None, 15 * n):
        code, _, err = bench.submit(bench.file(fewer, n_frames=answered))
        assert code == 2
        assert f"misses {n} of {16 * n} scored frames" in err
    assert bench.submit(bench.file(fewer))[0] == 0


def test_rows_of_another_evaluator_or_of_other_data_of_the_same_name_are_kept_apart(bench, truth):
    from csist_bench.leaderboard.rows import write_rows

    path = bench.file(truth)
    write_rows(bench.board, [row(evaluator="0.9")])
    code, _, err = bench.submit(path)
    assert code == 2
    assert "evaluator of its rows must be 1.0, got 0.9" in err
    write_rows(bench.board, [row(dataset="seqcsist trajectories=12 splits=[0.0,0.34,0.66]")])
    code, _, err = bench.submit(path)
    assert code == 2
    assert "these are other data under the same name" in err
    assert len(read_rows(bench.board)) == 1


def test_a_dry_run_shows_the_score_and_adds_nothing(bench, truth):
    code, out, err = bench.submit(bench.file(truth), "--dry-run")
    assert code == 0
    assert "CSO-mAP 100.00 [100.00, 100.00]" in out
    assert "nothing added" in err
    assert not bench.board.exists()


def test_a_folder_of_text_files_can_be_submitted(bench, truth):
    folder = bench.folder / "texts"
    folder.mkdir()
    for trajectory in range(bench.store.split("test").n_trajectories):
        for frame in range(20):
            own = truth.select((truth.trajectory == trajectory) & (truth.frame == frame))
            lines = [f"{x!r} {y!r} {s!r}" for x, y, s in zip(own.x.tolist(), own.y.tolist(), own.score.tolist())]
            (folder / f"image_{20 * trajectory + frame}.txt").write_text("\n".join(lines))
    options = ("--method", "Mine", "--family", "off-grid", "--prior-tier", "B")
    code, _, err = bench.submit(str(folder), *options)
    assert code == 0, err
    assert read_rows(bench.board)[0].cso_map == 100.0
    assert read_rows(bench.board)[0].decoder == "own"
    code, _, err = bench.submit(str(folder), *options)
    assert code == 2
    assert "there already" in err


def test_missing_files_are_one_line(bench, truth):
    assert "not found" in bench.submit(str(bench.folder / "none.json"))[2]
    code, _, err = bench("submit", bench.file(truth), "--data", str(bench.folder / "none.zarr"))
    assert code == 2
    assert "csist-bench generate" in err


# --- leaderboard ------------------------------------------------------------------------------------------------


def test_where_there_is_no_leaderboard_that_of_the_version_is_shown(bench, monkeypatch):
    monkeypatch.chdir(bench.folder)
    code, out, err = bench("leaderboard")
    assert code == 0
    assert "DeRefNet" in out
    assert "51.55" in out
    assert "reproduced" in out
    assert "this is the leaderboard of the installed version" in err
    code, _, err = bench.leaderboard()
    assert code == 2
    assert "not found" in err


def test_the_leaderboard_is_written_as_markdown_and_html(bench, truth):
    bench.submit(bench.file(truth))
    page, readme = bench.folder / "out" / "index.html", bench.folder / "out" / "README.md"
    code, out, _ = bench.leaderboard("--markdown", str(readme), "--html", str(page))
    assert (code, out) == (0, "")
    assert page.read_text().startswith("<!doctype html>")
    assert bench.leaderboard("--markdown")[1] == readme.read_text()
    assert "| ISTA | traditional | submitted |" in readme.read_text()


def test_check_fails_with_one_line_a_fault(bench):
    from csist_bench.leaderboard.rows import write_rows

    write_rows(bench.board, [row(), row(note="b", evaluator="0.9")])
    code, out, _ = bench.leaderboard("--check")
    assert code == 1
    assert out.count("\n") == 1
    assert f"{bench.board}:3: ML, seqcsist: evaluator must be 1.0, got 0.9" in out


def test_check_against_data_compares_fingerprints(bench):
    from csist_bench.leaderboard.rows import write_rows

    label = "seqcsist trajectories=12 splits=[0.0,0.34,0.66]"
    write_rows(bench.board, [row(dataset=label, dataset_recipe=label), row()])
    assert bench.leaderboard("--check")[0] == 0
    code, out, _ = bench.leaderboard("--check", "--data", bench.store.path)
    assert code == 1
    assert f"dataset_fingerprint must be {bench.store.fingerprint}" in out


def test_lines_are_computed_from_the_data_and_shown(bench, truth):
    bench.submit(bench.file(truth))
    code, out, _ = bench.leaderboard("--lines", "--data", bench.store.path)
    assert code == 0
    label = "seqcsist trajectories=12 splits=[0.0,0.34,0.66]"
    assert f"{label}, test: 3-fold grid, ranked by brightness: " in out
    shown = bench.leaderboard("--dataset", label)[1]
    assert "3-fold grid, any ranking: " in shown
    assert "Cramer-Rao limit, tier B: 1 frame: 100.0" in shown


# --- plot -------------------------------------------------------------------------------------------------------

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["frames", "PREDS", "--trajectory", "1"],
        ["frames", "--frames", "3:5"],
        ["trajectory", "PREDS"],
        ["pr", "PREDS"],
        ["calibration", "PREDS"],
    ],
)
def test_plots_of_predictions(bench, truth, arguments):
    rng = np.random.default_rng(0)
    noisy = replace(truth, x=truth.x + rng.normal(0, 0.02, len(truth)), y=truth.y + rng.normal(0, 0.02, len(truth)))
    preds, out = bench.file(noisy), bench.folder / "picture.png"
    filled = [preds if word == "PREDS" else word for word in arguments]
    code, _, err = bench("plot", *filled, "--data", bench.store.path, "--out", str(out))
    assert code == 0, err
    assert out.read_bytes().startswith(PNG)
    if arguments[0] == "calibration":
        assert float(err.rsplit(" ", 1)[1]) == pytest.approx(1.0, abs=0.15)
    if arguments[0] == "pr":
        assert "ISTA: CSO-mAP" in err


def test_plot_errors_are_one_line(bench, truth):
    preds = bench.file(truth)
    bare = bench.file(Detections(truth.trajectory, truth.frame, truth.x, truth.y, truth.score), "bare.json")
    foreign = bench.file(truth, "foreign.json", fingerprint="sha256:" + "0" * 64)
    data = ("--data", bench.store.path)
    for arguments, message in (
        (("frames", preds, *data, "--out", "x.gif"), "unknown picture format '.gif'"),
        (("frames", preds, *data, "--trajectory", "99"), "--trajectory must be in [0, 7), got 99"),
        (("frames", preds, *data, "--frames", "5:50"), "--frames must be 'all' or START:STOP"),
        (("calibration", bare, *data), "predictions must have sigma_x and sigma_y"),
        (("pr", foreign, *data), "fingerprint must be that of"),
        (("training", str(bench.folder / "none")), "not found"),
        (("leaderboard", "--leaderboard", str(bench.board), "--dataset", "x"), "not found"),
    ):
        code, _, err = bench("plot", *arguments)
        assert code == 2
        assert message in err
        assert err.count("\n") == 1


def test_every_command_shows_an_example(bench):
    for words in (["submit"], ["leaderboard"], *(["plot", k] for k in (
        "frames", "trajectory", "pr", "training", "leaderboard", "calibration"))):  # fmt: skip
        code, out, _ = bench(*words, "--help")
        assert code == 0
        assert f"csist-bench {' '.join(words)}" in out.split("Options:")[0].split("Example")[1]


@pytest.mark.parametrize(
    ("said", "options", "tier"),
    [
        ({}, (), "A"),  # what the registry knows
        ({"prior_tier": "D-rotated"}, (), "D-rotated"),
        ({"prior_tier": "D-rotated"}, ("--prior-tier", "C"), "C"),
    ],
)
def test_the_prior_tier_is_claimed_or_in_the_header_or_that_of_the_registry(bench, truth, said, options, tier):
    code, out, err = bench.submit(bench.file(truth, method={**ABOUT, **said}), "--dry-run", "--json", *options)
    assert code == 0, err
    assert json.loads(out)["prior_tier"] == tier


def test_a_header_with_an_unknown_prior_tier_is_refused(bench, truth):
    code, _, err = bench.submit(bench.file(truth, method={**ABOUT, "prior_tier": "E"}), "--dry-run")
    assert code == 2
    assert "prior_tier must be one of A, B, C, D, D-rotated, got E" in err


@pytest.mark.parametrize(
    ("said", "note", "shown"),
    [
        ({}, "mine", "mine"),
        ({"pretrained": False, "begun_from": ""}, "", ""),
        (
            {"pretrained": True, "begun_from": "ista-net sha256:0123"},
            "",
            "begun from the weights of ista-net sha256:0123",
        ),
        ({"pretrained": True}, "mine", "begun from the weights of another run; mine"),
        ({"pretrained": True, "begun_from": "x"}, "begun from the layers of mine", "begun from the layers of mine"),
    ],
)
def test_a_row_says_that_its_training_began_from_other_weights(bench, truth, said, note, shown):
    code, out, err = bench.submit(
        bench.file(truth, method={**ABOUT, **said}), "--dry-run", "--json", *(("--note", note) if note else ())
    )
    assert code == 0, err
    assert json.loads(out)["note"] == shown


def test_a_row_of_another_prior_tier_answers_another_question(bench, truth):
    first = bench.file(truth, "first.json", method={**ABOUT, "prior_tier": "D-rotated"})
    assert bench.submit(first)[0] == 0
    other = bench.file(truth, "other.json", method={**ABOUT, "prior_tier": "D"})
    assert bench.submit(other)[0] == 0
    again = bench.file(truth, "again.json", method={**ABOUT, "prior_tier": "D-rotated", "run": 2})
    assert bench.submit(again)[0] == 2
    assert bench.submit(again, "--supersede")[0] == 0
    rows = read_rows(bench.board)
    assert rows[2].supersedes == rows[0].predictions_sha256
    assert standing(rows) == rows[1:]
