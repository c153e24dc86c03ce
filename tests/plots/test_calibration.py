"""Predicted standard errors against the errors made."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.plots.calibration import binned_errors

RNG = np.random.default_rng(3)


def test_the_calibration_line_is_the_diagonal_for_honest_errors():
    sigmas = np.repeat([0.01, 0.1], 20_000)
    predicted, made = binned_errors(RNG.normal(0, 1, len(sigmas)) * sigmas, sigmas)
    # Each bin holds 40,000 / 12 errors: the standard error of a spread is 1 / sqrt(2 n) = 1.2 %.
    assert made == pytest.approx(predicted, rel=0.06)
    _, doubled = binned_errors(2 * sigmas, sigmas)
    assert doubled == pytest.approx(2 * predicted)
