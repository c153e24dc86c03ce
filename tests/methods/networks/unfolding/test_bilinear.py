"""Bilinear reads as weighted rows of a table."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from csist_bench.methods.networks.common.deform_conv import KEEPING_3, deform_conv2d
from csist_bench.methods.networks.unfolding.bilinear import rows_and_weights, table_from_maps, weighted_rows


def sampled_by_rows(x: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    """Every tap's read of x (B, C, h, w), as an unweighted deformable convolution with one output a tap and channel."""
    rows, weights = rows_and_weights(offset, 3)
    border = (x.shape[2] + 2) * (x.shape[3] + 2)
    rows = rows + (border * torch.arange(len(x), dtype=torch.int32))[:, None, None, None, None]
    read = weighted_rows(table_from_maps(x), rows.reshape(-1, 4), weights.reshape(-1, 4).to(x.dtype))
    return read.reshape(len(x), x.shape[2], x.shape[3], 9, x.shape[1])


@settings(max_examples=20, deadline=None)
@given(spread=st.sampled_from([0.0, 0.5, 3.0, 50.0]), seed=st.integers(0, 999))
def test_row_reads_equal_the_deformable_convolution(spread: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2, 3, 5, 4, generator=generator)
    offset = spread * torch.randn(2, 18, 5, 4, generator=generator)
    weight = torch.randn(2, 3, 3, 3, generator=generator)
    expected = deform_conv2d(x, offset, weight, KEEPING_3)
    answer = torch.einsum("bhwkc,ock->bohw", sampled_by_rows(x, offset), weight.flatten(2))
    torch.testing.assert_close(answer, expected, rtol=1e-4, atol=1e-4)


def test_gradients_of_weighted_rows() -> None:
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(7, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    rows = torch.randint(0, 7, (11, 4), dtype=torch.int32, generator=generator)
    weights = torch.rand(11, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t, w: weighted_rows(t, rows, w), (table, weights))
