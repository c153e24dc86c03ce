"""`submit` on the command line, on a test split of 7 trajectories."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from csist_bench.detections import Detections
from csist_bench.evaluation.track_scores import score_tracks
from csist_bench.evaluation.truth import Truth
from csist_bench.leaderboard import read_rows, standing
from csist_bench.leaderboard.rows import write_rows
from csist_bench.methods.linking import with_tracks
from tests.helpers.bench import ABOUT
from tests.helpers.example import EXAMPLE, ROOT, write_example
from tests.helpers.rows import row


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
    assert (only.cso_f1, only.gospa, only.gospa_missed, only.gospa_false) == (100.0, 0.0, 0.0, 0.0)
    assert only.answers_per_frame == len(truth) / len(np.unique(1000 * truth.trajectory + truth.frame))
    assert (only.evaluator, only.hota, only.id_switches) == ("1.1", None, None)
    assert bench.leaderboard("--check", "--data", bench.store.path)[0] == 0


def test_tracks_are_scored_where_the_file_has_them(bench, truth):
    found = with_tracks(replace(truth, x=truth.x + np.random.default_rng(0).normal(0, 0.1, len(truth))))
    assert bench.submit(bench.file(found))[0] == 0
    row = read_rows(bench.board)[0]
    scores = score_tracks(found, Truth.from_split(bench.store.split("test")))
    assert (row.hota, row.idf1, row.ospa2, row.id_switches) == (
        scores.hota, scores.idf1, scores.ospa2, scores.id_switches,
    )  # fmt: skip
    assert 20 < row.hota < 80
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


def test_the_same_answers_are_known_again_in_another_file_and_under_another_name(bench, truth):
    assert bench.submit(bench.file(truth))[0] == 0
    rerun = bench.file(truth.ordered(), "rerun.json", method={**ABOUT, "seconds": 3.5})
    order = np.random.default_rng(0).permutation(len(truth.x))
    turned = Detections(**{name: column[order] for name, column in truth.columns().items()})
    borrowed = bench.file(turned, "borrowed.csv", method={})
    for path, options in ((rerun, ()), (borrowed, ("--method", "MyNet", "--family", "unfolding", "--prior-tier", "D"))):
        code, _, err = bench.submit(path, *options)
        assert code == 2
        assert "these predictions are there already (ISTA" in err
    exact = bench.file(truth, "exact.json", method={**ABOUT, "settings": {"iterations": 5}})
    assert bench.submit(exact)[0] == 0  # two settings of a method may both be exact
    assert bench.leaderboard("--check")[0] == 0


def test_a_row_of_an_older_version_is_known_again_by_its_scores(bench, truth):
    moved = replace(truth, x=truth.x + 0.12 * np.sin(np.arange(len(truth.x))))
    assert bench.submit(bench.file(moved))[0] == 0
    new = read_rows(bench.board)[0]
    of_file = "sha256:" + "1" * 64
    write_rows(bench.board, [msgspec.structs.replace(new, predictions_sha256=of_file)])
    code, _, err = bench.submit(bench.file(moved, "again.json"))
    assert code == 2
    assert "these predictions are there already (ISTA" in err
    better = bench.file(truth, "better.json")
    assert bench.submit(better, "--supersede")[0] == 0
    assert read_rows(bench.board)[1].supersedes == of_file


def test_a_file_that_does_not_name_its_data_stands_apart_as_unverified(bench, truth):
    path = bench.file(truth, "bare.json", fingerprint=None)
    own = ("--method", "MyNet", "--family", "unfolding", "--prior-tier", "D")
    code, _, err = bench.submit(bench.file(truth, "bare.csv", fingerprint=None, method={}), *own)
    assert code == 0
    assert "does not say which data it answers" in err
    assert bench.submit(bench.file(replace(truth, x=truth.x + 0.2)))[0] == 0
    assert [r.status for r in read_rows(bench.board)] == ["unverified", "submitted"]
    shown = json.loads(bench.leaderboard("--json", "--dataset", "all")[1])
    measured = [r["method"] for r in shown if r["tier"] != "published"]
    assert measured == ["ISTA", "MyNet"]  # below the worse one
    code, _, err = bench.submit(path, "--tier", "reproduced")
    assert code == 2
    assert "say by its fingerprint which data it answers to be called reproduced" in err


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
    assert f"superseding {read_rows(bench.board)[0].predictions_sha256[:26]}..." in err
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
        (
            {"method": {"name": "MyNet"}},
            "family, prior_tier are not in the file's header; pass --family FAMILY --prior-tier PRIOR_TIER",
        ),
        ({"method": {}}, "method, family, prior_tier are not in the file's header; pass --method METHOD --family"),
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
        (["--family", "unfolding"], "family in the header must be that of --family unfolding, got traditional; leave"),
        (["--method", "MyNet"], "method in the header must be that of --method MyNet, got ISTA; leave --method out"),
        (["--split", "nothing"], "unknown split 'nothing'"),
    ],
)
def test_invalid_claims_are_refused(bench, truth, options, message):
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
    assert "evaluator of its rows must score as 1.1 does, with the same first number, got 0.9" in err
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
    assert "prior_tier must be one of A, B, B+spacing, C, D, D-rotated, got E" in err


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
    moved = replace(truth, x=truth.x + 0.01)
    other = bench.file(moved, "other.json", method={**ABOUT, "prior_tier": "D"})
    assert bench.submit(other)[0] == 0
    moved = replace(truth, x=truth.x + 0.02)
    again = bench.file(moved, "again.json", method={**ABOUT, "prior_tier": "D-rotated", "run": 2})
    assert bench.submit(again)[0] == 2
    assert bench.submit(again, "--supersede")[0] == 0
    rows = read_rows(bench.board)
    assert rows[2].supersedes == rows[0].predictions_sha256
    assert standing(rows) == rows[1:]


@pytest.fixture
def readme_line(tmp_path, monkeypatch):
    """The README's `submit`, in a folder that sees `docs` and `data` as a checkout does."""
    text = (ROOT / "README.md").read_text().replace("\\\n", "")
    line = next(line for line in text.splitlines() if line.startswith("csist-bench submit docs/example.json"))
    for name in ("docs", "data"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return shlex.split(line)[1:]


def test_the_example_is_what_its_helper_makes(tmp_path):
    """Where this fails: python -m tests.helpers.example"""
    write_example(tmp_path / "example.json")
    assert (tmp_path / "example.json").read_bytes() == EXAMPLE.read_bytes()


def test_the_line_of_the_readme_works_as_printed_and_is_refused_for_the_answers_of_ml(bench, readme_line):
    code, out, err = bench(*readme_line)
    assert code == 0, err
    assert out.startswith("MyNet (unfolding) on seqcsist trajectories=8, split test: CSO-mAP ")
    assert [r.status for r in read_rows(Path("board.csv"))] == ["submitted"]
    assert bench("run", "ml", "--data", "data/sample/seqcsist.zarr", "--out", "preds.json")[0] == 0
    code, _, err = bench(*("preds.json" if word == "docs/example.json" else word for word in readme_line))
    assert code == 2
    assert "method in the header must be that of --method MyNet, got ML; leave --method out" in err
