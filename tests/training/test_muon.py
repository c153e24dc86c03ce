"""Muon: orthogonal steps for matrices, Adam's for the rest."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from csist_bench.training.muon import ADAM_RMS, Muon, orthogonalised

BETAS = (0.9, 0.999)


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("shape", [(8, 8), (6, 40), (40, 6)])
def test_singular_values_are_made_alike_and_singular_vectors_kept(shape: tuple[int, int]) -> None:
    u, _, v = torch.linalg.svd(drawn(*shape), full_matrices=False)
    values = torch.logspace(0, -1.5, min(shape))
    found = u.T @ orthogonalised(u * values @ v) @ v.T
    assert torch.all((found.diagonal() > 0.68) & (found.diagonal() < 1.21))
    assert (found - found.diagonal().diag()).abs().max() < 1e-4


def test_a_gradient_of_zeros_moves_nothing() -> None:
    assert torch.equal(orthogonalised(torch.zeros(4, 3)), torch.zeros(4, 3))


def test_matrices_move_as_by_the_library() -> None:
    """torch's own works in bfloat16, so they agree to its precision."""
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("torch before 2.9")
    ours, theirs = nn.Parameter(drawn(12, 20)), nn.Parameter(drawn(12, 20))
    muon = Muon([ours], 0.01, BETAS, 0.1)
    library = torch.optim.Muon([theirs], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    start = ours.detach().clone()
    for seed in range(4):
        gradient = torch.randn(12, 20, generator=torch.Generator().manual_seed(seed))
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        muon.step()
        library.step()
    moved = (ours - start).norm()
    assert moved > 0.01
    assert (ours - theirs).norm() < 0.03 * moved


def test_kernels_of_convolutions_move_as_their_matrices_and_by_the_size_of_an_adam_step() -> None:
    kernel, matrix = nn.Parameter(torch.zeros(16, 8, 3, 3)), nn.Parameter(torch.zeros(16, 72))
    kernel.grad = drawn(16, 8, 3, 3)
    matrix.grad = kernel.grad.flatten(1)
    Muon([kernel, matrix], 0.5, BETAS, 0.0).step()
    assert torch.equal(kernel.flatten(1), matrix)
    assert float(matrix.detach().square().mean().sqrt()) == pytest.approx(0.5 * ADAM_RMS, rel=0.2)


def test_a_tall_kernel_moves() -> None:
    kernel = nn.Parameter(torch.zeros(40, 2, 3, 1))
    kernel.grad = drawn(40, 2, 3, 1)
    Muon([kernel], 1.0, BETAS, 0.0).step()
    moved = kernel.detach().flatten(1)
    assert torch.sum(moved * kernel.grad.flatten(1)) < 0
    assert torch.linalg.svdvals(moved).min() > 0.6 * torch.linalg.svdvals(moved).max()


@pytest.mark.parametrize("shape", [(5,), (), (1, 6), (6, 1), (1, 1, 3, 3)])
def test_what_is_no_matrix_moves_as_by_adamw(shape: tuple[int, ...]) -> None:
    ours, theirs = nn.Parameter(drawn(*shape)), nn.Parameter(drawn(*shape))
    muon = Muon([ours], 0.01, BETAS, 0.1)
    adam = torch.optim.AdamW([theirs], lr=0.01, betas=BETAS, weight_decay=0.1)
    for scale in (1.0, -3.0, 0.2):
        ours.grad, theirs.grad = scale * torch.ones(shape), scale * torch.ones(shape)
        muon.step()
        adam.step()
    torch.testing.assert_close(ours, theirs)


def test_parameters_without_a_gradient_stay() -> None:
    still, moved = nn.Parameter(drawn(3, 3)), nn.Parameter(drawn(3, 3))
    moved.grad = drawn(3, 3)
    before = still.detach().clone()
    Muon([still, moved], 0.01, BETAS, 0.1).step()
    assert torch.equal(still, before)
    assert not torch.equal(moved, before)
