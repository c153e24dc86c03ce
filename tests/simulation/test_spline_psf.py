"""The spline PSF against closed forms, quadrature of the diffraction pattern, and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import j1

from csist_bench.errors import InputError
from csist_bench.simulation.optics import pixel_response
from csist_bench.simulation.spline_psf import FWHM_OF_AIRY, PER_PIXEL, STEP, SplinePsf, _transfer

PLACES = np.random.default_rng(7).uniform(-1, 11, (2, 400))


def _naive_response(psf: SplinePsf, x: float, y: float, i: int, j: int) -> float:
    """Sum all basis functions, none left out."""

    def basis(t: float) -> float:
        t = abs(t)
        return (2 / 3 - t**2 + t**3 / 2) if t < 1 else (2 - t) ** 3 / 6 if t < 2 else 0.0

    n = len(psf.coefficients)
    u, v = (j - x) / STEP + psf.centre, (i - y) / STEP + psf.centre
    across, down = np.array([basis(u - a) for a in range(n)]), np.array([basis(v - b) for b in range(n)])
    return float(down @ psf.coefficients @ across)


# Splines of 1/8 px miss a Gaussian by 0.1 (h / sigma)^4 of the peak or so: narrow ones are the hardest.
@pytest.mark.parametrize(
    ("sigma_x", "sigma_y", "tolerance"), [(0.8, 0.9, 1e-5), (0.72, 0.76, 1e-5), (0.5, 0.55, 3e-5), (0.4, 0.4, 5e-5)]
)
def test_a_gaussian_agrees_with_its_closed_form(sigma_x, sigma_y, tolerance):
    psf = SplinePsf.from_gaussian(sigma_x, sigma_y)
    (x, y), pixel = PLACES, np.arange(11)
    row, column = pixel_response(pixel, y[:, None], sigma_y), pixel_response(pixel, x[:, None], sigma_x)
    expected = row[:, :, None] * column[:, None, :]
    peak = pixel_response(np.zeros(1), np.zeros(1), sigma_x)[0] * pixel_response(np.zeros(1), np.zeros(1), sigma_y)[0]
    assert np.abs(psf.response(x, y, 11, 11)[0] - expected).max() < tolerance * peak
    assert psf.widths == pytest.approx((sigma_x, sigma_y), rel=1e-6)


@pytest.mark.parametrize("psf", [SplinePsf.from_gaussian(0.4, 0.6), SplinePsf.airy(1.2, 0.1)], ids=["gaussian", "airy"])
def test_the_response_is_the_sum_over_all_coefficients_and_the_slopes_are_its_own(psf):
    rng = np.random.default_rng(3)
    for x, y in rng.uniform(0, 4, (6, 2)):
        value, by_x, by_y = psf.response(x, y, 4, 5)
        naive = [[_naive_response(psf, x, y, i, j) for j in range(5)] for i in range(4)]
        np.testing.assert_allclose(value, naive, atol=1e-14)
        h = 1e-5
        for slope, (dx, dy) in ((by_x, (h, 0)), (by_y, (0, h))):
            up, down = psf.response(x + dx, y + dy, 4, 5)[0], psf.response(x - dx, y - dy, 4, 5)[0]
            np.testing.assert_allclose(slope, (up - down) / (2 * h), atol=1e-8)


def test_beyond_the_reach_there_is_nothing_and_within_all_taps_lie_in_the_array():
    psf = SplinePsf.from_gaussian(0.4, 0.4)
    n = len(psf.coefficients)
    assert n % 2 == 1
    assert psf.coefficients.dtype == np.float64
    assert not psf.coefficients[:3].any()
    assert not psf.coefficients[:, -3:].any()
    for x in (-psf.reach, psf.reach, -psf.reach - 0.01, 40.0):
        assert [part.any() for part in psf.response(x, 0.0, 1, 1)] == [False] * 3
    assert (psf.centre - psf.reach / STEP, psf.centre + psf.reach / STEP) == (1, n - 2)


def _hat(shift: int = 0) -> np.ndarray:
    """A target as wide as a pixel: the smallest response that can be; moved down by so many samples."""
    fall = 1 - np.abs(np.arange(-8, 9)) / 8
    return np.pad(np.outer(fall, fall), ((2 * shift, 0), (shift, shift)))


def test_the_outermost_taps_count():
    """Within a node of the reach one coefficient of four is left; that of a hat is not small."""
    psf = SplinePsf(_hat())
    for x in (-psf.reach + 0.05, psf.reach - 0.05):
        value = psf.response(x, 0.3, 1, 1)[0][0, 0]
        assert abs(value) > 1e-10
        assert value == pytest.approx(_naive_response(psf, x, 0.3, 0, 0), abs=1e-15)


def test_samples_may_be_few_and_off_the_middle_by_half_a_pixel():
    assert SplinePsf(_hat()).samples.shape == (17, 17)
    assert SplinePsf(_hat(4)).samples.shape == (25, 25)  # 4 samples of 1/8 px: at the bound
    with pytest.raises(InputError, match=r"within 0.5 px of the middle sample, got \(0, 0.625\) px"):
        SplinePsf(_hat(5))


@pytest.mark.parametrize("psf", [SplinePsf.from_gaussian(0.3, 0.8), SplinePsf.airy(1.0), SplinePsf.airy(1.5, -0.1)])
def test_all_pixels_together_hold_the_light_at_every_phase(psf):
    x, y = np.random.default_rng(5).uniform(14.5, 15.5, (2, 200))
    assert np.abs(psf.response(x, y, 31, 31)[0].sum(axis=(1, 2)) - 1).max() < 1e-6


def test_the_airy_pattern_in_focus_is_that_of_quadrature():
    fwhm = 1.3
    psf = SplinePsf.airy(fwhm, reach=16)
    node, weight = np.polynomial.legendre.leggauss(40)
    x, y = 7.3, 6.9

    def intensity(dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
        z = np.pi * np.hypot(dx, dy) * FWHM_OF_AIRY / fwhm
        return np.pi / 4 * (FWHM_OF_AIRY / fwhm) ** 2 * (2 * j1(z) / z) ** 2

    for i, j in ((7, 7), (7, 8), (6, 9), (4, 4), (10, 7)):
        dx, dy = j - x + node / 2, i - y + node / 2
        expected = weight @ intensity(dx[None, :], dy[:, None]) @ weight / 4
        # Light of the wings that is folded back is 0.2 fwhm / reach, spread over (2 reach)^2 pixels.
        assert psf.response(x, y, 12, 12)[0][i, j] == pytest.approx(expected, abs=5e-5)


def test_the_width_of_the_pattern_is_the_one_asked_for():
    z = np.pi * FWHM_OF_AIRY / 2
    assert (2 * j1(z) / z) ** 2 == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("defocus", [0.0, 0.05, -0.1, 0.2])
def test_the_transfer_function_gives_the_axial_intensity_of_a_defocused_pupil(defocus):
    """The phase is uniform in rho^2 over 2 sqrt(3) waves: the amplitude on the axis is its sinc (Born and Wolf, 8)."""
    f = (np.arange(4000) + 0.5) / 4000
    strehl = (_transfer(f, defocus) * f).sum() / (_transfer(f, 0.0) * f).sum()
    assert strehl == pytest.approx(np.sinc(2 * np.sqrt(3) * defocus) ** 2, abs=1e-6)
    assert _transfer(np.array([0.0, 1.0]), defocus) == pytest.approx([1.0, 0.0], abs=1e-12)


def test_the_transfer_function_is_the_pupils_autocorrelation():
    defocus, n = 0.13, 1024
    axis = (np.arange(n) - n // 2) / (n // 4)
    radius2 = axis[:, None] ** 2 + axis[None, :] ** 2
    pupil = np.where(radius2 <= 1, np.exp(2j * np.pi * defocus * np.sqrt(3) * (2 * radius2 - 1)), 0)
    shift = n // 8  # half a radius: a quarter of the cut-off
    overlap = (pupil[:, shift:] * pupil[:, :-shift].conj()).sum() / (np.abs(pupil) ** 2).sum()
    assert _transfer(np.array([0.25]), defocus)[0] == pytest.approx(overlap.real, abs=2e-3)


def test_what_was_written_is_read_again():
    psf = SplinePsf.airy(1.1, 0.07)
    again = SplinePsf.from_file(psf.samples)
    assert again.coefficients.shape == psf.coefficients.shape
    assert np.abs(again.response(*PLACES, 11, 11)[0] - psf.response(*PLACES, 11, 11)[0]).max() < 1e-12


def _samples() -> np.ndarray:
    return SplinePsf.from_gaussian(0.5, 0.5).samples.copy()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s[:-1, :-1], "psf must have shape (n, n), n odd"),
        (lambda s: s[:, 2:-2], "psf must have shape (n, n), n odd"),
        (lambda s: s[0], "psf must have shape (n, n) = (any, any), got"),
        (lambda s: s[25:-25, 25:-25], "17 to 1025, 8 samples a px"),
        (lambda s: 1.001 * s, "psf must sum to 1 over every 8th sample along both axes"),
        (lambda s: s * (1 + 0.01 * (np.arange(len(s)) % 2)), "psf must sum to 1 over every 8th sample"),
        (lambda s: np.where(s == s.max(), np.nan, s), "psf must be finite everywhere"),
        (lambda s: np.pad(s, ((16, 16), (32, 0))), "psf must have its centroid within 0.5 px"),
        (lambda s: s + _swap(s), "psf must not be below -0.01 of its peak, got -0.1"),
        (lambda s: s.astype(str), "psf must hold numbers"),
    ],
)
def test_bad_samples_are_named(change, says):
    with pytest.raises(InputError) as error:
        SplinePsf(change(_samples()))
    assert says in str(error.value)


def _swap(samples: np.ndarray) -> np.ndarray:
    """A tenth of the peak moved from the corner to the pixel beside it: no sum changes."""
    moved = np.zeros_like(samples)
    moved[0, 0], moved[0, PER_PIXEL] = -0.1, 0.1
    return moved


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((0.1,), "fwhm must be in [0.3, 20] px, got 0.1"),
        ((float("nan"),), "fwhm must be in"),
        ((1.0, 2.0), "defocus must be in [-1, 1] waves rms, got 2.0"),
        ((1.0, 0.0, 1), "reach must be in [2, 64] px, got 1"),
    ],
)
def test_patterns_that_cannot_be_are_refused(arguments, says):
    with pytest.raises(InputError) as error:
        SplinePsf.airy(*arguments)
    assert says in str(error.value)
    with pytest.raises(InputError, match="sigma_y must be in"):
        SplinePsf.from_gaussian(0.5, 0.0)
