"""The scene law's sets, bases and priors."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.methods.group_map.scene_law import direction_sets, path_basis, path_degree, prior_of, start_marks
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics


def test_sets_are_all_choices_of_directions() -> None:
    assert [len(direction_sets("axes", count)) for count in (1, 2, 3, 4)] == [1, 6, 4, 1]
    assert len(direction_sets("compass", 5)) == 56
    assert np.allclose(np.linalg.norm(direction_sets("axes", 3), axis=-1), 1.0)


@pytest.mark.parametrize("rotates", [False, True])
@pytest.mark.parametrize("frames", [1, 2, 5, 20])
def test_the_prior_has_one_column_for_every_unknown(frames: int, rotates: bool) -> None:
    prior = prior_of(3, frames, (0.307, 0.005), rotates, 0.04, Camera(Optics()))
    assert path_basis(frames).shape == (frames, path_degree(frames) + 1)
    assert prior.shape == (2, 2 * (path_degree(frames) + 1) + 1 + 3 + rotates)
    assert (prior[1] > 0).all()


def test_starts_move_towards_the_far_side() -> None:
    marks = start_marks(np.array([0, 10]), 0.04, rotates=False)
    np.testing.assert_allclose(marks[0], np.arange(1, 10))
    np.testing.assert_allclose(marks[1] - marks[0], [0.4] * 4 + [-0.4] * 5)
