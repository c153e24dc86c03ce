"""A point-spread function of any shape: its pixel-integrated response as a bicubic B-spline on 1/8 px.

The response R(u, v) is the share of a target's light that falls into a pixel whose centre lies (u, v) px from the
target; the integral over the pixel is part of it. So pixel (i, j) answers R(j - x, i - y) to a unit target at (x, y).

**Layout**, for whoever evaluates it: `coefficients` is a float64 array (n, n), n odd, [row = v, column = u]; its middle
element, index `centre` = (n - 1) / 2 along both axes, belongs to a pixel that the target stands in the middle of. For
a target at (x, y) pixel (i, j) has the coordinates

    u = (j - x) / STEP + centre,    v = (i - y) / STEP + centre,

and R = sum_ab coefficients[b, a] B(u - a) B(v - b), B the centred cubic B-spline, of which four along each axis are
not zero: a = floor(u) - 1 .. floor(u) + 2. The outermost three rows and columns are zero, so that R is exactly zero
unless 1 <= u < n - 2 and 1 <= v < n - 2, and wherever it is not all of the four lie in the array. With t = u - floor(u)
their weights are

    (1 - t)^3 / 6,  (3 t^3 - 6 t^2 + 4) / 6,  (-3 t^3 + 3 t^2 + 3 t + 1) / 6,  t^3 / 6,

and dR/dx = -dR/du / STEP. Neighbouring pixels lie 8 nodes apart, so that all pixels of a target share t and weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.errors import must, require_finite, require_shape
from csist_bench.simulation.optics import pixel_response

Floats = NDArray[np.float64]

PER_PIXEL = 8
STEP = 1.0 / PER_PIXEL  # px between nodes
LIGHT_TOLERANCE = 1e-4
CENTRE_TOLERANCE = 0.5  # px: how far the light's centroid may lie from the middle (coma and the like move it)
NEGATIVE_TOLERANCE = 1e-2  # of the peak: an empirical PSF's wings are noisy
LEAST_NODES, MOST_NODES = 2 * PER_PIXEL + 1, 128 * PER_PIXEL + 1
ZERO_BORDER = 3
FILTER_BORDER = 12  # nodes over which the coefficients of the interpolating spline fade, by 0.27 each
GAUSSIAN_REACH_SIGMAS = 6.0

FWHM_OF_AIRY = 1.0289939  # full width at half maximum of the pattern of a full circle, in units of wavelength x F
LEAST_FWHM, MOST_FWHM = 0.3, 20.0  # px: narrower ones hold frequencies that nodes of 1/8 px do not
MOST_DEFOCUS = 1.0  # waves rms
QUADRATURE_NODES = 400


class SplinePsf:
    """The pixel-integrated response as a bicubic B-spline; the module's docstring says how it is evaluated.

    Attributes
    ----------
    coefficients : float64 ndarray, shape (n, n), n odd
        Read only.
    widths : (float, float), px
        Standard deviations along x and y of the Gaussian whose pixel-integrated response comes closest in least
        squares. The wings of a diffraction pattern have no second moment, so that a plain rms width says nothing.
    """

    step = STEP

    def __init__(self, samples: NDArray[Any], name: str = "psf") -> None:
        """Interpolate samples of the response, (m, m) with m odd, STEP px apart, the target in the middle.

        Raises
        ------
        InputError
            If they are of another shape, not finite, negative, not centred, or their light does not sum to 1.
        """
        from scipy import ndimage  # here, since most cameras have no such PSF and SciPy takes a while

        values = _checked(samples, name)
        padded = np.pad(values, FILTER_BORDER)
        coefficients = np.asarray(ndimage.spline_filter(padded, order=3, output=np.float64, mode="mirror"))
        for edge in (coefficients, coefficients[::-1], coefficients.T, coefficients[:, ::-1].T):
            edge[:ZERO_BORDER] = 0.0
        coefficients.setflags(write=False)
        self.coefficients: Floats = coefficients
        self.widths = _gaussian_widths(values)

    @property
    def centre(self) -> int:
        """Index of the middle coefficient along both axes."""
        return len(self.coefficients) // 2

    @property
    def reach(self) -> float:
        """Distance along an axis, px, from which on the response is zero."""
        return (self.centre - 1) * STEP

    @property
    def samples(self) -> Floats:
        """The samples that the spline goes through, shape (m, m): what `from_file` takes."""
        from scipy import ndimage

        kernel, inner = np.array([1.0, 4.0, 1.0]) / 6, slice(FILTER_BORDER, -FILTER_BORDER)
        rows = ndimage.convolve1d(self.coefficients, kernel, axis=0, mode="constant")
        return np.asarray(ndimage.convolve1d(rows, kernel, axis=1, mode="constant")[inner, inner])

    @classmethod
    def from_file(cls, array: NDArray[Any], name: str = "psf_file") -> SplinePsf:
        """Return the spline through samples of the response, as a PSF file holds them; see `__init__`."""
        return cls(array, name)

    @classmethod
    def from_gaussian(cls, sigma_x: float, sigma_y: float) -> SplinePsf:
        """Return the response of a Gaussian of standard deviations `sigma_x` and `sigma_y`, px."""
        for name, sigma in (("sigma_x", sigma_x), ("sigma_y", sigma_y)):
            if not 0 < sigma <= MOST_FWHM:
                raise must(name, f"be in (0, {MOST_FWHM:g}] px", sigma)
        half = int(np.ceil((GAUSSIAN_REACH_SIGMAS * max(sigma_x, sigma_y) + 1.0) * PER_PIXEL))
        offset, zero = np.arange(-half, half + 1, dtype=np.float64) * STEP, np.zeros(1)
        return cls(pixel_response(offset, zero, sigma_y)[:, None] * pixel_response(offset, zero, sigma_x)[None, :])

    @classmethod
    def airy(cls, fwhm: float, defocus: float = 0.0, reach: int = 8) -> SplinePsf:
        """Return the response to the diffraction pattern of a full circular pupil, in focus or out of it.

        Parameters
        ----------
        fwhm : float, px
            Full width at half maximum of the pattern in focus, before the pixel: 1.029 x wavelength x F number.
        defocus : float, waves rms
            Noll's coefficient of Z4 = sqrt(3) (2 rho^2 - 1).
        reach : int, px
            Half the width of the response. The wings beyond it, some 0.2 fwhm / reach of the light, are folded back
            onto it, as if targets stood 2 reach px apart: the core keeps its share of the light, and the pixels of
            every sub-pixel phase sum to 1 exactly.
        """
        if not LEAST_FWHM <= fwhm <= MOST_FWHM:
            raise must("fwhm", f"be in [{LEAST_FWHM:g}, {MOST_FWHM:g}] px", fwhm)
        if not abs(defocus) <= MOST_DEFOCUS:
            raise must("defocus", f"be in [-{MOST_DEFOCUS:g}, {MOST_DEFOCUS:g}] waves rms", defocus)
        if not 2 <= reach <= 64:
            raise must("reach", "be in [2, 64] px", reach)
        period = 2 * reach
        frequency = np.fft.fftfreq(period * PER_PIXEL, STEP)  # cycles per px
        radial = np.hypot(frequency[:, None], frequency[None, :]) * fwhm / FWHM_OF_AIRY  # of the cut-off
        pixel = np.sinc(frequency)[:, None] * np.sinc(frequency)[None, :]
        field = np.fft.ifft2(_transfer(radial, defocus) * pixel).real * PER_PIXEL**2
        middle = np.fft.fftshift(field)  # the target at index reach * 8; one node short of symmetric
        closed = np.pad(middle, ((0, 1), (0, 1)), mode="wrap")
        for edge in (closed[0], closed[-1], closed[:, 0], closed[:, -1]):
            edge *= 0.5  # both ends are one node of the folded pattern
        return cls(closed)

    def response(self, x: Any, y: Any, height: int, width: int) -> tuple[Floats, Floats, Floats]:
        """Return the response of every pixel to unit targets, and its derivatives in their positions.

        Parameters
        ----------
        x, y : float or ndarray, any shape (...), px
        height, width : int, pixels

        Returns
        -------
        value, d/dx, d/dy : ndarrays, shape (..., height, width); 1, 1 / px, 1 / px
        """
        x, y = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
        columns, across, across_slope = self._axis(x, width)
        rows, down, down_slope = self._axis(y, height)
        taps = self.coefficients[rows[..., :, None, :, None], columns[..., None, :, None, :]]
        along = np.einsum("...ijba,...jac->...ijbc", taps, np.stack([across, across_slope], axis=-1))
        value = np.einsum("...ijb,...ib->...ij", along[..., 0], down)
        by_x = np.einsum("...ijb,...ib->...ij", along[..., 1], down)
        by_y = np.einsum("...ijb,...ib->...ij", along[..., 0], down_slope)
        return value, by_x, by_y

    def _axis(self, position: Floats, pixels: int) -> tuple[NDArray[np.int64], Floats, Floats]:
        """Return indices of the four coefficients of each pixel of an axis, weights and slopes, (..., pixels, 4)."""
        u = (np.arange(pixels) - position[..., None]) * PER_PIXEL + self.centre
        first = np.floor(u)
        t = u - first
        inside = (first >= 1) & (first < len(self.coefficients) - 2)
        weight = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=-1) / 6
        slope = np.stack([-((1 - t) ** 2), 3 * t**2 - 4 * t, -3 * t**2 + 2 * t + 1, t**2], axis=-1) / 2
        index = np.where(inside, first, 1).astype(np.int64)[..., None] + np.arange(-1, 3)
        return index, np.where(inside[..., None], weight, 0.0), np.where(inside[..., None], -PER_PIXEL * slope, 0.0)


def _checked(samples: NDArray[Any], name: str) -> Floats:
    """Return samples of the response as float64, of which everything holds that `SplinePsf` asks."""
    require_shape(name, samples, (None, None), "(n, n)")
    n = len(samples)
    if samples.shape[1] != n or n % 2 == 0 or not LEAST_NODES <= n <= MOST_NODES:
        rule = f"have shape (n, n), n odd, {LEAST_NODES} to {MOST_NODES}, {PER_PIXEL} samples a px"
        raise must(name, rule, samples.shape, "its middle sample is that of a target in the middle of a pixel")
    if samples.dtype.kind not in "fiu":
        raise must(name, "hold numbers", samples.dtype)
    values = samples.astype(np.float64)
    require_finite(name, values)
    light = np.array([[values[v::PER_PIXEL, u::PER_PIXEL].sum() for u in range(PER_PIXEL)] for v in range(PER_PIXEL)])
    worst = float(light.flat[np.abs(light - 1).argmax()])
    if abs(worst - 1) > LIGHT_TOLERANCE:
        rule = f"sum to 1 over every {PER_PIXEL}th sample along both axes, from any first one, to {LIGHT_TOLERANCE:g}"
        raise must(name, rule, worst, "a target's light over all pixels is 1")
    if values.min() < -NEGATIVE_TOLERANCE * values.max():
        raise must(name, f"not be below -{NEGATIVE_TOLERANCE:g} of its peak", float(values.min()))
    offset = (np.arange(n) - n // 2) * STEP
    centroid = np.array([values.sum(axis=0) @ offset, values.sum(axis=1) @ offset]) / values.sum()
    if np.abs(centroid).max() > CENTRE_TOLERANCE:
        rule = f"have its centroid within {CENTRE_TOLERANCE:g} px of the middle sample"
        raise must(name, rule, f"({centroid[0]:.3g}, {centroid[1]:.3g}) px")
    return values


def _gaussian_widths(values: Floats) -> tuple[float, float]:
    """Return the widths, px, of the Gaussian whose pixel-integrated response comes closest to samples of one."""
    from scipy.optimize import least_squares

    offset: Floats = (np.arange(len(values), dtype=np.float64) - len(values) // 2) * STEP

    def residual(parameters: Floats) -> Floats:
        light, x, y, sigma_x, sigma_y = parameters
        model = pixel_response(offset, y, sigma_y)[:, None] * pixel_response(offset, x, sigma_x)[None, :]
        return np.asarray((light * model - values).ravel())

    bounds = ([0.1, -1.0, -1.0, 0.02, 0.02], [2.0, 1.0, 1.0, 64.0, 64.0])
    fitted = least_squares(residual, [1.0, 0.0, 0.0, 0.6, 0.6], bounds=bounds)
    return float(fitted.x[3]), float(fitted.x[4])


def _transfer(frequency: Floats, defocus: float) -> Floats:
    """Return the transfer function of a defocused circular pupil (Hopkins, 1955) at frequencies in cut-offs.

    The pupil is multiplied with itself moved by 2 f radii. Its phases then differ by 2 pi sqrt(3) defocus 8 f p, p the
    coordinate along the shift: with p = sin(theta) - f the integral over the lens that both share is

        4 / pi  integral from asin(f) to pi / 2 of cos^2(theta) cos(16 pi sqrt(3) defocus f p) d theta.
    """
    unique, back = np.unique(np.minimum(frequency, 1.0), return_inverse=True)
    node, weight = np.polynomial.legendre.leggauss(QUADRATURE_NODES)
    low = np.arcsin(unique)[:, None]
    half = (np.pi / 2 - low) / 2
    theta = low + half * (node + 1)
    place = np.sin(theta) - unique[:, None]
    integrand = np.cos(theta) ** 2 * np.cos(16 * np.pi * np.sqrt(3) * defocus * unique[:, None] * place)
    return np.asarray((4 / np.pi * half[:, 0] * (integrand @ weight))[back].reshape(frequency.shape))
