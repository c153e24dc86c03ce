"""`csist-bench merge`: join folders of parts of predictions."""

from __future__ import annotations

import click

from csist_bench.cli.options import note


@click.command("merge")
@click.argument("folders", nargs=-1, required=True, metavar="FOLDER...")
@click.option("--out", required=True, metavar="FOLDER", help="New folder that will hold all parts.")
def command(folders: tuple[str, ...], out: str) -> None:
    """Join FOLDERs that each hold some parts of one run into one that is whole.

    \b
    Examples:
      csist-bench run ml --data data/large.zarr --out node1 --part 1/2     (on one machine)
      csist-bench run ml --data data/large.zarr --out node2 --part 2/2     (on another)
      csist-bench merge node1 node2 --out preds

    Parts that are missing, in two folders, damaged, or of different runs (another method, setting, seed or data set)
    are refused. Machines with a common disk fill one folder and need no merge.
    """
    from csist_bench.predictions.parts import merge

    done = merge(out, folders)
    rows = sum(part.rows for part in done.parts or ())
    note(f"{out}: {done.count:,} parts, {rows:,} detections of {done.trajectories:,} trajectories")
