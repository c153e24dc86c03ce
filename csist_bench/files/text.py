"""The text of a file: UTF-8 with or without a byte-order mark, UTF-16 and UTF-32 with one."""

from __future__ import annotations

import codecs

from csist_bench.errors import InputError

# The longer mark first: that of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SNIFFED, _SHOWN = 4096, 20  # bytes looked at, characters


def _encoding(data: bytes) -> tuple[bytes, str]:
    """Return the byte-order mark of a file, which may be none, and the encoding."""
    return next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", "utf-8"))


def text_of(data: bytes, where: str) -> str:
    """Return the text of a file without its byte-order mark.

    Raises
    ------
    InputError
        If it is not text, or in an encoding that cannot be told.
    """
    mark, encoding = _encoding(data)
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        at = error.start + len(mark)
        raise InputError(
            f"{where}: not a text file (byte {at} is not text in {encoding.upper()}); save the table as UTF-8"
        ) from None
    if "\0" in text:
        raise InputError(
            f"{where}: not a text file (byte {text.index(chr(0))} is not text); a table in UTF-16 needs its byte-order"
            " mark, or save it as UTF-8"
        )
    return text


def utf8_of(data: bytes, where: str) -> bytes:
    """Return the bytes of a text file in UTF-8, without a byte-order mark; only a marked file is decoded."""
    return text_of(data, where).encode() if _encoding(data)[0] else data


def beginning_of(data: bytes) -> str:
    """Return the first characters of what may be a text, after its byte-order mark and blanks."""
    mark, encoding = _encoding(data)
    return data[len(mark) : len(mark) + _SNIFFED].decode(encoding, "replace").lstrip()[:_SHOWN]


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, ended by LF, CR LF or CR."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.split("\n")
