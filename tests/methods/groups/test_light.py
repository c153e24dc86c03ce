"""Filter, connected light, windows, second spots."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import correlate1d, label

from csist_bench.methods.groups._kernels import light as kernels
from csist_bench.methods.groups._kernels.mesh import mesh_at
from tests.methods.groups.test_mesh import mesh_of, plane


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
        assert abs(residual[i, j] - mesh_at(mesh, 20 + i, 2 + j, 40, 64)) < 1e-9


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
