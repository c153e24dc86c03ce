"""Checks of a leaderboard: each fault of a row is one line."""

from __future__ import annotations

import pytest

from csist_bench import files
from csist_bench.evaluation.bayes_lines import BAYES_LINES, ON_ARMS
from csist_bench.leaderboard.check import check
from csist_bench.leaderboard.lines import Line, replace_lines
from tests.helpers.rows import digest, edited, row, written


def test_good_rows_pass_every_check(tmp_path):
    old = row(note="old", predictions_sha256=digest("old"))
    new = row(note="new", supersedes=digest("old"))
    noisy = row(dataset="seqcsist-noise sigma=5", dataset_recipe="seqcsist-noise noise_sigma=5.0", noise_sigma=5.0)
    stranger = row(method="MyNet", family="unfolding", tier="submitted", recipe_hash=digest("own"))
    assert check(written(tmp_path / "leaderboard.csv", old, new, noisy, stranger)) == (4, [])


GOSPA_PARTS = {"gospa_localisation": 0.1, "gospa_missed": 0.06, "gospa_false": 0.04}


def test_rows_of_one_evaluator_before_the_point_stand_together(tmp_path):
    figures = {"answers_per_frame": 3.0, "cso_f1": 55.4, "gospa": 0.2, **GOSPA_PARTS}
    rows = row(evaluator="1.0"), row(evaluator="1.1", note="new", **figures), row(evaluator="1.7", note="newer")
    assert check(written(tmp_path / "leaderboard.csv", *rows)) == (3, [])


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"evaluator": "0.9"}, "evaluator must be a version 1.x, got 0.9"),
        ({"gospa": 0.3, **GOSPA_PARTS}, "gospa must be the sum of its three parts (0.200000), got 0.300000"),
        ({"cso_map": 60.1}, "cso_map must be the mean of the five APs (60.000000), got 60.100000"),
        ({"ap05": 50.0, "ap10": 20.0}, "ap05..ap25 must not fall"),
        ({"cso_map_low": 60.5}, "cso_map must lie in its interval"),
        ({"dataset": "seqcsist-8bit"}, "dataset must be 'seqcsist' for the recipe"),
        ({"dataset_recipe": "nothing"}, "dataset must be 'nothing' for the recipe"),
        ({"dataset_recipe": "seqcsist sigma=2"}, "unknown field 'sigma'"),
        ({"dataset_recipe": ""}, "dataset_recipe must be given"),
        ({"noise_sigma": 2.0}, "noise_sigma must be the recipe's 0"),
        ({"family": "unfolding"}, "family must be off-grid, got unfolding"),
        ({"method": "MyNet"}, "tier must be submitted: no method of this name is in the registry"),
        ({"supersedes": digest("nothing")}, "supersedes must name the predictions of an earlier row"),
    ],
)
def test_each_fault_of_a_row_is_one_line(tmp_path, changes, message):
    path = written(tmp_path / "leaderboard.csv", row(note="before"), row(note="invalid", **changes))
    count, problems = check(path)
    assert count == 2
    assert len(problems) == 1
    assert problems[0].startswith(f"{path}:3: ")
    assert message in problems[0]


def test_faults_between_rows_are_found(tmp_path):
    first = row(predictions_sha256=digest("one"))
    twin = row(note="twin", predictions_sha256=digest("one"))
    other_data = row(note="other", dataset_fingerprint=digest("data"))
    stolen = row(method="ML-seq", prior_tier="C", supersedes=digest("one"))
    _, problems = check(written(tmp_path / "leaderboard.csv", first, twin, other_data, stolen))
    assert [p.split(": ", 2)[2].split(",")[0] for p in problems] == [
        "these predictions are there already",
        "dataset_fingerprint must be that of the other rows",
        "supersedes must name a row of the same method",
    ]


def test_invalid_rows_do_not_hide_what_is_wrong_with_the_others(tmp_path):
    path = written(tmp_path / "leaderboard.csv", row(), row(note="b", evaluator="0.9"))
    edited(path, 2, "ap05", "x")
    count, problems = check(path)
    assert count == 2
    assert [p.split(":")[1] for p in problems] == ["2", "3"]


