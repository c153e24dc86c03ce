"""Rows, files, checks and renderings of the leaderboard."""

import contextlib
import csv
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csist_bench import files
from csist_bench.conventions import FAMILIES
from csist_bench.errors import InputError
from csist_bench.leaderboard import append_row, published_rows, read_rows, standing
from csist_bench.leaderboard.board import board
from csist_bench.leaderboard.charts import PARAMETERS, SPEED, Scale, chart, height_of
from csist_bench.leaderboard.check import check
from csist_bench.leaderboard.columns import PAGE_COLUMNS, Entry, count_text
from csist_bench.leaderboard.datasets import dataset_label, dataset_recipe, recipe_from_text
from csist_bench.leaderboard.lines import Line, read_lines, replace_lines
from csist_bench.leaderboard.page import page_text
from csist_bench.leaderboard.rows import COLUMNS, Row, checked_row, write_rows
from csist_bench.leaderboard.table import markdown_text, terminal_text
from csist_bench.recipes import load_data_recipe
from tests.helpers.rows import FINGERPRINT, digest, row

LINES = [
    Line(dataset="seqcsist", split="test", kind=kind, label=label, cso_map=value, dataset_fingerprint=FINGERPRINT)
    for kind, label, value in (
        ("ceiling", "grid", 47.6),
        ("ceiling", "any", 58.4),
        ("limit", "B", 100),
        ("limit", "C", 100),
    )
]


def written(path: Path, *rows: Row) -> Path:
    write_rows(path, rows)
    return path


def edited(path: Path, line: int, column: str, text: str) -> None:
    """Put a text into one cell of a leaderboard file (lines counted from 1, the heading's)."""
    with path.open(newline="") as file:
        table = list(csv.reader(file))
    table[line - 1][COLUMNS.index(column)] = text
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(table)


# --- rows -------------------------------------------------------------------------------------------------------

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40)
percents = st.floats(0, 100)


@settings(max_examples=100, deadline=None)
@given(
    note=texts,
    name=texts.filter(bool),
    scores=st.lists(percents, min_size=6, max_size=6),
    rate=st.none() | st.floats(1e-6, 1e12),
    seed=st.none() | st.integers(0, 2**40),
)
def test_a_row_is_read_back_as_it_was_written(tmp_path_factory, note, name, scores, rate, seed):
    path = tmp_path_factory.mktemp("rows") / "leaderboard.csv"
    names = ("cso_map", "ap05", "ap10", "ap15", "ap20", "ap25")
    one = row(method=name, note=note, frames_per_second=rate, seed=seed, **dict(zip(names, scores)))
    two = row(note="second")
    assert read_rows(written(path, one, two)) == [one, two]


def test_appending_keeps_the_earlier_lines_byte_for_byte(tmp_path):
    path = written(tmp_path / "leaderboard.csv", row(note='a, quoted "note"'))
    before = path.read_bytes()
    append_row(path, row(note="b"))
    assert path.read_bytes().startswith(before)
    assert [r.note for r in read_rows(path)] == ['a, quoted "note"', "b"]


def test_submissions_at_the_same_time_lose_no_row(tmp_path):
    path = tmp_path / "deep" / "leaderboard.csv"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: append_row(path, row(note=str(i))), range(24)))
    assert sorted(int(r.note) for r in read_rows(path)) == list(range(24))
    assert not list(path.parent.glob("*.partial"))


