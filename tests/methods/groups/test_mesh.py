"""Background and noise on a mesh of blocks."""

from __future__ import annotations

import numpy as np

from csist_bench.methods.groups._kernels import mesh as kernels


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


def test_noise_of_whole_numbers_holds_their_rounding():
    for sigma in (0.7, 1.0, 2.0, 2.3, 10.0):
        frame = np.rint(np.random.default_rng(6).normal(0.3, sigma, (256, 256))).astype(np.float32) - np.float32(0.3)
        mesh = np.empty((8, 8))
        kernels.block_noise(frame, no_bad(frame.shape), 0.5, mesh)
        assert abs(np.median(mesh) / np.hypot(sigma, 12**-0.5) - 1) < 0.03, sigma
