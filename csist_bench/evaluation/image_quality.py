"""PSNR and SSIM of the label grid that detections make against that of the targets (peak 255).

Also as the published code for this task computes them: of each image by itself, rounded and clipped to 8 bits, the PSNR
of equal images taken as 100 dB, averaged over images.

SSIM as Wang, Bovik, Sheikh and Simoncelli (2004): Gaussian window of 11 x 11 and sigma 1.5, K1 = 0.01, K2 = 0.03,
averaged over the windows that lie inside the grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.evaluation.matching import Matched, positions
from csist_bench.evaluation.truth import Truth

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

PEAK = 255.0
WINDOW_REACH, WINDOW_SIGMA = 5, 1.5
C1, C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
FRAMES_AT_A_TIME = 500
EQUAL_IMAGES_DB = 100.0


@dataclass(frozen=True, eq=False)
class ImageQuality:
    """Mean squared error and SSIM of the label grid of every scored frame, and PSNR and SSIM in 8 bits; all (F,)."""

    squared_error: Floats
    ssim: Floats
    psnr_8bit: Floats  # dB
    ssim_8bit: Floats

    def psnr(self, chosen: Bools) -> float:
        """Return the PSNR (dB) of the frames picked by a mask; inf where the grids are equal."""
        error = float(self.squared_error[chosen].mean())
        return float(10 * np.log10(PEAK**2 / error)) if error else float("inf")


def image_quality(matched: Matched, truth: Truth, c: int, size: int) -> ImageQuality | None:
    """Compare label grids of c * size nodes a side; None if the detections carry no intensity.

    Each intensity falls on its nearest node, on one node they add up, and positions off the grid are left out.
    """
    intensity = matched.detections.intensity
    if intensity is None:
        return None
    order = np.argsort(matched.frame, kind="stable")
    found = matched.frame[order], positions(matched.detections)[order], intensity[order]
    frame, slot = np.nonzero(np.arange(truth.frame_xy.shape[1]) < truth.frame_count[:, None])
    wanted = frame, truth.frame_xy[frame, slot], truth.frame_intensity[frame, slot]
    window = _window_matrix(c * size)
    parts = []
    for start in range(0, truth.n_frames, FRAMES_AT_A_TIME):
        chosen = range(start, min(start + FRAMES_AT_A_TIME, truth.n_frames))
        ours, theirs = _grids(*found, chosen, c, c * size), _grids(*wanted, chosen, c, c * size)
        plain = np.mean((ours - theirs) ** 2, axis=(1, 2)), ssim(ours, theirs, window)
        ours, theirs = (np.clip(np.round(grids), 0, PEAK) for grids in (ours, theirs))
        parts.append((*plain, _psnr_of_images(ours, theirs), ssim(ours, theirs, window)))
    return ImageQuality(*(np.concatenate(column) for column in zip(*parts)))


def _psnr_of_images(a: Floats, b: Floats) -> Floats:
    """Return the PSNR of each pair of images, dB, (F, n, n) and (F, n, n) -> (F,); 100 dB where they are equal."""
    error = np.mean((a - b) ** 2, axis=(1, 2))
    decibel = 10 * np.log10(PEAK**2 / np.where(error > 0, error, 1.0))
    return np.where(error > 0, decibel, EQUAL_IMAGES_DB)


def _grids(frame: Ints, xy: Floats, intensity: Floats, chosen: range, c: int, n: int) -> Floats:
    """Return the label grids (len(chosen), n, n) of the chosen frames; rows are sorted by frame."""
    from csist_bench.simulation.optics import label_nodes

    rows = slice(*np.searchsorted(frame, [chosen.start, chosen.stop]))
    index, inside = label_nodes(np, xy[rows], c, n)
    grids = np.zeros((len(chosen), n * n))
    np.add.at(grids, (frame[rows][inside] - chosen.start, index[inside].astype(np.int64)), intensity[rows][inside])
    return grids.reshape(-1, n, n)


def _window_matrix(n: int) -> Floats:
    """Return the band matrix (n - 2 reach, n) that applies the 1-D Gaussian window inside the grid."""
    reach = min(WINDOW_REACH, (n - 1) // 2)
    offset = np.arange(-reach, reach + 1)
    weight = np.exp(-(offset**2) / (2 * WINDOW_SIGMA**2))
    matrix = np.zeros((n - 2 * reach, n))
    for i in range(len(matrix)):
        matrix[i, i : i + len(weight)] = weight / weight.sum()
    return matrix


def ssim(a: Floats, b: Floats, window: Floats | None = None) -> Floats:
    """Return the mean SSIM of each pair of images, (F, n, n) and (F, n, n) -> (F,)."""
    window = _window_matrix(a.shape[-1]) if window is None else window
    mean_a, mean_b = _smooth(a, window), _smooth(b, window)
    var_a = _smooth(a * a, window) - mean_a**2
    var_b = _smooth(b * b, window) - mean_b**2
    covariance = _smooth(a * b, window) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    structure = (2 * covariance + C2) / (var_a + var_b + C2)
    return np.asarray((luminance * structure).mean(axis=(1, 2)))


def _smooth(images: Floats, window: Floats) -> NDArray[Any]:
    """Apply the window along both axes by two flat products; the result is transposed, alike for all five moments."""
    f, n = images.shape[:2]
    along_x = (images.reshape(f * n, n) @ window.T).reshape(f, n, -1)
    along_y = np.ascontiguousarray(along_x.transpose(0, 2, 1)).reshape(-1, n) @ window.T
    return np.asarray(along_y.reshape(f, len(window), len(window)))
