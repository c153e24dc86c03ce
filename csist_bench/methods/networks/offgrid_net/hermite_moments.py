"""Hermite moments of a blob about its centroid, each of unit size whatever the noise.

What tells two arrangements of close targets apart is in the high moments of their blob, which are small: the pixels of
two scenes of equal flux and centroid differ by a few grey levels in a hundred. Given to a network by themselves and
scaled, they spare it finding these directions. With u, v a pixel's distances from the centroid in units of `WIDTH`,

    m_pq = sum_ij I_ij h_p(u_j) h_q(v_i) exp(-(u_j^2 + v_i^2) / 4),     p + q <= ORDER,

h_n the Hermite polynomials, orthonormal under exp(-u^2 / 2) / sqrt(2 pi). They are taken of the window, and of what is
left of it when a single target with all its flux is subtracted at the centroid. A moment is centred, divided by the
root of its variance over noise-free scenes plus that due to the noise, and compressed by asinh.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn

from csist_bench.methods.networks.common.rendering import profiles
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.offgrid_net.windows import blob_centre, centroid, core, windows_about

ORDER = 6
WIDTH = 0.75  # px: about 1.5 times the deviation of a blurred target
USUAL_SPREAD = 0.21  # px, of four targets on arms of 0.3 px, along either axis
LIGHT = 235.0  # grey levels, of a target of the scenes that set the scale
SCENES = 2048
# (u + i v)^4 in the polynomials of orders (p, q), real and imaginary part: it has no terms of lower order.
FOURTH = {
    (4, 0): (math.sqrt(24.0), 0.0), (3, 1): (0.0, 4.0 * math.sqrt(6.0)), (2, 2): (-12.0, 0.0),
    (1, 3): (0.0, -4.0 * math.sqrt(6.0)), (0, 4): (math.sqrt(24.0), 0.0),
}  # fmt: skip


class Seen(NamedTuple):
    """Of N windows: centroids (N, 2), the flux of their cores (N,), polynomials along rows and columns
    (N, ORDER + 1, W), moments and the deviation of each by noise (N, M).
    """

    middle: Tensor
    flux: Tensor
    rows: Tensor
    columns: Tensor
    moments: Tensor
    unit: Tensor


class HermiteMoments(nn.Module):
    """Maps windows about blobs to features of unit size; `count` of them.

    Parameters
    ----------
    sampling : Sampling
        Optics of the frames; it also images the scenes by which the moments are scaled: two to four targets on
        neighbouring nodes in the middle of the frame.
    window : int
        Side of the windows, px, odd.
    """

    orders: Tensor
    flat: Tensor
    fourth: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, sampling: Sampling, window: int) -> None:
        super().__init__()
        self.psf_sigma, self.window = sampling.psf_sigma, window
        self.blob_sigma = usual_blob_sigma(sampling)
        orders = [(p, q) for p in range(ORDER + 1) for q in range(ORDER + 1 - p)]
        self.register_buffer("orders", torch.tensor(orders), persistent=False)
        self.register_buffer("flat", torch.tensor([q * (ORDER + 1) + p for p, q in orders]), persistent=False)
        fourth = torch.tensor([FOURTH.get(order, (0.0, 0.0)) for order in orders])
        self.register_buffer("fourth", fourth, persistent=False)
        self.count = 2 * len(orders)
        frames = _usual_frames(sampling)
        moments = self._both(self.seen(windows_about(frames, blob_centre(frames), window), torch.zeros(SCENES)))
        self.register_buffer("mean", moments.mean(dim=0))
        self.register_buffer("deviation", moments.std(dim=0))

    def forward(self, seen: Seen) -> Tensor:
        """Return features (N, count) of N windows."""
        scale = torch.hypot(self.deviation, seen.unit.repeat(1, 2))
        return compressed((self._both(seen) - self.mean) / scale)

    def turn(self, seen: Seen) -> Tensor:
        """Return how far a cross is turned, (N,) rad, -pi / 4 to pi / 4, of N windows.

        It is a fourth of the phase of sum_ij I_ij (u_j + i v_i)^4 exp(...), taken of what a round blob of the usual
        breadth leaves: pixels, being square and few, give that blob such a moment too.
        """
        real, imaginary = (self._left_by_one(seen, self.blob_sigma) @ self.fourth).unbind(dim=1)
        return torch.atan2(imaginary, real) / 4

    def seen(self, windows: Tensor, noise: Tensor) -> Seen:
        """Return what all else is computed of, of windows (N, W, W) with read noise (N,), grey levels both."""
        middle, flux = centroid(windows), core(windows).sum(dim=(1, 2))
        offset = torch.arange(self.window, dtype=windows.dtype, device=windows.device) - self.window // 2
        rows, columns = _weighted_hermite((offset - middle.unsqueeze(2)) / WIDTH).unbind(dim=1)
        gain = (rows.square().sum(dim=2).unsqueeze(2) * columns.square().sum(dim=2).unsqueeze(1)).sqrt()
        moments = self._picked(rows @ windows @ columns.mT)
        return Seen(middle, flux, rows, columns, moments, self._picked(gain) * noise.unsqueeze(1))

    def of_rest(self, seen: Seen, place: Tensor, intensity: Tensor) -> Tensor:
        """Return moments of what A sets of K targets leave of windows, in units of their noise.

        The image of a target is a product of two profiles, and so are its moments: no image is made.

        Parameters
        ----------
        seen : Seen
            Of N windows.
        place : Tensor, shape (N, A, K, 2), px
            (x, y) from the windows' centroids.
        intensity : Tensor, shape (N, A, K), grey levels

        Returns
        -------
        Tensor, shape (N, A, count / 2)
        """
        rest = seen.moments.unsqueeze(1) - self._of_targets(seen, place, intensity, self.psf_sigma)
        return rest / seen.unit.unsqueeze(1)

    def _of_targets(self, seen: Seen, place: Tensor, intensity: Tensor, psf_sigma: float) -> Tensor:
        """Return the moments (N, A, count / 2) of sets of targets as `of_rest` takes them."""
        first = seen.middle.flip(1).unsqueeze(1) + self.window // 2  # from the first pixel
        along = profiles(place.flatten(1, 2) + first, psf_sigma, self.window)  # (N, A K, 2, W)
        along_x, along_y = along.unbind(dim=2)
        by_p = (along_x @ seen.columns.mT).unflatten(1, intensity.shape[1:])  # (N, A, K, ORDER + 1)
        by_q = (along_y @ seen.rows.mT).unflatten(1, intensity.shape[1:]) * intensity.unsqueeze(-1)
        return self._picked(by_q.mT @ by_p)

    def _picked(self, by_order: Tensor) -> Tensor:
        """Return (..., count / 2) of (..., q, p)."""
        flat = by_order.flatten(-2)
        return flat.gather(-1, self.flat.expand(*flat.shape[:-1], -1))

    def _left_by_one(self, seen: Seen, blob_sigma: float) -> Tensor:
        """Return the moments (N, count / 2) of what one round blob with all the flux leaves of N windows."""
        about = seen.middle.new_zeros((len(seen.middle), 1, 1, 2))
        return seen.moments - self._of_targets(seen, about, seen.flux[:, None, None], blob_sigma)[:, 0]

    def _both(self, seen: Seen) -> Tensor:
        """Return the moments (N, count) of N windows, and of what one target leaves of them."""
        return torch.cat([seen.moments, self._left_by_one(seen, self.psf_sigma)], dim=1)


def exact(like: Tensor) -> AbstractContextManager[object]:
    """Return a context without mixed precision: what is left of moments are small differences of large numbers."""
    kind = like.device.type
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()


def usual_blob_sigma(sampling: Sampling) -> float:
    """Return the deviation, px, of the round blob that is as broad as four blurred targets on a cross."""
    return math.hypot(sampling.psf_sigma, USUAL_SPREAD)


def compressed(x: Tensor) -> Tensor:
    """Return asinh(x) to 1e-6 of its size; `torch.asinh` takes four times as long on a CPU."""
    size, square = x.abs(), x.square()
    return torch.log1p(size + square / (1.0 + (1.0 + square).sqrt())).copysign(x)


def _weighted_hermite(u: Tensor) -> Tensor:
    """Return h_n(u) exp(-u^2 / 4), n = 0 .. ORDER, of distances (..., W) as (..., ORDER + 1, W)."""
    values = [torch.exp(-0.25 * u.square())]
    values.append(u * values[0])
    for n in range(1, ORDER):
        values.append((u * values[n] - math.sqrt(n) * values[n - 1]) / math.sqrt(n + 1))
    return torch.stack(values, dim=-2)


def _usual_frames(sampling: Sampling) -> Tensor:
    """Return noise-free frames of two to four targets on nodes about the middle; the same at every call."""
    generator = torch.Generator().manual_seed(0)
    targets = 2 + torch.randint(3, (SCENES, 1), generator=generator)
    reach = max(1, sampling.c // 2)  # nodes in half a pixel
    node = torch.randint(-reach, reach + 1, (SCENES, 4, 2), generator=generator)
    middle = sampling.grid_size // 2 + torch.randint(-reach, reach + 1, (SCENES, 1, 2), generator=generator)
    row, column = (node + middle).clamp(0, sampling.grid_size - 1).unbind(dim=-1)
    intensity = LIGHT * (torch.arange(4) < targets).float()
    grids = torch.zeros(SCENES, sampling.grid_size**2)
    grids.scatter_add_(1, row * sampling.grid_size + column, intensity)
    with torch.no_grad():
        frames: Tensor = sampling(grids.unflatten(1, (sampling.grid_size, sampling.grid_size)).to(sampling.axis_matrix))
    return frames