@pytest.mark.parametrize(
    "column, text, message",
    [
        ("cso_map", "many", "cso_map must be a number, got many"),
        ("cso_map", "100.1", "cso_map must be a number <= 100.0, got 100.1"),
        ("ap10", "nan", "ap10 must be a number >= 0.0, got nan"),
        ("ap10", "", "ap10 must be given, got nothing"),
        ("frames_per_second", "1e999", "frames_per_second must be a finite number, got 1e999"),
        ("seed", "1.5", "seed must be a whole number, got 1.5"),
        ("parameters", "-1", "parameters must be a whole number >= 0, got -1"),
        ("family", "magic", f"family must be one of {', '.join(FAMILIES)}, got magic"),
        ("tier", "published", "tier must be submitted or reproduced, got published"),
        ("dataset_fingerprint", "abc", "dataset_fingerprint must be sha256: and 64 hexadecimal digits, got abc"),
        ("dataset_fingerprint", "", "dataset_fingerprint must be given for a measured row, got nothing"),
        ("predictions_sha256", "", "predictions_sha256 must be given for a measured row, got nothing"),
        ("paper", "javascript:alert(1)", "paper must be a link that starts with http:// or https://"),
        ("date", "2026-02-30", "date must be a day as YYYY-MM-DD, got 2026-02-30"),
        ("cso_map_low", "", "cso_map_low and cso_map_high must be given together"),
    ],
)
def test_an_ill_row_names_its_line_and_column(tmp_path, column, text, message):
    path = written(tmp_path / "leaderboard.csv", row(), row(note="b"))
    edited(path, 3, column, text)
    with pytest.raises(InputError) as caught:
        read_rows(path)
    assert str(caught.value).startswith(f"{path}:3: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "columns must be those of the leaderboard: missing method"),
        (b"method,score\n", "columns must be those of the leaderboard"),
        (b"\xff\xfe\x00", "not a readable CSV table"),
        ((",".join(reversed(COLUMNS)) + "\n").encode(), "they are in another order"),
        ((",".join(COLUMNS) + "\na,b\n").encode(), f":2: row must have {len(COLUMNS)} cells, got 2"),
        ((",".join(COLUMNS) + '\n"a').encode(), "not a readable CSV table"),
    ],
)
def test_a_file_that_is_no_leaderboard_is_one_clear_error(tmp_path, content, message):
    path = tmp_path / "leaderboard.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_rows(path)
    assert message in str(caught.value)


def test_a_missing_leaderboard_says_how_to_make_it(tmp_path):
    with pytest.raises(InputError, match="not found; csist-bench submit makes it"):
        read_rows(tmp_path / "none.csv")
    assert read_rows(tmp_path / "none.csv", missing_ok=True) == []


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=300) | texts.map(lambda t: (",".join(COLUMNS) + "\n" + t).encode()))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("bytes") / "leaderboard.csv"
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        assert all(isinstance(r, Row) for r in read_rows(path))


def test_control_characters_cannot_enter_a_row():
    with pytest.raises(InputError, match="note must be one line of text"):
        row(note="two\nlines")


def test_standing_rows_are_those_that_no_later_row_supersedes():
    old, other = row(note="old"), row(note="other", method="BID", family="traditional")
    by_brightness = checked_row({**old.values(), "rank": "brightness", "note": "same file, other ranking"}, "row")
    new = row(note="new", supersedes=old.predictions_sha256)
    assert standing([old, other, by_brightness, new]) == [other, by_brightness, new]


# --- published --------------------------------------------------------------------------------------------------


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


# --- data sets --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, changes, label, full",
    [
        ("seqcsist", [], "seqcsist", "seqcsist"),
        ("seqcsist", ["seed=7"], "seqcsist", "seqcsist"),
        ("seqcsist-noise", [], "seqcsist-noise sigma=2", "seqcsist-noise"),
        ("seqcsist-noise", ["noise_sigma=5"], "seqcsist-noise sigma=5", "seqcsist-noise noise_sigma=5.0"),
        ("seqcsist", ["trajectories=8"], "seqcsist trajectories=8", "seqcsist trajectories=8"),
        ("seqcsist", ['curves=["line"]', "rotate=true"], 'seqcsist curves=["line"] rotate=true',
         'seqcsist curves=["line"] rotate=true'),
    ],
)  # fmt: skip
def test_a_data_set_is_called_by_its_recipe_and_what_departs_from_it(name, changes, label, full):
    recipe = load_data_recipe(name, changes)
    assert dataset_label(recipe) == label
    assert dataset_recipe(recipe) == full
    assert dataset_label(recipe_from_text(full)) == label


