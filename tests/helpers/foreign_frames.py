"""Frames as another program would make them: plain NumPy and SciPy, nothing of the package's renderer."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr


def pixel_integrals(n, centre, psf_sigma):
    """Return a unit 1-D Gaussian's share of n pixels, pixel i from i - 1/2 to i + 1/2."""
    edges = (np.arange(n + 1) - 0.5 - centre) / psf_sigma
    return np.diff(ndtr(edges))


def add_spot(image, x, y, flux, psf_sigma):
    image += flux * np.outer(
        pixel_integrals(image.shape[0], y, psf_sigma[1]), pixel_integrals(image.shape[1], x, psf_sigma[0])
    )


def peak_share(psf_sigma):
    """Return the largest share of a target's light that one pixel can hold."""
    return np.prod([2 * ndtr(0.5 / width) - 1 for width in psf_sigma])


def group_centres(rng, shape, count, apart, margin):
    """Return up to `count` centres (x, y), px, at least `apart` from each other and `margin` from the border."""
    kept = []
    for _ in range(100 * count):
        place = rng.uniform(margin, [shape[1] - 1 - margin, shape[0] - 1 - margin])
        if all(np.hypot(*(place - other)) >= apart for other in kept):
            kept.append(place)
        if len(kept) == count:
            break
    return np.array(kept)


def targets_of(rng, centre, separation=(0.4, 1.5)):
    """Return 1 to 4 targets about a centre, neighbours between the two separations apart, px."""
    count = rng.integers(1, 5)
    while True:
        xy = [np.zeros(2)]
        while len(xy) < count:
            angle, radius = rng.uniform(0, 2 * np.pi), rng.uniform(*separation)
            place = xy[rng.integers(len(xy))] + radius * np.array([np.cos(angle), np.sin(angle)])
            if min(np.hypot(*(place - other)) for other in xy) >= separation[0]:
                xy.append(place)
        xy = np.array(xy) - np.mean(xy, axis=0)
        if np.hypot(*xy.T).max() <= separation[1]:
            return xy + centre


def foreign_scene(
    rng,
    shape=(512, 640),
    frames=1,
    psf_sigma=(0.5, 0.5),
    groups=20,
    apart=12.0,
    flux=None,
    speed=0.0,
    level=0.0,
    gradient=(0.0, 0.0),
    noise=10.0,
    gain=0.0,
    bits=0,
    least_snr=8.0,
):
    """Return frames (T, H, W) and their truth, rows (frame, x, y, flux, group).

    `flux` is the range of a target's light, by default that of a peak pixel `least_snr` to 100 times the noise; the
    brightest of a group has at least `least_snr`. `gradient` is grey levels per px along x and y, `speed` px a frame.
    """
    share = peak_share(psf_sigma)
    sd = np.hypot(noise, np.sqrt(gain * level))
    low, high = flux or (0.5 * least_snr * sd / share, 100 * sd / share)
    centres = group_centres(rng, shape, groups, apart, 6 * max(psf_sigma) + 3)
    row, column = np.mgrid[: shape[0], : shape[1]]
    base = level + gradient[0] * (column - shape[1] / 2) + gradient[1] * (row - shape[0] / 2)
    scene = []
    for centre in centres:
        xy = targets_of(rng, centre)
        light = np.exp(rng.uniform(np.log(low), np.log(high), len(xy)))
        light[0] = max(light[0], least_snr * 1.6 * sd / share)  # its peak pixel, wherever it stands in it
        angle = rng.uniform(0, 2 * np.pi)
        scene.append((xy, light, speed * np.array([np.cos(angle), np.sin(angle)])))
    images, truth = [], []
    for t in range(frames):
        image = base.astype(float)
        for g, (xy, light, step) in enumerate(scene):
            for (x, y), flux_of_one in zip(xy + t * step, light):
                add_spot_near(image, x, y, flux_of_one, psf_sigma)
                truth.append((t, x, y, flux_of_one, g))
        image = image + rng.normal(size=shape) * np.sqrt(noise**2 + gain * np.maximum(image, 0))
        if bits:
            image = np.clip(np.rint(image), 0, 2**bits - 1)
        images.append(image)
    kind = np.float32 if not bits else np.uint8 if bits <= 8 else np.uint16
    return np.array(images).astype(kind), np.array(truth).reshape(-1, 5)


def add_spot_near(image, x, y, flux, psf_sigma):
    """Add a spot to the pixels within 10 of its widths: the whole of its light to double precision."""
    reach = int(np.ceil(10 * max(psf_sigma))) + 1
    left, top = max(0, round(x) - reach), max(0, round(y) - reach)
    part = image[top : round(y) + reach + 1, left : round(x) + reach + 1]
    if part.size:
        add_spot(part, x - left, y - top, flux, psf_sigma)
