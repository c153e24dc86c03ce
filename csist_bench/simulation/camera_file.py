"""What a `camera.toml` says of an imager, and how it changes what a method is told.

The file lists what is known; what it leaves out stays as it was told, by a data recipe or an assumption. Reading and
writing it, and the arrays that it names, is in `datasets.camera_files`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from csist_bench.errors import InputError, must, require_finite, require_shape, unknown
from csist_bench.recipes import DataRecipe
from csist_bench.simulation.camera import BackgroundLaw, Camera, PixelMaps
from csist_bench.simulation.spline_psf import SplinePsf

Floats = NDArray[np.float64]

SCHEMA = "csist-bench/camera@1"
WIDEST_PSF = 50.0  # px, as in recipes
AUTO, FREE = "auto", "free"


class CameraFields(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a camera file; None: not told. Lengths in px, light and noise in grey levels.

    `psf_sigma` and `psf_sigma_error` are one number for both axes or two, (x, y). `noise_sigma` is the read noise, or
    the name of an .npy map of it. Variance is noise_sigma^2 + `gain` x signal. `background` is a known level ("none":
    0), or fitted in every frame, "constant" or "plane". Pixels at `saturation` are censored. `intensity` is the range
    of one target's total, or "free". `bad_pixels` is the name of an .npy mask, or "auto": found in the frames.
    """

    psf: Literal["gaussian", "spline"] | None = None
    psf_file: str | None = None
    psf_sigma: float | tuple[float, float] | None = None
    psf_sigma_error: float | tuple[float, float] | None = None
    noise_sigma: float | str | None = None
    gain: float | None = None
    background: float | Literal["none", "constant", "plane"] | None = None
    saturation: float | None = None
    intensity: tuple[float, float] | Literal["free"] | None = None
    bad_pixels: str | None = None

    def __post_init__(self) -> None:
        for name, bound in _LEAST.items():
            self._check_numbers(name, bound)
        if isinstance(self.intensity, tuple) and self.intensity[0] > self.intensity[1]:
            raise must("intensity", "be [low, high] with low <= high", list(self.intensity))
        if self.psf == "spline" and self.psf_file is None:
            raise must("psf_file", "be told with psf = 'spline'", "none")
        if self.psf != "spline" and self.psf_file is not None:
            raise must("psf", "be 'spline' where psf_file is told", "none" if self.psf is None else self.psf)
        if self.psf == "spline" and isinstance(self.psf_sigma, tuple):
            raise must("psf_sigma", "be one number with psf = 'spline', its effective width", list(self.psf_sigma))
        if self.saturation is not None and self.level is not None and self.saturation <= self.level:
            raise must("saturation", f"be above the background, {self.level:g}", self.saturation)

    def _check_numbers(self, name: str, bound: tuple[float, bool]) -> None:
        """Refuse numbers of a field that are not finite (saturation may be infinite: none) or too small."""
        least, itself = bound
        value = getattr(self, name)
        for number in value if isinstance(value, tuple) else (value,):
            if not isinstance(number, float):
                continue
            finite = math.isfinite(number) or (name == "saturation" and number == math.inf)
            if not finite or number < least or (number == least and not itself):
                rule = "be finite" if least == -math.inf else f"be {'at least' if itself else 'above'} {least:g}"
                raise must(name, rule, list(value) if isinstance(value, tuple) else value)
            if name.startswith("psf_sigma") and number > WIDEST_PSF:
                raise must(name, f"be at most {WIDEST_PSF:g} px", number)

    @property
    def level(self) -> float | None:
        """The background's level where it is told, grey levels."""
        return 0.0 if self.background == "none" else self.background if isinstance(self.background, float) else None

    def table(self) -> dict[str, Any]:
        """Return the fields told, as plain values."""
        told = {name: value for name in _NAMES if (value := getattr(self, name)) is not None}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}


