"""`csist-bench plot pr`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from csist_bench.plots.precision_recall import FileCurves


@click.command("pr")
@click.argument("predictions", nargs=-1, required=True)
@data_option
@split_option
@absent_chunks_option
@out_option("precision_recall.png")
@pixel_size_option
@convention_options
def pr_command(predictions: tuple[str, ...], data: str, split: str, out: str, **reading: Any) -> None:
    """Draw precision against recall at the five thresholds, of one file or of several.

    Of several files, each threshold has a panel with a line a file.

    \b
    Examples:
      csist-bench plot pr preds.json --out precision_recall.svg
      csist-bench plot pr ista.json ml.json offgrid.json --out compared.pdf
    """
    from statistics import fmean

    from csist_bench.conventions import ap_name
    from csist_bench.evaluation.average_precision import RankedHits, curve
    from csist_bench.evaluation.matching import match
    from csist_bench.evaluation.truth import Truth
    from csist_bench.plots.precision_recall import FileCurves, compared_curves_picture, precision_recall_picture
    from csist_bench.plots.style import require_picture

    require_picture(out)
    store, part = opened(data, split)
    truth = Truth.from_split(part)
    files = []
    for path in predictions:
        read = predictions_of(path, store, part, dict(reading))
        matched = match(read.detections, truth)
        names = [ap_name(threshold) for threshold in matched.thresholds]
        curves = {name: curve(hits, truth.n_targets) for name, hits in zip(names, matched.hits)}
        aps = [100 * ap for ap in RankedHits.from_matched(matched, truth.n_targets).average_precisions()]
        name = str(read.header.method.get("name", Path(path).name))
        files.append(FileCurves(name, fmean(aps), curves, dict(zip(names, aps))))
    said = ", ".join(f"{file.name}: CSO-mAP {file.cso_map:.2f} %" for file in files)
    if len(files) == 1:
        precision_recall_picture(files[0].curves, out, files[0].aps, said)
    else:
        compared_curves_picture(_told_apart(files, predictions), out)
    note(f"{out}: {said}")


def _told_apart(files: list[FileCurves], paths: tuple[str, ...]) -> list[FileCurves]:
    """Return the curves with the file's name where two are of one method."""
    from dataclasses import replace

    names = [file.name for file in files]
    return [
        replace(file, name=f"{file.name} ({Path(path).name})") if names.count(file.name) > 1 else file
        for file, path in zip(files, paths)
    ]
