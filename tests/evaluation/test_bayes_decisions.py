"""What the search for the best answer of a frame is given: samples, and the places where many of them have targets."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.evaluation import bayes_decisions
from csist_bench.evaluation.bayes_decisions import samples_of
from csist_bench.methods.group_map._kernels.sampling import ABSENT
from csist_bench.methods.posterior.chains import FramePosterior

# Places of targets on a lattice of 0.05 px, and how many of the 40 samples have a target at each.
PLACES = np.array([[5.0, 4.0], [5.05, 4.0], [5.0, 4.05], [6.3, 3.15]])
OFTEN = (8, 32, 16, 24)


@pytest.fixture
def found() -> FramePosterior:
    """Four chains of ten samples of two targets each, within 0.02 px of the lattice."""
    rng = np.random.default_rng(0)
    place = rng.permutation(np.repeat(PLACES, OFTEN, axis=0)) + rng.uniform(-0.02, 0.02, (80, 2))
    return FramePosterior(place.reshape(4, 10, 2, 2), rng.uniform(200, 260, (4, 10, 2)), 1.0)


def test_all_chains_make_samples_of_one_weight(found: FramePosterior) -> None:
    samples, number, _ = samples_of(found)
    assert number == 40
    assert samples.weight == pytest.approx(np.full(40, 1 / 40))
    assert samples.targets.tolist() == [2] * 40
    for k in range(2):
        assert np.array_equal(samples.x[k], found.place[:, :, k, 0].ravel())
        assert np.array_equal(samples.y[k], found.place[:, :, k, 1].ravel())
        assert np.array_equal(samples.intensity[k], found.light[:, :, k].ravel())


def test_the_search_sets_off_from_the_fullest_cells(found: FramePosterior, monkeypatch: pytest.MonkeyPatch) -> None:
    samples, _, centres = samples_of(found)
    assert centres == 4
    np.testing.assert_allclose(samples.centres[:4], PLACES[[1, 3, 2, 0]], atol=1e-9)
    assert (samples.centres[4:] == ABSENT).all()
    monkeypatch.setattr(bayes_decisions, "CANDIDATES", 2)
    samples, _, centres = samples_of(found)
    assert centres == 2
    np.testing.assert_allclose(samples.centres, PLACES[[1, 3]], atol=1e-9)