# The least value of each field's numbers, and whether that one is allowed.
_LEAST = {
    "psf_sigma": (0.0, False),
    "psf_sigma_error": (0.0, True),
    "noise_sigma": (0.0, True),
    "gain": (0.0, True),
    "background": (-math.inf, False),
    "saturation": (-math.inf, False),
    "intensity": (0.0, False),
}
_NAMES = CameraFields.__struct_fields__
_RULES = {
    "psf": "be 'gaussian' or 'spline'",
    "psf_file": "be the name of an .npy file",
    "psf_sigma": "be a number of px, or two, [x, y]",
    "psf_sigma_error": "be a number of px, or two, [x, y]",
    "noise_sigma": "be a number of grey levels, or the name of an .npy map",
    "gain": "be a number, grey levels per photo-electron",
    "background": "be 'none', 'constant', 'plane' or a number of grey levels",
    "saturation": "be a number of grey levels",
    "intensity": "be [low, high], grey levels, or 'free'",
    "bad_pixels": "be the name of an .npy mask, or 'auto'",
}


def fields_of(table: Mapping[str, Any], where: str) -> CameraFields:
    """Return the fields of a plain table (without the schema).

    Raises
    ------
    InputError
        Naming `where`, the field, its rule and the value, if a field is unknown or cannot be.
    """
    for name in table:
        if name not in _NAMES:
            raise InputError(f"{where}: {unknown('field', name, _NAMES)}")
    try:
        return msgspec.convert(dict(table), CameraFields)
    except msgspec.ValidationError as error:
        _, at, place = str(error).partition(" - at `$.")
        name = place.rstrip("`").split("[")[0]
        if not at or name not in _RULES:  # a rule of `CameraFields` itself
            raise InputError(f"{where}: {error}") from None
        raise InputError(f"{where}: {must(name, _RULES[name], table[name])}") from None


@dataclass(frozen=True, eq=False)
class CameraFile:
    """The fields told and the arrays that they name.

    `psf` is that of `psf_file`, `noise_map` (H, W), grey levels, that of `noise_sigma`, `bad` (H, W), bool, that of
    `bad_pixels`; `where` names the file in messages.
    """

    fields: CameraFields
    where: str = "camera"
    psf: SplinePsf | None = None
    noise_map: Floats | None = None
    bad: NDArray[np.bool_] | None = None

    def with_noise_sigma(self, noise_sigma: float | None) -> CameraFile:
        """Return what is told with another read noise, grey levels; None leaves it as it is."""
        if noise_sigma is None:
            return self
        fields = msgspec.structs.replace(self.fields, noise_sigma=float(noise_sigma))
        return replace(self, fields=fields, noise_map=None)

    def table(self) -> dict[str, Any]:
        """Return the fields told, as plain values."""
        return self.fields.table()


def apply(
    camera: Camera,
    told: CameraFile,
    frame_shape: tuple[int, int],
    found_bad: NDArray[np.bool_] | None = None,
) -> Camera:
    """Return a camera in which what a file tells replaces what it said; what is not told stays.

    Parameters
    ----------
    camera : Camera
        What a recipe says, or what is assumed; names told leave its `assumed`.
    told : CameraFile
    frame_shape : (H, W), pixels
    found_bad : ndarray of bool, shape (H, W), optional
        Bad pixels found in the frames, for `bad_pixels = "auto"`.

    Raises
    ------
    InputError
        If a map is of another shape than the frames, every pixel is bad, "auto" was told and nothing was found in the
        frames, or the saturation lies at or below the background.
    """
    fields = told.fields
    told_names = set(fields.table()) | ({"psf_sigma"} if fields.psf == "spline" else set())
    changed = _told_psf(camera, told) | _told_light(camera, fields) | _told_noise(camera, told, frame_shape, found_bad)
    changed["assumed"] = tuple(name for name in camera.assumed if name not in told_names)
    made = replace(camera, **changed)
    if {"saturation", "background"} & told_names and made.saturation <= made.background:
        rule = f"be above the background, {made.background:g}"
        raise must(f"{told.where}: saturation", rule, made.saturation, "tell both, saturation and background")
    return made


