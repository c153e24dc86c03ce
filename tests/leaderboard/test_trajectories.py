"""What is kept of trajectories beside the leaderboard."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.errors import InputError
from csist_bench.leaderboard.trajectories import Influence, influence_path, keep_influence, kept_influence
from tests.helpers.rows import row

ROW = row()


def an_influence(seed=0, n=750, aps=ROW.aps):
    return Influence(np.arange(n), np.random.default_rng(seed).normal(0, 0.03, (5, n)), aps)


@pytest.fixture
def board(tmp_path):
    return tmp_path / "leaderboard.csv"


def test_what_is_kept_is_read_again_to_a_hundredth_of_its_spread(board):
    influence = an_influence()
    path = keep_influence(board, ROW, influence)
    assert path.parent == board.parent / "trajectories"
    assert path.stat().st_size < 5_500
    found = kept_influence(board, ROW)
    assert (found.trajectories == influence.trajectories).all()
    np.testing.assert_allclose(found.values, influence.values, atol=6e-4)
    np.testing.assert_allclose(found.cso_map, influence.values.mean(axis=0), atol=6e-4)
    assert found.aps == ROW.aps


def test_files_are_the_same_to_the_byte_each_time(board):
    first = keep_influence(board, ROW, an_influence()).read_bytes()
    assert keep_influence(board, ROW, an_influence()).read_bytes() == first


def test_scores_without_any_spread_are_kept(board):
    keep_influence(board, ROW, Influence(np.arange(4), np.zeros((5, 4)), ROW.aps))
    assert not kept_influence(board, ROW).values.any()


def test_each_ranking_has_a_file_of_its_own_and_a_row_without_one_has_none(board):
    other = row(rank="brightness", predictions_sha256=ROW.predictions_sha256)
    keep_influence(board, ROW, an_influence())
    assert influence_path(board, ROW) != influence_path(board, other)
    assert kept_influence(board, other) is None


def test_influences_of_other_scores_are_refused_when_written_and_when_read(board):
    with pytest.raises(InputError, match=r"influences: CSO-mAP must be that of the row of ML, 60\.0000, got 61\.0000"):
        keep_influence(board, ROW, an_influence(aps=tuple(ap + 1 for ap in ROW.aps)))
    keep_influence(board, ROW, an_influence(aps=tuple(ap + 9e-4 for ap in ROW.aps)))
    moved = row(cso_map=60.1, ap05=20.5, predictions_sha256=ROW.predictions_sha256)
    with pytest.raises(InputError, match="CSO-mAP must be that of the row"):
        kept_influence(board, moved)


def test_a_file_of_other_predictions_under_this_name_is_refused(board):
    theirs = row(predictions_sha256=ROW.predictions_sha256[:30] + "0" * 41)
    keep_influence(board, theirs, an_influence())
    with pytest.raises(InputError, match="predictions must be sha256"):
        kept_influence(board, ROW)


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "pickle", "short"])
def test_damage_is_one_line_with_its_remedy(board, damage):
    path = keep_influence(board, ROW, an_influence())
    data = path.read_bytes()
    if damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "text":
        path.write_text("trajectory,influence\n")
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "pickle":
        np.savez(path, predictions=np.array({}), gaps=[], steps=[], largest=[], aps=[])
    else:
        with np.load(path) as archive:
            arrays = dict(archive)
        np.savez(path, **(arrays | {"steps": arrays["steps"][:, :5]}))
    with pytest.raises(InputError, match="make it again") as caught:
        kept_influence(board, ROW)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)
