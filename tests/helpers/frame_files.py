"""Frames of known numbers, written in every form that is read."""

from __future__ import annotations

import numpy as np
import tifffile
import zarr
from astropy.io import fits
from PIL import Image
from scipy.io import savemat


def pattern(dtype="uint16", shape=(5, 11, 12)):
    """Frames (T, H, W) of which no two pixels agree with another order of axes; floats are no whole numbers."""
    values = np.arange(int(np.prod(shape))).reshape(shape) * 7 % 101
    return (values + (0.25 if np.dtype(dtype).kind == "f" else 0)).astype(dtype)


def write_npy(path, frames):
    np.save(path, frames)


def write_npz(path, frames):
    np.savez_compressed(path, z=frames, rate=np.array(100.0))


def write_zarr(path, frames, **options):
    zarr.create_array(path, data=frames.astype(frames.dtype.newbyteorder("=")), chunks=(2, 5, 5), **options)


def write_tiff(path, frames):
    order = ">" if frames.dtype.byteorder == ">" else "<"
    tifffile.imwrite(path, frames, byteorder=order, photometric="minisblack", metadata=None)


def write_png_folder(path, frames):
    path.mkdir()
    for number, frame in enumerate(frames, start=8):
        Image.fromarray(frame).save(path / f"cam2_{number}.png")  # 8, 9, 10: not in the order of text


def write_tiff_folder(path, frames):
    path.mkdir()
    for number, frame in enumerate(frames, start=98):
        write_tiff(path / f"f{number}.tif", frame)


def write_fits(path, frames):
    fits.PrimaryHDU(frames).writeto(path)


def write_mat(path, frames):
    savemat(path, {"z": np.ascontiguousarray(frames.transpose(1, 2, 0)), "rate": 100.0}, do_compression=True)
