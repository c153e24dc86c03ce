"""`csist-bench limit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from csist_bench.cli.options import (
    camera_options,
    data_option,
    frames_option,
    json_option,
    print_json,
    say,
    split_option,
)

if TYPE_CHECKING:
    from csist_bench.simulation.camera_file import CameraFile


@click.command("limit")
@data_option
@split_option
@frames_option
@camera_options
@click.option("--noise-sigma", type=click.FloatRange(min=0), default=None, metavar="S", help="Read noise, grey levels.")
@click.option("--trajectories", type=click.IntRange(min=1), default=400, show_default=True, help="Trajectories used.")
@click.option("--draws", type=click.IntRange(min=1), default=4, show_default=True, help="Estimates of each target.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the draws.")
@json_option
def command(
    data: str,
    split: str,
    frames: str | None,
    camera: CameraFile | None,
    noise_sigma: float | None,
    trajectories: int,
    draws: int,
    seed: int,
    as_json: bool,
) -> None:
    """Cramer-Rao lines of a data set, per prior tier.

    Each line scores estimates drawn from N(truth, C), C the least covariance that the knowledge named allows, with the
    number of targets known. Tiers: A the optics; B + the brightness law; C + smooth or rigid motion; D + the arms of
    the generator. Noise-free data have the floor 0.05 grey levels (float frames) or 0.29 (integers).

    \b
    Examples:
      csist-bench limit --data data/seqcsist.zarr --noise-sigma 2
      csist-bench limit --camera-set background=plane --camera-set psf_sigma_error=0.005
    """
    from csist_bench.datasets import open_dataset
    from csist_bench.evaluation.cramer_rao_lines import cramer_rao_table, cramer_rao_text
    from csist_bench.evaluation.truth import Truth
    from csist_bench.recipes import frame_range
    from csist_bench.simulation.camera_file import camera_of, header_table

    opened = open_dataset(data)
    part = opened.split(split)
    scored = None if frames is None else frame_range(frames, part.n_frames, name="--frames")
    truth = Truth.from_split(part, scored)
    told = camera.with_noise_sigma(noise_sigma) if camera else None
    imager = camera_of(opened.recipe, told, noise_sigma)
    table = cramer_rao_table(truth, imager, trajectories=trajectories, draws=draws, seed=seed)
    if as_json:
        head = {"data": data, "split": split, "noise_sigma": imager.noise_sigma, "frames": truth.frames_text}
        print_json({**head, **header_table(told), "lines": [row.to_dict() for row in table]})
    else:
        used = min(trajectories, part.n_trajectories)
        say(f"{data} {split}: {used} trajectories, frames {truth.frames_text}, sigma {imager.noise_sigma:g}")
        say(cramer_rao_text(table))
