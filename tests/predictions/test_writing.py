"""What is written is read again, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from csist_bench.detections import Detections
from csist_bench.errors import InputError
from csist_bench.predictions import Header, require_writable, write_predictions
from tests.helpers.prediction_files import read, same, sample


@pytest.mark.parametrize("suffix", [".json", ".json.gz", ".npz", ".parquet", ".csv"])
@pytest.mark.parametrize("optional", [True, False])
def test_round_trip_in_every_format(tmp_path, suffix, optional):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    detections = sample(optional=optional)
    header = Header({"name": "ISTA", "decoder": "grid"}, "seqcsist", "test", "sha256:00", 64, "2:18")
    write_predictions(tmp_path / f"p{suffix}", detections, header)
    again = read(tmp_path / f"p{suffix}")
    same(again.detections, detections)
    assert again.header == (Header() if suffix == ".csv" else header)
    assert bool(again.warnings) == (suffix == ".csv")


@pytest.mark.parametrize("suffix", [".json", ".json.gz", ".npz", ".csv"])
def test_no_detections_is_an_answer(tmp_path, suffix):
    write_predictions(tmp_path / f"p{suffix}", Detections.empty(), Header(n_frames=64))
    assert len(read(tmp_path / f"p{suffix}").detections) == 0


@pytest.mark.parametrize("suffix", [".json", ".json.gz", ".csv"])
def test_equal_answers_make_equal_bytes_in_any_order(tmp_path, suffix):
    detections = sample()
    for name, rows in (("a", detections), ("b", detections.select(np.random.default_rng(1).permutation(30)))):
        write_predictions(tmp_path / f"{name}{suffix}", rows, Header())
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 2e6])
@pytest.mark.parametrize("column", ["x", "score", "intensity"])
def test_a_file_that_could_not_be_read_is_not_written(tmp_path, column, bad):
    detections = sample()
    detections.columns()[column][4] = bad
    with pytest.raises(InputError, match=f"{column} must be finite .*row 4"):
        write_predictions(tmp_path / "p.json", detections, Header())
    assert list(tmp_path.iterdir()) == []


def test_existing_files_are_kept_if_asked(tmp_path):
    write_predictions(tmp_path / "p.json", sample(), Header())
    with pytest.raises(InputError, match="the file exists"):
        write_predictions(tmp_path / "p.json", sample(5), Header(), overwrite=False)
    write_predictions(tmp_path / "p.json", sample(5), Header())
    assert len(read(tmp_path / "p.json").detections) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["p.json"]


def test_require_writable_speaks_before_the_work(tmp_path):
    assert require_writable(tmp_path / "new" / "folder" / "p.json.gz") == ".json.gz"
    for path, part in (
        (tmp_path / "p.txt", "unknown prediction file suffix"),
        (tmp_path, "suffix"),
        (tmp_path / "file" / "p.json", "not a folder"),
    ):
        (tmp_path / "file").touch()
        with pytest.raises(InputError, match=part):
            require_writable(path)
    (tmp_path / "d.json").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        require_writable(tmp_path / "d.json")


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_may_be_text(tmp_path, kind):
    write_predictions(kind(tmp_path / "p.json"), sample(), Header())
    same(read(kind(tmp_path / "p.json")).detections, sample())
    with pytest.raises(InputError, match="the file exists"):
        require_writable(kind(tmp_path / "p.json"), overwrite=False)
