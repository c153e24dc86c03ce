"""Parquet files of other programs, and folders of parts."""

from __future__ import annotations

import decimal
import time

import numpy as np
import pytest

from csist_bench.errors import InputError
from csist_bench.predictions import Header, read_predictions, write_predictions
from tests.helpers.prediction_files import ROW, read, same, sample

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def stored(path, **columns):
    table = {name: pyarrow.array([value, value]) for name, value in ROW.items()}
    table["x"] = pyarrow.array([1.0, 2.0])
    table |= columns
    parquet.write_table(pyarrow.table({name: array for name, array in table.items() if array is not None}), path)
    return path


class Grey(pyarrow.ExtensionType):
    """An extension type over doubles."""

    def __init__(self):
        super().__init__(pyarrow.float64(), "csist.grey")

    def __arrow_ext_serialize__(self):
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type, serialized):
        return cls()


@pytest.mark.parametrize(
    "score",
    [
        pyarrow.array([decimal.Decimal("231.50"), decimal.Decimal("231.50")]),
        pyarrow.array(np.array([231.5, 231.5], np.float16)),
        pyarrow.array([231.5, 231.5], pyarrow.float32()),
        pyarrow.array([231.5, 231.5]).dictionary_encode(),
        pyarrow.ExtensionArray.from_storage(Grey(), pyarrow.array([231.5, 231.5])),
    ],
)
def test_any_type_of_numbers_is_read(tmp_path, score):
    assert read(stored(tmp_path / "p.parquet", score=score)).detections.score.tolist() == [231.5, 231.5]


@pytest.mark.parametrize("kind", [pyarrow.uint8(), pyarrow.int64(), pyarrow.float64(), pyarrow.decimal128(30, 2)])
def test_any_type_of_indices_is_read(tmp_path, kind):
    frame = pyarrow.array([2, 2]).cast(kind)
    assert read(stored(tmp_path / "p.parquet", frame=frame)).detections.frame.tolist() == [2, 2]


@pytest.mark.parametrize(
    ("columns", "part"),
    [
        (
            {"score": pyarrow.array(["1", "2"])},
            "score must hold one number per row, got the Parquet type string",
        ),
        ({"score": pyarrow.array([[1.0], [2.0]])}, "got the Parquet type list<"),
        ({"score": pyarrow.array([{"a": 1}, {"a": 2}])}, "got the Parquet type struct<"),
        ({"score": pyarrow.array([True, False])}, "got the Parquet type bool"),
        ({"score": pyarrow.array(["a", "a"]).dictionary_encode()}, "got the Parquet type dictionary<"),
        ({"score": pyarrow.array([1, None])}, "column score must have a value in every row"),
        ({"frame": pyarrow.array([2, None])}, "column frame must have a value in every row"),
        ({"Score": pyarrow.array([1, 2])}, "name each column once, got score"),
        ({"score": None}, "missing: score"),
    ],
)
def test_other_types_are_refused_by_name(tmp_path, columns, part):
    with pytest.raises(InputError) as caught:
        read(stored(tmp_path / "p.parquet", **columns))
    assert part in str(caught.value)


def test_nulls_index_columns_and_case(tmp_path):
    nulls = pyarrow.array([None, 0.5])
    path = stored(
        tmp_path / "p.parquet", sigma_x=nulls, sigma_y=pyarrow.nulls(2), __index_level_0__=pyarrow.array([0, 1])
    )
    again = read(path)
    assert np.isnan(again.detections.sigma_x).tolist() == [True, False]
    assert again.detections.sigma_y is None
    assert not any("not read" in warning for warning in again.warnings)
    assert len(read(stored(tmp_path / "q.parquet", score=None, SCORE=pyarrow.array([1, 2]))).detections) == 2


def test_a_folder_of_parts_is_one_table(tmp_path):
    whole, folder = sample(), tmp_path / "parts"
    for place in range(3):
        write_predictions(folder / f"part-{place}.parquet", whole.select(np.arange(place, 30, 3)), Header())
    for file in folder.iterdir():  # a part's digest is of the part
        table = parquet.read_table(file)
        parquet.write_table(table.replace_schema_metadata({}), file)
    (folder / "_SUCCESS").touch()
    same(read(folder).detections, whole)
    stored(folder / "part-3.parquet", frame=pyarrow.array([2, 99]))
    with pytest.raises(InputError, match=r"part-3\.parquet must have the columns of part-0\.parquet"):
        read(folder)
    for place in range(3):
        (folder / f"part-{place}.parquet").unlink()
    stored(folder / "part-2.parquet")
    with pytest.raises(InputError, match=r"frame must be in \[0, 20\); offending: part-3\.parquet row 1: frame = 99"):
        read(folder)
    (folder / "frame=2").mkdir()
    with pytest.raises(InputError, match="must hold Parquet parts side by side, got folders such as frame=2"):
        read(folder)


def test_a_bomb_is_refused_by_its_metadata(tmp_path):
    n = 5_000_000
    same_row = {
        name: pyarrow.DictionaryArray.from_arrays(pyarrow.array(np.zeros(n, np.int8)), [value])
        for name, value in ROW.items()
    }
    parquet.write_table(pyarrow.table(same_row), tmp_path / "p.parquet")
    assert (tmp_path / "p.parquet").stat().st_size < 200_000
    begun = time.perf_counter()
    with pytest.raises(InputError, match=r"must hold at most 1,000,000 rows .* got 5,000,000"):
        read(tmp_path / "p.parquet")
    with pytest.raises(InputError, match=r"must unfold to at most 50 times its .* got 5,000,000 rows"):
        read_predictions(tmp_path / "p.parquet", frames_per_trajectory=None, n_trajectories=None)
    assert time.perf_counter() - begun < 2


def test_what_else_lies_in_a_folder_is_counted_but_not_what_programs_put_there(tmp_path):
    stored(tmp_path / "a.parquet", group=pyarrow.array([0, 0]), note=pyarrow.array([1, 1]))
    stored(tmp_path / "b.PARQUET", x=pyarrow.array([3.0, 4.0]), group=pyarrow.array([0, 0]), note=pyarrow.array([1, 1]))
    for name in ("_SUCCESS", ".a.parquet.crc"):
        (tmp_path / name).write_text("")
    told = [warning.partition(": ")[2] for warning in read(tmp_path).warnings]
    assert told == ["columns not read: note", "no header; data set and coverage are not verified"]
    (tmp_path / "notes.md").write_text("")
    told = [warning.partition(": ")[2] for warning in read(tmp_path).warnings]
    assert told[0] == "1 other files not read"
    assert len(told) == 3
