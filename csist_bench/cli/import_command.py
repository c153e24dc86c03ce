"""`csist-bench import`."""

from __future__ import annotations

import click

from csist_bench.cli.options import ProgressLine, note


@click.command("import")
@click.option(
    "--layout",
    type=click.Choice(["published", "csist-100k"]),
    default="published",
    show_default=True,
    help="Layout of SRC: that of SeqCSIST or of CSIST-100K.",
)
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    help="Frames per trajectory  [default: the side file's; else 20, csist-100k: 1].",
)
@click.option("--origin", type=click.Choice(["centre", "corner", "one"]), help="What annotations count from, if known.")
@click.option("--axes", type=click.Choice(["xy", "yx"]), help="yx: xc is the row and yc the column, if known.")
@click.option("--url", metavar="ADDRESS", help="Page of the set, for its metadata.")
@click.option("--license", metavar="SPDX|ADDRESS", help="Licence of the set, as CC-BY-4.0 or an address.")
@click.argument("src")
@click.argument("dst")
def command(
    layout: str,
    frames: int | None,
    origin: str | None,
    axes: str | None,
    url: str | None,
    license: str | None,
    src: str,
    dst: str,
) -> None:
    """Read the folders of PNG frames and XML annotations in SRC into a data set DST.

    published: {split}/image/image_{i}.png and {split}/annotation/COS{i}.xml. csist-100k: {split}/cso_img/image_{i}.png
    and {split}/Annotations/CSO{i}.xml. Files are taken in the order of the first number in their names.

    Axes, origin (the centre or the corner of pixel (0, 0), or coordinates from 1) and rounding are found by rendering
    every frame. Where several explain all pictures, --origin and --axes decide.

    \b
    Examples:
      csist-bench import --layout published downloads/SeqCSIST data/published.zarr
      csist-bench import --layout csist-100k downloads/cso_data data/csist-100k.zarr
      csist-bench import --axes yx --origin one downloads/one_target data/one.zarr
    """
    from pathlib import Path

    from csist_bench.datasets.public_layouts.importing import import_layout
    from csist_bench.files.convention import Convention
    from csist_bench.recipes import require_about

    told, progress = Convention(None, origin, axes), ProgressLine("imported", "files")
    about = {name: text for name, text in (("url", url), ("license", license)) if text}
    require_about(about.get("url", ""), about.get("license", ""), "--")
    made = import_layout(Path(src), Path(dst), layout, frames=frames, told=told, about=about, progress=progress)
    note(f"{src}: read with {made.found.text()}")
    note(f"decimals: {made.decimals[0]} of coordinates, {made.decimals[1]} of brightness")
    for line in made.notes:
        note(line)
    note(f"{dst}: {made.frames:,} frames, complete, fingerprint {made.fingerprint}")
