"""The generator's laws, each written once: for the simulator's NumPy arrays and for the training stream's tensors.

Every function takes uniforms of [0, 1) that its caller has drawn, and works on NumPy arrays and on torch tensors alike;
`xp` is the module they come from. The laws are those of an 11 x 11 frame: curves are centred, and scenes turned, about
(5, 5). A scene about another reference point is moved there as a whole (`DataRecipe.shift`).
"""

from __future__ import annotations

import math
from typing import Any

from csist_bench.recipes import REFERENCE, DataRecipe

# Either of NumPy's arrays or torch's tensors; what goes in comes out.
Array = Any
Module = Any

# Uniforms of each curve.
CURVE_DRAWS = {"line": 2, "quadratic": 2, "circle": 4}


def uniform(u: Array, low: float, high: float) -> Array:
    """Return numbers between two bounds."""
    return low + (high - low) * u


def first_coordinates(xp: Module, recipe: DataRecipe, start: Array, frame: Array) -> Array:
    """Return x (M, T) of the reference point: from `start` (M, 1) it steps towards the far side."""
    heading = xp.where(start < REFERENCE, recipe.step, -recipe.step)
    return start + heading * frame


def line(xp: Module, recipe: DataRecipe, x: Array, u: list[Array]) -> tuple[Array, Array]:
    """Return y (M, T) and the slope of y = a (x - 5) + b."""
    a = uniform(u[0], -recipe.line_slope_max, recipe.line_slope_max)
    b = uniform(u[1], recipe.offset_min, recipe.offset_max)
    return a * (x - REFERENCE) + b, xp.broadcast_to(a, x.shape)


def quadratic(xp: Module, recipe: DataRecipe, x: Array, u: list[Array]) -> tuple[Array, Array]:
    """Return y (M, T) and the slope of y = a (x - 5)^2 + b."""
    a = uniform(u[0], -recipe.quadratic_max, recipe.quadratic_max)
    b = uniform(u[1], recipe.offset_min, recipe.offset_max)
    return a * (x - REFERENCE) ** 2 + b, 2 * a * (x - REFERENCE)


def circle(xp: Module, recipe: DataRecipe, x: Array, u: list[Array]) -> tuple[Array, Array]:
    """Return y (M, T) and the slope of one branch of a circle; NaN where it does not reach x."""
    radius = uniform(u[0], recipe.circle_radius_min, recipe.circle_radius_max)
    centre_x = uniform(u[1], recipe.circle_x_min, recipe.circle_x_max)
    centre_y = uniform(u[2], recipe.circle_y_min, recipe.circle_y_max)
    branch = xp.where(u[3] < 0.5, 1.0, -1.0)
    rise = xp.sqrt(radius**2 - (x - centre_x) ** 2)
    return centre_y + branch * rise, -branch * (x - centre_x) / rise


CURVES = {"line": line, "quadratic": quadratic, "circle": circle}


def is_path(xp: Module, recipe: DataRecipe, y: Array, slope: Array) -> Array:
    """Tell which paths (M, T) stay within the bounds; NaN does not."""
    inside = (y > recipe.path_min) & (y < recipe.path_max) & (xp.abs(slope) <= recipe.slope_max)
    return xp.all(inside, -1)


def is_turned_path(xp: Module, recipe: DataRecipe, path: Array) -> Array:
    """Tell which turned paths (M, T, 2) stay within the bounds."""
    inside = (path >= recipe.path_min) & (path <= recipe.path_max)
    return xp.all(xp.all(inside, -1), -1)


def turned(xp: Module, points: Array, angle: Array, about: float) -> Array:
    """Turn points (N, ..., 2) by angle (N,) rad about (about, about)."""
    shape = (-1,) + (1,) * (points.ndim - 2)
    cos, sin = xp.cos(angle).reshape(shape), xp.sin(angle).reshape(shape)
    x, y = points[..., 0] - about, points[..., 1] - about
    return xp.stack([cos * x - sin * y + about, sin * x + cos * y + about], -1)


def grown(xp: Module, recipe: DataRecipe, direction: Array, length: Array, u: Array) -> Array:
    """Return arms (N, T, K, 2) along unit vectors (N, K, 2): of `length` (N, K) px, longer by u (N, T, K) a frame."""
    steps = u * recipe.growth_max
    steps[:, 0] = 0.0  # the growth starts after frame 0
    # The growth is along the arm in px.
    return direction[:, None] * (length[:, None] + xp.cumsum(steps, 1))[..., None]


def in_disc(xp: Module, radius: float, u: Array, v: Array) -> tuple[Array, Array]:
    """Return x and y of points anywhere in a disc about the origin."""
    length, angle = radius * xp.sqrt(u), 2 * math.pi * v
    return length * xp.cos(angle), length * xp.sin(angle)