# --- check ------------------------------------------------------------------------------------------------------


def test_good_rows_pass_every_check(tmp_path):
    old = row(note="old", predictions_sha256=digest("old"))
    new = row(note="new", supersedes=digest("old"))
    noisy = row(dataset="seqcsist-noise sigma=5", dataset_recipe="seqcsist-noise noise_sigma=5.0", noise_sigma=5.0)
    stranger = row(method="MyNet", family="unfolding", tier="submitted", recipe_hash=digest("own"))
    assert check(written(tmp_path / "leaderboard.csv", old, new, noisy, stranger)) == (4, [])


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"evaluator": "0.9"}, "evaluator must be 1.0, got 0.9"),
        ({"cso_map": 60.1}, "cso_map must be the mean of the five APs (60.000000), got 60.100000"),
        ({"ap05": 50.0, "ap10": 20.0}, "ap05..ap25 must not fall"),
        ({"cso_map_low": 60.5}, "cso_map must lie in its interval"),
        ({"dataset": "seqcsist-8bit"}, "dataset must be 'seqcsist' for the recipe"),
        ({"dataset_recipe": "nothing"}, "dataset must be 'nothing' for the recipe"),
        ({"dataset_recipe": "seqcsist sigma=2"}, "unknown field 'sigma'"),
        ({"dataset_recipe": ""}, "dataset_recipe must be given"),
        ({"noise_sigma": 2.0}, "noise_sigma must be the recipe's 0"),
        ({"family": "unfolding"}, "family must be off-grid, got unfolding"),
        ({"method": "MyNet"}, "tier must be submitted: no method of this name is in the registry"),
        ({"supersedes": digest("nothing")}, "supersedes must name the predictions of an earlier row"),
    ],
)
def test_each_fault_of_a_row_is_one_line(tmp_path, changes, message):
    path = written(tmp_path / "leaderboard.csv", row(note="before"), row(note="ill", **changes))
    count, problems = check(path)
    assert count == 2
    assert len(problems) == 1
    assert problems[0].startswith(f"{path}:3: ")
    assert message in problems[0]


def test_faults_between_rows_are_found(tmp_path):
    first = row(predictions_sha256=digest("one"))
    twin = row(note="twin", predictions_sha256=digest("one"))
    other_data = row(note="other", dataset_fingerprint=digest("data"))
    stolen = row(method="ML-seq", prior_tier="C", supersedes=digest("one"))
    _, problems = check(written(tmp_path / "leaderboard.csv", first, twin, other_data, stolen))
    assert [p.split(": ", 2)[2].split(",")[0] for p in problems] == [
        "these predictions are there already",
        "dataset_fingerprint must be that of the other rows",
        "supersedes must name a row of the same method",
    ]


def test_ill_rows_do_not_hide_what_is_wrong_with_the_others(tmp_path):
    path = written(tmp_path / "leaderboard.csv", row(), row(note="b", evaluator="0.9"))
    edited(path, 2, "ap05", "x")
    count, problems = check(path)
    assert count == 2
    assert [p.split(":")[1] for p in problems] == ["2", "3"]


def test_a_reproduced_network_must_bear_the_hash_of_a_shipped_recipe(tmp_path, monkeypatch):
    from csist_bench.leaderboard import check as module

    monkeypatch.setattr(module, "_shipped_hashes", lambda method: frozenset({digest(method)}))
    network = {"method": "EDSR", "family": "super-resolution", "decoder": "grid", "prior_tier": "D", "parameters": 5}
    good = row(**network, recipe_hash=digest("edsr"))
    bad = row(**network, recipe_hash=digest("something"), seed=1)
    own = row(**network, recipe_hash=digest("something"), tier="submitted")
    _, problems = check(written(tmp_path / "leaderboard.csv", good, bad, own))
    assert len(problems) == 1
    assert "recipe_hash must be that of a shipped recipe of 'edsr'" in problems[0]


