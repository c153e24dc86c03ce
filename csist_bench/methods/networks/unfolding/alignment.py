"""Deformable alignment of a neighbouring grid to a centre grid: the TDFA module of DeRefNet.

SeqCSIST, TGRS 2025 (https://arxiv.org/abs/2507.09556), section IV, after TDAN (CVPR 2020). For neighbour i, centre j:

    F = ReLU(conv(x)),   A_i = conv1x1(F_i),   A_j = conv1x1(F_j)                     (half the channels each)
    (w_i, w_j) = sigmoid(conv([mean_c, max_c] of (A_i, A_j))),   eta = conv(w_i A_i, w_j A_j)
    aligned = conv(DCN_2(DCN_1(F_i, eta))),   DCN_2 with offsets of its own.

All pairs are one batch, and what depends on one frame alone is computed once a frame: F, both halves, their channel
means and maxima, and DCN_1's nine weighted maps. DCN_2 and the last convolution are both linear in their input, so they
are one operator that samples nine numbers a tap in place of every feature channel.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from csist_bench.methods.networks.common.deform_conv import KEEPING_3, DeformConv2d, DeformConv2dPack, backend
from csist_bench.methods.networks.common.images import channels_last
from csist_bench.methods.networks.unfolding.bilinear import rows_and_weights, table_from_maps, weighted_rows

KERNEL, TAPS = 3, 9
START_OFFSET = 0.01  # standard deviation of the first offset weights


class Alignment(nn.Module):
    """Aligns neighbour grids to centre grids; `features` channels (even)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.extract = nn.Conv2d(1, features, KERNEL, padding=1)
        self.neighbour_half = nn.Conv2d(features, features // 2, 1)
        self.centre_half = nn.Conv2d(features, features // 2, 1)
        self.attention = nn.Conv2d(2, 2, KERNEL, padding=1)
        self.offset = nn.Conv2d(features, 2 * TAPS, KERNEL, padding=1)
        self.deform_1 = DeformConv2d(features, features, KERNEL, KEEPING_3)
        self.deform_2 = DeformConv2dPack(features, features, KERNEL, KEEPING_3)
        self.collect = nn.Conv2d(features, 1, KERNEL, padding=1)
        # Hardly deformed at first; from exactly zero the attention would receive no gradient.
        nn.init.normal_(self.offset.weight, std=START_OFFSET)
        nn.init.zeros_(self.offset.bias)  # type: ignore[arg-type]

    def forward(self, grids: Tensor, neighbour: Tensor, centre: Tensor) -> Tensor:
        """Align pairs of grids.

        Parameters
        ----------
        grids : Tensor, shape (F, 1, h, w)
        neighbour, centre : int64 Tensor, shape (P,)
            Which two of the F grids each pair is of.

        Returns
        -------
        Tensor, shape (P, 1, h, w)
        """
        features = functional.relu(self.extract(channels_last(grids)), inplace=True)  # (F, C, h, w)
        eta = self.offset(self._aggregate(features, neighbour, centre))  # (P, 18, h, w)
        if backend() == "mmcv":
            once = self.deform_1(features[neighbour].contiguous(), eta.contiguous())
            aligned: Tensor = self.collect(self.deform_2(once))
            return aligned
        once = self._deform_1(features, neighbour, eta)  # (P, C, h, w)
        return self._deform_2_and_collect(once)

    def _aggregate(self, features: Tensor, neighbour: Tensor, centre: Tensor) -> Tensor:
        """Selective attention over both halves, (P, C, h, w); channel means and maxima are taken a frame at a time."""
        mine, other = self.neighbour_half(features), self.centre_half(features)  # (F, C / 2, h, w)
        mean = (mine.mean(1, keepdim=True)[neighbour] + other.mean(1, keepdim=True)[centre]) / 2
        peak = torch.maximum(mine.amax(1, keepdim=True)[neighbour], other.amax(1, keepdim=True)[centre])
        weight = torch.sigmoid(self.attention(torch.cat((mean, peak), dim=1)))  # (P, 2, h, w)
        return torch.cat((weight[:, :1] * mine[neighbour], weight[:, 1:] * other[centre]), dim=1)

    def _deform_1(self, features: Tensor, neighbour: Tensor, eta: Tensor) -> Tensor:
        """DCN_1 of the neighbours' features: each tap's weights act on a frame once, then each pair samples."""
        per_tap = self.deform_1.weight.permute(1, 2, 3, 0).flatten(1)  # (C, taps C)
        once = _sample_taps(table_from_maps(features) @ per_tap, eta, neighbour)  # (P h w, C)
        height, width = eta.shape[2:]
        return once.reshape(len(eta), height, width, -1).permute(0, 3, 1, 2)

    def _deform_2_and_collect(self, x: Tensor) -> Tensor:
        """DCN_2 and the last convolution as one operator; x (P, C, h, w) -> (P, 1, h, w).

        Output p adds, over the last convolution's taps m, v_m . DCN_2(x)(p + m): so DCN_2 is only ever needed through
        its nine products with v_m, and those products go before the sampling.
        """
        deform, collect = self.deform_2.weight.flatten(2), self.collect.weight[0].flatten(1)  # (C', C, taps), (C', 9)
        per_tap = torch.einsum("ock,om->ckm", deform, collect.flip(1)).flatten(1)  # (C, taps 9)
        each = torch.arange(len(x), device=x.device)
        products = _sample_taps(table_from_maps(x) @ per_tap, self.deform_2.conv_offset(x), each)  # (P h w, 9)
        height, width = x.shape[2:]
        products = products.reshape(len(x), height * width, TAPS).mT
        return functional.fold(products, (height, width), KERNEL, padding=1) + self.collect.bias[:, None, None]  # type: ignore[index]


def _sample_taps(table: Tensor, offset: Tensor, source: Tensor) -> Tensor:
    """Sum, over the taps, reads of each tap's own map at the tap's place.

    `table` (F (h + 2) (w + 2), taps D) holds the taps' maps of F frames side by side; pair p reads frame source[p] at
    the offsets (P, 18, h, w). Returns (P h w, D).
    """
    rows, weights = rows_and_weights(offset, KERNEL)  # (P, h, w, taps, 4)
    border = (offset.shape[2] + 2) * (offset.shape[3] + 2)
    rows = (rows + (source * border).int()[:, None, None, None, None]) * TAPS
    rows = rows + torch.arange(TAPS, dtype=rows.dtype, device=rows.device)[:, None]
    bag = 4 * TAPS
    maps = table.reshape(-1, table.shape[1] // TAPS).float()
    return weighted_rows(maps, rows.reshape(-1, bag), weights.reshape(-1, bag))
