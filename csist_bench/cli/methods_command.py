"""`csist-bench methods`."""

from __future__ import annotations

from typing import Any

import click

from csist_bench.cli.options import json_option, note, print_json, say


@click.command("methods")
@json_option
def command(as_json: bool) -> None:
    """List the methods: family, parameters, cost, prior tier, paper.

    Prior tier: A knows the optics, B also the brightness law, C also smooth or rigid motion, D the whole generator or
    training on it. Methods of installed packages are listed too (docs/own-methods.md). Parameters and
    multiply-accumulates need PyTorch; without it they are left blank.

    \b
    Example:
      csist-bench methods --json
    """
    from csist_bench.methods.cost import method_rows
    from csist_bench.methods.outside import register_installed

    for failed in register_installed():
        note(failed)
    rows = method_rows()
    if as_json:
        print_json(rows)
        return
    say(f"{'name':<12} {'title':<14} {'family':<17} {'parameters':>12} {'MACs/frame':>11} tier weights")
    for row in rows:
        say(_line(row))


def _line(row: dict[str, Any]) -> str:
    parameters = "-" if row["parameters"] is None else f"{row['parameters']:,}"
    macs = "-" if row["macs_per_frame"] is None else f"{row['macs_per_frame'] / 1e6:.2f} M"
    weights = "shipped" if row["weights"] else ("-" if row["trainable"] else "none needed")
    who = f"{row['name']:<12} {row['title']:<14} {row['family']:<17}"
    return f"{who} {parameters:>12} {macs:>11} {row['prior_tier']:<4} {weights}"
