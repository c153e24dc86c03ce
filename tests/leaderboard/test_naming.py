"""Short names of rows."""

from __future__ import annotations

import pytest

from csist_bench import files
from csist_bench.leaderboard import published_rows, read_rows, standing
from csist_bench.leaderboard.naming import TRAJECTORY, USUAL_FRAMES, names_of, row_label, short_name
from csist_bench.methods.registry import METHODS, build_training_free
from tests.helpers.rows import row


@pytest.mark.parametrize(
    "method, settings, name",
    [
        ("ML", "", "ML"),
        ("ML", "brightness=free", "ML, brightness free"),
        ("ML-seq", "", "ML-seq, 20 frames"),
        ("ML-seq", "frames=5", "ML-seq, 5 frames"),
        ("ML-seq", "frames=all", "ML-seq, 20 frames"),
        ("Group MAP", "start=integer", "Group MAP, 20 frames, integer start"),
        ("Group MAP", "frames=1 start=integer answers=hedged", "Group MAP, 1 frame, integer start, hedged"),
        ("OffGrid-Net", "", "OffGrid-Net, 1 frame"),
        ("OffGrid-Net", "depth=5 reach=19 smooth=True", "OffGrid-Net, 20 frames"),
        ("OffGrid-Net", "depth=5 reach=2 neighbours=convolution smooth=True", "OffGrid-Net, 5 frames"),
        (
            "OffGrid-Net",
            "slots=8 alternatives=4 scenes=seqcsist-dense + seqcsist",
            "OffGrid-Net, 1 frame, dense scenes",
        ),
        ("DISTA-Net", "precision=bfloat16", "DISTA-Net"),
        ("MyNet", "width=12", "MyNet, width 12"),
        ("MyNet", "as in the paper", "MyNet, as in the paper"),
    ],
)
def test_variants_are_named_in_words(method, settings, name):
    assert short_name(row(method=method, settings=settings)) == name


def test_ranking_and_seeds_are_said():
    assert short_name(row(rank="brightness", seed=3, data_seed=2)) == "ML, by brightness, seed 3, data seed 2"


def test_a_published_row_claims_no_number_of_frames():
    assert all("frame" not in short_name(published) for published in published_rows())


def test_rows_that_would_be_called_the_same_keep_their_settings():
    five, deep = row(method="OffGrid-Net", settings="depth=5"), row(method="OffGrid-Net", settings="depth=7")
    other = row(method="OffGrid-Net", settings="reach=2")
    names = names_of([five, deep, other])
    assert names[five] == "OffGrid-Net (depth=5)" == row_label(five)
    assert names[deep] == "OffGrid-Net (depth=7)"
    assert names[other] == "OffGrid-Net, 5 frames"


def test_no_two_rows_of_a_committed_table_are_called_the_same():
    rows = standing(read_rows(files.packaged("leaderboard") / "leaderboard.csv"))
    names = names_of(rows)
    assert not any("=" in name for name in names.values())
    places = [(names[r], r.dataset, r.decoder) for r in rows]
    assert len(set(places)) == len(places)


def test_the_usual_frames_are_those_of_the_methods():
    for method in METHODS.values():
        if method.title in USUAL_FRAMES and not method.trainable:
            frames = build_training_free(method).frames
            assert (TRAJECTORY if frames == "all" else frames) == USUAL_FRAMES[method.title]
