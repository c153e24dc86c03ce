"""`csist-bench bench`."""

from __future__ import annotations

import click

from csist_bench.cli.options import json_option, note, say


@click.command("bench")
@click.argument("parts", nargs=-1)
@click.option("--out", metavar="FILE", help="Write the figures as JSON here.")
@json_option
def command(parts: tuple[str, ...], out: str | None, as_json: bool) -> None:
    """Measure the speed of everything on this machine, as a table and JSON.

    PARTS choose among rendering, generate, evaluate, methods, networks and start; all of them by default. `networks`
    takes every network, untrained, forward and through a step of its training. Other work on the machine disturbs the
    figures; ratios are measured in one run.

    \b
    Examples:
      csist-bench bench
      csist-bench bench rendering generate --out bench.json
    """
    from pathlib import Path

    from csist_bench.errors import unknown
    from csist_bench.files import replace_file
    from csist_bench.speed import parts as speed

    for part in parts:
        if part not in speed.PARTS:
            raise unknown("part", part, speed.PARTS)
    measures = []
    for measure in speed.bench(parts):
        measures.append(measure)
        (note if as_json else say)(speed.line_of(measure))
    text = speed.as_json(measures)
    if as_json:
        say(text)
    if out:
        replace_file(Path(out), text.encode())