def _told_psf(camera: Camera, told: CameraFile) -> dict[str, Any]:
    fields, changed = told.fields, dict[str, Any]()
    sigma = fields.psf_sigma
    if fields.psf is not None:
        changed["psf"] = told.psf
        changed["psf_sigma_xy"] = None if told.psf is not None else camera.psf_sigma_xy
        if told.psf is not None and sigma is None:
            sigma = math.sqrt(math.prod(told.psf.widths))
    if sigma is not None:
        across, down = sigma if isinstance(sigma, tuple) else (sigma, sigma)
        changed["optics"] = replace(camera.optics, psf_sigma=math.sqrt(across * down))  # one width: that one exactly
        changed["psf_sigma_xy"] = None if across == down else (across, down)
    if fields.psf_sigma_error is not None:
        error = fields.psf_sigma_error
        changed["psf_sigma_error"] = error if isinstance(error, tuple) else (error, error)
    return changed


def _told_light(camera: Camera, fields: CameraFields) -> dict[str, Any]:
    changed = dict[str, Any]()
    if fields.gain is not None:
        changed["shot_gain"] = fields.gain
    if fields.level is not None:
        changed |= {"background": fields.level, "background_law": "level"}
    elif fields.background is not None:
        law: BackgroundLaw = "plane" if fields.background == "plane" else "constant"
        changed["background_law"] = law
    if fields.saturation is not None:
        changed["saturation"] = fields.saturation
    if fields.intensity == FREE:
        changed["intensity_free"] = True
    elif isinstance(fields.intensity, tuple):
        low, high = fields.intensity
        changed |= {"intensity_min": low, "intensity_max": high, "intensity_free": False}
    return changed


def _told_noise(
    camera: Camera, told: CameraFile, frame_shape: tuple[int, int], found_bad: NDArray[np.bool_] | None
) -> dict[str, Any]:
    fields, changed = told.fields, dict[str, Any]()
    maps = camera.maps or PixelMaps()
    if fields.bad_pixels is not None:
        bad = found_bad if fields.bad_pixels == AUTO else told.bad
        if bad is None:
            remedy = "csist-bench calibrate finds bad pixels and writes them into a file"
            raise must(f"{told.where}: bad_pixels", "be the name of a file here", fields.bad_pixels, remedy)
        _require_map(f"{told.where}: bad_pixels {fields.bad_pixels}", bad, frame_shape)
        if bad.all():
            raise must(f"{told.where}: bad_pixels", "leave pixels that are good", "all bad")
        maps = replace(maps, bad=bad if bad.any() else None)
    if isinstance(fields.noise_sigma, float):
        changed["noise_sigma"] = max(fields.noise_sigma, camera.noise_floor)
        maps = replace(maps, noise_sigma=None)
    elif told.noise_map is not None:
        _require_map(f"{told.where}: noise_sigma {fields.noise_sigma}", told.noise_map, frame_shape)
        floored = np.maximum(told.noise_map, camera.noise_floor)
        good = floored if maps.bad is None else floored[~maps.bad]
        changed["noise_sigma"] = float(np.median(good))
        maps = replace(maps, noise_sigma=floored)
    changed["maps"] = None if maps.bad is None and maps.noise_sigma is None else maps
    return changed


def _require_map(name: str, values: NDArray[Any], frame_shape: tuple[int, int]) -> None:
    require_shape(name, values, frame_shape, "(H, W), that of the frames,")


def bad_pixel_mask(values: NDArray[Any], name: str) -> NDArray[np.bool_]:
    """Return a mask of bad pixels, (H, W), from an array of truth values or of zeros and ones."""
    require_shape(name, values, (None, None), "(H, W)")
    if values.dtype.kind not in "biu" or not np.isin(values, (0, 1)).all():
        raise must(name, "hold truth values, or 0 and 1", f"{values.dtype} {values.shape}", "true: the pixel is bad")
    return values.astype(np.bool_)


