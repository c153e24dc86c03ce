"""Weights of alternatives by what they leave of the window: the light that a set of targets does not explain.

That light tells which of several arrangements is right far more sharply than a window by itself does: where the noise
is low, a wrong one leaves many times the noise. It is seen in Hermite moments (`hermite_moments`), each in units of its
noise, beside the set itself and the network's features of the frame.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from csist_bench.methods.networks.common.one_pass import Perceptron
from csist_bench.methods.networks.common.set_loss import INTENSITY, LEARNED, PRESENCE, SIGMA_X
from csist_bench.methods.networks.offgrid_net.hermite_moments import HermiteMoments, Seen, compressed

USUAL_INTENSITY, INTENSITY_SPREAD = 235.0, 10.0  # grey levels: bring intensities near one


class MixtureWeights(nn.Module):
    """Maps alternatives to a logit for each set, and one for each of its slots.

    Parameters
    ----------
    moments : int
        Moments of what is left of a window.
    width : int
        Features of a frame.
    slots : int
        Slots of a set.
    """

    def __init__(self, moments: int, width: int, slots: int, hidden: int = 128) -> None:
        super().__init__()
        self.look = nn.Linear(width, hidden)
        self.compare = nn.Linear(moments + LEARNED * slots, hidden)
        self.decide = Perceptron(nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, 1 + slots))

    def forward(self, features: Tensor, slots: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (N, A) of the sets and (N, A, K) of their slots.

        Features (N, width) of frames, slots (N, A, K, 7) about the blob's centroid, and the moments (N, A, M) of what
        they leave.
        """
        told = torch.cat(
            [
                slots[..., :INTENSITY],
                (slots[..., INTENSITY, None] - USUAL_INTENSITY) / INTENSITY_SPREAD,
                slots[..., PRESENCE, None].sigmoid(),
                slots[..., SIGMA_X:].log(),
            ],
            dim=-1,
        )
        both = self.compare(torch.cat([rest, told.flatten(2)], dim=2)) + self.look(features).unsqueeze(1)
        decided = self.decide(both)
        return decided[..., 0], decided[..., 1:]


def rest_of(moments: HermiteMoments, seen: Seen, slots: Tensor, reach: int, ahead: Tensor | None = None) -> Tensor:
    """Return the moments of what sets of slots leave of their own windows and, with `reach`, of those around them.

    Targets that keep their arrangement leave alike in every frame, while noise does not: moments of what a frame's sets
    leave of all frames within reach, each set brought to the frame's centroid by its own, are summed in units of the
    sum's noise.

    Parameters
    ----------
    seen : Seen
        Of the windows of B sequences of T frames, (B, T, ...) each.
    slots : Tensor, shape (B, T, A, K, 7)
        Positions about the windows' centroids.
    ahead : Tensor, shape (B, T, 2 reach + 1, 2), px, optional
        How far, measured from the windows' centroids, the targets of a frame move to those around it.

    Returns
    -------
    Tensor, shape (B, T, A, M), or (B, T, A, 2 M) with reach
        Compressed by asinh.
    """
    b, t = slots.shape[:2]
    place, expected = slots[..., :INTENSITY], slots[..., INTENSITY] * slots[..., PRESENCE].sigmoid()

    def left(frame: slice, of: slice, places: Tensor) -> Tensor:
        there = Seen(*(x[:, frame].flatten(0, 1) for x in seen))
        rest = moments.of_rest(there, places.flatten(0, 1), expected[:, of].flatten(0, 1))
        return rest.unflatten(0, (b, -1))

    own = left(slice(None), slice(None), place)
    if not reach:
        return compressed(own)
    if ahead is None:
        total_intensity = expected.sum(dim=-1)[..., None, None].clamp_min(1.0)
        middle = (expected.unsqueeze(-1) * place).sum(dim=-2, keepdim=True) / total_intensity
        place, ahead = place - middle, place.new_zeros((*place.shape[:2], 2 * reach + 1, 2))
    total, count = torch.zeros_like(own), own.new_zeros(t)
    for lag in range(-min(reach, t - 1), min(reach, t - 1) + 1):
        of, frame = slice(max(0, -lag), t - max(0, lag)), slice(max(0, lag), t + min(0, lag))
        total[:, of] += left(frame, of, place[:, of] + ahead[:, of, reach + lag, None, None])
        count[of] += 1
    return compressed(torch.cat([own, total / count.sqrt()[:, None, None]], dim=-1))