def test_the_hash_of_a_shipped_recipe_is_the_one_that_training_writes(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from csist_bench.leaderboard.check import _shipped_hashes
    from csist_bench.methods.registry import METHODS
    from csist_bench.training.recipe import training_hash, training_hash_1, training_recipe

    folder = tmp_path / "methods"
    folder.mkdir()
    (folder / "espcn.toml").write_text('method = "espcn"\n[training]\nlr = 2e-3\n')
    (folder / "espcn-long.toml").write_text('method = "espcn"\n[training]\nepochs = 50\n')
    monkeypatch.setattr(files, "packaged", lambda kind: tmp_path)
    _shipped_hashes.cache_clear()
    found = _shipped_hashes("espcn")
    _shipped_hashes.cache_clear()
    tables = [{"lr": 2e-3}, {"epochs": 50}]
    schemes = (training_hash, training_hash_1)
    expected = {of(METHODS["espcn"], {}, training_recipe(table)) for table in tables for of in schemes}
    assert found == expected


def test_every_committed_row_passes_the_check():
    path = files.packaged("leaderboard") / "leaderboard.csv"
    if not path.is_file():
        pytest.skip("no measured rows in this checkout")
    count, problems = check(path)
    assert not problems
    assert count > 0


# --- tables -----------------------------------------------------------------------------------------------------


def test_tables_are_in_order_of_the_best_measured_row_with_the_published_row_beneath():
    weak = row(method="ISTA", family="traditional", prior_tier="A", cso_map=12.0, cso_map_low=11.0, cso_map_high=13.0)
    strong, second = row(note="strong", cso_map=60.9), row(note="second", cso_map=59.5)
    shown = board([weak, second, strong], published_rows(), dataset="seqcsist")
    rows = shown.tables["seqcsist"]
    assert [r.cso_map for r in rows[:4]] == [60.9, 59.5, 12.0, 10.72]
    assert [r.measured for r in rows[:4]] == [True, True, True, False]
    rest = [r.cso_map for r in rows[4:]]
    assert rest == sorted(rest, reverse=True)
    assert Entry(rows[2], "seqcsist", rows).published == 10.72
    assert Entry(rows[0], "seqcsist", rows).published is None


def test_tables_are_filtered_and_sorted_by_data_set():
    rows = [row(dataset=f"seqcsist-noise sigma={s}") for s in (10, 2)] + [row(), row(split="val")]
    shown = board(rows, published_rows(), family="off-grid", status="reproduced")
    assert list(shown.tables) == ["seqcsist", "seqcsist, val", "seqcsist-noise sigma=2", "seqcsist-noise sigma=10"]
    with pytest.raises(InputError, match="did you mean 'seqcsist'"):
        board(rows, [], dataset="seqcsit")


def test_the_terminal_shows_both_scores_and_the_lines():
    ista = row(method="ISTA", family="traditional", prior_tier="A", note="x")
    text = terminal_text(board([ista], published_rows(), dataset="seqcsist", lines=LINES), ["others"])
    line = next(x for x in text.splitlines() if x.startswith("ISTA ") and "reproduced" in x)
    assert "60.00  59.00 to 61.00      10.72" in line
    assert "grid: 47.6" in text
    assert text.endswith("others")
    assert terminal_text(board([], [])) == "no rows"


def test_markdown_cells_cannot_break_the_table():
    odd = row(method="a|b*<i>", family="off-grid", tier="submitted")
    text = markdown_text(board([odd], [], lines=LINES))
    assert r"a\|b\*\<i\>" in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.replace(r"\|", "").count("|") for line in table}) == 1
    assert "**60.00**" in text


@pytest.mark.parametrize("value, text", [(None, ""), (0, "0"), (15840, "15.8 K"), (2.8e6, "2.8 M"), (3e9, "3 G")])
def test_counts_are_short(value, text):
    assert count_text(value) == text


# --- lines ------------------------------------------------------------------------------------------------------


