"""`csist-bench plot resolution`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from csist_bench.cli.options import (
    absent_chunks_option,
    convention_options,
    data_option,
    note,
    pixel_size_option,
    split_option,
)
from csist_bench.cli.plot_command.shared import opened, out_option, predictions_of
from csist_bench.errors import must

LIMITS_DRAWN = 13  # brightness ratios at which the limit of resolution is computed


@click.command("resolution")
@click.argument("predictions", nargs=-1, required=True, metavar="PREDICTIONS...")
@data_option
@split_option
@click.option(
    "--max-answers",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    metavar="K",
    help="Best answers of a frame that count; many resolve a pair by chance.",
)
@absent_chunks_option
@out_option("resolution.png")
@pixel_size_option
@convention_options
def resolution_command(
    predictions: tuple[str, ...], data: str, split: str, max_answers: int, out: str, **reading: Any
) -> None:
    """Draw the share of pairs that are resolved, by distance and brightness ratio, of up to six files.

    A pair, two targets alone in a frame, is resolved where each has one of the frame's best two answers within half
    their distance. Drawn in is the statistical resolution limit (Smith 2005): the distance that equals its own
    Cramer-Rao standard error.

    \b
    Example:
      csist-bench generate --recipe csist-pairs --out data/pairs.zarr
      csist-bench run ml --data data/pairs.zarr --out ml.json
      csist-bench run ista --data data/pairs.zarr --out ista.json
      csist-bench plot resolution ml.json ista.json --data data/pairs.zarr --out resolution.png
    """
    import numpy as np

    from csist_bench.evaluation.matching import best_of_each_frame
    from csist_bench.evaluation.resolution import bins_of, pairs_of, resolution_limit
    from csist_bench.evaluation.truth import Truth
    from csist_bench.plots.resolution import MOST_FILES, ResolvedShares, resolution_picture
    from csist_bench.plots.style import require_picture
    from csist_bench.simulation.camera import Camera

    require_picture(out)
    if len(predictions) > MOST_FILES:
        raise must("PREDICTIONS", f"be at most {MOST_FILES} files", len(predictions))
    store, part = opened(data, split)
    truth = Truth.from_split(part)
    files = []
    for path in predictions:
        read = predictions_of(path, store, part, dict(reading))
        pairs = pairs_of(best_of_each_frame(read.detections, max_answers), truth)
        distances, ratios = bins_of(pairs)
        by_both, by_distance = pairs.shares(distances, ratios), pairs.shares(distances, ratios[[0, -1]])[0]
        shares = ResolvedShares(Path(path).name, float(pairs.resolved.mean()), pairs.answers, by_both, by_distance)
        files.append(shares)
        told = f"{100 * shares.share:.1f} % of {len(pairs.resolved):,} pairs resolved"
        note(f"{path}: {told}, {shares.answers:.2f} answers a frame")
    camera = Camera.from_recipe(store.recipe)
    at = np.linspace(ratios[0], ratios[-1], LIMITS_DRAWN)
    limit = np.array([resolution_limit(float(r), float(np.median(pairs.brighter)), camera) for r in at])
    if not (store.recipe.noise_sigma or store.recipe.shot_gain or store.recipe.bits):
        limit[:] = np.nan  # the noise that methods are told of noise-free frames is no noise of theirs
    if np.isnan(limit).all():
        note("no statistical limit is drawn: the frames have no noise, or it lies outside 0.02 to 3 px")
    title = f"{store.recipe.name}, noise {store.recipe.noise_sigma:g} grey levels"
    resolution_picture(files, (distances, ratios), (at, limit), out, title)
    note(f"{out}: written")
