"""Whether predicted standard errors are the errors made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from csist_bench.errors import InputError, require_shape
from csist_bench.plots.style import BLACK, BLUE, SKY, Floats, save, tidy

HISTOGRAM_REACH = 5.0  # standard errors
CALIBRATION_BINS = 12


def calibration_picture(errors: Floats, sigmas: Floats, path: str | Path, title: str = "") -> None:
    """Draw whether predicted standard errors are the errors made: errors over them, and error against prediction.

    Parameters
    ----------
    errors : ndarray, shape (n,), px
        Position errors of matched detections, one a coordinate.
    sigmas : ndarray, shape (n,), px
        The standard errors predicted for them, positive.
    """
    errors, sigmas = np.asarray(errors, dtype=np.float64), np.asarray(sigmas, dtype=np.float64)
    require_shape("sigmas", sigmas, errors.shape, "(n,)")
    if not len(errors) or not (sigmas > 0).all():
        raise InputError("calibration needs at least one matched detection, and positive standard errors throughout")
    ratio = errors / sigmas
    figure = Figure(figsize=(9.2, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    edges = np.linspace(-HISTOGRAM_REACH, HISTOGRAM_REACH, 61)
    left.hist(ratio, edges, density=True, color=SKY, label=f"{len(ratio):,} errors, spread {ratio.std():.2f}")
    left.plot(edges, np.exp(-0.5 * edges**2) / np.sqrt(2 * np.pi), color=BLACK, lw=1.5, label="unit normal")
    outside = float((np.abs(ratio) > HISTOGRAM_REACH).mean())
    left.set(xlabel=f"error / predicted standard error ({outside:.1%} lie outside)", ylabel="density", title=title)
    left.set_ylim(top=1.2 * left.get_ylim()[1])  # room for the legend
    left.legend(frameon=False, fontsize=8)
    predicted, made = binned_errors(errors, sigmas)
    right.loglog(predicted, made, "o-", color=BLUE, label="measured, bins of equal number")
    ends = np.array([min(predicted.min(), made.min()), max(predicted.max(), made.max())])
    right.loglog(ends, ends, "--", color="0.5", label="as predicted")
    right.set(xlabel="predicted standard error, px", ylabel="root mean square error, px")
    for axis in (right.xaxis, right.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())
    right.legend(frameon=False, fontsize=8)
    tidy(left, right)
    save(figure, path)


def binned_errors(errors: Floats, sigmas: Floats) -> tuple[Floats, Floats]:
    """Return the root mean square of predictions and errors in bins of equal number, by rising prediction."""
    bins = np.array_split(np.argsort(sigmas, kind="stable"), min(CALIBRATION_BINS, len(errors)))
    smallest = np.finfo(np.float64).tiny
    predicted = [np.sqrt(np.mean(sigmas[part] ** 2)) for part in bins]
    return np.array(predicted), np.array([max(np.sqrt(np.mean(errors[part] ** 2)), smallest) for part in bins])
