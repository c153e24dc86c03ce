"""What answers leave unexplained, and when it is said."""

from dataclasses import replace

import numpy as np
import pytest

from csist_bench.detections import Detections
from csist_bench.methods.misfit import LEAST_EXCESS, SURE, misfit_of, misfit_of_block
from csist_bench.simulation.camera import NOISE_FLOOR_INTEGER, Camera, PixelMaps
from csist_bench.simulation.optics import Optics, pixel_response

CAMERA = Camera(Optics(), noise_sigma=2.0)
XY, LIGHT = np.array([[4.8, 5.1], [5.5, 4.7]]), np.array([230.0, 245.0])


def frames_of(b=4, t=10, size=11, sigma=2.0, seed=0, psf_sigma=0.5):
    pixel = np.arange(size)
    light = sum(
        s * np.outer(pixel_response(pixel, y, psf_sigma), pixel_response(pixel, x, psf_sigma))
        for (x, y), s in zip(XY, LIGHT)
    )
    return light + sigma * np.random.default_rng(seed).standard_normal((b, t, size, size))


def truth_of(b=4, t=10):
    trajectory, frame = (np.repeat(a.ravel(), 2) for a in np.mgrid[:b, :t])
    x, y = np.tile(XY, (b * t, 1)).T
    score = np.ones(len(x))
    return Detections(trajectory, frame, x, y, score, intensity=np.tile(LIGHT, b * t))


def judged(frames, camera=CAMERA, found=None, together=10, fitted=True, length=10):
    block = misfit_of_block(frames, truth_of(*frames.shape[:2]) if found is None else found, camera)
    return misfit_of([block], camera, together, length, fitted)


def test_the_truth_leaves_one_per_pixel_and_nothing_is_said():
    frames = frames_of()
    found = judged(frames)
    residual = frames - frames_of(sigma=0.0)
    np.testing.assert_allclose(found.per_frame, (residual**2).mean(axis=(2, 3)) / 4.0, rtol=1e-9)
    assert found.unit == "chi2 per pixel"
    assert found.fits
    assert found.text() == ""
    assert found.table()["per_frame"][1][2] == float(f"{found.per_frame[1, 2]:.4g}")


@pytest.mark.parametrize("change", [{"psf_sigma": 0.53}, {"sigma": 2.2}])
def test_a_wrong_psf_or_noise_is_said_with_figures(change):
    found = judged(frames_of(b=20, **change))
    assert not found.fits
    assert f"chi^2 {found.chi2 / found.pixels:.3f} per pixel over 200 frames" in found.text()
    assert "csist-bench calibrate" in found.text()


def test_noise_told_too_high_is_said():
    found = judged(frames_of(sigma=1.8))
    assert not found.fits
    assert "standard errors too low: is the noise or the gain told too high?" in found.text()
    assert judged(frames_of(sigma=1.97)).fits
    alone = judged(frames_of(sigma=2.0 * 0.975), together=1)
    assert alone.fits  # a fit of single frames may take that much


def test_the_expected_chi2_counts_the_unknowns_of_sequences_and_backgrounds():
    frames = frames_of()
    plain = judged(frames)
    assert plain.expected == 40 * 121 - (6 + 8) * 40 / 10
    assert judged(frames, together=1).expected == 40 * 121
    # The middle of a window: at least the light and where the group stands, at most all.
    window = judged(frames, together=5)
    assert window.expected == 40 * 121 - (2 + 2) * 40 / 5
    assert window.least == pytest.approx(40 * 121 - (6 + 8) * 40 / 5 - SURE * window.error)
    network = judged(frames, fitted=False)
    assert network.expected == 40 * 121
    assert network.least == pytest.approx(40 * 121 - 6 * 40 - SURE * network.error)
    # A window stays one where only some frames of the sequence are answered.
    assert judged(frames, together=10, length=20).expected == 40 * 121 - (2 + 2) * 40 / 10
    level = replace(CAMERA, background_law="plane")
    assert judged(frames, level).expected == plain.expected - 3 * 40
    assert plain.limit == pytest.approx(plain.expected + max(SURE * plain.error, LEAST_EXCESS * plain.expected))


def test_noise_free_frames_are_judged_in_grey_levels():
    quiet = replace(CAMERA, noise_sigma=0.05)
    assert judged(frames_of(sigma=0.0), quiet).unit == "grey levels"
    assert judged(frames_of(sigma=0.0), quiet).fits
    off = judged(frames_of(sigma=0.0, psf_sigma=0.51), quiet)
    assert not off.fits
    assert "grey levels rms are left" in off.text()
    rounded = np.rint(frames_of(sigma=0.0)).astype(np.uint8)
    whole = replace(CAMERA, noise_sigma=NOISE_FLOOR_INTEGER, noise_floor=NOISE_FLOOR_INTEGER)
    assert judged(rounded, whole).fits


def test_the_answers_of_a_network_may_leave_more_and_are_asked_about_their_scenes():
    frames = frames_of(sigma=2.06)
    assert not judged(frames_of(b=40, sigma=2.06)).fits
    assert judged(frames, fitted=False).fits
    assert "scenes that the network knows" in judged(frames_of(sigma=3.0), fitted=False).text()


def test_bad_and_clipped_pixels_are_not_counted():
    frames = frames_of()
    wild = frames.copy()
    wild[..., 5, 5], wild[..., 0, 0] = 1e6, -1e6
    bad = np.zeros((11, 11), bool)
    bad[5, 5] = bad[0, 0] = True
    camera = replace(CAMERA, maps=PixelMaps(bad))
    assert judged(wild, camera).pixels == 40 * 119
    assert judged(wild, camera).chi2 == judged(frames, camera).chi2
    clipped = judged(np.minimum(frames, 60.0), replace(CAMERA, saturation=60.0))
    assert clipped.pixels == (frames < 60.0).sum()
    assert clipped.fits


def test_large_frames_are_judged_in_windows_about_their_groups_on_any_background():
    rng = np.random.default_rng(3)
    frames = 2.0 * rng.standard_normal((1, 6, 60, 48)) + 500 + np.arange(48.0)
    spots = frames_of(b=1, t=6, sigma=0.0)
    for row, column in ((10, 5), (35, 30)):
        frames[:, :, row : row + 11, column : column + 11] += spots
    one = truth_of(1, 6)
    parts = [
        replace(one, x=one.x + c, y=one.y + r, group=np.full(len(one), g))
        for g, (r, c) in enumerate(((10, 5), (35, 30)))
    ]
    both = Detections(
        **{name: np.concatenate([p.columns()[name] for p in parts]) for name in one.columns() | {"group": 0}}
    )
    found = judged(frames, found=both, together=1)
    assert found.fits
    assert found.chi2 / found.pixels == pytest.approx(1.0, abs=0.1)
    assert not judged(frames + 2.0 * rng.standard_normal(frames.shape), found=both, together=1).fits
    assert misfit_of_block(frames, both, replace(CAMERA, assumed=("noise_sigma",))) is None


def test_answers_without_intensities_are_not_judged():
    assert misfit_of_block(frames_of(), replace(truth_of(), intensity=None), CAMERA) is None
