"""A peer from astronomy, as a method from outside: crowded-field PSF photometry of photutils, frame by frame.

    pip install photutils
    csist-bench run leaderboard/peers/photutils_psf.py:PhotutilsPsf --data data/seqcsist.zarr --limit 30 --out peer.json
    csist-bench evaluate peer.json --data data/seqcsist.zarr

`IterativePSFPhotometry` (after DAOPHOT; P. B. Stetson, PASP 99, 191, 1987) finds peaks, fits all of them together,
subtracts the fit and looks for further ones in what is left. It is told the same optics and noise as our own fitters.
"""

from __future__ import annotations

import warnings
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from csist_bench import Camera, Detections
from csist_bench.methods.interface import About

FWHM = 2.3548  # of a Gaussian, in its standard deviations


class PhotutilsPsf(msgspec.Struct, frozen=True):
    """Find, fit, subtract, find again."""

    about = About(
        title="photutils IterativePSFPhotometry",
        family="off-grid",
        prior_tier="A",
        paper="https://doi.org/10.1086/131977",
    )

    mode: Literal["new", "all"] = "all"  # fit only what is new in each round, or everything again
    rounds: Annotated[int, Meta(ge=1, le=10)] = 5
    threshold: Annotated[float, Meta(gt=0)] = 1.0  # grey levels of a peak; at least 5 times the noise
    separation: Annotated[float, Meta(gt=0)] = 3.0  # px, within which targets are fitted together

    def answer(self, frames: NDArray[Any], camera: Camera) -> Detections:
        """Return the targets of frames (B, T, H, W), grey levels; those without a finite position are left out."""
        photometry = self._photometry(camera)
        rows = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of fits that end early, and frames without any source
            for b, t in np.ndindex(frames.shape[:2]):
                table = photometry(frames[b, t].astype(float) - camera.background)
                for source in () if table is None else table:
                    x, y, light = (float(source[name]) for name in ("x_fit", "y_fit", "flux_fit"))
                    if np.isfinite([x, y, light]).all() and light > 0:
                        rows.append((b, t, x, y, light))
        trajectory, frame, x, y, light = np.array(rows).reshape(-1, 5).T
        return Detections(trajectory.astype(int), frame.astype(int), x, y, light, intensity=light)

    def _photometry(self, camera: Camera) -> Any:
        from photutils.detection import DAOStarFinder
        from photutils.psf import CircularGaussianPRF, IterativePSFPhotometry, SourceGrouper

        fwhm = FWHM * camera.optics.psf_sigma
        any_shape = (-10.0, 10.0)  # blends are neither sharp nor round
        threshold = max(self.threshold, 5.0 * camera.noise_sigma)
        finder = DAOStarFinder(threshold, fwhm, sharpness_range=any_shape, roundness_range=any_shape)
        return IterativePSFPhotometry(
            CircularGaussianPRF(fwhm=fwhm),
            (7, 7),
            finder,
            mode=self.mode,
            maxiters=self.rounds,
            grouper=SourceGrouper(self.separation),
            aperture_radius=1.5 * fwhm,
        )
