"""The matrices of the published code as one MATLAB file: Phi, and the first guess Q fitted to a training split.

The published generator writes them for 11 x 11 pixels and one PSF alone; here they follow the data set.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

from csist_bench.datasets import Dataset
from csist_bench.errors import must
from csist_bench.files import replace_file
from csist_bench.simulation.optics import Optics, grid_from_targets

LARGEST = 128 * 2**20  # entries of a matrix: 1 GB


def export_matrices(source: Dataset, path: Path, split: str = "train") -> dict[str, tuple[int, ...]]:
    """Write `phi` (size^2, (c * size)^2) and `Qinit` ((c * size)^2, size^2) and return their shapes.

    A grid x and a frame y are flattened row by row, [row = y, column = x]: y = phi x, and Qinit y is the first guess
    of x that has the least squared error over the split's label grids. `c`, `size` and `psf_sigma` (px) stand beside.

    Raises
    ------
    InputError
        If the matrices would take more than 1 GB, or the split has no target.
    """
    from csist_bench.methods.networks.common.sampling import fit_initialiser

    optics = Optics.from_recipe(source.recipe)
    entries = optics.size**2 * optics.grid_size**2
    if entries > LARGEST:
        raise must(f"{source.path}: frames", f"give matrices of at most {LARGEST:,} entries", f"{entries:,}")
    matrices: dict[str, NDArray[Any]] = {
        "phi": optics.sampling_matrix,
        "Qinit": fit_initialiser(_label_grids(source, split, optics), optics),
    }
    content = matrices | {"c": optics.c, "size": optics.size, "psf_sigma": optics.psf_sigma}
    packed: Any = io.BytesIO()  # scipy takes it, its stubs know paths alone
    savemat(packed, content, do_compression=True)
    replace_file(path, packed.getvalue())
    return {name: matrix.shape for name, matrix in matrices.items()}


def _label_grids(source: Dataset, split: str, optics: Optics) -> Iterator[NDArray[np.float64]]:
    part = source.split(split)
    for first in range(0, part.n_trajectories, part.chunk_trajectories):
        stop = min(first + part.chunk_trajectories, part.n_trajectories)
        xy, intensity = part.read("target_xy", first, stop), part.read("target_intensity", first, stop)
        grids = grid_from_targets(xy, intensity, optics, part.recipe.label_collision)
        yield grids.reshape(-1, optics.grid_size, optics.grid_size)
