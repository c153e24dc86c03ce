"""Motion models of K targets over the frames of a window: where they stand, and what ties their equations together.

With u in [-1, 1] the scaled frame number and P_d the Legendre polynomials, target k of frame t stands at

    rigid:       x_k(t) = c + sum_d p_d P_d(u) + (1 + g u) o_k      one path p of the group, growth g of its shape o
    polynomial:  x_k(t) = c + o_k + sum_d p_kd P_d(u)               a path of its own

with d = 1..D, about a fixed centre c near the group, and has the intensity s_k in all frames. The unknowns `a` are
ordered (o_1x, o_1y, s_1, o_2x, ...), then the path: p_1x .. p_Dx, p_1y .. p_Dy, g where rigid; else p_1dx, p_1dy,
p_2dx, .. for d = 1, then for d = 2, and so on; at last, where they are unknown, the PSF's widths along x and y, as
factors of the camera's. M_t = d theta_t / d a carries a frame's F_t and g_t
(`methods.fitting.pixel_model.normal_equations`) over to the unknowns; its few non-zero entries are written out here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit_inner
from csist_bench.methods.fitting.dense_images import WIDTHS
from csist_bench.methods.fitting.linear_algebra import solve_lower

Floats = NDArray[np.float64]


class MotionModel(NamedTuple):
    """Number of targets, degree of the path, whether the group is rigid, whether the PSF's widths are unknown.

    `mean` and `inverse_variance` (P,) are the prior of every unknown.
    """

    targets: int
    degree: int
    rigid: bool
    freed: bool
    mean: Floats
    inverse_variance: Floats


def unknowns(targets: int, degree: int, rigid: bool, freed: bool = False) -> int:
    """Return the number of unknowns P."""
    return 3 * targets + (2 * degree + 1 if rigid else 2 * degree * targets) + (WIDTHS if freed else 0)


@jit_inner
def targets_at(
    a: Floats, u: float, basis: Floats, centre: Floats, k: int, degree: int, rigid: bool, theta: Floats
) -> None:
    """Write the targets (K, 3) of the frame at scaled time u, where the path's basis is `basis` (D,)."""
    for m in range(k):
        theta[m, 2] = a[3 * m + 2]
    if rigid:
        grown = 1.0 + a[3 * k + 2 * degree] * u
        for axis in range(2):
            path = centre[axis]
            for d in range(degree):
                path += a[3 * k + axis * degree + d] * basis[d]
            for m in range(k):
                theta[m, axis] = path + grown * a[3 * m + axis]
        return
    for m in range(k):
        for axis in range(2):
            position = centre[axis] + a[3 * m + axis]
            for d in range(degree):
                position += a[3 * k + 2 * k * d + 2 * m + axis] * basis[d]
            theta[m, axis] = position


@jit_inner
def gather_rigid(
    a: Floats,
    u: float,
    basis: Floats,
    k: int,
    degree: int,
    frame: Floats,
    right: Floats,
    shared: Floats,
    normal: Floats,
    gradient: Floats,
) -> None:
    """Add M_t' F_t M_t and M_t' g_t of a rigid group; `frame` (3K, 3K) is F_t, `right` (3K,) is g_t.

    `shared` (4, 3K) is scratch: the rows of F_t summed over the targets, by a shift in x, in y, and a growth; and what
    each of the targets' unknowns is scaled by.
    """
    n, last = 3 * k, 3 * k + 2 * degree
    grown = 1.0 + a[last] * u
    for p in range(n):
        shared[0, p], shared[1, p], shared[2, p] = 0.0, 0.0, 0.0
    for m in range(k):
        along_x, along_y = a[3 * m] * u, a[3 * m + 1] * u
        for p in range(n):
            shared[0, p] += frame[3 * m, p]
            shared[1, p] += frame[3 * m + 1, p]
            shared[2, p] += along_x * frame[3 * m, p] + along_y * frame[3 * m + 1, p]
        shared[3, 3 * m], shared[3, 3 * m + 1], shared[3, 3 * m + 2] = grown, grown, 1.0
    for p in range(n):
        scale = shared[3, p]
        gradient[p] += scale * right[p]
        for q in range(n):
            normal[p, q] += scale * shared[3, q] * frame[p, q]
    for d in range(degree):
        for p in range(n):
            normal[n + d, p] += basis[d] * shared[3, p] * shared[0, p]
            normal[n + degree + d, p] += basis[d] * shared[3, p] * shared[1, p]
    for p in range(n):
        normal[last, p] += shared[3, p] * shared[2, p]
    gather_path(a, u, basis, k, degree, right, shared, normal, gradient)


