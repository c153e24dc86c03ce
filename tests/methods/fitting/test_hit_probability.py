"""Hit probabilities against sampling."""

import numpy as np
import pytest

from csist_bench.methods.fitting.hit_probability import hit_probability, round_hit_probability


def test_a_round_errors_hit_probability_agrees_with_sampling():
    rng = np.random.default_rng(0)
    errors = np.linalg.norm(0.12 * rng.standard_normal((200_000, 2)), axis=1)
    simulated = np.mean([(errors <= d).mean() for d in (0.05, 0.10, 0.15, 0.20, 0.25)])
    assert round_hit_probability(0.12**2) == pytest.approx(simulated, abs=0.003)


@pytest.mark.parametrize("offset", [0.0, 0.05, 0.15, 0.3])
@pytest.mark.parametrize("major, minor", [(0.01, 0.01), (0.05, 0.05), (0.2, 0.2), (0.15, 0.01), (0.05, 0.02)])
def test_hit_probability_agrees_with_sampling(offset: float, major: float, minor: float) -> None:
    points = np.random.default_rng(0).normal((offset, 0.0), (major, minor), (200_000, 2))
    away = np.hypot(points[:, 0], points[:, 1])
    sampled = np.mean([np.mean(away <= d) for d in (0.05, 0.10, 0.15, 0.20, 0.25)])
    # Eight slices of the major axis are exact to a few hundredths where a threshold passes between them.
    assert hit_probability(offset, major, minor) == pytest.approx(sampled, abs=0.05)
