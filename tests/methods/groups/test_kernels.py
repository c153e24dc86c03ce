"""Kernels of the search: mesh, filter, connected light, windows."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import correlate1d, label

from csist_bench.methods.groups import _kernels as kernels


def no_bad(shape):
    return np.zeros(shape, np.bool_)


def plane(shape, level=1000.0, along_x=0.7, along_y=-0.4):
    row, column = np.mgrid[: shape[0], : shape[1]]
    return level + along_x * column + along_y * row


def mesh_of(frame, blocks, rounding=0.0):
    mesh = np.empty(blocks)
    kernels.block_levels(frame, no_bad(frame.shape), rounding, mesh)
    return mesh


def test_a_plane_is_followed_to_the_border():
    frame = plane((96, 130))
    residual = np.empty(frame.shape, np.float32)
    kernels.subtract_mesh(frame, mesh_of(frame, (3, 4)), no_bad(frame.shape), residual)
    assert np.abs(residual).max() < 1e-3 * 1000


def test_the_mesh_at_a_pixel_is_what_is_subtracted():
    rng = np.random.default_rng(0)
    mesh, frame = rng.normal(size=(3, 4)), np.zeros((40, 70))
    residual = np.empty(frame.shape, np.float32)
    kernels.subtract_mesh(frame, mesh, no_bad(frame.shape), residual)
    for i, j in rng.integers(0, (40, 70), (200, 2)):
        assert abs(residual[i, j] + kernels.mesh_at(mesh, i, j, 40, 70)) < 1e-6


def test_light_does_not_move_the_level_of_its_block():
    rng = np.random.default_rng(1)
    frame = rng.normal(500, 4, (64, 64))
    before = mesh_of(frame, (2, 2))
    frame[10:17, 10:17] += 3000
    after = mesh_of(frame, (2, 2))
    assert np.abs(after - before).max() < 0.3
    assert np.abs(after - 500).max() < 5 * 4 / 32


def test_whole_numbers_of_little_noise_keep_their_mean():
    frame = np.rint(np.random.default_rng(2).normal(100.3, 0.3, (64, 64))).astype(np.uint16)
    assert np.abs(mesh_of(frame, (2, 2), 0.5) - frame.mean()).max() < 0.06


def test_a_block_of_bad_pixels_takes_its_neighbours_level():
    frame, bad = np.full((64, 96), 7.0), no_bad((64, 96))
    bad[:32, 32:64] = True
    frame[bad] = 9e9
    mesh = np.empty((2, 3))
    kernels.block_levels(frame, bad, 0.0, mesh)
    assert np.isnan(mesh[0, 1])
    kernels.fill_mesh(mesh, 0.0)
    assert (mesh == 7).all()
    nothing = np.full((2, 2), np.nan)
    kernels.fill_mesh(nothing, 3.0)
    assert (nothing == 3).all()


def test_noise_is_measured_beside_light():
    rng = np.random.default_rng(3)
    residual = rng.normal(0, 5, (128, 128)).astype(np.float32)
    residual[20:30, 20:30] += 500
    mesh, smooth = np.empty((4, 4)), np.empty((4, 4))
    kernels.block_noise(residual, no_bad(residual.shape), 0.0, mesh)
    kernels.smooth_mesh(mesh, smooth)
    assert np.abs(smooth / 5 - 1).max() < 0.1
    kernels.over_noise(residual, np.full((4, 4), 5.0), 2.0)
    assert abs(residual[64:].std() - 0.5) < 0.02


def test_the_filter_is_a_correlation_that_sees_nothing_beyond_the_border():
    rng = np.random.default_rng(4)
    image = rng.normal(size=(17, 23)).astype(np.float32)
    along_x, along_y = rng.normal(size=7).astype(np.float32), rng.normal(size=5).astype(np.float32)
    out, scratch = np.empty_like(image), np.empty_like(image)
    kernels.filter_axes(image, along_x, along_y, scratch, out)
    wanted = correlate1d(correlate1d(image, along_x, axis=1, mode="constant"), along_y, axis=0, mode="constant")
    np.testing.assert_allclose(out, wanted, atol=1e-5)


def test_connected_light_is_what_a_library_labels():
    rng = np.random.default_rng(5)
    for _ in range(50):
        image = rng.normal(size=(20, 31)).astype(np.float32)
        labels, stack = np.empty(image.shape, np.int32), np.empty(image.size, np.int64)
        count = kernels.connected_light(image, 2.0, 0.8, labels, stack)
        regions, n = label(image > 0.8, np.ones((3, 3)))
        kept = [k for k in range(1, n + 1) if image[regions == k].max() > 2.0]
        assert count == len(kept)
        np.testing.assert_array_equal(labels > 0, np.isin(regions, kept))
        for k in kept:
            assert len(np.unique(labels[regions == k])) == 1


def test_light_is_measured():
    residual = np.zeros((9, 9), np.float32)
    residual[2, 3], residual[2, 5], residual[7, 7] = 1, 3, 5
    labels = np.zeros((9, 9), np.int32)
    labels[2, 3:6], labels[7, 7] = 1, 2
    box, sums, light = np.empty((2, 4), np.int64), np.empty((2, 4)), np.empty((4, 3), np.int64)
    assert kernels.measure_light(residual, residual, labels, box, sums, light) == 4
    assert box.tolist() == [[2, 2, 3, 5], [7, 7, 7, 7]]
    assert sums.tolist() == [[2, 4.5, 4, 3], [7, 7, 5, 5]]
    assert light.tolist() == [[2, 3, 0], [2, 4, 0], [2, 5, 0], [7, 7, 1]]


def test_windows_are_cut_without_the_background_and_clipped_pixels_are_marked():
    frame = plane((40, 64))
    mesh = mesh_of(frame, (1, 2))
    frame[12, 33] = 4095
    out, clipped = np.empty((2, 5, 5)), np.empty(2, np.bool_)
    kernels.cut_windows(frame, mesh, np.array([[10, 30], [20, 2]]), 4095.0, out, clipped)
    assert clipped.tolist() == [True, False]
    assert np.isinf(out[0, 2, 3])
    residual = frame[20:25, 2:7] - out[1]
    for i, j in np.ndindex(5, 5):
        assert abs(residual[i, j] - kernels.mesh_at(mesh, 20 + i, 2 + j, 40, 64)) < 1e-9


def test_pixels_nearer_to_anothers_light_are_foreign():
    light = np.array([[5, 5, 0], [5, 12, 1], [5, 13, 1]])
    mask = np.zeros((11, 11), np.bool_)
    kernels.foreign_pixels(light, 0, 0, 0, 3, mask)
    for i, j in np.ndindex(11, 11):
        own, other = np.hypot(i - 5, j - 5), min(np.hypot(i - 5, j - 12), np.hypot(i - 5, j - 13))
        assert mask[i, j] == (other <= 3 and other < own)
    assert mask.any()
    assert kernels.foreign_pixels(light[:1], 0, 0, 0, 3, mask) == 0


def test_second_spots_are_looked_for_away_from_the_brightest():
    frames = np.zeros((2, 11, 11))
    frames[:, 2, 2] = 100
    frames[0, 4, 4], frames[1, 8, 8] = 50, 50
    highest = np.empty((2, 2))
    one = np.array([0, 1, 0], np.float32)
    kernels.second_spots(frames, (one, one), 0.0, 5.0, highest)
    assert highest.tolist() == [[100, 0], [100, 50]]


def test_second_spots_are_those_of_the_filtered_frame_to_the_bit():
    rng = np.random.default_rng(8)
    frames = rng.normal(3.0, 20.0, (30, 11, 14)).astype(np.float32)
    along_x, along_y = rng.random(5).astype(np.float32), rng.random(7).astype(np.float32)
    highest, scratch, out = np.empty((30, 2)), np.empty((11, 14), np.float32), np.empty((11, 14), np.float32)
    kernels.second_spots(frames, (along_x, along_y), 3.0, 4.5, highest)
    for frame, found in zip(frames, highest, strict=True):
        kernels.filter_axes((frame - 3.0).astype(np.float32), along_x, along_y, scratch, out)
        row, column = np.unravel_index(np.argmax(out), out.shape)
        i, j = np.mgrid[:11, :14]
        away = (i - row) ** 2 + (j - column) ** 2 >= 4.5**2
        assert found.tolist() == [out.max(), out[away].max()]


def test_noise_of_whole_numbers_holds_their_rounding():
    for sigma in (0.7, 1.0, 2.0, 2.3, 10.0):
        frame = np.rint(np.random.default_rng(6).normal(0.3, sigma, (256, 256))).astype(np.float32) - np.float32(0.3)
        mesh = np.empty((8, 8))
        kernels.block_noise(frame, no_bad(frame.shape), 0.5, mesh)
        assert abs(np.median(mesh) / np.hypot(sigma, 12**-0.5) - 1) < 0.03, sigma
