import pytest

from csist_bench import demo
from csist_bench.demo import Result, demonstrate, results_table, table_text
from csist_bench.methods.networks.weight_files import shipped_weights
from csist_bench.recipes import load_data_recipe
from tests.helpers.sets import TINY

RESULTS = [
    Result("BID", "noise-free", 60, 750, 20.314, (0.2, 3.2, 15.4, 35.5, 47.0), 812.4, 14.40),
    Result("ML", "sigma 2", 750, 750, 61.0, (1.0, 2.0, 3.0, 4.0, 5.0), 15_321.7, None),
]


def test_the_table_says_what_was_measured_on_how_much_and_what_was_published():
    _, head, bid, ml, best, *notes = table_text(RESULTS, 47.61, 58.44).splitlines()
    assert " ".join(head.split()) == "method data CSO-mAP AP05 AP10 AP15 AP20 AP25 published frames/s test trajectories"
    assert bid.split()[:8] == ["BID", "noise-free", "20.31", "0.20", "3.20", "15.40", "35.50", "47.00"]
    assert bid.split()[8:] == ["14.40", "812", "a", "part:", "60", "of", "750"]
    assert ml.split()[-7:] == ["5.00", "-", "15,322", "all", "750", "of", "750"]
    assert best.split() == ["best", "of", "23", "noise-free", "51.55", "published,", "DeRefNet"]
    assert "47.6 ranked by brightness, 58.4 with the best ranking" in " ".join(notes)
    assert (
        len({line.index(word) + len(word) for line, word in ((head, "published"), (bid, "14.40"), (best, "51.55"))})
        == 1
    )


def test_results_are_plain_tables():
    first = results_table(RESULTS)[0]
    assert (first["title"], first["published"], list(first["ap"])) == ("BID", 14.4, [0.2, 3.2, 15.4, 35.5, 47.0])


@pytest.fixture
def small(monkeypatch):
    """The same programme on 40 trajectories of 4 frames, with the quick methods only."""
    few = [setting for setting in TINY if not setting.startswith("trajectories")]
    monkeypatch.setattr(
        demo,
        "load_data_recipe",
        lambda name, overrides: load_data_recipe(name, [*overrides, *few, "trajectories=40"]),
    )
    monkeypatch.setattr(demo, "ON_THE_GRID", (("bid", 2), ("lista", 1)))
    monkeypatch.setattr(demo, "FITTERS", (("ml", None),))
    monkeypatch.setattr(demo, "NOISY_FITTERS", (("ml", 200),))
    monkeypatch.setattr(demo, "SHOWN", (("noise-free", "bid"), ("sigma 2", "ml")))
    monkeypatch.setattr(demo, "_networks", lambda: iter(()))


@pytest.mark.long
def test_the_whole_story_on_a_small_set(small, tmp_path):
    said = []
    results = demonstrate(tmp_path / "demo", said.append)
    assert [(row.title, row.data, row.trajectories, row.total) for row in results] == [
        ("BID", "noise-free", 2, 6),
        ("ML", "noise-free", 6, 6),
        ("ML", "sigma 2", 6, 6),
    ]
    assert [row.published for row in results] == [14.40, None, None]
    assert results[1].cso_map > 90 > results[0].cso_map
    assert (tmp_path / "demo" / "frames.png").read_bytes().startswith(b"\x89PNG")
    assert any(line.startswith("lista: left out (no trained weights") for line in said)
    assert table_text(results, 0, 0).splitlines()[1] in "\n".join(said)
    again = []
    assert [row.cso_map for row in demonstrate(tmp_path / "demo", again.append)] == [row.cso_map for row in results]
    assert sum(line.endswith("was there") for line in again) == 2


@pytest.mark.parametrize(("cores", "handed"), [(1, []), (2, [["b", "c"]]), (3, [["b"], ["c"]]), (9, [["b"], ["c"]])])
def test_every_fitter_is_compiled_beside_once_where_there_are_cores(cores, handed, monkeypatch):
    given, said = [], []
    monkeypatch.setattr(demo, "FITTERS", (("a", None), ("b", None), ("c", None)))
    monkeypatch.setattr(demo, "cores", lambda: cores)
    monkeypatch.setattr(demo, "compile_ahead", lambda first, camera, others: given.append((first, list(others))))
    demo.Beside(said.append).start(kept=False)
    assert given == []
    assert said == ["compiling kernels"]
    demo.Beside(said.append).start(kept=True)
    assert given == [("a", others) for others in handed]
    assert "once" in said[1]


def test_every_network_that_is_shown_has_its_weights():
    for name in demo.SHOWN_NETWORKS:
        assert shipped_weights(name), name