@jit_inner
def gather_path(
    a: Floats,
    u: float,
    basis: Floats,
    k: int,
    degree: int,
    right: Floats,
    shared: Floats,
    normal: Floats,
    gradient: Floats,
) -> None:
    """Add the block of the path and the growth of a rigid group, from the `shared` rows of F_t."""
    n, last = 3 * k, 3 * k + 2 * degree
    xx, xy, yy, xg, yg, gg = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    shift_x, shift_y, growth = 0.0, 0.0, 0.0
    for m in range(k):
        i, j = 3 * m, 3 * m + 1
        xx += shared[0, i]
        xy += shared[0, j]
        yy += shared[1, j]
        xg += shared[2, i]
        yg += shared[2, j]
        gg += u * (a[i] * shared[2, i] + a[j] * shared[2, j])
        shift_x += right[i]
        shift_y += right[j]
        growth += u * (a[i] * right[i] + a[j] * right[j])
    for d in range(degree):
        gradient[n + d] += basis[d] * shift_x
        gradient[n + degree + d] += basis[d] * shift_y
        for e in range(degree):
            both = basis[d] * basis[e]
            if e <= d:
                normal[n + d, n + e] += both * xx
                normal[n + degree + d, n + degree + e] += both * yy
            normal[n + degree + d, n + e] += both * xy
        normal[last, n + d] += basis[d] * xg
        normal[last, n + degree + d] += basis[d] * yg
    normal[last, last] += gg
    gradient[last] += growth


@jit_inner
def gather_polynomial(
    basis: Floats, k: int, degree: int, frame: Floats, right: Floats, normal: Floats, gradient: Floats
) -> None:
    """Add M_t' F_t M_t and M_t' g_t of targets with paths of their own; `frame` (3K, 3K) and `right` (3K,)."""
    n = 3 * k
    for p in range(n):
        gradient[p] += right[p]
        for q in range(n):
            normal[p, q] += frame[p, q]
    for d in range(degree):
        for i in range(2 * k):
            row, source = n + 2 * k * d + i, 3 * (i // 2) + i % 2
            gradient[row] += basis[d] * right[source]
            for q in range(n):
                normal[row, q] += basis[d] * frame[source, q]
            for e in range(d + 1):
                both = basis[d] * basis[e]
                for j in range(2 * k):
                    normal[row, n + 2 * k * e + j] += both * frame[source, 3 * (j // 2) + j % 2]


@jit_inner
def gather_widths(
    a: Floats,
    u: float,
    basis: Floats,
    model: MotionModel,
    frame: Floats,
    right: Floats,
    normal: Floats,
    gradient: Floats,
) -> None:
    """Add the rows of the PSF's widths, which end the unknowns and a frame's F_t (3K + 2, 3K + 2) and g_t."""
    k, degree, n = model.targets, model.degree, 3 * model.targets
    last = a.shape[0] - WIDTHS
    grown = 1.0 + a[n + 2 * degree] * u if model.rigid else 1.0
    for w in range(WIDTHS):
        row = last + w
        gradient[row] += right[n + w]
        for v in range(w + 1):
            normal[row, last + v] += frame[n + w, n + v]
        for m in range(k):
            normal[row, 3 * m + 2] += frame[n + w, 3 * m + 2]
            for axis in range(2):
                value = frame[n + w, 3 * m + axis]
                normal[row, 3 * m + axis] += grown * value
                if model.rigid:
                    normal[row, n + 2 * degree] += u * a[3 * m + axis] * value
                for d in range(degree):
                    column = n + axis * degree + d if model.rigid else n + 2 * k * d + 2 * m + axis
                    normal[row, column] += basis[d] * value


@jit_inner
def covariances(
    a: Floats, u: float, basis: Floats, model: MotionModel, factor: Floats, rows: Floats, out: Floats
) -> None:
    """Write (C_xx, C_yy, C_xy, C_ss) of every target at scaled time u to `out` (K, 4); `rows` (3, P) is scratch."""
    k, degree, n = model.targets, model.degree, a.shape[0]
    growth = 3 * k + 2 * degree
    for m in range(k):
        rows[:] = 0.0
        for axis in range(2):
            rows[axis, 3 * m + axis] = 1.0
            if model.rigid:
                rows[axis, 3 * m + axis] += a[growth] * u
                rows[axis, growth] = a[3 * m + axis] * u
            for d in range(degree):
                column = 3 * k + axis * degree + d if model.rigid else 3 * k + 2 * k * d + 2 * m + axis
                rows[axis, column] = basis[d]
        rows[2, 3 * m + 2] = 1.0
        for i in range(3):
            solve_lower(rows[i], factor, n)
        out[m, 0], out[m, 1] = np.dot(rows[0], rows[0]), np.dot(rows[1], rows[1])
        out[m, 2], out[m, 3] = np.dot(rows[0], rows[1]), np.dot(rows[2], rows[2])
