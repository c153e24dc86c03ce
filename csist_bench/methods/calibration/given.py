"""What of a camera is known before it is calibrated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import msgspec
from numpy.typing import NDArray

from csist_bench.errors import must
from csist_bench.simulation.camera import NOISE_FLOOR_FLOAT, NOISE_FLOOR_INTEGER, Camera
from csist_bench.simulation.camera_file import AUTO, CameraFields, CameraFile, apply
from csist_bench.simulation.optics import Optics

ROUGH_WIDTH = 0.7  # px, of the filter that finds groups before the PSF is known

# The fields that are sought where they are not told.
SOUGHT = frozenset(("psf_sigma", "noise_sigma", "gain", "background", "saturation", "intensity", "bad_pixels"))
NOTHING = CameraFile(CameraFields(), "given")


@dataclass(frozen=True, eq=False)
class Given:
    """What is known beforehand and not sought: the fields of a camera file, and the camera that has them."""

    camera: Camera
    told: CameraFile = NOTHING

    @classmethod
    def of(cls, told: CameraFile | None, frames: NDArray[Any]) -> Given:
        """Return what is told of the camera of frames (N, T, H, W); all else is where the search begins.

        Raises
        ------
        InputError
            If everything was told, or a map has another shape than the frames.
        """
        told = told or NOTHING
        if told.fields.bad_pixels == AUTO:
            told = replace(told, fields=msgspec.structs.replace(told.fields, bad_pixels=None))
        if not SOUGHT - told_names(told):
            raise must(
                told.where, f"leave out one of {', '.join(sorted(SOUGHT))}", "all of them", "nothing is left to find"
            )
        shape = frames.shape[2:]
        floor = NOISE_FLOOR_INTEGER if frames.dtype.kind in "iu" else NOISE_FLOOR_FLOAT
        start = Camera(Optics(ROUGH_WIDTH, size=max(shape)), noise_sigma=floor, noise_floor=floor)
        return cls(apply(start, told, shape), told)

    @property
    def names(self) -> frozenset[str]:
        """Names of the fields that are not sought."""
        return told_names(self.told)


def told_names(told: CameraFile) -> frozenset[str]:
    """Return the fields that a camera file tells; a PSF of any shape tells its width."""
    spline = {"psf_sigma"} if told.fields.psf == "spline" else set()
    return frozenset(told.table()) | spline
