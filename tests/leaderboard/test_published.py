"""The papers' own figures as rows."""

from __future__ import annotations

from csist_bench import files
from csist_bench.leaderboard import published_rows


def test_published_rows_are_the_papers_table_and_the_ablations_that_have_a_recipe():
    rows = published_rows()
    main = [r for r in rows if r.dataset == "seqcsist"]
    lines = (files.packaged("leaderboard") / "published.csv").read_text().splitlines()
    assert len(main) == len(lines) - 1 == 23
    best = max(main, key=lambda r: r.cso_map)
    assert (best.method, best.cso_map, best.aps) == ("DeRefNet", 51.55, (1.0, 14.4, 54.9, 90.4, 97.1))
    assert best.parameters == 890_000
    assert not any(r.measured for r in rows)
    ablations = {r.dataset: r.cso_map for r in rows if r.dataset != "seqcsist"}
    assert ablations == {
        "seqcsist-noise sigma=2": 49.09,
        "seqcsist-noise sigma=3": 48.40,
        "seqcsist-noise sigma=4": 48.41,
        "seqcsist-noise sigma=5": 47.23,
        "seqcsist-dense": 49.79,
    }
