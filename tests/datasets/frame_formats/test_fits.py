"""FITS cubes: numbers are physical ones, what is blank is refused, and the HDU is said."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from astropy.io import fits

import csist_bench as cb
from csist_bench.errors import InputError
from tests.helpers.frame_files import pattern


def raw_fits(path, raw, **cards):
    """Write numbers as they stand, with cards that say what they mean."""
    header = {"SIMPLE": "T", "BITPIX": 8 * raw.dtype.itemsize * (-1 if raw.dtype.kind == "f" else 1), "NAXIS": raw.ndim}
    header |= {f"NAXIS{i + 1}": n for i, n in enumerate(reversed(raw.shape))} | cards
    text = "".join(f"{name:<8}= {value!s:>20}".ljust(80) for name, value in header.items()) + "END".ljust(80)
    data = raw.astype(raw.dtype.newbyteorder(">")).tobytes()
    path.write_bytes(
        text.ljust(-(-len(text) // 2880) * 2880).encode() + data.ljust(-(-len(data) // 2880) * 2880, b"\0")
    )


def refused(path, says, **options):
    with pytest.raises(InputError) as caught:
        cb.read_frames(path, **options)
    assert str(caught.value) == f"{path}{says}"


@pytest.mark.parametrize(
    ("dtype", "zero", "stored"),
    [("int16", 2**15, "uint16"), ("int32", 2**31, "uint32"), ("uint8", -128, "int8"), ("int16", 7, "int64")],
)
def test_whole_numbers_with_an_offset_stay_whole(tmp_path, dtype, zero, stored):
    raw = pattern("int64", (2, 11, 11)).astype(dtype)
    raw_fits(tmp_path / "a.fits", raw, BZERO=zero)
    read = cb.read_frames(tmp_path / "a.fits")
    assert np.array_equal(read.frames[0], (raw.astype(np.float64) + zero).astype(read.frames.dtype))
    assert read.stored == stored
    assert read.recipe.bits or read.recipe.noise_sigma == 0.29


def test_64_bits_without_a_sign_are_whole(tmp_path):
    raw = (pattern("int64", (2, 11, 11)) + np.int64(-(2**63))).astype(np.int64)
    raw_fits(tmp_path / "a.fits", raw, BZERO=2**63)
    assert np.array_equal(cb.read_frames(tmp_path / "a.fits").frames[0], pattern("uint16", (2, 11, 11)))


def test_a_scale_is_applied(tmp_path):
    raw = pattern("int16", (2, 11, 11))
    raw_fits(tmp_path / "a.fits", raw, BSCALE=0.25, BZERO=-3.5)
    read = cb.read_frames(tmp_path / "a.fits")
    assert np.array_equal(read.frames[0], (raw * 0.25 - 3.5).astype(np.float32))
    assert read.stored == "float64"


def test_what_astropy_reads_is_what_is_read(tmp_path):
    for dtype, cards in (("uint16", {}), ("int16", {"BSCALE": 2.0, "BZERO": 10.0}), ("float32", {"BSCALE": 2.0})):
        hdu = fits.PrimaryHDU(pattern(dtype, (3, 11, 11)))
        for name, value in cards.items():
            hdu.header[name] = value
        hdu.writeto(tmp_path / "a.fits", overwrite=True)
        expected = fits.getdata(tmp_path / "a.fits")
        assert np.array_equal(cb.read_frames(tmp_path / "a.fits").frames[0], expected.astype(np.float32))


@pytest.mark.parametrize("scale", [{}, {"BSCALE": 0.5}, {"BZERO": 32768}])
def test_a_blank_pixel_is_refused_with_its_place(tmp_path, scale):
    raw = pattern("int16", (2, 11, 11))
    raw[1, 2, 3] = -999
    raw_fits(tmp_path / "a.fits", raw, BLANK=-999, **scale)
    says = " must be finite everywhere, got nan at frame 1, row 2, column 3 (1 such pixels)"
    refused(tmp_path / "a.fits", says)
    raw[1, 2, 3] = 0
    raw_fits(tmp_path / "a.fits", raw, BLANK=-999, **scale)
    assert cb.read_frames(tmp_path / "a.fits").n_frames == 2


def test_the_first_image_with_data_is_taken_and_said(tmp_path):
    wanted, other = pattern(shape=(2, 11, 11)), pattern(shape=(4, 5, 5))
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(wanted, name="sci"), fits.ImageHDU(other, name="err")]
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")
    read = cb.read_frames(tmp_path / "a.fits")
    assert np.array_equal(read.frames[0], wanted)
    assert read.note.endswith("a.fits: HDU 1 'SCI': 2 frames of 11 x 11, uint16")
    for name in ("err", "ERR", "2"):
        assert np.array_equal(cb.read_frames(tmp_path / "a.fits", array=name).frames[0], other)
    with pytest.raises(InputError, match=r"unknown image HDU of .*a\.fits: 'x'; choose one of: 1, 2"):
        cb.read_frames(tmp_path / "a.fits", array="x")


def test_four_axes_are_asked_for(tmp_path):
    fits.PrimaryHDU(pattern(shape=(2, 3, 11, 12))).writeto(tmp_path / "a.fits")
    with pytest.raises(InputError, match="must tell which axis is what by its shape"):
        cb.read_frames(tmp_path / "a.fits")
    assert cb.read_frames(tmp_path / "a.fits", order="NTYX").frames.shape == (2, 3, 11, 12)


def test_files_without_images_and_packed_ones_say_so(tmp_path):
    fits.PrimaryHDU().writeto(tmp_path / "none.fits")
    refused(tmp_path / "none.fits", ": there is no image in it")
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pattern(shape=(11, 12)))]).writeto(tmp_path / "packed.fits")
    refused(
        tmp_path / "packed.fits", ": there is no image in it; the images are tile-compressed: unpack them with funpack"
    )
    (tmp_path / "a.fits").write_bytes(b"\x1f\x8bxx")
    says = ": not a FITS file (it does not begin with SIMPLE); unpack it first if it is packed"
    refused(tmp_path / "a.fits", says)


def test_a_cube_that_the_file_does_not_hold_is_refused_before_it_is_allocated(tmp_path):
    raw_fits(tmp_path / "a.fits", pattern("int16", (2, 11, 11)), NAXIS3=400_000_000)
    says = ": HDU 0 must hold the 96800000000 bytes of its shape (400000000, 11, 11), got 2880; the file is cut short"
    refused(tmp_path / "a.fits", says)


def test_a_cube_that_fills_its_file_is_read(tmp_path):
    frames = pattern("uint8", (2, 36, 40))  # 2880 bytes, a FITS block
    raw_fits(tmp_path / "a.fits", frames)
    assert np.array_equal(cb.read_frames(tmp_path / "a.fits").frames[0], frames)


@pytest.mark.parametrize("value", ["'x'", "T"])
def test_a_scale_that_is_no_number_is_refused(tmp_path, value):
    raw_fits(tmp_path / "a.fits", pattern("int16", (2, 11, 11)), BSCALE=value)
    with pytest.raises(InputError, match=r"a\.fits: BSCALE must be a number, got"):
        cb.read_frames(tmp_path / "a.fits")


def test_without_the_extra_one_line_says_what_to_install(tmp_path, monkeypatch):
    fits.PrimaryHDU(pattern()).writeto(tmp_path / "a.fits")
    monkeypatch.setitem(sys.modules, "astropy.io", None)
    monkeypatch.setitem(sys.modules, "astropy", None)
    says = ": FITS files need astropy; install it with: pip install 'csist-bench[images]'"
    refused(tmp_path / "a.fits", says)