def test_lines_of_a_data_set_replace_its_old_ones_and_no_others(tmp_path):
    other = [Line(dataset="x", split="test", kind="limit", label="l", cso_map=1.0, dataset_fingerprint=FINGERPRINT)]
    replace_lines(tmp_path, LINES)
    replace_lines(tmp_path, other)
    replace_lines(tmp_path, LINES[:1])
    assert read_lines(tmp_path) == [*other, LINES[0]]
    assert read_lines(tmp_path / "none") == []
    (tmp_path / "lines.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="not a table of reference lines"):
        read_lines(tmp_path)


# --- page -------------------------------------------------------------------------------------------------------

VOID = {"meta", "input", "br", "link"}


class Outline(HTMLParser):
    """Collects what the page is made of, and checks that elements nest."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def page() -> tuple[str, Outline]:
    hostile = row(method='<script>alert("x")</script>', note="</script><img src=x onerror=alert(1)>", tier="submitted",
                  paper='https://example.org/"onmouseover="alert(1)')  # fmt: skip
    noisy = row(dataset="seqcsist-noise sigma=2", note="noisy")
    text = page_text(board([row(), hostile, noisy], published_rows(), lines=LINES))
    outline = Outline()
    outline.feed(text)
    return text, outline


def test_the_page_nests_and_holds_every_row(page):
    _, outline = page
    assert not outline.open
    rows = [attributes for attributes in outline.all("tr") if "data-dataset" in attributes]
    assert len(rows) == 3 + len(published_rows())
    heads = [attributes for attributes in outline.all("th") if attributes.get("scope") == "col"]
    assert len(heads) == len(PAGE_COLUMNS) == len(outline.all("button"))
    cells = len(outline.all("td")) + len([a for a in outline.all("th") if a.get("scope") == "row"])
    assert cells == len(rows) * len(PAGE_COLUMNS)


def test_the_page_fetches_nothing(page):
    _, outline = page
    for _tag, attributes in outline.elements:
        assert not {"src", "srcset", "data", "poster"} & set(attributes)
    assert not outline.all("link")
    assert not outline.all("img")
    assert "url(" not in "".join(outline.text)
    assert "@import" not in "".join(outline.text)


def test_the_page_runs_no_text_of_a_row(page):
    _, outline = page
    assert len(outline.all("script")) == 1
    assert not any(name.startswith("on") for _, attributes in outline.elements for name in attributes)
    assert '<script>alert("x")</script>' in "".join(outline.text)


def test_published_rows_are_labelled_on_the_page(page):
    _, outline = page
    published = [a for a in outline.all("tr") if a.get("data-tier") == "published"]
    assert len(published) == len(published_rows())
    assert all(a["class"] == "published" for a in published)
    hollow = [a for a in outline.all("circle") if "published" in (a["class"] or "").split()]
    assert {a["data-tier"] for a in hollow} == {"published"}


def test_the_page_is_the_same_every_time(page):
    hostile_free = [row(), row(note="b")]
    assert page_text(board(hostile_free, published_rows())) == page_text(board(hostile_free, published_rows()))


# --- charts -----------------------------------------------------------------------------------------------------


def test_chart_axes_are_logarithmic_and_upright():
    scale = Scale.over([0, 100, 1e6])
    one, two, three = (scale.place(value) for value in (1e2, 1e4, 1e6))
    assert two - one == pytest.approx(three - two)
    assert scale.place(0) < one
    assert height_of(100) < height_of(50) < height_of(0)


def test_a_chart_draws_the_rows_that_have_the_cost_and_merges_lines_that_coincide():
    rows = [row(), row(note="b", frames_per_second=None), *published_rows()[:3]]
    drawn = Outline()
    drawn.feed(chart(rows, LINES, SPEED, "seqcsist"))
    assert len(drawn.all("circle")) == 4
    kinds = [a["class"] for a in drawn.all("line") if a["class"] != "grid"]
    assert sorted(kinds) == ["ceiling", "ceiling", "limit"]
    assert "2 Cramer-Rao limits: 100.0" in drawn.text
    assert len(outline_of(chart(rows, [], PARAMETERS, "x")).all("circle")) == 3


def outline_of(text: str) -> Outline:
    outline = Outline()
    outline.feed(text)
    return outline
