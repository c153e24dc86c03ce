"""The light of targets and its derivatives, against plain NumPy, the spline's own evaluation and finite differences."""

import numpy as np
import pytest

from csist_bench.methods.fitting.dense_images import WIDTHS, dense_workspace, fill_images
from csist_bench.methods.fitting.noise_model import noise_model_of, simple_noise_model
from csist_bench.methods.fitting.pixel_model import psf_table
from csist_bench.simulation.spline_psf import SplinePsf
from tests.helpers.foreign_sequences import camera, gaussian_spot

N, ROW, COLUMN = 9, 1, 2
THETA = np.array([[5.7, 5.2, 180.0], [6.3, 4.7, 290.0]])


def images_of(theta, noise_model, freed=False, widths=(1.0, 1.0)):
    """Return the light and the derivative images (U, N, N)."""
    work, model = dense_workspace(len(theta), N), np.zeros((N, N))
    work.widths[:] = widths
    fill_images(theta, ROW, COLUMN, noise_model, freed, work, model)
    return model, work.images[: 3 * len(theta) + WIDTHS * freed].reshape(-1, N, N)


def wide(psf):
    noise_model = simple_noise_model(0.5, 4.0)._replace(
        dense=True, sigma_x=0.55, sigma_y=0.48, table=psf_table(0.55), table_y=psf_table(0.48)
    )
    if psf == "gaussian":
        return noise_model
    return noise_model._replace(spline=np.array(SplinePsf.from_gaussian(0.55, 0.48).coefficients), spline_step=1 / 8)


@pytest.mark.parametrize("psf,tolerance", [("gaussian", 1e-9), ("spline", 0.02)])
@pytest.mark.parametrize("factors", [(1.0, 1.0), (1.05, 0.9)])
def test_the_light_is_that_of_plain_numpy(psf, tolerance, factors):
    if psf == "spline" and factors != (1.0, 1.0):
        tolerance = 3.0  # stretched, the pixel it holds is stretched with it
    spot = gaussian_spot((0.55 * factors[0], 0.48 * factors[1]))
    expected = sum(s * spot(x, y, 20) for x, y, s in THETA)[ROW : ROW + N, COLUMN : COLUMN + N]
    np.testing.assert_allclose(images_of(THETA, wide(psf), True, factors)[0], expected, atol=tolerance)


@pytest.mark.parametrize("place", [(5.7, 5.2), (2.0, 1.0), (-4.3, 5.0), (14.0, 14.2), (-30.0, 5.0)])
def test_the_spline_is_evaluated_as_its_owner_says_within_and_beyond_its_reach(place):
    psf = SplinePsf.airy(1.2, 0.05, reach=4)
    noise_model = noise_model_of(camera(psf=psf), False)
    _, images = images_of(np.array([[*place, 1.0]]), noise_model)
    value, by_x, by_y = psf.response(*place, ROW + N, COLUMN + N)
    for image, expected in zip(images, (by_x, by_y, value)):
        np.testing.assert_allclose(image, expected[ROW:, COLUMN:], atol=1e-12)


@pytest.mark.parametrize("psf", ["gaussian", "spline"])
def test_the_derivatives_in_targets_and_widths_are_finite_differences(psf):
    noise_model, widths = wide(psf), np.array([1.03, 0.96])
    images = images_of(THETA, noise_model, True, widths)[1]
    for unknown in range(8):
        ends = []
        for step in (-1e-5, 1e-5):
            moved, factors = THETA.copy(), widths.copy()
            (moved.ravel() if unknown < 6 else factors)[unknown if unknown < 6 else unknown - 6] += step
            ends.append(images_of(moved, noise_model, True, factors)[0])
        slope = (ends[1] - ends[0]) / 2e-5
        np.testing.assert_allclose(images[unknown], slope, rtol=1e-5, atol=1e-5 * abs(slope).max())
