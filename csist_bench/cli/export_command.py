"""`csist-bench export`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from csist_bench.cli.options import ProgressLine, allow_partial_option, convention_options, note, refuse_given

if TYPE_CHECKING:
    from csist_bench.files.convention import Convention

PICTURES = ("published", "csist-100k")


@click.command("export")
@click.option(
    "--layout",
    type=click.Choice([*PICTURES, "parquet", "mat"]),
    default="published",
    show_default=True,
    help="Layout of DST: PNG and XML, Parquet tables, or the matrices phi and Qinit in a MATLAB file.",
)
@click.option("--bits", type=click.Choice(["8", "16"]), default="8", show_default=True, help="Depth of the pictures.")
@convention_options
@allow_partial_option
@click.argument("src")
@click.argument("dst")
def command(layout: str, bits: str, convention: Convention, allow_partial: bool, src: str, dst: str) -> None:
    """Write the data set SRC in another layout: folders of PNG frames and XML annotations, Parquet, or matrices.

    published: the folders of SeqCSIST. csist-100k: those of CSIST-100K. 8-bit pictures are rounded and clipped at 255;
    16-bit ones hold 64 values per grey level (stated in a side file). --axes, --origin and --first-frame say how
    annotations are written and from what number files count.

    parquet: a folder with one table of targets and one of frames for each split. mat: phi and Qinit of the set's size,
    PSF and grid, as the published networks read them; Qinit is fitted to the training split.

    \b
    Examples:
      csist-bench export --layout published --bits 16 data/seqcsist.zarr exported/
      csist-bench export --layout csist-100k --origin one data/csist-100k.zarr cso_data/
      csist-bench export --layout parquet data/seqcsist.zarr tables/
      csist-bench export --layout mat data/seqcsist.zarr matrices.mat
    """
    from pathlib import Path

    from csist_bench.datasets import open_dataset

    if layout not in PICTURES:
        refuse_given(dict.fromkeys(("bits", "first_frame", "origin", "axes"), f"the layout {layout}"))
    source = open_dataset(src, allow_partial)
    if layout == "mat":
        from csist_bench.methods.matrix_file import export_matrices

        shapes = export_matrices(source, Path(dst))
        note(f"{dst}: " + ", ".join(f"{name} {' x '.join(map(str, shape))}" for name, shape in shapes.items()))
        return
    if layout == "parquet":
        from csist_bench.datasets.parquet_layout import export_parquet

        count = export_parquet(source, Path(dst), ProgressLine("exported"))
    else:
        from csist_bench.datasets.public_layouts.exporting import export_layout

        line = ProgressLine("exported")
        count = export_layout(source, Path(dst), layout, bits=int(bits), convention=convention, progress=line)
    note(f"{dst}: {count:,} frames")
