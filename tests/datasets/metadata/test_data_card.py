"""The data card."""

from __future__ import annotations

from csist_bench.datasets import open_dataset
from csist_bench.datasets.metadata.data_card import MARK, data_card
from csist_bench.datasets.metadata.facts import facts_of
from csist_bench.datasets.public_layouts.exporting import export_layout
from csist_bench.datasets.public_layouts.importing import import_layout
from tests.helpers.public_folders import write_foreign
from tests.helpers.sets import tiny_set


def test_a_card_says_what_the_set_is(tmp_path):
    source = open_dataset(tiny_set(tmp_path / "set.zarr", "seqcsist-noise", "noise_sigma=5"))
    card = (tmp_path / "set.zarr" / "README.md").read_text()
    assert card == data_card(facts_of(source))
    assert card.startswith(MARK)
    for said in (
        "40 trajectories of 4 frames of 11 x 11 px with 2 to 4 closely-spaced infrared point targets",
        "Gaussian read noise of sigma 5 grey levels",
        "| `noise_sigma` | 5.0 |",
        "| train | 28 | 112 |",
        "Scored: 2 of 4 frames",
        "Apache-2.0.",
        "arxiv.org/abs/2507.09556",
        source.fingerprint,
    ):
        assert said in card
    assert "`psf_sigma`" not in card  # as usual


def test_cards_of_pictures_say_what_a_grey_value_is(tmp_path):
    source = open_dataset(tiny_set(tmp_path / "set.zarr"))
    for bits, said in ((8, "a grey value is a grey level"), (16, "64 grey values are one grey level")):
        export_layout(source, tmp_path / str(bits), bits=bits)
        card = (tmp_path / str(bits) / "README.md").read_text()
        assert said in card
        assert "csist-bench import --layout published PATH set.zarr" in card


def test_cards_of_imported_sets_claim_nothing(tmp_path):
    folder = write_foreign(open_dataset(tiny_set(tmp_path / "set.zarr")), tmp_path / "f", axes="yx", decimals=3)
    import_layout(folder, tmp_path / "back.zarr", frames=4)
    card = (tmp_path / "back.zarr" / "README.md").read_text()
    assert "Imported from pictures and annotations of others" in card
    assert "Read with axes yx, origin centre, pixels rounded, decimals 3 and 3, bits 8." in card
    assert "None is told; ask whoever the files came from." in card
    assert "SeqCSIST:" not in card
