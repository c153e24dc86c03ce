"""How a frame looks at its neighbours."""

from __future__ import annotations

import torch
from torch import nn

from csist_bench.methods.networks.offgrid_net.temporal_attention import TemporalAttention, TemporalConvolution


def test_attention_is_the_weighted_mean_written_out() -> None:
    torch.manual_seed(0)
    layer = TemporalAttention(4, 1, reach=1)
    nn.init.normal_(layer.lag)
    x, context, place = torch.randn(1, 5, 4), torch.randn(1, 5, 4), torch.randn(1, 5, 3)
    query = layer.query(layer.query_norm(x))[0]
    key, value = layer.key_value(layer.key_norm(context))[0].chunk(2, dim=-1)
    expected = []
    for t in range(5):
        near = [s for s in range(5) if abs(s - t) <= 1]
        weight = torch.softmax(torch.stack([query[t] @ key[s] / 2.0 + layer.lag[0, s - t + 1] for s in near]), dim=0)
        mean = sum(w * torch.cat([value[s], place[0, s] - place[0, t]]) for w, s in zip(weight, near, strict=True))
        expected.append(layer.out(mean))
    torch.testing.assert_close(layer(x, context, place)[0], torch.stack(expected), atol=1e-5, rtol=1e-4)


def test_convolution_in_time_is_a_sum_over_lags() -> None:
    torch.manual_seed(0)
    layer = TemporalConvolution(4, reach=1)
    context, place = torch.randn(1, 5, 4), torch.randn(1, 5, 3)
    seen, expected = layer.norm(context)[0], []
    for t in range(5):
        near = [s for s in range(t - 1, t + 2) if 0 <= s < 5]
        moved = torch.zeros(3, 3)
        for s in near:
            moved[:, s - t + 1] = place[0, s] - place[0, t]
        mixed = sum(layer.mix.weight[:, :, s - t + 1] @ seen[s] for s in near) + layer.mix.bias
        expected.append(mixed + layer.displace(moved.flatten()))
    torch.testing.assert_close(layer(context, context, place)[0], torch.stack(expected), atol=1e-5, rtol=1e-4)
