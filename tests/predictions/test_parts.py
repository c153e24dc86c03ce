"""A folder of parts: written, gone on with, joined, and read, with whatever is wrong in it named."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from csist_bench.errors import InputError
from csist_bench.predictions import Header, parts
from csist_bench.predictions.parts import MANIFEST, PROGRESS, Manifest, PartsFolder, merge, part_name
from csist_bench.predictions.table import IndexBounds
from tests.helpers.prediction_files import N, T, read, same, sample

pytest.importorskip("pyarrow")

ABOUT = Manifest(parts.FORMAT, {"method": "m", "settings": (1, 2)}, trajectories=N, length=3)  # parts of 3 and 1
HEADER = Header({"name": "m"}, "seqcsist", "test", "sha256:1", N * T)
ANYTHING = IndexBounds(None, None)


def begun(folder, manifest=ABOUT, **how):
    parts.begin(folder, manifest, **{"resume": False, "overwrite": False} | how)
    return folder


def filled(folder, *indices, header=HEADER, found=None):
    """Write parts of the sample, as a run does."""
    found = sample() if found is None else found
    for index in indices:
        first, stop = ABOUT.span(index)
        chosen = found.select((found.trajectory >= first) & (found.trajectory < stop))
        parts.write_part(folder, index, chosen, header, {"seconds": 1.5 + index})
    return folder


@pytest.fixture
def whole(tmp_path):
    assert parts.finish(filled(begun(tmp_path / "whole"), 0, 1), ABOUT) is not None
    return tmp_path / "whole"


@pytest.mark.parametrize("trajectories", range(1, 8))
@pytest.mark.parametrize("length", [1, 3, 9])
def test_spans_are_every_trajectory_once(trajectories, length):
    manifest = Manifest(parts.FORMAT, {}, trajectories, length)
    spans = [manifest.span(index) for index in range(manifest.count)]
    assert [i for first, stop in spans for i in range(first, stop)] == list(range(trajectories))
    assert all(stop - first == length for first, stop in spans[:-1])


def test_parts_are_read_as_what_was_written(whole):
    again = read(whole)
    same(again.detections, sample())
    assert again.header == HEADER
    opened = PartsFolder.open(whole)
    assert opened.rows == sum(note.rows for note in opened.notes) == len(sample())
    assert [note.seconds for note in opened.notes] == [1.5, 2.5]
    for index in range(2):
        found = opened.part(index).read(ANYTHING)
        assert len(found) == opened.notes[index].rows > 0
        assert set(found.trajectory.tolist()) == set(range(*ABOUT.span(index)))
    assert (whole / MANIFEST).read_bytes().endswith(b"}\n")


def test_one_trajectory_is_a_set(tmp_path):
    one = Manifest(parts.FORMAT, {}, trajectories=1, length=1)
    for name, found in (("some", sample().select(sample().trajectory == 0)), ("none", sample(0, optional=False))):
        folder = begun(tmp_path / name, one)
        parts.write_part(folder, 0, found, HEADER, {})
        assert parts.finish(folder, one).count == 1
        same(read(folder).detections, found)


def test_a_folder_that_is_not_complete_says_how_much_is_there(tmp_path):
    folder = begun(tmp_path / "some")
    for count, index in enumerate((0, 1)):
        assert parts.missing_parts(folder, ABOUT, range(2)) == list(range(count, 2))
        assert parts.finish(folder, ABOUT) is None
        with pytest.raises(InputError, match=rf"{count} of 2 parts are there; finish it with .* --resume"):
            read(folder)
        filled(folder, index)
    (folder / part_name(0)).write_bytes(b"")
    assert parts.missing_parts(folder, ABOUT, range(2)) == [0]
    assert parts.finish(folder, ABOUT) is None


def test_columns_that_a_part_lacks_are_those_of_none(tmp_path):
    folder = filled(begun(tmp_path / "mixed"), 0)
    filled(folder, 1, found=replace(sample(), sigma_x=None))
    parts.finish(folder, ABOUT)
    same(read(folder).detections, replace(sample(), sigma_x=None))
    assert PartsFolder.open(folder).columns == tuple(replace(sample(), sigma_x=None).columns())
    empty = begun(tmp_path / "empty")
    filled(empty, 0, 1, found=sample(0, optional=False))
    parts.finish(empty, ABOUT)
    assert PartsFolder.open(empty).columns == ("trajectory", "frame", "x", "y", "score")
    assert len(read(empty).detections) == PartsFolder.open(empty).rows == 0
    filled(folder, 1, found=sample(0, optional=False))  # a part without rows has no say in it
    parts.finish(folder, ABOUT)
    assert "sigma_x" in PartsFolder.open(folder).columns


def test_what_may_be_begun_where(tmp_path):
    folder = tmp_path / "new" / "deep"
    begun(begun(folder), resume=True)
    with pytest.raises(InputError, match=r"exists already \(incomplete\); pass --resume"):
        begun(folder)
    parts.finish(filled(folder, 0, 1), ABOUT)
    with pytest.raises(InputError, match=r"exists already \(complete\); pass --resume"):
        begun(folder)
    other = Manifest(parts.FORMAT, {"method": "n", "settings": (1, 2)}, N, 2)
    with pytest.raises(InputError, match=r"begun with another run \(length: 3 -> 2; method: m -> n\)"):
        begun(folder, other, resume=True)
    begun(folder, overwrite=True)
    assert sorted(path.name for path in folder.iterdir()) == [MANIFEST, PROGRESS]
    assert list((folder / PROGRESS).iterdir()) == []
    (folder / MANIFEST).unlink()  # as a kill between the two leaves it
    begun(folder)
    (folder / MANIFEST).unlink()
    (folder / "mine.txt").write_text("text")
    with pytest.raises(InputError, match="holds other files; they are left alone"):
        begun(folder)
    assert (folder / "mine.txt").read_text() == "text"
    with pytest.raises(InputError, match="must be a folder of its own, got a link or a file"):
        begun(folder / "mine.txt", overwrite=True)


def test_parts_of_two_runs_are_not_one(tmp_path):
    folder = filled(begun(tmp_path / "two"), 0)
    filled(folder, 1, header=replace(HEADER, n_frames=7))
    with pytest.raises(InputError, match=r"part-000001\.parquet must be of the same run as part-000000\.parquet"):
        parts.finish(folder, ABOUT)


def test_folders_of_one_run_are_joined(tmp_path, whole):
    one, two = filled(begun(tmp_path / "one"), 0), filled(begun(tmp_path / "two"), 1)
    merge(tmp_path / "joined", [two, one])
    for path in whole.rglob("*.*"):
        assert (tmp_path / "joined" / path.relative_to(whole)).read_bytes() == path.read_bytes(), path.name
    merge(tmp_path / "alone", [whole])
    with pytest.raises(InputError, match=r"missing.*part-000001\.parquet"):
        merge(tmp_path / "none", [one])
    with pytest.raises(InputError, match=r"twice.*part-000000\.parquet in .*one and .*whole"):
        merge(tmp_path / "none", [one, whole])
    (two / MANIFEST).write_bytes((two / MANIFEST).read_bytes().replace(b'"m"', b'"n"'))
    for order in ([one, two], [two, one]):
        with pytest.raises(InputError, match=rf"{order[1].name}: was begun with another run \(method: "):
            merge(tmp_path / "none", order)
    (one / PROGRESS / "000000.json").unlink()
    shutil.copytree(tmp_path / "alone" / PROGRESS, one / PROGRESS, dirs_exist_ok=True)
    (one / part_name(0)).write_bytes(b"else")
    with pytest.raises(InputError, match=r"part-000000\.parquet must be what its note says"):
        merge(tmp_path / "none", [one])
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("trajectories", [(3,), (1, 2, 3), (2,), (0, 1, 2)])
def test_a_part_answers_its_own_trajectories_alone(tmp_path, trajectories):
    folder = begun(tmp_path / "preds")
    rows = np.isin(sample().trajectory, trajectories)
    parts.write_part(folder, 0, sample().select(rows), HEADER, {})
    parts.write_part(folder, 1, sample().select(rows), HEADER, {})
    parts.finish(folder, ABOUT)
    for index in range(2):
        part, span = PartsFolder.open(folder).part(index), ABOUT.span(index)
        if set(trajectories) <= set(range(*span)):
            assert len(part.read(ANYTHING)) == rows.sum()
        else:
            with pytest.raises(InputError, match=rf"trajectory must be in \[{span[0]}, {span[1]}\), got others"):
                part.read(ANYTHING)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"format": "other@1"}, r"\$\.format must be"),
        ({"length": 0}, "must be at least 1"),
        ({"trajectories": 0}, "must be at least 1"),
        ({"trajectories": 7}, r"\$\.parts must hold 3 notes, got 2"),
        ({"more": 1}, MANIFEST),
    ],
)
def test_a_manifest_that_is_wrong(whole, change, part):
    stored = json.loads((whole / MANIFEST).read_bytes())
    (whole / MANIFEST).write_text(json.dumps(stored | change))
    with pytest.raises(InputError, match=part):
        read(whole)


def test_a_part_that_is_damaged_or_gone(whole):
    data = bytearray((whole / part_name(1)).read_bytes())
    data[len(data) // 2] ^= 1
    (whole / part_name(1)).write_bytes(data)
    with pytest.raises(InputError, match=r"part-000001\.parquet must have the content that _parts\.json tells of"):
        read(whole)
    (whole / part_name(1)).unlink()
    with pytest.raises(InputError, match=r"part-000001\.parquet"):
        read(whole)
