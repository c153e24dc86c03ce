"""`csist-bench limit`."""

from __future__ import annotations

import click

from csist_bench.cli.options import data_option, frames_option, json_option, print_json, say, split_option


@click.command("limit")
@data_option
@split_option
@frames_option
@click.option("--noise-sigma", type=click.FloatRange(min=0), default=None, metavar="S", help="Read noise, grey levels.")
@click.option("--trajectories", type=click.IntRange(min=1), default=400, show_default=True, help="Trajectories used.")
@click.option("--draws", type=click.IntRange(min=1), default=4, show_default=True, help="Estimates of each target.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the draws.")
@json_option
def command(
    data: str,
    split: str,
    frames: str | None,
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
    Example:
      csist-bench limit --data data/seqcsist.zarr --noise-sigma 2
    """
    from csist_bench.datasets import open_dataset
    from csist_bench.evaluation.cramer_rao_lines import cramer_rao_table, cramer_rao_text
    from csist_bench.evaluation.truth import Truth
    from csist_bench.recipes import frame_range
    from csist_bench.simulation.camera import Camera

    opened = open_dataset(data)
    part = opened.split(split)
    scored = None if frames is None else frame_range(frames, part.n_frames, name="--frames")
    truth = Truth.from_split(part, scored)
    camera = Camera.from_recipe(opened.recipe, noise_sigma)
    table = cramer_rao_table(truth, camera, trajectories=trajectories, draws=draws, seed=seed)
    if as_json:
        head = {"data": data, "split": split, "noise_sigma": camera.noise_sigma, "frames": truth.frames_text}
        print_json({**head, "lines": [row.to_dict() for row in table]})
    else:
        used = min(trajectories, part.n_trajectories)
        say(f"{data} {split}: {used} trajectories, frames {truth.frames_text}, sigma {camera.noise_sigma:g}")
        say(cramer_rao_text(table))
