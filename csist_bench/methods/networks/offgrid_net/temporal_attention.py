"""How each frame looks at its neighbours in time: by attention, or by convolution.

Weights of attention (Vaswani et al., NeurIPS 2017, arXiv:1706.03762) depend on content and, by a learned table, on how
far apart two frames are; besides the values each head also answers with the mean displacement (in time, rows and
columns) of what it looked at, so that positions measured about different pixels can be brought together.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

PLACE = 3  # time, row, column


class TemporalAttention(nn.Module):
    """One layer: queries from the frame, keys and values from the frames at most `reach` away."""

    def __init__(self, width: int, heads: int, reach: int) -> None:
        super().__init__()
        self.heads, self.reach = heads, reach
        self.query_norm, self.key_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.lag = nn.Parameter(torch.zeros(heads, 2 * reach + 1))
        self.out = nn.Linear(width + PLACE * heads, width)

    def forward(self, frames: Tensor, context: Tensor, place: Tensor) -> Tensor:
        """Return what to add to `frames` (B, T, width), from `context` (B, T, width) at `place` (B, T, 3)."""
        b, t, _ = frames.shape
        query = self._by_head(self.query(self.query_norm(frames)))
        key, value = (self._by_head(part) for part in self.key_value(self.key_norm(context)).chunk(2, dim=-1))
        shared = place.unsqueeze(1).expand(b, self.heads, t, PLACE)
        mean = functional.scaled_dot_product_attention(
            query, key, torch.cat([value, shared], dim=-1), attn_mask=self._lags(t).to(query.dtype)
        )  # (B, heads, T, d + 3)
        displaced = torch.cat([mean[..., :-PLACE], mean[..., -PLACE:] - shared], dim=-1)
        return self.out(displaced.transpose(1, 2).flatten(2))

    def _by_head(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _lags(self, t: int) -> Tensor:
        """Return what is added to the logits, (heads, T, T): the table's entry, or -inf beyond the reach."""
        time = torch.arange(t, device=self.lag.device)
        lag = time[None, :] - time[:, None]
        near = self.lag[:, lag.clamp(-self.reach, self.reach) + self.reach]
        return near.masked_fill(lag.abs() > self.reach, float("-inf"))


class TemporalConvolution(nn.Module):
    """One layer: a linear map of the 2 `reach` + 1 frames, the same for every frame; 0 beyond the sequence's ends."""

    def __init__(self, width: int, reach: int) -> None:
        super().__init__()
        self.reach = reach
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Conv1d(width, width, 2 * reach + 1, padding=reach)
        self.displace = nn.Linear(PLACE * (2 * reach + 1), width)

    def forward(self, frames: Tensor, context: Tensor, place: Tensor) -> Tensor:
        """Return what to add to `frames` (B, T, width), from `context` (B, T, width) at `place` (B, T, 3)."""
        mixed: Tensor = self.mix(self.norm(context).transpose(1, 2)).transpose(1, 2)
        around = functional.pad(place, (0, 0, self.reach, self.reach)).unfold(1, 2 * self.reach + 1, 1)  # (B, T, 3, L)
        inside = functional.pad(torch.ones_like(place), (0, 0, self.reach, self.reach)).unfold(1, 2 * self.reach + 1, 1)
        displaced: Tensor = self.displace(((around - place.unsqueeze(-1)) * inside).flatten(2))
        return mixed + displaced
