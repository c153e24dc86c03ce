"""`csist-bench plot leaderboard`."""

from __future__ import annotations

import click

from csist_bench.cli.options import note
from csist_bench.cli.plot_command.shared import out_option
from csist_bench.cli.submit_command import DEFAULT_LEADERBOARD


@click.command("leaderboard")
@click.option("--leaderboard", default=DEFAULT_LEADERBOARD, show_default=True, metavar="FILE", help="The table.")
@click.option("--dataset", default="seqcsist", show_default=True, metavar="NAME", help="Data set of the table.")
@out_option("leaderboard.png")
def leaderboard_command(leaderboard: str, dataset: str, out: str) -> None:
    """Draw the measured scores of a data set with their intervals, and the published ones.

    At most 25 bars: the best row of each variant or, where there are more, of each method.

    \b
    Example:
      csist-bench plot leaderboard --dataset "seqcsist-noise sigma=2" --out leaderboard.png
    """
    from csist_bench.leaderboard import published_rows, read_rows, standing
    from csist_bench.leaderboard.board import board
    from csist_bench.leaderboard.lines import read_lines
    from csist_bench.leaderboard.rows import path_to_show
    from csist_bench.plots.leaderboard import leaderboard_picture
    from csist_bench.plots.style import require_picture

    require_picture(out)
    board_file = path_to_show(leaderboard)
    measured = standing(read_rows(board_file))
    shown = board(measured, published_rows(), dataset=dataset, lines=read_lines(board_file.parent))
    drawn, known = leaderboard_picture(shown.tables[dataset], out, shown.lines_of(dataset), dataset)
    note(f"{out}: {drawn} methods" + (f", the best of {known}" if drawn < known else ""))
