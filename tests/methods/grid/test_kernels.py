"""What holds of both solvers on the grid."""

import numpy as np
import pytest

from csist_bench.errors import InputError
from csist_bench.methods.registry import METHODS, build_training_free
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.rendering import frames_from_targets
from tests.helpers.grid_solvers import CAMERA, solve

OPTICS = CAMERA.optics
BOTH = pytest.mark.parametrize("name", ["ista", "bid"])


@BOTH
def test_the_company_of_a_frame_does_not_matter(frames, name):
    together = solve(name, frames, "iterations=50")
    backwards = solve(name, frames[::-1], "iterations=50")[::-1]
    alone = np.stack([solve(name, frames[n : n + 1, t : t + 1], "iterations=50")[0, 0] for n, t in np.ndindex(5, 4)])
    assert np.abs(together - backwards).max() < 1e-3
    assert np.abs(together.reshape(20, 33, 33) - alone).max() < 1e-3


@BOTH
def test_blank_frames_give_blank_grids(name):
    assert not solve(name, np.zeros((2, 3, 11, 11), np.float32)).any()


@BOTH
def test_a_constant_background_is_taken_off(frames, name):
    raised = Camera(OPTICS, background=40.0)
    plain, lifted = (
        solve(name, frames[:1], "iterations=20"),
        solve(name, frames[:1] + 40, "iterations=20", camera=raised),
    )
    assert np.abs(plain - lifted).max() < 0.01


@BOTH
def test_integer_frames_are_taken_as_they_are(frames, name):
    counts = np.rint(np.clip(frames[:1], 0, 255))
    floats, integers = (solve(name, counts.astype(kind), "iterations=20") for kind in (np.float32, np.uint8))
    np.testing.assert_array_equal(floats, integers)


@BOTH
def test_the_transposed_frame_has_the_transposed_grid(frames, name):
    grid, turned = (solve(name, f, "iterations=50") for f in (frames[:1], frames[:1].swapaxes(2, 3)))
    assert np.abs(grid.swapaxes(2, 3) - turned).max() < 2e-3


@BOTH
def test_the_brightest_node_lies_next_to_a_lone_target(name):
    frame = frames_from_targets(np.array([[[7.2, 3.4]]]), np.array([[240.0]]), OPTICS)
    grid = solve(name, frame[None], "iterations=300")[0, 0]
    row, column = np.unravel_index(grid.argmax(), grid.shape)
    assert np.hypot(OPTICS.nodes[column] - 7.2, OPTICS.nodes[row] - 3.4) < 0.5


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [
        ("ista", "lambda=-1", "ista settings: lambda must be float >= 0"),
        ("ista", "penalty=1", "ista settings: unknown field 'penalty'"),
        ("ista", "iterations=2.5", "ista settings: iterations must be int"),
        ("bid", "alpha=3", "bid settings: alpha must be float <= 2"),
        ("bid", "kernel_sigma=0", "bid settings: kernel_sigma must be float > 0"),
    ],
)
def test_settings_out_of_range_are_named(name, override, message):
    with pytest.raises(InputError, match=message):
        build_training_free(METHODS[name], [override])
