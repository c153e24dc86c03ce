"""A file from an address: fetched only when asked for, of bounded size, taken only if its digest is the one told."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from pathlib import Path

from csist_bench.errors import InputError, must
from csist_bench.files import replace_file

TIMEOUT_S = 60.0


def require_digest(data: bytes, sha256: str, where: str) -> None:
    """Raise unless the bytes have this digest (64 hexadecimal digits)."""
    got = hashlib.sha256(data).hexdigest()
    if got != sha256:
        raise must(f"sha256 of {where}", f"be {sha256}", got, "the file is another one, or damaged")


def fetched(url: str, sha256: str, kept: Path, what: str, largest: int) -> Path:
    """Return `kept`, filled from an address unless it holds the file already.

    Parameters
    ----------
    url : str
        http or https.
    sha256 : str
        64 hexadecimal digits.
    what : str
        What is fetched, for errors.
    largest : int
        Bytes beyond which it is refused.

    Raises
    ------
    InputError
        If the address cannot be reached, or holds more or something else.
    """
    if kept.is_file() and hashlib.sha256(kept.read_bytes()).hexdigest() == sha256:
        return kept
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            data = answer.read(largest + 1)
    except (urllib.error.URLError, OSError, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it is the server's answer as well, and keeps its connection
        reason = getattr(error, "reason", None) or error
        raise InputError(f"{what} {url} cannot be fetched: {reason}") from None
    if len(data) > largest:
        raise must(f"{what} {url}", f"be at most {largest:,} bytes", "more")
    require_digest(data, sha256, url)
    replace_file(kept, data)
    return kept
