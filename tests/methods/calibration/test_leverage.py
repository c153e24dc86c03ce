"""What a fit takes of a pixel's variance: against finite differences of plain images, and against what fits leave."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.detections import Detections
from csist_bench.methods.calibration.leverage import sequence_leverage
from csist_bench.methods.ml_seq.method import SequenceMaximumLikelihood
from csist_bench.simulation.camera import Camera, PixelMaps
from csist_bench.simulation.optics import Optics
from tests.helpers.foreign_sequences import SIZE, gaussian_spot, sequences

FRAMES, LEVEL, STEP = 4, 30.0, 1e-5
SPOT = gaussian_spot((0.5, 0.5))


def camera(**fields):
    return Camera(Optics(0.5, size=SIZE), noise_sigma=2.0, **fields)


def told(made):
    """Return the truth as answers."""
    b, t, k = np.nonzero(np.isfinite(made.xy[..., 0]))
    return Detections(b, t, *made.xy[b, t, k].T, score=np.ones(len(b)), intensity=made.flux[b, k])


def image(unknowns, xy, basis, time):
    """Return frames (T, n, n) of targets that the unknowns of a rigid group move from where they are."""
    k, degree = xy.shape[1], basis.shape[1]
    own, path, growth = unknowns[: 3 * k].reshape(k, 3), unknowns[3 * k : -1].reshape(2, degree), unknowns[-1]
    frames = np.zeros((len(xy), SIZE, SIZE))
    for t in range(len(xy)):
        middle = xy[t].mean(axis=0)
        for m in range(k):
            x, y = xy[t, m] + own[m, :2] + path @ basis[t] + growth * time[t] * (xy[t, m] - middle)
            frames[t] += own[m, 2] * SPOT(x, y, SIZE)
    return frames


@pytest.mark.parametrize("law", ["constant", "plane"])
def test_leverage_is_the_hat_matrix_of_all_frames_together(law):
    made, seen = (
        sequences(3, count=1, frames=FRAMES, targets=(2, 2), radius=1.2),
        camera(background_law=law, shot_gain=0.3),
    )
    usable = np.ones(made.frames.shape, dtype=bool)
    usable[0, 1, 5, 5] = False
    found = sequence_leverage(told(made), usable, seen, LEVEL)[0]
    xy, flux = made.xy[0, :, :2], made.flux[0, :2]
    times, motion = SequenceMaximumLikelihood().motion_of(2, FRAMES, seen)
    at = np.zeros(len(motion.mean))
    at[2:6:3] = flux
    columns = []
    for step in STEP * np.eye(len(at)):
        ahead, behind = (image(at + sign * step, xy, times.basis, times.time) for sign in (1, -1))
        columns.append((ahead - behind).ravel() / (2 * STEP))
    axis = np.arange(SIZE) - SIZE // 2
    lit = [np.ones((SIZE, SIZE)), np.tile(axis, (SIZE, 1)), np.tile(axis[:, None], SIZE)][
        : 1 if law == "constant" else 3
    ]
    for t in range(FRAMES):
        for part in lit:
            frames = np.zeros((FRAMES, SIZE, SIZE))
            frames[t] = part
            columns.append(frames.ravel())
    jacobian = np.stack(columns, axis=1)
    variance = 4 + 0.3 * (image(at, xy, times.basis, times.time) + LEVEL)
    weight = (usable[0] / variance).ravel()
    precision = np.append(motion.inverse_variance, np.zeros(FRAMES * len(lit)))
    normal = jacobian.T @ (weight[:, None] * jacobian) + np.diag(precision)
    hat = weight * np.einsum("pu,pu->p", jacobian, np.linalg.solve(normal, jacobian.T).T)
    np.testing.assert_allclose(found.ravel(), hat, rtol=1e-4, atol=1e-7)
    assert found[1, 5, 5] == 0
    taken = np.trace(np.linalg.solve(normal, normal - np.diag(precision)))
    assert found.sum() == pytest.approx(taken, rel=1e-5)


def test_frames_and_sequences_without_answers_take_no_part():
    made = sequences(3, count=3, frames=FRAMES, targets=(2, 2), radius=1.2)
    every = told(made)
    some = every.select((every.trajectory != 1) & ~((every.trajectory == 2) & (every.frame == 3)))
    found = sequence_leverage(some, np.ones(made.frames.shape, dtype=bool), camera(), 0.0)
    assert (found[1] == 0).all()
    assert (found[2, 3] == 0).all()
    assert 7 < found[2, :3].sum() < 12
    np.testing.assert_array_equal(
        found[0], sequence_leverage(every, np.ones(made.frames.shape, bool), camera(), 0.0)[0]
    )


def test_frames_whose_number_of_targets_changes_were_fitted_one_by_one():
    made = sequences(3, count=1, frames=FRAMES, targets=(2, 2), radius=1.2)
    every = told(made)
    changed = every.select(~((every.frame == 3) & (every.x > every.x[every.frame == 3].min())))
    usable = np.ones(made.frames.shape, dtype=bool)
    found = sequence_leverage(changed, usable, camera(), 0.0)[0]
    alone = made.frames.reshape(FRAMES, 1, SIZE, SIZE).shape
    single = Detections(every.frame, 0 * every.frame, every.x, every.y, every.score, intensity=every.intensity)
    expected = sequence_leverage(single, np.ones(alone, dtype=bool), camera(), 0.0)[:, 0]
    np.testing.assert_allclose(found[:3], expected[:3])
    assert found[:3].sum(axis=(1, 2)) == pytest.approx(6, rel=0.1)
    assert found[3].sum() == pytest.approx(3, rel=0.1)


def test_widths_told_with_errors_are_no_unknowns_and_free_intensities_scale_with_the_light():
    made = sequences(3, count=2, frames=FRAMES, targets=(2, 2), radius=1.2, flux=(20_000, 21_000))
    usable, free = np.ones(made.frames.shape, dtype=bool), camera(intensity_free=True)
    expected = sequence_leverage(told(made), usable, free, 0.0)
    assert expected.sum() == pytest.approx(2 * (6 + 5), rel=0.02)  # places, intensities, a bent path and growth
    vague = camera(intensity_free=True, psf_sigma_error=(0.02, 0.02))
    np.testing.assert_array_equal(sequence_leverage(told(made), usable, vague, 0.0), expected)
    noisy = camera(intensity_free=True, maps=PixelMaps(None, np.full((SIZE, SIZE), 2.0)))
    np.testing.assert_allclose(sequence_leverage(told(made), usable, noisy, 0.0), expected)


def test_what_fits_leave_of_lit_pixels_has_the_variance_that_leverage_says():
    made = sequences(5, count=60, frames=20, targets=(2, 3), radius=1.0)
    seen = camera(intensity_min=float(np.nanmin(made.flux)), intensity_max=float(np.nanmax(made.flux)))
    found = SequenceMaximumLikelihood().detect(made.frames, seen)
    counted = np.bincount(found.trajectory, minlength=60) == 20 * made.count
    assert counted.mean() > 0.9
    light = np.zeros(made.frames.shape)
    for b, t, x, y, s in zip(found.trajectory, found.frame, found.x, found.y, found.intensity):
        light[b, t] += s * SPOT(x, y, SIZE)
    left = (made.frames - light) ** 2 / 4
    leverage = sequence_leverage(found, np.ones(made.frames.shape, dtype=bool), seen, 0.0)
    lit = (light > 40) & counted[:, None, None, None]
    assert leverage[lit].mean() > 0.08
    assert left[lit].mean() == pytest.approx(1 - leverage[lit].mean(), abs=3 * np.sqrt(2 / lit.sum()))
