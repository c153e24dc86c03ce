"""`csist-bench generate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from csist_bench.cli.options import (
    DEFAULT_DATA,
    ProgressLine,
    camera_options,
    convention_options,
    note,
    note_compiling,
    note_convention,
    set_option,
)

if TYPE_CHECKING:
    from csist_bench.files.convention import Convention
    from csist_bench.simulation.camera_file import CameraFile

# What a target table says itself.
TABLE_FIELDS = ("trajectories", "frames", "splits", "k_min", "k_max", "directions")


@click.command("generate")
@click.option(
    "--out", default=DEFAULT_DATA, show_default=True, metavar="PATH", help="Folder of the data set to make, or s3://."
)
@click.option(
    "--recipe", default="seqcsist", show_default=True, metavar="NAME|FILE", help="Shipped recipe or TOML file."
)
@click.option("--seed", type=click.IntRange(min=0), default=None, help="Seed of the set (the recipe's, 0, by default).")
@set_option
@camera_options
@click.option(
    "--targets", type=click.Path(exists=True, dir_okay=False), metavar="FILE.csv", help="Render your own targets."
)
@convention_options
@click.option("--executor", metavar="NAME", help="serial, processes or dask:ADDRESS.")
@click.option("--workers", type=click.IntRange(min=1), default=None, help="Number of processes.")
@click.option("--part", default="1/1", metavar="i/n", help="Make the i-th of n parts only (for job arrays).")
@click.option("--resume", is_flag=True, help="Go on with a set that was interrupted (or start it).")
@click.option("--overwrite", is_flag=True, help="Make the set anew if it exists.")
def command(
    out: str,
    recipe: str,
    seed: int | None,
    overrides: tuple[str, ...],
    camera: CameraFile | None,
    targets: str | None,
    convention: Convention,
    executor: str | None,
    workers: int | None,
    part: str,
    resume: bool,
    overwrite: bool,
) -> None:
    """Render a data set into chunked Zarr.

    \b
    Examples:
      csist-bench generate
      csist-bench generate --recipe seqcsist-noise --set noise_sigma=5 --out data/noise5.zarr
      csist-bench generate --targets my_scene.csv --out data/mine.zarr
      csist-bench generate --camera camera.toml --out data/as-my-camera.zarr
      csist-bench generate --out s3://bucket/seqcsist.zarr
      csist-bench generate --targets matlab.csv --first-frame 1 --origin corner --out data/mine.zarr

    The same seed gives the same set on any machine, with any number of workers and parts. An interrupted run goes on
    with --resume. A target table has the columns trajectory, frame, target, x, y, intensity and becomes split `test`.
    --camera renders with its optics, noise, background and intensities; --set wins over it.
    """
    from csist_bench.datasets.generation import generate, parse_part
    from csist_bench.datasets.target_tables import read_target_table
    from csist_bench.errors import must
    from csist_bench.files.convention import AS_THE_FORM
    from csist_bench.files.objects import is_address
    from csist_bench.recipes import load_data_recipe, parse_overrides
    from csist_bench.simulation.camera_file import recipe_fields

    if resume and overwrite and not is_address(out):  # there it says that the writer who holds the place is gone
        raise must("--resume and --overwrite", "not be given together", "both")
    chosen = [*overrides, *([f"seed={seed}"] if seed is not None else [])]
    told = recipe_fields(camera) if camera else {}
    resolved = load_data_recipe(recipe, chosen, told)
    if convention != AS_THE_FORM and not targets:
        raise must("--first-frame, --origin and --axes", "come with --targets", "none")
    note_convention(convention)
    table = read_target_table(targets, convention) if targets else None
    if table is not None:
        asked = tuple(told | parse_overrides(chosen))
        if fixed := sorted({*asked} & {*TABLE_FIELDS}):
            raise must(f"--set {fixed[0]}", "be left out with --targets, whose table says it", fixed[0])
        resolved = table.recipe(resolved, keep=asked)
    note_compiling()
    made = generate(
        out,
        resolved,
        targets=table,
        executor=executor,
        workers=workers,
        part=parse_part(part),
        resume=resume,
        overwrite=overwrite,
        progress=ProgressLine("rendered"),
    )
    skipped = f", {made.skipped:,} were there" if made.skipped else ""
    note(f"{out}: wrote {made.written:,} frames in {made.seconds:.2f} s{skipped}")
    note(f"complete, fingerprint {made.fingerprint}" if made.complete else "not complete yet: other parts are missing")
