"""Grey pictures of others: backgrounds and the published layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.errors import InputError, must, show
from csist_bench.files.sources import require_file

LARGEST_PICTURE = 64 * 2**20  # px; more is taken for a bomb
DEPTHS = {"L": 8, "I;16": 16, "I": 16, "F": 32}  # bits of the modes that are read as they are; others are made grey


def read_picture(path: Path, name: str, modes: tuple[str, ...]) -> NDArray[Any]:
    """Return a picture as (H, W) grey values, in a mode of `modes`; in any other it is converted to 8 bits.

    Parameters
    ----------
    path : Path
    name : str
        How errors call the picture.
    modes : tuple of str
        Those of Pillow that are kept.

    Raises
    ------
    InputError
        If it is not a readable picture, or one of more than 64 million pixels.
    """
    from PIL import Image

    require_file(path)
    try:
        with Image.open(path) as image:
            if image.width * image.height > LARGEST_PICTURE:
                raise must(name, f"have at most {LARGEST_PICTURE} px", f"{image.width} x {image.height}")
            return np.asarray(image if image.mode in modes else image.convert("L"))
    except InputError:
        raise
    except Exception as error:  # Pillow's decoders raise many types on damaged or hostile files
        if isinstance(error, OSError) and error.strerror:
            raise
        raise InputError(f"{name}: not a readable picture ({show(str(error) or type(error).__name__)})") from None
