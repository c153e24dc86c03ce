"""`csist-bench export`."""

from __future__ import annotations

import click

from csist_bench.cli.options import ProgressLine, allow_partial_option, note


@click.command("export")
@click.option(
    "--layout", type=click.Choice(["published"]), default="published", show_default=True, help="Layout of DST."
)
@click.option("--bits", type=click.Choice(["8", "16"]), default="8", show_default=True, help="Depth of the pictures.")
@allow_partial_option
@click.argument("src")
@click.argument("dst")
def command(layout: str, bits: str, allow_partial: bool, src: str, dst: str) -> None:
    """Write the data set SRC as folders of PNG frames and XML annotations DST.

    8-bit pictures are rounded and clipped at 255; 16-bit ones hold 64 values per grey level (stated in a side file).

    \b
    Example:
      csist-bench export --layout published --bits 16 data/seqcsist.zarr exported/
    """
    from pathlib import Path

    from csist_bench.datasets import open_dataset
    from csist_bench.datasets.published_layout import export_published

    count = export_published(open_dataset(src, allow_partial), Path(dst), int(bits), ProgressLine("exported"))
    note(f"{dst}: {count:,} frames")
