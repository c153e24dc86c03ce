"""`csist-bench leaderboard`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from csist_bench.cli.options import (
    DEFAULT_DATA,
    ProgressLine,
    deliver,
    json_option,
    note,
    print_json,
    say,
    terminal_width,
)
from csist_bench.cli.submit_command import DEFAULT_LEADERBOARD
from csist_bench.conventions import FAMILIES, PRIOR_TIERS, STATUSES
from csist_bench.errors import must

if TYPE_CHECKING:
    from csist_bench.leaderboard.board import Board
    from csist_bench.leaderboard.rows import Row

BAYES_WORK = "runs/bayes"
SCHEMA_NAMES = ("predictions", "row", "submission")


@click.command("leaderboard")
@click.option(
    "--leaderboard", "path", default=DEFAULT_LEADERBOARD, show_default=True, metavar="FILE", help="The table."
)
@click.option("--dataset", metavar="NAME", help="A data set of the table, or all (the terminal shows seqcsist).")
@click.option("--family", type=click.Choice(FAMILIES), help="Rows of one family.")
@click.option("--tier", "status", type=click.Choice(STATUSES), help="Rows of one tier.")
@click.option("--superseded", is_flag=True, help="Show superseded rows too.")
@click.option("--markdown", is_flag=False, flag_value="-", metavar="[FILE]", help="Markdown, on stdout or to a file.")
@click.option("--html", metavar="FILE", help="One self-contained page with charts.")
@json_option
@click.option(
    "--check", is_flag=True, help="Verify every measured row, or folders of submissions; exit code 1 if one is wrong."
)
@click.option("--fetch", is_flag=True, help="With --check FOLDER: get predictions that lie at an address.")
@click.option("--schema", type=click.Choice(SCHEMA_NAMES), help="Print the JSON Schema of what is handed in.")
@click.option("--lines", is_flag=True, help="Compute the grid ceiling and Cramer-Rao lines of --data and keep them.")
@click.option("--bayes", is_flag=True, help="With --lines: compute the Bayes lines instead (minutes; goes on if cut).")
@click.option("--work", metavar="DIR", help="With --bayes: folder of the parts that are done.  [default: runs/bayes]")
@click.option("--trajectories", type=click.IntRange(min=1), metavar="N", help="With --bayes: only the first N.")
@click.option("--prior-tier", type=click.Choice(PRIOR_TIERS), help="With --bayes: lines of one prior tier only.")
@click.option("--data", metavar="PATH", help="Data set for --check and --lines.")
@click.option("--split", default="test", show_default=True, help="Split for --lines.")
@click.option("--docs", is_flag=True, help="Write the results in Markdown pages anew; with --check only compare.")
@click.argument("pages", nargs=-1, metavar="[PAGE|FOLDER]...")
def command(
    path: str,
    dataset: str | None,
    family: str | None,
    status: str | None,
    superseded: bool,
    markdown: str | None,
    html: str | None,
    as_json: bool,
    check: bool,
    fetch: bool,
    schema: str | None,
    lines: bool,
    bayes: bool,
    work: str | None,
    trajectories: int | None,
    prior_tier: str | None,
    data: str | None,
    split: str,
    docs: bool,
    pages: tuple[str, ...],
) -> None:
    """Show the leaderboard: measured rows, with the published figures beside them.

    \b
    Examples:
      csist-bench leaderboard
      csist-bench leaderboard --dataset all --family off-grid
      csist-bench leaderboard --markdown leaderboard/README.md --html leaderboard/index.html
      csist-bench leaderboard --check --data data/seqcsist.zarr
      csist-bench leaderboard --check leaderboard/submissions/my-net
      csist-bench leaderboard --schema predictions
      csist-bench leaderboard --docs README.md docs/results.md
      csist-bench leaderboard --lines --bayes --data data/noise5.zarr
      csist-bench leaderboard --lines --bayes --data data/free2.zarr --prior-tier B

    Rows are in order of score; rank is 1 + the number of rows that are significantly better. In a terminal, columns
    that do not fit are left out and named beneath the table; a pipe gets every column.

    --check verifies evaluator version, recipe hash, data fingerprint, ranges and the sums of every measured row. Of
    folders of submissions it scores the predictions again, and holds row.toml to what comes out; their data are made
    from the recipe unless --data is the set.
    """
    asked = BayesAsked(bayes, work, trajectories, prior_tier)
    _require_together(lines, asked)
    folders = pages if check and not docs else ()
    if fetch and not folders:
        raise must("--fetch", "come with --check FOLDER", "--fetch alone")
    if schema:
        _print_schema(schema)
    elif folders:
        _check_folders(path, folders, data, fetch)
    elif docs or pages:
        _write_results(path, pages, docs, check)
    elif lines and not check:
        _keep_lines(path, data or DEFAULT_DATA, split, asked)
    elif check:
        _check(path if lines else _shown_path(path), data)
    else:
        _show(_shown_path(path), Chosen(dataset, family, status, superseded), as_json, markdown, html)


@dataclass(frozen=True)
class Chosen:
    """Which rows are shown."""

    dataset: str | None
    family: str | None
    status: str | None
    superseded: bool


def _print_schema(name: str) -> None:
    from csist_bench.leaderboard.schemas import schema_text

    say(schema_text(name), nl=False)


def _show(path: str, chosen: Chosen, as_json: bool, markdown: str | None, html: str | None) -> None:
    dataset, family, status = chosen.dataset, chosen.family, chosen.status
    measured, published = _rows(path, chosen.superseded)
    if as_json:
        _print_rows(_shown(path, measured, published, dataset, family, status), measured)
        return
    if not markdown and not html:
        _print_tables(path, measured, published, dataset, family, status)
        return
    shown = _shown(path, measured, published, dataset, family, status)
    if markdown:
        from csist_bench.leaderboard.table import markdown_text

        deliver(markdown, markdown_text(shown))
    if html:
        from csist_bench.leaderboard.page import page_text

        deliver(html, page_text(shown))


def _shown_path(path: str) -> str:
    from csist_bench.leaderboard.rows import path_to_show

    shown = str(path_to_show(path))
    if shown != path:
        note(f"{path}: not here; this is the leaderboard of the installed version")
    return shown


def _rows(path: str, superseded: bool) -> tuple[list[Row], list[Row]]:
    from csist_bench.leaderboard import published_rows, read_rows, standing

    rows = read_rows(path)
    if not rows:
        note(f"{path}: no measured rows yet; csist-bench submit adds them")
    return (rows if superseded else standing(rows)), published_rows()


def _shown(
    path: str, measured: list[Row], published: list[Row], dataset: str | None, family: str | None, status: str | None
) -> Board:
    from csist_bench.leaderboard.board import ALL, board, ranks_by_table
    from csist_bench.leaderboard.lines import read_lines

    lines = read_lines(Path(path).parent)
    ranks = ranks_by_table(measured, path)
    return board(measured, published, dataset=dataset or ALL, family=family, status=status, lines=lines, ranks=ranks)


def _print_tables(
    path: str, measured: list[Row], published: list[Row], dataset: str | None, family: str | None, status: str | None
) -> None:
    from csist_bench.leaderboard.board import MAIN_DATASET
    from csist_bench.leaderboard.table import terminal_text

    shown = _shown(path, measured, published, dataset or MAIN_DATASET, family, status)
    everything = _shown(path, measured, published, None, family, status)
    others = [] if dataset else [f"{n}: {len(r)} rows" for n, r in everything.tables.items() if n not in shown.tables]
    say(terminal_text(shown, others, terminal_width()))


def _print_rows(shown: Board, measured: list[Row]) -> None:
    from csist_bench.leaderboard import standing

    in_force = {id(row) for row in standing(measured)}
    rows: list[dict[str, Any]] = []
    for row in (row for table in shown.tables.values() for row in table):
        rows.append({**row.values(), "superseded": row.measured and id(row) not in in_force})
    print_json(rows)


def _write_results(path: str, pages: tuple[str, ...], docs: bool, check: bool) -> None:
    from csist_bench.leaderboard.results import fill, stale_regions

    if not docs or not pages:
        raise must("PAGE", "come with --docs, and --docs with a page", " ".join(pages) or "--docs alone")
    if check:
        stale = stale_regions(pages, path)
        for place in stale:
            say(f"{place}: out of date")
        sys.exit(1 if stale else 0)
    for page in fill(pages, path):
        note(f"{page}: written")


def _check(path: str, data: str | None) -> None:
    from csist_bench.leaderboard.check import check
    from csist_bench.methods.registry import torch_works

    store = None
    if data:
        from csist_bench.datasets import open_dataset

        store = open_dataset(data)
    count, problems = check(path, store)
    for problem in problems:
        say(problem)
    if not torch_works():
        note("recipe hashes of networks were not checked: that needs PyTorch")
    if problems:
        sys.exit(1)
    say(f"{path}: {count} rows, all well")


def _check_folders(path: str, folders: tuple[str, ...], data: str | None, fetch: bool) -> None:
    from csist_bench.leaderboard.folder_check import check_submission, sets
    from csist_bench.leaderboard.rows import path_to_show, read_rows

    rows = read_rows(path_to_show(path))
    wrong = 0
    with sets(data) as known:
        for folder in folders:
            checked = check_submission(folder, known, rows, fetch=fetch)
            for remark in checked.remarks:
                note(f"{folder}: {remark}")
            for fault in checked.faults:
                say(f"{folder}: {fault}")
            row = checked.submitted.row
            wrong += bool(checked.faults)
            if not checked.faults:
                say(f"{folder}: {row.method} on {row.dataset}: CSO-mAP {row.cso_map:.2f}, as scored again; all well")
    if wrong:
        sys.exit(1)


@dataclass(frozen=True)
class BayesAsked:
    """Whether Bayes lines are asked for, and which."""

    bayes: bool
    work: str | None
    trajectories: int | None
    prior_tier: str | None


def _require_together(lines: bool, asked: BayesAsked) -> None:
    if asked.bayes and not lines:
        raise must("--bayes", "come with --lines", "--bayes alone")
    options = (("--work", asked.work), ("--trajectories", asked.trajectories), ("--prior-tier", asked.prior_tier))
    for name, value in options:
        if value is not None and not asked.bayes:
            raise must(name, "come with --lines --bayes", value)


def _keep_lines(path: str, data: str, split: str, asked: BayesAsked) -> None:
    from csist_bench.datasets import open_dataset
    from csist_bench.leaderboard.lines import compute_bayes_lines, compute_lines, replace_lines

    store = open_dataset(data)
    if asked.bayes:
        lines, remarks = compute_bayes_lines(
            store,
            split,
            Path(asked.work or BAYES_WORK),
            trajectories=asked.trajectories,
            prior_tier=asked.prior_tier,
            progress=ProgressLine("decided", "trajectories"),
        )
    else:
        lines = compute_lines(store, split)
        remarks = [""] * len(lines)
    replace_lines(Path(path).parent, lines, asked.prior_tier)
    for line, remark in zip(lines, remarks):
        say(f"{line.dataset}, {line.split}: {line.label}: {line.value_text}" + f" ({remark})" * bool(remark))
