"""What a calibration found: figures with errors, what could not be found and why, and the camera file that says so."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.methods.calibration.sensor import Background, PhotonTransfer
from csist_bench.methods.calibration.widths import Widths
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.camera_file import CameraFields, CameraFile

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DIGITS = 6  # significant ones of the figures in a camera file
BAD_SHOWN = 5  # pixels


@dataclass(frozen=True)
class Figure:
    """A figure of the camera by its field's name: value and standard error (one each, or two along x and y), unit.

    `error` is None where the figure has none, `given` says that it was told; `remark` is for readers.
    """

    name: str
    value: Any
    error: Any = None
    unit: str = ""
    given: bool = False
    remark: str = ""

    def text(self) -> str:
        """Return the figure as one line."""
        if self.given:
            return f"{self.name}: {_plain(self.value)}, as told"
        if self.error is None:
            text = str(_plain(self.value))
        elif isinstance(self.value, tuple):
            text = " x ".join(with_error(value, error) for value, error in zip(self.value, self.error))
        else:
            text = with_error(self.value, self.error)
        unit = f" {self.unit}" if self.unit and not isinstance(self.value, str) else ""
        return f"{self.name}: {text}{unit}" + (f" ({self.remark})" if self.remark else "")

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        value, error = (list(v) if isinstance(v, tuple) else v for v in (self.value, self.error))
        return {"value": value, "error": error, "unit": self.unit, "given": self.given, "remark": self.remark}


@dataclass(frozen=True, eq=False)
class Calibration:
    """What frames tell of their camera; None where they do not tell.

    `level` is the background's mean and its error, grey levels, `noise` what the background alone shows of the noise
    and the error of that. `residual` (n, n) is the mean of what the fits leave about the brightest pixel, in standard
    errors of that mean; `intensities` (n,) are the fitted ones, grey levels. `missing` maps fields that could not be
    found to the reason, `given` (fields told) were not sought. `bad` is (H, W), of whole frames; `whole` is their
    (N, T, H, W). `sequences` were fitted.
    """

    camera: Camera
    background: Background
    widths: Widths | None
    transfer: PhotonTransfer | None
    level: tuple[float, float]
    noise: tuple[float, float]
    saturation: float | None
    bad: Bools | None
    intensity_law: tuple[float, float] | None
    intensities: Floats
    residual: Floats | None
    sequences: int
    whole: tuple[int, ...]
    missing: dict[str, str]
    told: CameraFile

    def figures(self) -> list[Figure]:
        """Return all that is known, found or told, in the order of a camera file."""
        given = self.told.table()
        found = [self._psf(), self._noise(), self._gain(), self._background(), *self._extremes(), self._intensity()]
        shown = [Figure(name, value, given=True) for name, value in given.items()]
        return shown + [one for one in found if one is not None and one.name not in given]

    def _psf(self) -> Figure | None:
        if self.widths is None:
            return None
        used = int((self.widths.counts > 0).sum())
        remark = f"{used} of {self.sequences} sequences agree"
        return Figure("psf_sigma", self.widths.sigma, self.widths.error, "px", remark=remark)

    def _noise(self) -> Figure | None:
        if "noise_sigma" in self.missing:
            return None
        value, error = self.noise if self.transfer is None else self.transfer.noise_sigma
        remark = "of pixels beside the targets" if self.transfer is None else ""
        return Figure("noise_sigma", value, error, "grey levels", remark=remark)

    def _gain(self) -> Figure | None:
        if self.transfer is None:
            return None
        value, error = self.transfer.gain
        remark = "no shot noise seen" if value == 0 else ""
        return Figure("gain", value, error, "grey levels per photo-electron", remark=remark)

    def _background(self) -> Figure:
        law, (level, error) = self.background.law, self.level
        if law in ("plane", "constant"):
            slope = "it differs over the frame" if law == "plane" else "it differs from frame to frame"
            return Figure("background", law, remark=f"{slope}; mean {with_error(level, error)} grey levels")
        if law == "none":
            return Figure("background", "none", remark=f"mean {with_error(level, error)} grey levels")
        return Figure("background", level, error, "grey levels")

    def _extremes(self) -> list[Figure]:
        found = []
        if self.saturation is not None:
            remark = "the highest value, at which pixels pile up"
            found.append(Figure("saturation", self.saturation, None, "grey levels", remark=remark))
        if self.bad is not None:
            places = [f"({r}, {c})" for r, c in np.argwhere(self.bad)]
            more = f" and {len(places) - BAD_SHOWN} more" if len(places) > BAD_SHOWN else ""
            remark = f"(row, column) {', '.join(places[:BAD_SHOWN])}{more}"
            found.append(Figure("bad_pixels", int(self.bad.sum()), remark=remark))
        return found

    def _intensity(self) -> Figure:
        if self.intensity_law is not None:
            return Figure("intensity", self.intensity_law, None, "grey levels")
        remark = "no law of them is known" if len(self.intensities) else "no target was measured"
        return Figure("intensity", "free", remark=remark)

    def camera_file(self, bad_name: str = "bad.npy") -> CameraFile:
        """Return the fields found and told as a camera file; what could not be found is left out.

        `bad_name` is the file of the mask of bad pixels, where any was found.
        """
        table: dict[str, Any] = {}
        for figure in self.figures():
            if figure.given:
                continue
            table[figure.name] = bad_name if figure.name == "bad_pixels" else _rounded(figure.value)
            if figure.name == "psf_sigma":
                table["psf_sigma_error"] = _rounded(figure.error)
        fields = CameraFields(**table | self._told_fields())
        return CameraFile(fields, "calibration", self.told.psf, self.told.noise_map, self._bad_of(fields))

    def _told_fields(self) -> dict[str, Any]:
        return {name: getattr(self.told.fields, name) for name in self.told.table()}

    def _bad_of(self, fields: CameraFields) -> Bools | None:
        if fields.bad_pixels is None:
            return None
        return self.told.bad if self.told.bad is not None else self.bad

    def to_dict(self) -> dict[str, Any]:
        """Return all of it but the arrays, for JSON."""
        return {
            "frames": list(self.whole),
            "sequences_fitted": self.sequences,
            "figures": {figure.name: figure.to_dict() for figure in self.figures()},
            "missing": dict(self.missing),
        }

    def to_text(self) -> str:
        """Return all figures, one a line, and what could not be found and why."""
        missing = [f"{name}: not found: {reason}" for name, reason in self.missing.items()]
        return "\n".join([figure.text() for figure in self.figures()] + missing)


def _rounded(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_rounded(one) for one in value)
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(str(_plain(one)) for one in value)}]"
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else value


def with_error(value: float, error: float) -> str:
    """Return `value +- error`, both to two digits of the error."""
    if not 0 < error < math.inf:
        return f"{value:.4g}"
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{digits}f} +- {error:.{digits}f}"