def test_a_reproduced_network_must_bear_the_hash_of_a_shipped_recipe(tmp_path, monkeypatch):
    from csist_bench.leaderboard import check as module

    monkeypatch.setattr(module, "_shipped_hashes", lambda method: frozenset({digest(method)}))
    network = {"method": "EDSR", "family": "super-resolution", "decoder": "grid", "prior_tier": "D", "parameters": 5}
    good = row(**network, recipe_hash=digest("edsr"))
    bad = row(**network, recipe_hash=digest("something"), seed=1)
    own = row(**network, recipe_hash=digest("something"), tier="submitted")
    _, problems = check(written(tmp_path / "leaderboard.csv", good, bad, own))
    assert len(problems) == 1
    assert "recipe_hash must be that of a shipped recipe of 'edsr'" in problems[0]


def test_the_hash_of_a_shipped_recipe_is_the_one_that_training_writes(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from csist_bench.leaderboard.check import _shipped_hashes
    from csist_bench.methods.registry import METHODS
    from csist_bench.training.recipe import training_hash, training_hash_1, training_recipe

    folder = tmp_path / "methods"
    folder.mkdir()
    (folder / "espcn.toml").write_text('method = "espcn"\n[training]\nlr = 2e-3\n')
    (folder / "espcn-long.toml").write_text('method = "espcn"\n[training]\nepochs = 50\n')
    monkeypatch.setattr(files, "packaged", lambda kind: tmp_path)
    _shipped_hashes.cache_clear()
    found = _shipped_hashes("espcn")
    _shipped_hashes.cache_clear()
    tables = [{"lr": 2e-3}, {"epochs": 50}]
    schemes = (training_hash, training_hash_1)
    expected = {scheme(METHODS["espcn"], {}, training_recipe(table)) for table in tables for scheme in schemes}
    assert found == expected


@pytest.mark.parametrize(
    "changes, passes",
    [
        ({"cso_map": 50.5}, "K answers"),
        ({"cso_map": 49.5}, ""),
        ({"cso_map": 50.39}, ""),
        ({"cso_map": 61.0, "family": "traditional", "method": "BID", "decoder": "grid"}, "free answers"),
        ({"cso_map": 58.0, "family": "traditional", "method": "BID", "decoder": "grid"}, ""),
        ({"cso_map": 99.0, "method": "ML-seq"}, ""),
        ({"cso_map": 99.0, "method": "Group MAP"}, ""),
        ({"cso_map": 58.0, "method": "Group MAP", "settings": "answers=hedged frames=1"}, ""),
        ({"cso_map": 61.0, "method": "Group MAP", "settings": "answers=hedged frames=1"}, "free answers"),
        ({"cso_map": 81.0, "method": "Group MAP", "settings": "frames=1 start=integer"}, ""),
        ({"cso_map": 91.0, "method": "Group MAP", "settings": "frames=1 start=integer"}, "its index"),
        ({"cso_map": 99.0, "tier": "submitted"}, ""),
        ({"cso_map": 99.0, "split": "val"}, ""),
    ],
)
def test_no_shipped_method_passes_the_bayes_lines_of_what_it_knows(tmp_path, changes, passes):
    value = changes["cso_map"]
    tested = row(
        **changes, **dict.fromkeys(("ap05", "ap10", "ap15", "ap20", "ap25"), value), cso_map_low=None, cso_map_high=None
    )
    labels = {line.label: line for line in BAYES_LINES if line.knowledge in ON_ARMS}
    values = zip(labels, (50.0, 60.0, 70.0, 90.0, 95.0, 97.0))
    replace_lines(
        tmp_path,
        [
            Line(
                dataset=tested.dataset, split="test", kind="bayes", label=label, cso_map=score, error=0.2,
                dataset_fingerprint=tested.dataset_fingerprint,
            )
            for label, score in values
        ],
    )  # fmt: skip
    _, problems = check(written(tmp_path / "leaderboard.csv", tested))
    assert len(problems) == bool(passes), problems
    assert all(passes in problem and "must not pass 'Bayes, " in problem for problem in problems)
