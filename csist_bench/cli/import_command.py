"""`csist-bench import`."""

from __future__ import annotations

import click

from csist_bench.cli.options import ProgressLine, note


@click.command("import")
@click.option(
    "--layout", type=click.Choice(["published"]), default="published", show_default=True, help="Layout of SRC."
)
@click.option(
    "--frames", type=click.IntRange(min=1), help="Frames per trajectory (the side file's, or 20, by default)."
)
@click.argument("src")
@click.argument("dst")
def command(layout: str, frames: int | None, src: str, dst: str) -> None:
    """Read the folders of PNG frames and XML annotations in SRC into a data set DST.

    The axis order of the annotations is found by rendering a few frames, not by their names.

    \b
    Example:
      csist-bench import --layout published downloads/SeqCSIST data/published.zarr
    """
    from pathlib import Path

    from csist_bench.datasets.public_layouts.importing import import_published

    fingerprint = import_published(Path(src), Path(dst), frames, ProgressLine("imported"))
    note(f"{dst}: complete, fingerprint {fingerprint}")
