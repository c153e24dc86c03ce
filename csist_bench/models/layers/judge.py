"""Judging alternatives by what they leave of the window: the light that a set of targets does not explain.

That light tells which of several arrangements is right far more sharply than a window by itself does: where the noise
is low, a wrong one leaves many times the noise. It is seen in Hermite moments (`layers.moments`), each in units of its
noise, beside the set itself and the network's features of the frame. Nothing that is learned here changes the sets.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from csist_bench.models.layers.moments import BlobMoments
from csist_bench.models.layers.set_loss import INTENSITY, PRESENCE, SIGMA_X

USUAL_INTENSITY, INTENSITY_SPREAD = 235.0, 10.0  # grey levels: brings intensities near one


class Judge(nn.Module):
    """Maps windows with their alternatives to a logit for each set, and one for each of its slots.

    Parameters
    ----------
    moments : BlobMoments
        Shared with the network that it belongs to.
    width : int
        Features of a frame.
    slots : int
        Slots of a set.
    hidden : int
    """

    def __init__(self, moments: BlobMoments, width: int, slots: int, hidden: int = 128) -> None:
        super().__init__()
        self.moments = [moments]  # not a child: its buffers are the network's
        self.look = nn.Linear(width, hidden)
        self.compare = nn.Linear(len(moments.orders) + 7 * slots, hidden)
        self.decide = nn.Sequential(nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, 1 + slots))

    def forward(
        self, h: Tensor, windows: Tensor, middle: Tensor, noise: Tensor, slots: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return logits (N, A) of the sets and (N, A, K) of their slots.

        Features h (N, width), windows (N, W, W) with their centroids (N, 2), noise (N,), and slots (N, A, K, 7) about
        the window's middle.
        """
        slots = slots.detach()
        presence = slots[..., PRESENCE].sigmoid()
        place = slots[..., :INTENSITY] + windows.shape[-1] // 2
        rest = self.moments[0].of_rest(windows, noise, place, slots[..., INTENSITY] * presence)
        told = torch.cat(
            [
                slots[..., :INTENSITY] - middle.flip(1)[:, None, None],
                (slots[..., INTENSITY, None] - USUAL_INTENSITY) / INTENSITY_SPREAD,
                presence.unsqueeze(-1),
                slots[..., SIGMA_X:].log(),
            ],
            dim=-1,
        )
        both = self.compare(torch.cat([rest, told.flatten(2)], dim=2)) + self.look(h).unsqueeze(1)
        decided = self.decide(both)
        return decided[..., 0], decided[..., 1:]
