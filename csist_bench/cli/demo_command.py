"""`csist-bench demo`."""

from __future__ import annotations

import click

from csist_bench.cli.options import json_option, note, print_json, say


@click.command("demo")
@click.option(
    "--out", default="demo", show_default=True, metavar="DIR", help="Folder for the data sets and the picture."
)
@json_option
def command(out: str, as_json: bool) -> None:
    """The whole story in under a minute: generate, unmix, score, one picture.

    Makes the full SeqCSIST set, runs the methods that need no training on its test split (slow ones on a part, which is
    said), prints their scores beside the published ones, does the same with noise, and draws one picture.

    \b
    Example:
      csist-bench demo --out /tmp/demo
    """
    from pathlib import Path

    from csist_bench.demo import demonstrate, results_table

    results = demonstrate(Path(out), note if as_json else say)
    if as_json:
        print_json(results_table(results))
