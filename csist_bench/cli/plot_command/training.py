"""`csist-bench plot training`."""

from __future__ import annotations

from pathlib import Path

import click

from csist_bench.cli.options import note
from csist_bench.cli.plot_command.shared import out_option


@click.command("training")
@click.argument("run", metavar="RUN")
@out_option("training.png")
def training_command(run: str, out: str) -> None:
    """Draw loss and validation scores of a training run: its folder, or its log.jsonl.

    \b
    Example:
      csist-bench plot training runs/edsr --out training.png
    """
    from csist_bench.plots.style import require_picture
    from csist_bench.plots.training import training_curve_picture
    from csist_bench.training.log import read_log

    require_picture(out)
    training_curve_picture(read_log(run), out, Path(run).stem)
    note(f"{out}: written")
