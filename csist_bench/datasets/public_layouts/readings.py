"""How annotations are meant: their axes, their origin and the rounding of the pictures, found by rendering all frames.

The published annotations and pictures disagree about which coordinate is the row, and one public loader takes an
option for coordinates that count from 1. So no name is trusted: every frame is rendered in every reading, and the one
that explains all pictures is taken. What a reading may leave is what rounding leaves: half a step of the pictures, and
what half a unit of the last decimal of each coordinate and brightness can move a pixel.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.errors import InputError
from csist_bench.files.convention import AXES, ORIGIN_PX, ORIGINS, Convention
from csist_bench.simulation.optics import Optics, pixel_response
from csist_bench.simulation.rendering import frames_from_targets

Floats = NDArray[np.float64]

READINGS = tuple(Convention(0, origin, axes) for axes, origin in itertools.product(AXES, ORIGINS))
PIXELS = ("rounded", "truncated")
NUMERICAL = 1e-3  # grey levels; what others' numerical integration of the PSF may add
SURE = 4.0  # standard errors between the two means that tell rounded pixels from truncated ones


def places(xy: Floats, reading: Convention) -> Floats:
    """Return positions (x, y) of annotated (xc, yc), shape (..., 2), px, in a reading."""
    plain = xy[..., ::-1] if reading.axes == "yx" else xy
    return np.ascontiguousarray(plain - ORIGIN_PX[reading.origin or "centre"])


def annotated(xy: Floats, reading: Convention) -> Floats:
    """Return the (xc, yc) that a reading turns into positions (x, y): the inverse of `places`."""
    moved = xy + ORIGIN_PX[reading.origin or "centre"]
    return np.ascontiguousarray(moved[..., ::-1] if reading.axes == "yx" else moved)


def words(reading: Convention) -> str:
    """Return a reading as the options that tell it."""
    return f"axes {reading.axes}, origin {reading.origin}"


def _short(index: int) -> str:
    return f"{READINGS[index].axes}/{READINGS[index].origin}"


@dataclass(frozen=True)
class Slack:
    """What numbers of few decimals can move a pixel: `of_light` per grey level of a frame, `of_target` per target."""

    of_light: float
    of_target: float

    @classmethod
    def of(cls, decimals: tuple[int, int], optics: Optics) -> Slack:
        """Return the slack of coordinates and brightness of so many decimals.

        A pixel answers s q(x) q(y) to a target, so by the mean value theorem it moves by no more than
        s max(q) max|q'| (|dx| + |dy|) + max(q)^2 |ds|.
        """
        place, light = (0.5 * 10.0**-digits for digits in decimals)
        offset = np.linspace(-0.5 - 6 * optics.psf_sigma, 0.5 + 6 * optics.psf_sigma, 20_001)
        response = pixel_response(offset, np.zeros(1), optics.psf_sigma)
        steepest = 1.001 * float(np.abs(np.gradient(response, offset)).max())
        highest = float(response.max())
        return cls(2 * place * highest * steepest, light * (highest**2 + 2 * place * highest * steepest))

    def __call__(self, light: Floats) -> Floats:
        """Return what each frame may differ by, grey levels, for intensities of shape (n, K)."""
        return np.asarray(self.of_light * np.nansum(light, axis=1) + self.of_target * np.isfinite(light).sum(axis=1))


class Residuals:
    """What every reading leaves of the pictures of one split, frame after frame."""

    def __init__(self, optics: Optics, step: float, ceiling: float, slack: Slack) -> None:
        self.optics, self.step, self.ceiling, self.slack = optics, step, ceiling, slack
        shape = len(READINGS), len(PIXELS)
        self.error = np.zeros(shape)  # of the frame that exceeds what is allowed by most
        self.allowed = np.zeros(shape)
        self.excess = np.full(shape, -np.inf)
        self.failed = np.full(shape, -1, dtype=np.int64)  # first frame that is not explained
        self.means = np.zeros((len(READINGS), 3))  # number, sum, sum of squares of rendered minus shown
        self.frames: list[NDArray[Any]] = []  # each frame's largest error, (n, readings)
        self.seen = 0

    def alive(self) -> NDArray[np.bool_]:
        """Tell which readings explain every frame so far, with rounded or truncated pixels."""
        return np.asarray((self.failed < 0).any(axis=1))

    def add(self, xy: Floats, light: Floats, shown: NDArray[Any], prune: bool = True) -> None:
        """Take in frames: annotated (n, K, 2) px, brightness (n, K) and pictures (n, H, W), both in grey levels.

        With `prune` readings that some frame before has ruled out are not rendered again.
        """
        allowed = 0.5 * self.step + NUMERICAL + self.slack(light)
        largest = np.full((len(shown), len(READINGS)), np.nan)
        alive = self.alive() if prune and self.seen else np.ones(len(READINGS), bool)
        for index in np.flatnonzero(alive).tolist():
            rendered = frames_from_targets(places(xy, READINGS[index]), light, self.optics)
            over = np.clip(rendered, 0, self.ceiling) - shown
            for column, shift in enumerate((0.0, 0.5 * self.step)):
                self._note(index, column, np.abs(over - shift).max(axis=(1, 2)), allowed)
            largest[:, index] = np.abs(over).max(axis=(1, 2))
            within = over[(shown >= self.step) & (shown < self.ceiling)]
            self.means[index] += len(within), within.sum(), (within**2).sum()
        self.frames.append(largest)
        self.seen += len(shown)

    def _note(self, index: int, column: int, errors: Floats, allowed: Floats) -> None:
        place = index, column
        worst = int(np.argmax(errors - allowed))
        excess = errors[worst] - allowed[worst]
        if excess > self.excess[place]:
            self.excess[place], self.error[place], self.allowed[place] = excess, errors[worst], allowed[worst]
        if excess > 0 and self.failed[place] < 0:
            self.failed[place] = self.seen + int(np.argmax(errors > allowed))


@dataclass(frozen=True)
class Found:
    """The reading that explains all pictures.

    `pixels` is "rounded", "truncated" or, where it cannot be told, "rounded or truncated"; `error` and `allowed` are
    those of the worst frame, grey levels, or the median and None of frames that no reading explains to the last digit
    (noise, background, clipping); `others` are the errors of the other readings.
    """

    reading: Convention
    pixels: str
    error: float
    allowed: float | None
    others: dict[str, float]

    def text(self) -> str:
        """Return it in words."""
        others = ", ".join(f"{name} {error:.3g}" for name, error in self.others.items())
        fit = f"median error {self.error:.3g} grey levels"
        if self.allowed is not None:
            fit = f"largest error {self.error:.3g} grey levels (allowed {self.allowed:.3g})"
        return f"{words(self.reading)}, pixels {self.pixels}: {fit}; other axes/origin: {others}"


def find_reading(
    parts: Mapping[str, Residuals], names: Mapping[str, list[str]], told: Convention, own: Convention | None
) -> Found:
    """Return the one reading that explains all splits.

    Parameters
    ----------
    parts : mapping
        Residuals by the path of a split.
    names : mapping
        The names of its pictures, in order.
    told : Convention
        What the user says; None in it is open.
    own : Convention, optional
        How this program wrote the annotations; taken where several readings explain all.

    Raises
    ------
    InputError
        With the errors of all readings, where none or several explain all pictures.
    """
    asked = [index for index, one in enumerate(READINGS) if one == told.over(one)]
    for path, part in parts.items():
        if not part.alive()[asked].any():
            raise _none_fits(path, part, names[path], asked)
    common = [index for index in asked if all(part.alive()[index] for part in parts.values())]
    if not common:
        raise _splits_differ(parts)
    if len(common) > 1 and own is not None and own in [READINGS[index] for index in common]:
        common = [READINGS.index(own)]
    if len(common) > 1:
        raise _several_fit(parts, common)
    return _found(list(parts.values()), common[0])


def best_reading(parts: Mapping[str, Residuals], told: Convention, own: Convention) -> Found:
    """Return the reading with the smallest median error, of frames with noise or background that none explains."""
    medians = np.median(np.concatenate([error for part in parts.values() for error in part.frames]), axis=0)
    asked = [index for index, one in enumerate(READINGS) if one == told.over(one)]
    best = min(asked, key=lambda index: (medians[index], READINGS[index] != own))
    others = {_short(i): float(medians[i]) for i in range(len(READINGS)) if i != best}
    return Found(READINGS[best], PIXELS[0], float(medians[best]), None, others)


def _found(parts: list[Residuals], index: int) -> Found:
    fits = [all(part.failed[index, column] < 0 for part in parts) for column in range(len(PIXELS))]
    if not any(fits):
        raise InputError(
            f"the pictures of one split are rounded and those of another truncated (with {words(READINGS[index])});"
            " make them alike"
        )
    pixels = _which_pixels(parts, index) if all(fits) else PIXELS[fits.index(True)]
    column = PIXELS.index(pixels) if pixels in PIXELS else 0
    worst = max(parts, key=lambda part: part.excess[index, column])
    others = {_short(i): _error(parts, i) for i in range(len(READINGS)) if i != index}
    error, allowed = float(worst.error[index, column]), float(worst.allowed[index, column])
    return Found(READINGS[index], pixels, error, allowed, others)


def _which_pixels(parts: list[Residuals], index: int) -> str:
    """Tell rounding from truncation by the mean of rendered minus shown, 0 or half a step, where decimals hide it."""
    number, total, squares = np.sum([part.means[index] for part in parts], axis=0)
    if number > 1:
        mean, step = total / number, parts[0].step
        error = np.sqrt(max(squares / number - mean**2, 0) / (number - 1))
        if abs(mean - step / 4) > SURE * error:
            return PIXELS[int(mean > step / 4)]
    return " or ".join(PIXELS)


def _error(parts: list[Residuals], index: int) -> float:
    return float(max(part.error[index, np.argmin(part.excess[index])] for part in parts))


def _listed(parts: list[Residuals], indices: list[int]) -> str:
    return ", ".join(f"{_short(index)} {_error(parts, index):.3g}" for index in indices)


def _none_fits(path: str, part: Residuals, names: list[str], asked: list[int]) -> InputError:
    last = part.failed.max(axis=1)  # with the rounding that holds longer
    nearest = max(asked, key=lambda index: int(last[index]))
    column = int(part.failed[nearest].argmax())
    every = list(range(len(READINGS)))
    what = "in no reading" if asked == every else f"not with {' or '.join(words(READINGS[i]) for i in asked)}"
    return InputError(
        f"{path}: the annotations explain the pictures {what}; the nearest, {words(READINGS[nearest])}, fails first at"
        f" {names[last[nearest]]}; largest errors in grey levels, by axes/origin: {_listed([part], every)}"
        f" (allowed {part.allowed[nearest, column]:.3g}); correct the annotation or the picture (frames with noise or a"
        " background are imported from exports of csist-bench alone)"
    )


def _splits_differ(parts: Mapping[str, Residuals]) -> InputError:
    said = [
        f"{' or '.join(words(READINGS[i]) for i in np.flatnonzero(part.alive()))} in {path}"
        for path, part in parts.items()
    ]
    return InputError(f"the annotations mean {', but '.join(said)}; make the annotations agree")


def _several_fit(parts: Mapping[str, Residuals], common: list[int]) -> InputError:
    readings = [READINGS[index] for index in common]
    flags = [
        f"--{name} {'|'.join(sorted({getattr(one, name) for one in readings}))}"
        for name in ("axes", "origin")
        if len({getattr(one, name) for one in readings}) > 1
    ]
    errors = _listed(list(parts.values()), common)
    return InputError(
        f"{', '.join(parts)}: the annotations explain the pictures in {len(common)} readings (largest errors in grey"
        f" levels, by axes/origin: {errors}); tell which one with {' and '.join(flags)}"
    )
