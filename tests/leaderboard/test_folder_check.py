"""A submission scored again, as Python meets it; faults and refusals are tested on the command line."""

from __future__ import annotations

import msgspec
import pytest

from csist_bench.errors import InputError
from csist_bench.leaderboard.claims import Claim
from csist_bench.leaderboard.folder import Wanted, write_submission
from csist_bench.leaderboard.folder_check import Sets, check_submission, claim_of, refuse_overlap, sets
from csist_bench.leaderboard.overlap import training_from_text
from csist_bench.leaderboard.submission import score_submission
from csist_bench.recipes import load_data_recipe
from tests.helpers.rows import row
from tests.helpers.submissions import BOOTSTRAP, predictions_of, tiny_set, written_submission


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return written_submission(tmp_path_factory.mktemp("submission"))


def test_a_submission_is_well_and_a_row_that_was_added_is_no_other(folder):
    with sets(str(folder.parent / "set.zarr")) as known:
        checked = check_submission(folder, known)
        assert (checked.faults, checked.remarks) == ((), ())
        assert checked.scored.row == checked.submitted.row
        assert check_submission(folder, known, [checked.scored.row]).faults == ()
        renamed = msgspec.structs.replace(checked.scored.row, method="First")
        assert "are there already (First" in check_submission(folder, known, [renamed]).faults[0]
        assert known.made == {}


def test_a_set_is_made_once_and_goes_with_its_folder(folder):
    with sets() as known:
        first = known.of(check_submission(folder, known).submitted.row, "row.toml")
        assert known.of(check_submission(folder, known).submitted.row, "row.toml") is first
        assert len(list(known.folder.iterdir())) >= 1
    assert not known.folder.exists()


def test_a_row_is_made_anew_by_its_claim(tmp_path):
    store = tiny_set(tmp_path / "set.zarr")
    folder = written_submission(tmp_path / "more")
    with sets(store.path) as known:
        said = check_submission(folder, known).submitted.row
    path = folder / "predictions.json.gz"
    assert score_submission(path, store, claim_of(said), bootstrap=BOOTSTRAP).row == said


def test_a_file_may_name_its_data_by_the_second_fingerprint(tmp_path):
    store = tiny_set(tmp_path / "set.zarr")
    path = predictions_of(store, tmp_path / "preds.json", fingerprint=store.fingerprint_v2)
    scored = score_submission(path, store, Claim(), bootstrap=BOOTSTRAP)
    write_submission(scored, Wanted(tmp_path / "v2"), BOOTSTRAP)
    with sets(store.path) as known:
        assert check_submission(tmp_path / "v2", known).faults == ()


def test_a_row_without_a_seed_of_its_data_names_no_set(tmp_path):
    with pytest.raises(InputError, match=r"row\.toml: row: data_seed must be given"):
        Sets(tmp_path).of(row(data_seed=None), "row.toml")


def test_overlap_is_refused_or_said():
    test = load_data_recipe("seqcsist")
    said = refuse_overlap([training_from_text("seqcsist"), training_from_text("other: x")], test, "test")
    assert said == ["training data x: overlap with the test data cannot be computed; it is taken at its word"]
    with pytest.raises(InputError, match="got 750 trajectories of it"):
        refuse_overlap([training_from_text("seqcsist indices=all")], test, "test")