def noise_sigma_map(values: NDArray[Any], name: str) -> Floats:
    """Return a map of read noise, (H, W), grey levels."""
    require_shape(name, values, (None, None), "(H, W)")
    if values.dtype.kind not in "fiu" or not values.size:
        raise must(name, "hold numbers, grey levels", f"{values.dtype} {values.shape}")
    noise = values.astype(np.float64)
    require_finite(name, noise)
    if noise.min() < 0:
        raise must(name, "be at least 0 everywhere", float(noise.min()))
    return noise


def recipe_fields(told: CameraFile) -> dict[str, Any]:
    """Return the fields of a data recipe that make frames as a camera file tells; `psf_sigma_error` makes none.

    Raises
    ------
    InputError
        Naming the first field that no recipe can express.
    """
    fields, where = told.fields, told.where
    expressible = {
        "psf": (fields.psf != "spline", "be 'gaussian'"),
        "psf_sigma": (
            not isinstance(fields.psf_sigma, tuple) or len(set(fields.psf_sigma)) == 1,
            "be one width for both axes",
        ),
        "noise_sigma": (not isinstance(fields.noise_sigma, str), "be one number"),
        "background": (fields.background not in ("constant", "plane"), "be a level"),
        "intensity": (fields.intensity != FREE, "be a range"),
        "bad_pixels": (fields.bad_pixels is None, "be left out"),
    }
    for name, (fits, rule) in expressible.items():
        if not fits:
            raise must(
                f"{where}: {name}", f"{rule} to render frames", getattr(fields, name), "no recipe can express it"
            )
    made: dict[str, Any] = {}
    if fields.psf_sigma is not None:
        made["psf_sigma"] = fields.psf_sigma[0] if isinstance(fields.psf_sigma, tuple) else fields.psf_sigma
    if fields.noise_sigma is not None:
        made["noise_sigma"] = fields.noise_sigma
    if fields.gain is not None:
        made["shot_gain"] = fields.gain
    if fields.level is not None:
        made |= {"background": "constant" if fields.level else "none", "background_mean": fields.level}
    if fields.saturation is not None:
        made["saturation"] = fields.saturation if math.isfinite(fields.saturation) else 0.0
    if isinstance(fields.intensity, tuple):
        made |= dict(zip(("intensity_min", "intensity_max"), fields.intensity))
    return made


def header_table(told: CameraFile | None) -> dict[str, Any]:
    """Return {"camera": the fields told} for a file's header, {} where none was; JSON has no infinity: "inf"."""
    table = {} if told is None else told.table()
    plain = {name: "inf" if value == math.inf else value for name, value in table.items()}
    return {"camera": plain} if plain else {}


def camera_of(
    recipe: DataRecipe, told: CameraFile | None, noise_sigma: float | None = None, assumed: tuple[str, ...] = ()
) -> Camera:
    """Return what a method is told of frames: what a recipe says, changed by what a file tells, and the read noise.

    `noise_sigma`, grey levels, wins over both. `assumed` names what the recipe says without knowing it.
    """
    camera = replace(Camera.from_recipe(recipe), assumed=assumed)
    told = (CameraFile(CameraFields()) if told is None else told).with_noise_sigma(noise_sigma)
    return apply(camera, told, (recipe.size, recipe.size)) if told.table() else camera


def assumed_text(camera: Camera) -> str:
    """Return what of a camera is only assumed, and as what; "" where all of it was told."""
    values = {
        "psf_sigma": f"{camera.optics.psf_sigma:g}",
        "noise_sigma": f"{camera.noise_sigma:g}",
        "gain": f"{camera.shot_gain:g}",
        "background": f"{camera.background:g}",
        "saturation": f"{camera.saturation:g}",
        "intensity": f"[{camera.intensity_min:g}, {camera.intensity_max:g}]",
    }
    return ", ".join(f"{name} = {values[name]}" for name in camera.assumed)
