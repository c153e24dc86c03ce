"""`compare` on the command line: files and rows."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from csist_bench.leaderboard import read_rows
from csist_bench.leaderboard.trajectories import kept_influence


@pytest.fixture
def moved(truth):
    """The truth with errors of 0.1 px."""
    rng = np.random.default_rng(0)
    return replace(truth, x=truth.x + rng.normal(0, 0.1, len(truth)), y=truth.y + rng.normal(0, 0.1, len(truth)))


def test_files_are_compared_and_tables_are_written(bench, truth, moved):
    files = [bench.file(truth, "exact.json"), bench.file(moved, "moved.csv")]
    table = bench.folder / "table.tex"
    fixed = ("--data", bench.store.path, "--bootstrap", "40")
    code, out, err = bench("compare", *files, *fixed, "--latex", str(table))
    assert code == 0, err
    assert "seqcsist.zarr, split test: 112 frames of 7 trajectories" in out
    assert "moved against exact" in out
    assert "CSO-mAP by number of targets" in out
    assert r"\bottomrule" in table.read_text()
    code, out, err = bench("compare", *files, *fixed, "--json")
    pair = json.loads(out)["pairs"][0]
    assert pair["differences"][0]["difference"] < -10
    assert pair["frames_right"]["only_second"] == []
    code, out, err = bench("compare", *files, *fixed, "--csv", "-")
    assert out.startswith("method,cso_map,ap05")


def test_files_of_one_name_are_told_apart_by_their_folders(bench, truth, moved):
    (bench.folder / "b").mkdir()
    files = [bench.file(truth, "preds.json"), bench.file(moved, "b/preds.json")]
    code, out, err = bench("compare", *files, "--data", bench.store.path, "--bootstrap", "5", "--json")
    assert code == 0, err
    assert [one["name"] for one in json.loads(out)["methods"]] == files


def test_files_of_other_data_are_refused(bench, truth):
    own, other = bench.file(truth), bench.file(truth, "other.json", fingerprint="sha256:" + "0" * 64)
    code, _, err = bench("compare", own, other, "--data", bench.store.path)
    assert code == 2
    assert "other.json: " in err
    assert err.count("\n") == 1
    code, _, err = bench("compare", own, other, "--data", bench.store.path, "--allow-mismatch", "--bootstrap", "5")
    assert code == 0
    assert "UNVERIFIED" in err


def test_one_file_is_refused_in_one_line(bench, truth):
    code, _, err = bench("compare", bench.file(truth), "--data", bench.store.path)
    assert (code, err) == (2, "csist-bench: error: files must be at least two, got 1\n")


def test_submitted_rows_can_be_compared_with_one_another(bench, truth, moved):
    """What submit keeps of trajectories gives the interval that the files themselves give, within a quarter."""
    files = [bench.file(truth, "exact.json"), bench.file(moved, "moved.json", method={})]
    assert bench.submit(files[0])[0] == 0
    assert bench.submit(files[1], "--method", "Mine", "--family", "off-grid", "--prior-tier", "B")[0] == 0
    rows = read_rows(bench.board)
    assert all(kept_influence(bench.board, one) is not None for one in rows)
    code, out, err = bench(
        "compare", "ISTA", "mine", "--rows", rows[0].dataset, "--leaderboard", str(bench.board), "--json"
    )
    assert code == 0, err
    linear = json.loads(out)["pairs"][0]["differences"][0]
    code, out, err = bench("compare", *files, "--data", bench.store.path, "--json")
    exact = json.loads(out)["pairs"][0]["differences"][0]
    assert linear["difference"] == pytest.approx(exact["difference"])
    assert linear["high"] - linear["low"] == pytest.approx(exact["high"] - exact["low"], rel=0.25)


def test_a_data_set_without_rows_is_answered_with_those_that_have_some(bench, truth):
    bench.submit(bench.file(truth))
    code, _, err = bench("compare", "ISTA", "ML", "--rows", "seqcsit", "--leaderboard", str(bench.board))
    assert code == 2
    assert "data set" in err
    assert "seqcsist" in err
