"""Reference lines of a data set, kept beside the leaderboard."""

from __future__ import annotations

import msgspec
import pytest

from csist_bench.errors import InputError
from csist_bench.leaderboard.lines import Line, read_lines, replace_lines
from tests.helpers.rows import FINGERPRINT, LINES


def test_lines_of_a_data_set_replace_its_old_ones_and_no_others(tmp_path):
    other = [Line(dataset="x", split="test", kind="limit", label="l", cso_map=1.0, dataset_fingerprint=FINGERPRINT)]
    replace_lines(tmp_path, LINES)
    replace_lines(tmp_path, other)
    replace_lines(tmp_path, LINES[:1])
    assert read_lines(tmp_path) == [*other, LINES[0]]
    assert read_lines(tmp_path / "none") == []
    with_error = Line(
        dataset="seqcsist",
        split="test",
        kind="bayes",
        label="b",
        cso_map=90.0,
        dataset_fingerprint=FINGERPRINT,
        error=0.2,
    )
    replace_lines(tmp_path, [with_error])
    replace_lines(tmp_path, LINES)
    assert read_lines(tmp_path) == [*other, with_error, *LINES]
    assert with_error.value_text == "90.0 +- 0.20"
    (tmp_path / "lines.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="not a table of reference lines"):
        read_lines(tmp_path)


def test_lines_of_one_prior_tier_leave_those_of_the_others(tmp_path):
    about = {"dataset": "x", "split": "test", "kind": "bayes", "dataset_fingerprint": FINGERPRINT}
    b, c = (Line(**about, label=f"Bayes, K answers, tier {tier}: 1 frame", cso_map=50.0) for tier in "BC")
    replace_lines(tmp_path, [b, c])
    again = msgspec.structs.replace(b, cso_map=60.0)
    replace_lines(tmp_path, [again], "B")
    assert read_lines(tmp_path) == [c, again]
    other_data = msgspec.structs.replace(b, dataset_fingerprint=FINGERPRINT[:-1] + "0")
    replace_lines(tmp_path, [other_data], "B")
    assert read_lines(tmp_path) == [other_data]
    replace_lines(tmp_path, [b])
    assert read_lines(tmp_path) == [b]


def test_a_table_of_before_there_were_errors_is_read(tmp_path):
    replace_lines(tmp_path, LINES)
    path = tmp_path / "lines.csv"
    old = "\n".join(line.rsplit(",", 1)[0] for line in path.read_text().splitlines()) + "\n"
    assert "error" not in old
    path.write_text(old)
    assert read_lines(tmp_path) == LINES
