import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from csist_bench.errors import InputError
from csist_bench.methods.networks.common.sampling import Sampling, fit_initialiser, pseudo_inverse
from csist_bench.simulation.optics import Optics, grid_from_targets

OPTICS = Optics()


def sparse_grids(n: int, optics: Optics, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return grid_from_targets(rng.uniform(0, optics.size - 1, (n, 3, 2)), rng.uniform(220, 250, (n, 3)), optics)


@settings(max_examples=15, deadline=None)
@given(size=st.integers(1, 7), c=st.sampled_from([1, 3, 5]), seed=st.integers(0, 99))
def test_products_equal_the_dense_matrix(size: int, c: int, seed: int) -> None:
    optics = Optics(size=size, c=c)
    sampling = Sampling.from_optics(optics)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2, 3, c * size, c * size, generator=generator)
    y = torch.randn(2, 3, size, size, generator=generator)
    phi = torch.tensor(optics.sampling_matrix, dtype=torch.float32)
    torch.testing.assert_close(sampling(x).flatten(-2), x.flatten(-2) @ phi.T, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(sampling.adjoint(y).flatten(-2), y.flatten(-2) @ phi, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(sampling.matrix(), phi)
    # <Phi x, y> = <x, Phi^T y>
    torch.testing.assert_close((sampling(x) * y).sum(), (x * sampling.adjoint(y)).sum(), rtol=1e-4, atol=1e-4)


def test_lipschitz_is_the_largest_eigenvalue_of_phi_t_phi() -> None:
    phi = OPTICS.sampling_matrix
    assert Sampling.from_optics(OPTICS).lipschitz == pytest.approx(np.linalg.eigvalsh(phi @ phi.T)[-1], rel=1e-10)


def test_pseudo_inverse_equals_the_dense_ridge_solution() -> None:
    optics = Optics(size=4)
    phi = optics.sampling_matrix
    gram = phi @ phi.T
    ridge = 1e-2 * np.trace(gram) / len(gram) * np.eye(len(gram))
    np.testing.assert_allclose(
        pseudo_inverse(optics.axis_matrix, 1e-2), phi.T @ np.linalg.inv(gram + ridge), atol=1e-12
    )


def test_default_first_guess_reproduces_the_frame() -> None:
    sampling = Sampling.from_optics(OPTICS)
    frames = torch.tensor(OPTICS.sample(sparse_grids(5, OPTICS)), dtype=torch.float32).reshape(1, 5, 11, 11)
    guess = sampling.initial(frames)
    assert guess.shape == (1, 5, 33, 33)
    assert (sampling(guess) - frames).abs().max() < 0.01 * frames.max()


def test_fitted_initialiser_equals_the_dense_formula_for_any_chunking() -> None:
    optics = Optics(size=5)
    grids = sparse_grids(400, optics)
    x = grids.reshape(400, -1).T
    y = optics.sampling_matrix @ x
    ridge = 1e-3 * np.trace(y @ y.T) / len(y) * np.eye(len(y))
    dense = x @ y.T @ np.linalg.inv(y @ y.T + ridge)
    whole = fit_initialiser(grids, optics, ridge=1e-3)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(whole, dense, atol=1e-5 * np.abs(dense).max())
    chunked = fit_initialiser((grids[i : i + 90] for i in range(0, 400, 90)), optics, ridge=1e-3)
    np.testing.assert_allclose(whole, chunked, atol=1e-6 * np.abs(dense).max())


def test_fitted_initialiser_beats_the_default_on_its_own_grids() -> None:
    grids = sparse_grids(3000, OPTICS)
    frames = torch.tensor(OPTICS.sample(grids), dtype=torch.float32)
    truth = torch.tensor(grids, dtype=torch.float32)
    fitted = Sampling.from_optics(OPTICS, fit_initialiser(grids, OPTICS))
    default = Sampling.from_optics(OPTICS)
    assert (fitted.initial(frames) - truth).square().mean() < (default.initial(frames) - truth).square().mean()


def test_state_holds_the_initialiser_alone() -> None:
    assert list(Sampling.from_optics(OPTICS).state_dict()) == ["initialiser"]


@pytest.mark.parametrize("build", [
    lambda: Sampling(np.zeros((3, 8))),
    lambda: Sampling.from_optics(OPTICS, np.zeros((9, 9))),
    lambda: Sampling.from_optics(Optics(size=200)),
    lambda: fit_initialiser(np.zeros((2, 5, 5)), OPTICS),
    lambda: fit_initialiser(np.zeros((2, 33, 33)), OPTICS),
    lambda: fit_initialiser(sparse_grids(2, OPTICS), OPTICS, ridge=0.0),
])  # fmt: skip
def test_bad_input_is_named(build) -> None:
    with pytest.raises(InputError, match="must"):
        build()
