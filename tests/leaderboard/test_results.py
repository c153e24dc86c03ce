"""The documentation's tables and quoted figures follow from the leaderboard's files; what is broken is named."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from csist_bench.cli.leaderboard_command import command
from csist_bench.leaderboard.result_tables import BUILDERS, Tables, figure, generated, markdown_table
from csist_bench.leaderboard.results import fill, stale_regions
from csist_bench.recipes import shipped

ROOT = Path(__file__).parents[2]
BOARD = ROOT / "leaderboard" / "leaderboard.csv"
README, DOCS = ROOT / "README.md", ROOT / "docs"
PAGES = [README, *sorted(DOCS.glob("*.md"))]
LINKED = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "SECURITY.md", ROOT / "data" / "README.md"]

REGION = "<!-- begin generated: {0} -->\n<!-- end generated: {0} -->\n"
COMMANDS = """```sh
pip install -c constraints.txt . && csist-bench demo
pip install -c constraints.txt ".[all,test]" && pytest
```
"""

Change = Callable[[dict[str, str]], dict[str, str] | None]


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """A copy of the committed tables, to be spoilt."""
    folder = tmp_path / "leaderboard"
    folder.mkdir()
    for file in [*BOARD.parent.glob("*.csv"), BOARD.parent / "results.toml"]:
        shutil.copy(file, folder)
    return folder / BOARD.name


@pytest.fixture
def page(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str, name: str = "page.md") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def change(table: Path, changed: Change) -> None:
    """Rewrite the rows of a CSV table; None drops one."""
    with table.open(newline="") as file:
        rows = [changed(row) for row in csv.DictReader(file)]
    kept = [row for row in rows if row]
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(kept[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)


def prose(text: str) -> str:
    """Return a page without generated regions and code."""
    text = re.sub(r"<!-- begin generated: (.+?) -->.*?<!-- end generated: \1 -->", "", text, flags=re.DOTALL)
    return re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# --- what is committed ----------------------------------------------------------------------------------------------


def test_the_committed_pages_are_up_to_date() -> None:
    """Where this fails: csist-bench leaderboard --docs README.md docs/*.md"""
    assert stale_regions(PAGES, BOARD) == []


def test_every_table_stands_on_a_page() -> None:
    text = "".join(page.read_text() for page in PAGES)
    named = {*BUILDERS, *Tables(BOARD).contents.tables}
    assert named == set(re.findall(r"^<!-- begin generated: (.+) -->$", text, flags=re.MULTILINE))


def test_the_readme_is_one_page_and_begins_with_the_two_commands() -> None:
    text = README.read_text()
    assert text.count("\n") < 130
    assert len(text.split()) < 1000
    assert COMMANDS in text


def test_a_score_in_the_readme_is_held_against_the_leaderboard() -> None:
    scores = re.findall(r"(?<![\d.])\d{2,3}\.\d(?![\d.])(?!<!-- score:)", prose(README.read_text()))
    assert scores == [], "put <!-- score: LINE | COLUMN --> behind the figure"


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked.read_text()), target


def test_every_data_recipe_is_described() -> None:
    text = (DOCS / "data-sets.md").read_text()
    assert [name for name in shipped("data") if f"| `{name}` |" not in text] == []


# --- pages ----------------------------------------------------------------------------------------------------------


def test_a_page_is_filled_and_then_stays_as_it_is(page: Callable[[str], Path]) -> None:
    path = page(f"# Page\n\n{REGION.format('readme')}\nIt has 1.0<!-- score: ml, 1 frame |\nsigma 2 -->.\n")
    assert stale_regions([path], BOARD) == [f"{path}:3: readme", f"{path}:6: score ml, 1 frame | sigma 2"]
    assert fill([path], BOARD) == [path]
    text = path.read_text()
    assert f"\n\n{generated('readme', Tables(BOARD))}\n\n" in text
    assert "61.9<!-- score: ml, 1 frame |\nsigma 2 -->." in text
    assert fill([path], BOARD) == []
    assert stale_regions([path], BOARD) == []
    assert [file for file in path.parent.iterdir() if file.name != path.name] == []


def test_only_what_follows_from_the_tables_is_touched(page: Callable[[str], Path]) -> None:
    text = "Before 12.3.\n\n{}After `<!-- begin generated: readme -->`, 99.9 and\r\n\ttabs.\n"
    path = page(text.format(REGION.format("offgrid-ranking")))
    fill([path], BOARD)
    kept = re.sub(r"\n\n\|.*\|\n\n", "\n", path.read_bytes().decode(), flags=re.DOTALL)
    assert kept == text.format(REGION.format("offgrid-ranking"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (REGION.format("measurd"), r":1: unknown generated region 'measurd'; did you mean 'measured'\?"),
        (
            "\n<!-- begin generated: readme -->\n",
            r":2: region 'readme' must be closed .*add <!-- end generated: readme",
        ),
        ("<!-- begin generated: readme -->\n" + REGION.format("noise"), r":1: region 'readme' must be closed before"),
        ("<!-- end generated: readme -->\n", r":1: end of region 'readme' must follow its begin marker"),
        ("<!-- begin generated: readme -->\n<!-- end generated: noise -->\n", r":2: end of region 'noise' must follow"),
        ("1.0<!-- score: ml, 2 frames | sigma 2 -->", r":1: unknown line 'ml, 2 frames'; did you mean 'ml, 1 frame'\?"),
        ("1.0<!-- score: ml, 1 frame | sigma 9 -->", r":1: unknown column 'sigma 9'"),
        ("1.0<!-- score: ml, 1 frame | sigma 2 | luck -->", r":1: unknown ranking 'luck'"),
        ("1.0<!-- score: published Mine | sigma 2 -->", r":1: unknown line 'published Mine'"),
        ("1.0<!-- score: published EDSR | sigma 2 -->", r":1: score must have a row in leaderboard.csv, got published"),
        ("<!-- score: ml, 1 frame | sigma 2 -->", r":1: score must be FIGURE<!-- score: LINE"),
        ("1.0<!-- score: ml, 1 frame -->", r":1: score must be FIGURE<!-- score: LINE"),
        ("1.0<!-- score: ml, 1 frame | sigma 2", r":1: score must be FIGURE<!-- score: LINE"),
        ("1.0<!-- score: ml, 1 frame", r":1: score must be FIGURE<!-- score: LINE"),
    ],
)
def test_an_ill_page_is_refused_and_no_page_is_written(page: Callable[..., Path], text: str, said: str) -> None:
    good, bad = page(REGION.format("readme"), "good.md"), page(text, "bad.md")
    with pytest.raises(ValueError, match=f"bad.md{said}"):
        fill([good, bad], BOARD)
    assert (good.read_text(), bad.read_text()) == (REGION.format("readme"), text)


def test_a_page_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.md not found"):
        fill([tmp_path / "none.md"], BOARD)
    (tmp_path / "bytes.md").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"bytes\.md must be a text file"):
        stale_regions([tmp_path / "bytes.md"], BOARD)


# --- tables ---------------------------------------------------------------------------------------------------------


def test_a_changed_score_is_noticed_where_it_stands(board: Path) -> None:
    def worse(row: dict[str, str]) -> dict[str, str]:
        ours = (row["method"], row["dataset"], row["settings"], row["rank"]) == ("ML", "seqcsist", "", "score")
        return row | {"cso_map": "12.34"} if ours else row

    change(board, worse)
    assert [place.rpartition(": ")[2] for place in stale_regions(PAGES, board)] == ["readme", "measured"]


def test_a_table_without_its_rows_is_noticed(board: Path) -> None:
    change(board, lambda row: None if row["method"] == "ML-seq" else row)
    with pytest.raises(ValueError, match=r"README.md:\d+: line 'ml-seq, 20 frames' of the tables .* have a row"):
        fill([README], board)


def test_a_broken_row_is_noticed(board: Path) -> None:
    board.write_text(board.read_text().replace("20.114397631609187", "much", 1))
    with pytest.raises(ValueError, match=r"leaderboard.csv:2: cso_map must be a number, got much"):
        stale_regions(PAGES, board)


def test_a_broken_ablation_is_noticed(board: Path) -> None:
    change(board.with_name("ablations.csv"), lambda row: row | {"cso_map_sigma_2": ""})
    with pytest.raises(ValueError, match=r"cso_map_sigma_2 of 'reference' must be a number"):
        stale_regions([DOCS / "offgrid-net.md"], board)


@pytest.mark.parametrize("text", ["columns = 3", "[columns", "", "[colums]\n"])
def test_a_broken_list_of_lines_is_noticed(board: Path, text: str) -> None:
    board.with_name("results.toml").write_text(text)
    with pytest.raises(ValueError, match=r"results.toml must say what the tables of results show"):
        Tables(board)


def test_a_missing_list_of_lines_is_noticed(board: Path) -> None:
    board.with_name("results.toml").unlink()
    with pytest.raises(ValueError, match=r"results.toml not found"):
        Tables(board)


def test_a_new_network_appears_by_itself(board: Path) -> None:
    def renamed(row: dict[str, str]) -> dict[str, str]:
        return row | {"method": "NewNet"} if row["method"] == "FOCUS" else row

    change(board, renamed)
    table = generated("networks", Tables(board))
    assert "| `NewNet` |" in table
    assert "`focus`" not in table


def test_rows_of_other_seeds_and_submitted_files_do_not_count(board: Path) -> None:
    before = generated("measured", Tables(board))
    with board.open(newline="") as file:
        last = next(row for row in csv.DictReader(file) if row["method"] == "ML" and not row["settings"])
        names = list(last)
    with board.open("a", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writerow(last | {"cso_map": "1.0", "data_seed": "1"})
        writer.writerow(last | {"cso_map": "2.0", "tier": "submitted"})
        writer.writerow(last | {"cso_map": "3.0", "seed": "4"})
        writer.writerow(last | {"cso_map": "4.0", "split": "val"})
    assert generated("measured", Tables(board)) == before


def test_published_and_computed_figures_are_found() -> None:
    tables = Tables(BOARD)
    best = tables.find("best published", "noise-free")
    ceiling = [tables.find(f"ceiling, {ranking}", "sigma 5") for ranking in ("by brightness", "any ranking")]
    assert best == tables.find("published DeRefNet", "noise-free") == (51.55, "D")
    assert [each and round(each.cso_map, 1) for each in ceiling] == [48.0, 58.8]
    line = tables.find("Cramer-Rao line, 20 frames, rigid", "noise-free")
    assert line == (100.0, "C")


@pytest.mark.parametrize(("value", "text"), [(51.55, "51.6"), (99.95, "100.0"), (0.0, "0.0"), (48.04, "48.0")])
def test_figures_are_rounded_as_they_are_written(value: float, text: str) -> None:
    assert figure(value) == text


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert markdown_table(("a", "b"), [("x|y", "1")]) == "| a | b |\n| --- | ---: |\n| x\\|y | 1 |"


# --- command --------------------------------------------------------------------------------------------------------


def test_the_command_fills_and_compares(page: Callable[[str], Path]) -> None:
    path = page(REGION.format("readme"))
    run = CliRunner()
    stale = run.invoke(command, ["--leaderboard", str(BOARD), "--docs", "--check", str(path)])
    assert (stale.exit_code, stale.stdout) == (1, f"{path}:1: readme: out of date\n")
    assert run.invoke(command, ["--leaderboard", str(BOARD), "--docs", str(path)]).exit_code == 0
    assert "`ml`, 1 frame" in path.read_text()
    assert run.invoke(command, ["--leaderboard", str(BOARD), "--docs", "--check", str(path)]).exit_code == 0


@pytest.mark.parametrize("arguments", [["--docs"], ["README.md"]])
def test_pages_and_the_option_come_together(arguments: list[str]) -> None:
    with pytest.raises(ValueError, match="PAGE must come with --docs"):
        CliRunner().invoke(command, arguments, catch_exceptions=False)
