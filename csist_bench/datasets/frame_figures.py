"""What one wants to know of frames before they are unmixed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.datasets.frame_files import BareFrames

LEAST_PILE = 10  # pixels
TOP = 0.01  # of the range of grey levels: what the pile is held against


def frame_figures(source: BareFrames) -> dict[str, Any]:
    """Return shape, type, grey levels and the share of pixels that look saturated, by name."""
    frames, (t, height, width) = source.frames, source.frame_shape
    share = saturated_share(frames)
    return {
        "trajectories": source.n_trajectories,
        "frames": t,
        "height": height,
        "width": width,
        "dtype": source.stored,
        "whole_numbers": bool(frames.dtype.kind in "iu" or np.array_equal(frames, np.rint(frames))),
        "min": float(frames.min()),
        "median": float(np.median(frames)),
        "max": float(frames.max()),
        "saturated_share": share,
        "saturation": float(frames.max()) if share else None,
        "assumed": ", ".join(source.assumed),
    }


def saturated_share(frames: NDArray[Any]) -> float:
    """Return the share of pixels that pile up at the highest grey level; 0 where they do not.

    A guess: a pile is at least 10 pixels, and more than lie in the hundredth of the range below it.
    """
    low, high = float(frames.min()), float(frames.max())
    pile = int(np.count_nonzero(frames == frames.dtype.type(high)))
    below = int(np.count_nonzero(frames >= high - TOP * (high - low))) - pile
    return pile / frames.size if low < high and pile >= max(LEAST_PILE, below + 1) else 0.0
