"""phi and Qinit of any size and grid, as MATLAB reads them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import loadmat

from csist_bench.cli import main
from csist_bench.errors import InputError
from csist_bench.methods import matrix_file
from csist_bench.methods.matrix_file import export_matrices
from csist_bench.simulation.optics import Optics, grid_from_targets
from tests.helpers.tiny_sets import tiny_store


@pytest.mark.parametrize("overrides", [(), ("size=9", "c=5", "psf_sigma=0.6")])
def test_phi_renders_label_grids_and_qinit_guesses_them(tmp_path, overrides):
    store = tiny_store(tmp_path / "set.zarr", 20, *overrides)
    shapes = export_matrices(store, tmp_path / "m.mat")
    content = loadmat(tmp_path / "m.mat")
    optics = Optics.from_recipe(store.recipe)
    pixels, nodes = optics.size**2, (optics.c * optics.size) ** 2
    assert shapes == {"phi": (pixels, nodes), "Qinit": (nodes, pixels)}
    assert (content["c"].item(), content["size"].item(), content["psf_sigma"].item()) == (
        optics.c, optics.size, optics.psf_sigma,
    )  # fmt: skip
    part = store.train
    grids = grid_from_targets(part.target_xy, part.target_intensity, optics).reshape(-1, nodes)
    frames = grids @ content["phi"].T
    np.testing.assert_allclose(frames.reshape(-1, optics.size, optics.size), optics.sample(
        grids.reshape(-1, optics.grid_size, optics.grid_size)), atol=1e-9)  # fmt: skip
    guessed = frames @ content["Qinit"].T
    assert np.square(guessed - grids).sum() < np.square(grids).sum()
    np.testing.assert_allclose(guessed @ content["phi"].T, frames, atol=1.0)


def test_the_command_writes_them_and_refuses_what_it_would_not_read(tmp_path, capsys):
    store = tiny_store(tmp_path / "set.zarr")
    with pytest.raises(SystemExit):
        main(["export", "--layout", "mat", store.path, str(tmp_path / "m.mat")])
    assert "phi 121 x 1089, Qinit 1089 x 121" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["export", "--layout", "mat", "--bits", "8", store.path, str(tmp_path / "n.mat")])
    assert ended.value.code == 2
    assert not (tmp_path / "n.mat").exists()


def test_matrices_that_would_fill_the_memory_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(matrix_file, "LARGEST", 1000)
    with pytest.raises(InputError, match="give matrices of at most 1,000 entries, got 131,769"):
        export_matrices(tiny_store(tmp_path / "set.zarr"), tmp_path / "m.mat")
