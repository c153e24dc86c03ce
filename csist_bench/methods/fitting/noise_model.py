"""What the likelihood of a pixel needs to know of the camera."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Sensor(NamedTuple):
    """What the likelihood needs: the PSF's table, read-noise variance, shot gain, clipping level and its edge."""

    table: Floats
    variance: float
    gain: float
    limit: float
    edge: float
