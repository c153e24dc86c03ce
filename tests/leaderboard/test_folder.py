"""The folder of a submission as Python meets it; refusals are tested on the command line (test_submission_folders)."""

from __future__ import annotations

import tomllib

import msgspec
import pytest

from csist_bench.conventions import PRIOR_TIERS, TOLD, TOLD_BY_TIER
from csist_bench.errors import InputError
from csist_bench.leaderboard.folder import Place, Submission, is_submission, read_submission, submission_text
from csist_bench.leaderboard.overlap import TrainingData
from tests.helpers.rows import row
from tests.helpers.submissions import written_submission


@pytest.mark.parametrize(
    "training", [(), (TrainingData(recipe="seqcsist"), TrainingData(other='frames "of ours", \u00b5 \\ '))]
)
def test_row_toml_is_read_as_it_was_written(training):
    content = Submission(
        format="csist-bench/submission@1",
        predictions=Place(sha256="sha256:" + "0" * 64, address="https://example.org/a.json.gz"),
        told=("optics", "count"),
        training=training,
        row={name: value for name, value in row(note='a "b" \\').values().items() if value not in (None, "")},
        bootstrap=7,
    )
    assert msgspec.convert(tomllib.loads(submission_text(content)), Submission) == content


def test_a_folder_is_read_and_its_predictions_are_where_it_says(tmp_path):
    folder = written_submission(tmp_path)
    assert is_submission(folder)
    assert not is_submission(tmp_path)
    submitted = read_submission(folder)
    assert (submitted.row.method, submitted.row.status) == ("MyNet", "submitted")
    assert submitted.predictions() == folder / "predictions.json.gz"
    (folder / "predictions.json.gz").write_bytes(b"other")
    with pytest.raises(InputError, match=r"sha256 of .*predictions\.json\.gz must be"):
        submitted.predictions()


def test_every_prior_tier_says_what_was_told():
    assert set(TOLD_BY_TIER) == set(PRIOR_TIERS)
    assert {fact for facts in TOLD_BY_TIER.values() for fact in facts} <= set(TOLD)
