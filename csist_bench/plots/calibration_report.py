"""What the figures of a calibration rest on: width profiles, what fits leave, photon transfer, intensities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from csist_bench.methods.calibration.result import Calibration
from csist_bench.plots.style import BLACK, BLUE, ORANGE, RED, SKY, save, tidy

RESIDUAL_REACH = 5.0  # standard errors, of the colours
BRIGHTEST = 99.5  # percentile of the fitted intensities that is shown
BARS = 40
FINE = 200  # points of a drawn curve


def calibration_report(found: Calibration, path: str | Path, title: str = "") -> None:
    """Draw the width profiles, the residual about the brightest pixel, variance over light, and fitted intensities.

    What could not be found is said in the place of its panel.
    """
    figure = Figure(figsize=(10.4, 8.0), layout="constrained")
    (profile, residual), (transfer, intensity) = figure.subplots(2, 2)
    _profile(profile, found)
    _residual(figure, residual, found)
    _transfer(transfer, found)
    _intensity(intensity, found)
    n, t, height, width = found.whole
    figure.suptitle(
        f"{title}: {n * t:,} frames of {height} x {width} px, {found.sequences} sequences fitted", fontsize=11
    )
    save(figure, path)


def _profile(panel: Axes, found: Calibration) -> None:
    """Draw -2 log evidence over each width, with the parabola of the widths' errors about the top."""
    panel.set_title("PSF widths: how well each explains the frames")
    if found.widths is None:
        _say(panel, found.missing.get("psf_sigma", "told, not sought"))
        return
    drawn = (("x", BLUE, "o"), ("y", RED, "s"))
    for (axis, colour, marker), sigma, error, curve in zip(
        drawn, found.widths.sigma, found.widths.error, found.widths.curves
    ):
        least = float(curve.min())
        panel.plot(found.widths.relative * sigma, curve - least, marker, color=colour, ms=5, mec="white")
        fine = np.linspace(found.widths.relative[0], found.widths.relative[-1], FINE) * sigma
        label = f"{axis}: {sigma:.4f} $\\pm$ {error:.4f} px"
        panel.plot(fine, ((fine - sigma) / error) ** 2, color=colour, lw=1.3, label=label)
        panel.axvspan(sigma - error, sigma + error, color=colour, alpha=0.2, lw=0)
    highest = float((found.widths.curves - found.widths.curves.min(axis=1, keepdims=True)).max())
    panel.set(
        xlabel="PSF width, px", ylabel="$-2$ log evidence above the least", ylim=(-0.03 * highest, 1.05 * highest)
    )
    panel.legend(frameon=False, fontsize=9, loc="upper center", title="lines: parabola of the error", title_fontsize=8)
    tidy(panel)


def _residual(figure: Figure, panel: Axes, found: Calibration) -> None:
    """Draw the mean of what fits leave about the brightest pixel, in its standard errors."""
    panel.set_title("What the fits leave about the brightest pixel")
    if found.residual is None:
        _say(panel, "no target was fitted")
        return
    half = found.residual.shape[0] // 2
    extent = (-half - 0.5, half + 0.5, half + 0.5, -half - 0.5)
    image = panel.imshow(
        found.residual, cmap="RdBu_r", vmin=-RESIDUAL_REACH, vmax=RESIDUAL_REACH, extent=extent, interpolation="nearest"
    )
    for (row, column), value in np.ndenumerate(found.residual):
        colour = "white" if abs(value) > 0.7 * RESIDUAL_REACH else BLACK
        panel.text(column - half, row - half, f"{value:.1f}", ha="center", va="center", fontsize=7, color=colour)
    figure.colorbar(image, ax=panel, label="mean residual, standard errors", shrink=0.85)
    panel.set(xlabel="x from the brightest pixel, px", ylabel="y, px")


def _transfer(panel: Axes, found: Calibration) -> None:
    """Draw variance over light with the fitted line."""
    panel.set_title("Photon transfer: variance over light")
    shown = found.transfer
    if shown is None:
        _say(panel, found.missing.get("gain", "told, not sought"))
        return
    panel.errorbar(
        shown.light, shown.variance, shown.error, fmt="o", ms=4, color=BLUE, ecolor=SKY, label="bins of light"
    )
    noise, gain = shown.noise_sigma[0], shown.gain[0]
    light = np.array([0.0, float(shown.light.max())])
    label = f"{noise:.4g}$^2$ + {gain:.4g} $\\times$ light" if gain else f"{noise:.4g}$^2$, no shot noise seen"
    panel.plot(light, noise**2 + gain * light, color=BLACK, lw=1.3, label=label)
    top = float((shown.variance + shown.error).max())
    panel.set(xlabel="light, grey levels", ylabel="variance, grey levels$^2$", ylim=(0, 1.15 * top))
    panel.legend(frameon=False, fontsize=9, loc="best")
    tidy(panel)


def _intensity(panel: Axes, found: Calibration) -> None:
    """Draw the fitted intensities with their law where one is known."""
    panel.set_title("Fitted intensities")
    if not len(found.intensities):
        _say(panel, "no target was fitted")
        return
    top = float(np.percentile(found.intensities, BRIGHTEST))
    panel.hist(
        found.intensities,
        np.linspace(0, top, BARS + 1).tolist(),
        color=SKY,
        label=f"{len(found.intensities):,} targets",
    )
    told = found.told.fields.intensity
    law, whose = (told, "law told") if isinstance(told, tuple) else (found.intensity_law, "law")
    if law is not None:
        low, high = law
        panel.axvspan(low, high, color=ORANGE, alpha=0.25, lw=0, zorder=0, label=f"{whose}: {low:.4g} to {high:.4g}")
    panel.set(xlabel="light of one target in one frame, grey levels", ylabel="targets")
    panel.legend(frameon=False, fontsize=9, title=None if law else "no law told: free", title_fontsize=8)
    tidy(panel)


def _say(panel: Axes, text: str) -> None:
    panel.set_axis_off()
    panel.text(
        0.5, 0.5, f"not found:\n{text}", ha="center", va="center", wrap=True, transform=panel.transAxes, fontsize=9
    )
