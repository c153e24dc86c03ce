"""Sequences about one group each, as another program would make them: plain NumPy, no renderer of the package."""

from __future__ import annotations

import numpy as np

from tests.helpers.foreign_frames import add_spot

SPEED = 0.05  # px a frame, at most, along each axis


def group_of(rng, count, radius, apart):
    """Return targets (count, 2), px, on a ring of about `radius`, at least `apart` from each other."""
    while True:
        angle, reach = rng.uniform(0, 2 * np.pi, count), radius * rng.uniform(0.7, 1.3, count)
        xy = np.stack([reach * np.cos(angle), reach * np.sin(angle)], axis=-1)
        if min(np.hypot(*(one - other)) for n, one in enumerate(xy) for other in xy[:n]) >= apart:
            return xy


def foreign_sequences(
    rng,
    n=50,
    frames=20,
    size=11,
    psf_sigma=(0.5, 0.5),
    flux=(220, 250),
    counts=(2, 4),
    radius=0.3,
    apart=None,
    level=0.0,
    slope=(0.0, 0.0),
    noise=2.0,
    gain=0.0,
    bits=0,
):
    """Return frames (n, T, size, size) of rigid groups on straight paths, positions (n, T, k, 2) and light (n, k).

    `slope` is grey levels per px along x and y; `apart` by default 0.8 radii.
    """
    most, centre = counts[1], (size - 1) / 2
    images = np.zeros((n, frames, size, size))
    xy, light = np.full((n, frames, most, 2), np.nan), np.full((n, most), np.nan)
    row, column = np.mgrid[:size, :size] - centre
    for a in range(n):
        count = rng.integers(counts[0], most + 1)
        shape = group_of(rng, count, radius, 0.8 * radius if apart is None else apart)
        speed, middle = rng.uniform(-SPEED, SPEED, 2), centre + rng.uniform(-1, 1, 2)
        light[a, :count] = rng.uniform(*flux, count)
        for t in range(frames):
            xy[a, t, :count] = middle + (t - (frames - 1) / 2) * speed + shape
            for (x, y), one in zip(xy[a, t, :count], light[a]):
                add_spot(images[a, t], x, y, one, psf_sigma)
    images += level + slope[0] * column + slope[1] * row
    if gain:
        images = rng.poisson(np.maximum(images, 0) / gain) * gain
    images = images + noise * rng.standard_normal(images.shape)
    if bits:
        images = np.clip(np.rint(images), 0, 2**bits - 1).astype(np.uint16)
    return images, xy, light
