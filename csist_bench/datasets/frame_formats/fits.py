"""FITS cubes, by astropy (extra `images`)."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.datasets.frame_axes import Stored, one_of
from csist_bench.errors import InputError, must, show
from csist_bench.files.sources import first_bytes

# BZERO of whole numbers without a sign, by their size in bits, which FITS stores with one (of 8 bits the other way).
_OFFSETS = {(8, -128): "int8", (16, 2**15): "uint16", (32, 2**31): "uint32", (64, 2**63): "uint64"}


def read_fits_frames(path: Path, array: str | None) -> Stored:
    """Read an image HDU, by default the first with data: BSCALE and BZERO applied, BLANK pixels NaN.

    NAXIS1 are columns, NAXIS2 rows and NAXIS3 frames.
    """
    if not first_bytes(path, count=10).startswith(b"SIMPLE  ="):
        raise InputError(f"{path}: not a FITS file (it does not begin with SIMPLE); unpack it first if it is packed")
    try:
        from astropy.io import fits
    except ModuleNotFoundError:
        raise InputError(
            f"{path}: FITS files need astropy; install it with: pip install 'csist-bench[images]'"
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that bend the standard; their numbers are checked here
            options: Any = {"memmap": False, "do_not_scale_image_data": True, "disable_image_compression": True}
            with fits.open(path, **options) as hdus:
                name, hdu = _chosen(hdus, array, path)
                what = f"HDU {name}" if not hdu.name else f"HDU {name} {hdu.name!r}"
                values = _scaled(hdu.data, hdu.header, path)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # astropy raises many types on damaged files
        if isinstance(error, OSError) and error.strerror:
            raise
        raise InputError(f"{path}: not a readable FITS file ({show(str(error) or repr(error))})") from None
    return Stored(values, what, {2: "YX", 3: "TYX"}.get(values.ndim))


def _chosen(hdus: Any, array: str | None, path: Path) -> tuple[str, Any]:
    """Return an image HDU, whose data are in the file, and its number."""
    from astropy.io import fits

    images = {
        str(number): hdu
        for number, hdu in enumerate(hdus)
        if isinstance(hdu, (fits.PrimaryHDU, fits.ImageHDU)) and not isinstance(hdu, fits.GroupsHDU) and hdu.shape
    }
    if not images:
        packed = any(hdu.header.get("ZIMAGE") for hdu in hdus)
        remedy = "; the images are tile-compressed: unpack them with funpack" if packed else ""
        raise InputError(f"{path}: there is no image in it{remedy}")
    named = {hdu.name: number for number, hdu in reversed(images.items()) if hdu.name}
    asked = named.get(str(array).upper(), array) if array is not None else next(iter(images))
    number = one_of({name: hdu.shape for name, hdu in images.items()}, asked, str(path), "image HDU")
    hdu, there = images[number], path.stat().st_size - int(images[number].fileinfo()["datLoc"])
    size = int(np.prod(hdu.shape, dtype=object)) * abs(int(hdu.header["BITPIX"])) // 8
    if size > there:
        raise must(
            f"{path}: HDU {number}", f"hold the {size} bytes of its shape {hdu.shape}", there, "the file is cut short"
        )
    return number, hdu


def _scaled(raw: NDArray[Any], header: Any, path: Path) -> NDArray[Any]:
    """Return physical values: whole numbers where BSCALE is 1 and BZERO whole."""
    scale, zero, blank = (header.get(name, usual) for name, usual in (("BSCALE", 1), ("BZERO", 0), ("BLANK", None)))
    for name, value in (("BSCALE", scale), ("BZERO", zero)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
            raise must(f"{path}: {name}", "be a number", value)
    integer = raw.dtype.kind in "iu"
    missing = raw == blank if integer and isinstance(blank, int) else np.zeros((), bool)
    if missing.any() or scale != 1 or (zero != 0 and not integer) or zero != int(zero):
        values = raw.astype(np.float64) * scale + zero
        values[np.broadcast_to(missing, values.shape)] = np.nan
        return np.asarray(values)
    if not zero:
        return raw
    bits = 8 * raw.dtype.itemsize
    kind = _OFFSETS.get((bits, int(zero)))
    if kind == "uint64":
        return raw.astype(np.uint64) ^ np.uint64(2**63)
    if bits == 64 or abs(zero) >= 2**62:
        return raw.astype(np.float64) + float(zero)
    return (raw.astype(np.int64) + int(zero)).astype(kind or np.int64)
