"""Naive single-frame likelihood: the imaging equation by SciPy, derivatives by differences."""

import numpy as np
from scipy.special import log_ndtr

from csist_bench.simulation.optics import pixel_response


def naive_model(theta, rows, columns, psf_sigma):
    """Return the sum of targets theta (K, 3) = (x, y, s) over the given pixels."""
    image = np.zeros((len(rows), len(columns)))
    for x, y, s in theta:
        image += s * np.outer(
            pixel_response(rows, np.float64(y), psf_sigma), pixel_response(columns, np.float64(x), psf_sigma)
        )
    return image


def naive_cost(pixels, model, variance, gain=0.0, saturation=np.inf, edge=np.inf):
    """Return -2 log likelihood, pixel by pixel: Gaussian of variance + gain * m, Tobit where clipped."""
    total = 0.0
    for y, m in zip(pixels.ravel(), model.ravel()):
        spread = variance + gain * max(m, 0.0)
        if y >= saturation:
            total -= 2 * log_ndtr((m - edge) / np.sqrt(spread))
        else:
            total += (y - m) ** 2 / spread + np.log(spread / variance)
    return total


def naive_jacobian(theta, rows, columns, psf_sigma, step=1e-5):
    """Return d model / d theta, shape (pixels, 3K), by central differences."""
    columns_of_j = []
    for index in np.ndindex(theta.shape):
        up, down = theta.copy(), theta.copy()
        up[index] += step
        down[index] -= step
        change = naive_model(up, rows, columns, psf_sigma) - naive_model(down, rows, columns, psf_sigma)
        columns_of_j.append(change.ravel() / (2 * step))
    return np.array(columns_of_j).T
