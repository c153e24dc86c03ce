"""Naive grid solvers: dense matrices, double precision, one frame at a time, straight from the equations."""

import numpy as np
from scipy.ndimage import convolve, map_coordinates


def naive_ista(frame, sampling_matrix, penalty, iterations, tolerance=0.0):
    """x <- soft(x + Phi^T (y - Phi x) / L, penalty / L) from pinv(Phi) y; (label grid, objective before each step)."""
    phi, y = sampling_matrix, frame.ravel()
    rate = 1 / np.linalg.eigvalsh(phi @ phi.T).max()
    x, objectives = np.linalg.pinv(phi) @ y, []
    for _ in range(iterations):
        objectives.append(np.sum((y - phi @ x) ** 2) / 2 + penalty * np.abs(x).sum())
        stepped = x + rate * phi.T @ (y - phi @ x)
        shrunk = np.sign(stepped) * np.maximum(np.abs(stepped) - rate * penalty, 0)
        moved, x = np.linalg.norm(shrunk - x), shrunk
        if moved < tolerance:
            break
    side = round(len(x) ** 0.5)
    return x.reshape(side, side), objectives


def naive_upsampling(frame, c):
    """Bilinear interpolation at the label nodes, the border repeated outwards."""
    size = len(frame)
    nodes = (np.arange(c * size) - (c - 1) / 2) / c
    return map_coordinates(frame, np.meshgrid(nodes, nodes, indexing="ij"), order=1, mode="nearest")


def naive_deconvolution(frame, c, alpha, kernel_sigma, iterations, tolerance=0.0):
    """x <- x - alpha (k * x - up(y)) from up(y), with a normalised 3 x 3 Gaussian k and zeros outside."""
    line = np.exp(-0.5 * (np.arange(-1, 2) / kernel_sigma) ** 2)
    kernel = np.outer(line, line) / line.sum() ** 2
    target = naive_upsampling(frame, c)
    x = target.copy()
    for _ in range(iterations):
        residual = convolve(x, kernel, mode="constant") - target
        x = x - alpha * residual
        if np.abs(residual).max() < tolerance:
            break
    return x
