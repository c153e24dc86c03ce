"""A Markov chain over the targets of one group: K of them anywhere in a disc about a free centre, rigid over m frames.

In frame t target k stands at place_k + sum_i basis[t, i] path_i, with intensity light_k; pixels carry plain read noise.
Every other step changes one thing (a place, two places against each other, all of them, a turn of two or of all about
their middle, a light, two lights against each other, the path), the others everything at once, along what the chain has
seen to vary together (adaptive Metropolis: Haario, Saksman and Tamminen, Bernoulli 7, 2001); each is accepted by
Metropolis' rule. What varies together, and the lengths of the former steps, are tuned while the chain burns in alone,
when the noise is at first also taken as larger, to let the chain find its way. Random numbers are the caller's; numbers
come out, nothing is checked.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csist_bench.jit import jit, jit_inner
from csist_bench.methods.fitting.lanes import padded
from csist_bench.methods.fitting.pixel_model import axis_response

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ONE, PAIR, ALL, TURN_PAIR, TURN_ALL, LIGHT, LIGHTS, PATH, JOINT = range(9)
KINDS_OF_ONE_FRAME, KINDS = 7, 8  # that change one thing
STRIPS = 24  # of the area that discs share
HOT = 30.0  # the factor of the noise's variance at first
TARGET_RATE, TUNING = 0.3, 0.05  # of acceptance, and how fast lengths follow it
LONGEST = 3.0  # px, rad; lengths of light are in units of LIGHT_UNIT
LIGHT_UNIT = 20.0
STEP_OF_ALL = 2.4  # over sqrt(d) standard deviations: the best length for a normal law of d unknowns
REFRESHES = 8  # of what varies together, from the middle of the burn-in to its end


class Scene(NamedTuple):
    """What is seen and known of a group.

    pixels, row, column : (m, n, n), grey levels, and the first row and column, px
    basis, path_sd : (m, D), and the standard deviation of each coefficient along each axis, px
    low, high : of intensities, grey levels; radius : of the disc, px; sigma : read noise, grey levels
    table : of the PSF, `pixel_model.psf_table`
    """

    pixels: Floats
    row: int
    column: int
    basis: Floats
    path_sd: Floats
    low: float
    high: float
    radius: float
    sigma: float
    table: Floats


class Chain(NamedTuple):
    """What a chain leaves: S samples, thinned: place (S, K, 2) px in the frame asked for, light (S, K), chi2 (S,)."""

    place: Floats
    light: Floats
    chi2: Floats


@jit_inner
def shared_area(place: Floats, radius: float) -> float:
    """Return the area within `radius` of every place (K, 2): of the centres that a disc can have; px^2."""
    left, right = place[:, 0].max() - radius, place[:, 0].min() + radius
    if left >= right:
        return 0.0
    total, width = 0.0, float(right - left) / STRIPS
    for i in range(STRIPS):
        x = left + (i + 0.5) * width
        low, high = -math.inf, math.inf
        for k in range(len(place)):
            half = math.sqrt(max(radius * radius - (x - place[k, 0]) ** 2, 0.0))
            low, high = max(low, place[k, 1] - half), min(high, place[k, 1] + half)
        total += max(high - low, 0.0)
    return float(total * width)


@jit_inner
def log_prior(place: Floats, light: Floats, path: Floats, scene: Scene) -> float:
    """Return the log density of a state, up to a constant; -inf where it cannot be."""
    size = scene.pixels.shape[1]
    for k in range(len(light)):
        if light[k] < scene.low or light[k] > scene.high:
            return -math.inf
        # Beyond the window nothing is seen, and while the noise is taken as larger a group could drift off for good.
        if abs(place[k, 0] - scene.column - 0.5 * (size - 1)) > 0.5 * size:
            return -math.inf
        if abs(place[k, 1] - scene.row - 0.5 * (size - 1)) > 0.5 * size:
            return -math.inf
    area = shared_area(place, scene.radius)
    if area <= 0.0:
        return -math.inf
    total = math.log(area)
    for i in range(len(path)):
        total -= 0.5 * (path[i, 0] ** 2 + path[i, 1] ** 2) / scene.path_sd[i] ** 2
    return total


@jit_inner
def respond(place: Floats, path: Floats, moved: NDArray[np.bool_], scene: Scene, across: Floats, down: Floats) -> None:
    """Fill the responses of columns and rows, `across` and `down` (m, K, padded), to the targets that moved."""
    slope = np.empty(across.shape[1:])
    for t in range(scene.pixels.shape[0]):
        dx, dy = 0.0, 0.0
        for i in range(len(path)):
            dx += scene.basis[t, i] * path[i, 0]
            dy += scene.basis[t, i] * path[i, 1]
        for k in range(len(moved)):
            if moved[k]:
                axis_response(place[k, 0] + dx, scene.column, scene.table, k, across[t], slope)
                axis_response(place[k, 1] + dy, scene.row, scene.table, k, down[t], slope)


@jit_inner
def misfit(light: Floats, scene: Scene, across: Floats, down: Floats) -> float:
    """Return the sum of squared residuals over sigma^2."""
    frames, size = scene.pixels.shape[0], scene.pixels.shape[1]
    total = 0.0
    left = np.empty(size)
    for t in range(frames):
        for i in range(size):
            left[:] = scene.pixels[t, i]
            for k in range(len(light)):
                height = light[k] * down[t, k, i]
                for j in range(size):
                    left[j] -= height * across[t, k, j]
            for j in range(size):
                total += left[j] * left[j]
    return total / scene.sigma**2


@jit_inner
def copy_moved(moved: NDArray[np.bool_], source: Floats, target: Floats) -> None:
    """Copy the responses (m, K, n) of the targets that moved."""
    for t in range(source.shape[0]):
        for k in range(source.shape[1]):
            if moved[k]:
                target[t, k] = source[t, k]


@jit_inner
def turn(place: Floats, which: Ints, angle: float) -> None:
    """Turn the places `which` about their middle, in place."""
    x, y = place[which, 0].mean(), place[which, 1].mean()
    cos, sin = math.cos(angle), math.sin(angle)
    for k in which:
        u, v = place[k, 0] - x, place[k, 1] - y
        place[k, 0], place[k, 1] = x + cos * u - sin * v, y + sin * u + cos * v


@jit_inner
def propose(
    kind: int,
    length: float,
    pick: float,
    normal: Floats,
    place: Floats,
    light: Floats,
    path: Floats,
    path_sd: Floats,
    moved: NDArray[np.bool_],
) -> None:
    """Change a state in place by one step of a kind; `pick` in [0, 1) says which targets, `normal` (2,) whereto.

    Out: `moved` (K,), whose places changed.
    """
    targets = len(light)
    moved[:] = kind in (ALL, TURN_ALL, PATH)
    i = int(pick * targets)
    j = (i + 1 + int((pick * targets - i) * (targets - 1))) % targets
    if kind in (ONE, PAIR, TURN_PAIR):
        moved[i] = True
    if kind in (PAIR, TURN_PAIR):
        moved[j] = True
    if kind == ONE:
        place[i] += length * normal
    elif kind == PAIR:
        place[i] += length * normal
        place[j] -= length * normal
    elif kind == ALL:
        for k in range(targets):
            place[k] += length * normal
    elif kind == TURN_PAIR:
        turn(place, np.array([i, j]), length * normal[0])
    elif kind == TURN_ALL:
        turn(place, np.arange(targets), length * normal[0])
    elif kind == LIGHT:
        light[i] += length * LIGHT_UNIT * normal[0]
    elif kind == LIGHTS:
        light[i] += length * LIGHT_UNIT * normal[0]
        light[j] -= length * LIGHT_UNIT * normal[0]
    else:
        which = int(pick * len(path))
        path[which] += length * path_sd[which] * normal


class Together(NamedTuple):
    """What the chain has seen of its d unknowns since the noise is taken as it is: places, lights, path, in units.

    number : (1,), of states; mean : (d,); scatter : (d, d), summed products of departures; factor : (d, d), lower
    triangle with factor factor' = covariance
    """

    number: Floats
    mean: Floats
    scatter: Floats
    factor: Floats


@jit_inner
def together_of(d: int) -> Together:
    """Return what is known of d unknowns before any state was seen."""
    return Together(np.zeros(1), np.zeros(d), np.zeros((d, d)), 0.1 * np.eye(d))


@jit_inner
def note_state(place: Floats, light: Floats, path: Floats, path_sd: Floats, together: Together) -> None:
    """Add a state to the mean and the scatter (Welford's update)."""
    targets, d = len(light), len(together.mean)
    away = np.empty(d)
    for k in range(targets):
        away[2 * k], away[2 * k + 1] = place[k, 0], place[k, 1]
        away[2 * targets + k] = light[k] / LIGHT_UNIT
    for i in range(len(path)):
        for axis in range(2):
            away[3 * targets + 2 * i + axis] = path[i, axis] / path_sd[i]
    together.number[0] += 1.0
    weight = 1.0 - 1.0 / together.number[0]
    for a in range(d):
        away[a] -= together.mean[a]
        together.mean[a] += away[a] / together.number[0]
    for a in range(d):
        for b in range(d):
            together.scatter[a, b] += weight * away[a] * away[b]


@jit_inner
def refresh_factor(together: Together) -> None:
    """Take the covariance of the states that were seen as what varies together."""
    d = len(together.mean)
    covariance = together.scatter / together.number[0] + 1e-8 * np.eye(d)
    together.factor[:] = np.linalg.cholesky(covariance)


@jit_inner
def move_all(
    length: float, normal: Floats, place: Floats, light: Floats, path: Floats, path_sd: Floats, factor: Floats
) -> None:
    """Change a state in place by `length` times the factor (d, d) times `normal` (d,)."""
    targets = len(light)
    step = length * (factor @ normal)
    for k in range(targets):
        place[k, 0] += step[2 * k]
        place[k, 1] += step[2 * k + 1]
        light[k] += LIGHT_UNIT * step[2 * targets + k]
    for i in range(len(path)):
        for axis in range(2):
            path[i, axis] += path_sd[i] * step[3 * targets + 2 * i + axis]


@jit
def run_chain(
    scene: Scene, place: Floats, light: Floats, normal: Floats, uniform: Floats, burn: int, offset: int, chain: Chain
) -> None:
    """Run one chain of K >= 2 targets and leave its samples, spread evenly over the steps after `burn`.

    Parameters
    ----------
    place, light : (K, 2) and (K,), where the chain begins; they move
    normal, uniform : (N, d) and (N, 2), random numbers of every step; d unknowns, 3 K + 2 D
    offset : the frame of the group in which places are asked for
    """
    steps, kinds = len(normal), KINDS if scene.pixels.shape[0] > 1 else KINDS_OF_ONE_FRAME
    path = np.zeros((len(scene.path_sd), 2))
    across, down = np.empty((2, scene.pixels.shape[0], len(light), padded(scene.pixels.shape[1])))
    length, moved = np.full(KINDS + 1, 0.1), np.ones(len(light), np.bool_)
    together, refreshed = together_of(normal.shape[1]), False
    respond(place, path, moved, scene, across, down)
    prior, chi2 = log_prior(place, light, path, scene), misfit(light, scene, across, down)
    new_across, new_down = across.copy(), down.copy()
    every, kept = (steps - burn) // len(chain.chi2), 0
    between = max(burn // (2 * REFRESHES), 1)
    new_place, new_light, new_path = place.copy(), light.copy(), path.copy()
    for step in range(steps):
        kind = JOINT if step % 2 else (step // 2) % kinds
        new_place[:], new_light[:], new_path[:] = place, light, path
        if kind == JOINT:
            moved[:] = True
            move_all(length[JOINT], normal[step], new_place, new_light, new_path, scene.path_sd, together.factor)
        else:
            pick, whereto = uniform[step, 0], normal[step, :2]
            propose(kind, length[kind], pick, whereto, new_place, new_light, new_path, scene.path_sd, moved)
        new_prior = log_prior(new_place, new_light, new_path, scene)
        accepted = False
        if new_prior > -math.inf:
            respond(new_place, new_path, moved, scene, new_across, new_down)
            new_chi2 = misfit(new_light, scene, new_across, new_down)
            heat = HOT ** max(1.0 - 2.0 * step / burn, 0.0)
            gain = new_prior - prior - 0.5 * (new_chi2 - chi2) / heat
            accepted = math.log(max(uniform[step, 1], 1e-300)) < gain
            if accepted:
                place[:], light[:], path[:], prior, chi2 = new_place, new_light, new_path, new_prior, new_chi2
                copy_moved(moved, new_across, across)
                copy_moved(moved, new_down, down)
            else:
                copy_moved(moved, across, new_across)
                copy_moved(moved, down, new_down)
        if step < burn:
            if 2 * step >= burn:
                note_state(place, light, path, scene.path_sd, together)
                if (step + 1) % between == 0:
                    if not refreshed:  # from then on the length follows the rate of acceptance
                        length[JOINT], refreshed = STEP_OF_ALL / math.sqrt(len(together.mean)), True
                    refresh_factor(together)
            length[kind] = min(length[kind] * math.exp(TUNING * (accepted - TARGET_RATE)), LONGEST)
        elif (step - burn) % every == every - 1 and kept < len(chain.chi2):
            chain.chi2[kept] = chi2
            for k in range(len(light)):
                chain.light[kept, k] = light[k]
                for axis in range(2):
                    chain.place[kept, k, axis] = place[k, axis]
                    for i in range(len(path)):
                        chain.place[kept, k, axis] += scene.basis[offset, i] * path[i, axis]
            kept += 1
