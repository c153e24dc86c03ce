"""OffGrid-Net: unmixing as set prediction. The network answers targets, not a heat map.

Each frame is cut to a window about its blob and answered with K slots (x, y, intensity, presence and standard errors),
trained by the likelihood under the best assignment of slots to targets (`layers.set_loss`) on an endless stream of
scenes. The idea of slots matched to objects is DETR's (Carion et al., ECCV 2020, arXiv:2005.12872); that of answering
point emitters with errors of their own is DECODE's (Speiser et al., Nature Methods 2021).

    h_t = R(...R(W f_t)),  R(h) = h + W_2 gelu(W_1 LN(h)),  slots_t = W' LN(h_t)

f_t holds the window's pixels, its centroid and its moments about it (`layers.moments`), how near it is to the image's
borders, the noise and the clipping level; positions are answered relative to the centroid. With `reach` > 0
the later half of the blocks are each preceded by attention over the frames at most `reach` away (`layers.neighbours`),
whose keys come from the earlier half: so a frame depends on 2 `reach` + 1 frames and no others.

With `alternatives` > 1 a frame is answered with several whole sets of slots, their weights, and how correct each slot
is expected to be; the likeliest set is shown. Several arrangements of targets can fit a frame alike, and a
single set then answers their mean, which is none of them.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from csist_bench.checks import must
from csist_bench.models.layers.correctness import expected_correctness
from csist_bench.models.layers.judge import USUAL_INTENSITY, Judge, rest_of
from csist_bench.models.layers.moments import BlobMoments
from csist_bench.models.layers.neighbours import NeighbourAttention, NeighbourConvolution
from csist_bench.models.layers.rendering import SceneLabels
from csist_bench.models.layers.residual import ResidualBlock
from csist_bench.models.layers.sampling import Sampling
from csist_bench.models.layers.set_loss import (
    INTENSITY,
    LEARNED,
    PRESENCE,
    SIGMA_X,
    SIGMA_Y,
    Alternatives,
    alternatives_loss,
    set_loss,
)
from csist_bench.models.layers.windows import blob_centre, border_distances, centroid, windows_about
from csist_bench.recipes import Count
from csist_bench.sensor import NOISE_FLOOR_FLOAT

SCALE = 100.0  # grey levels
LEAST_ERROR, LEAST_INTENSITY_ERROR = 1e-3, 0.05  # px, grey levels: keeps the likelihood bounded
FIRST_ERROR, FIRST_INTENSITY_ERROR = 0.3, 10.0  # px, grey levels: of an untrained network
LEAST_SHARE = 1e-6  # of correctness: keeps its logit bounded
BORDER = 4  # px: farther from a border no light is lost
PLACE_FEATURES, SENSOR_FEATURES = 6, 3
FRAMES_PER_STEP, PIXELS_PER_STEP = 10.0, 4.0  # units of displacement between frames


class OffgridNet(nn.Module):
    """Answers each frame with `slots` slots, the likeliest of `alternatives` sets of them.

    `reach` frames on either side are looked at (0: the frame alone).

    What was tried beside it, for comparison: without `moments`; `pixels` through convolutions first; `neighbours` by
    convolution in time; with one set of slots, the loss under all `assignments`.
    """

    def __init__(
        self, sampling: Sampling, width: Count = 512, depth: Count = 4, slots: Count = 4, reach: int = 0,
        heads: Count = 8, window: Count = 7, alternatives: Count = 1, moments: bool = True,
        pixels: Literal["linear", "convolution"] = "linear",
        neighbours: Literal["attention", "convolution"] = "attention", assignments: Literal["best", "all"] = "best",
    ) -> None:  # fmt: skip
        super().__init__()
        if window % 2 == 0 or window > 2 * sampling.size:
            raise must("window", "be odd and at most twice the frame's size", window)
        if reach < 0:
            raise must("reach", "be 0 or more frames", reach)
        if reach and neighbours == "attention" and width % heads:
            raise must("width", f"be divisible by the {heads} heads", width)
        self.window, self.slots, self.reach, self.alternatives = window, slots, reach, alternatives
        self.assignments: Literal["best", "all"] = assignments
        self.pixels = nn.Flatten() if pixels == "linear" else PixelConvolutions(window, width)
        self.moments = BlobMoments(sampling, window) if moments else None
        seen = window**2 if pixels == "linear" else width
        told = PLACE_FEATURES + SENSOR_FEATURES + (self.moments.count if self.moments else 0)
        self.embed = nn.Linear(seen + told, width)
        self.encode = nn.Sequential(*(ResidualMlp(width) for _ in range(depth - depth // 2 if reach else depth)))
        later = depth // 2 if reach else 0
        self.attend = nn.ModuleList(
            NeighbourAttention(width, heads, reach) if neighbours == "attention" else NeighbourConvolution(width, reach)
            for _ in range(later)
        )
        self.decode = nn.ModuleList(ResidualMlp(width) for _ in range(later))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, alternatives * slots * LEARNED)
        self.judge: Judge | None = None
        if alternatives > 1:
            if self.moments is None:
                raise must("moments", "be true where there are alternatives, which are judged by them", moments)
            if assignments == "all":
                raise must("assignments", "be best where there are alternatives", assignments)
            self.judge = Judge(len(self.moments.orders) * (2 if reach else 1), width, slots)
            self._start_turned()

    def forward(self, frames: Tensor, told: SceneLabels | None = None) -> Tensor:
        """Answer frames (B, T, S, S), grey levels, with slots (B, T, K, 8), columns as in `layers.set_loss`.

        Of `told` only the noise and the clipping level are read; by default there is none of either.
        """
        found = self._answers(frames, told)
        if isinstance(found, Alternatives):
            return found.shown().unflatten(0, frames.shape[:2])
        return torch.cat([found, _alone(found).unsqueeze(-1)], dim=-1).unflatten(0, frames.shape[:2])

    def _answers(self, frames: Tensor, told: SceneLabels | None, scored: slice = slice(None)) -> Tensor | Alternatives:
        """Answer the scored frames of (B, T, S, S), N in all, with slots (N, K, 7), or with alternatives."""
        b, t, size = frames.shape[:3]
        flat = frames.flatten(0, 1)
        pixel = blob_centre(flat)
        windows = windows_about(flat, pixel, self.window)
        middle = centroid(windows)
        noise, clipping = (x[:, None].expand(b, t).flatten() for x in _sensor(frames, told))
        features = [
            self.pixels(windows / SCALE),
            border_distances(pixel, size, BORDER),
            middle,
            torch.stack([noise / 5.0, noise.clamp_min(1e-3).log() / 2.0, clipping], dim=-1),
        ]
        if self.moments:
            features.append(self.moments(windows, noise))
        h = self.encode(self.embed(torch.cat(features, dim=1)))
        if self.reach:
            h = self._mixed(h.unflatten(0, (b, t)), pixel.unflatten(0, (b, t))).flatten(0, 1)
        h, middle = self.norm(h), (pixel + middle).flip(1)
        slots = _slots(self.head(h).float().unflatten(-1, (self.alternatives, self.slots, LEARNED)))
        there = torch.cat([slots[..., :INTENSITY] + middle.to(slots)[:, None, None], slots[..., INTENSITY:]], dim=-1)
        if self.judge is None or self.moments is None:
            return there[:, 0].unflatten(0, (b, t))[:, scored].flatten(0, 1)
        fixed = slots.detach()  # they are judged, not changed, by what they leave
        seen, spread, sets = (x.unflatten(0, (b, t)) for x in (windows, noise, fixed))
        rest = rest_of(self.moments, seen, spread, sets, self.reach)
        weight, right = self.judge(h, fixed, rest.flatten(0, 1))
        # What weight and errors say of it by themselves, and what is learned beyond: where alternatives agree, their
        # weights add up.
        usual = weight.detach().softmax(dim=1).unsqueeze(2) * _alone(fixed)
        right = right + torch.logit(usual, LEAST_SHARE)
        there, weight, right = (x.unflatten(0, (b, t))[:, scored].flatten(0, 1) for x in (there, weight, right))
        return Alternatives(there, weight, right)

    def _start_turned(self) -> None:
        """Let alternatives start as regular polygons turned against each other, so that each has scenes to answer."""
        with torch.no_grad():
            self.head.weight *= 0.3
            turn = torch.arange(self.slots) + torch.arange(self.alternatives)[:, None] / self.alternatives
            angle = 2 * math.pi / self.slots * turn
            places = self.head.bias.view(self.alternatives, self.slots, LEARNED)
            places[..., 0], places[..., 1] = FIRST_ERROR * angle.cos(), FIRST_ERROR * angle.sin()

    def loss(self, frames: Tensor, labels: SceneLabels, scored: slice) -> dict[str, Tensor]:
        """Return the losses on the scored frames."""
        found = self._answers(frames, labels, scored)
        truth = labels.xy[:, scored].flatten(0, 1), labels.intensity[:, scored].flatten(0, 1)
        if isinstance(found, Alternatives):
            return alternatives_loss(found, *truth)
        return set_loss(found, *truth, self.assignments)

    def _mixed(self, h: Tensor, pixel: Tensor) -> Tensor:
        """Let frames (B, T, width), cut about pixels (B, T, 2), look at their neighbours."""
        b, t = h.shape[:2]
        time = torch.arange(t, dtype=h.dtype, device=h.device).expand(b, t).unsqueeze(-1) / FRAMES_PER_STEP
        place = torch.cat([time, pixel.to(h.dtype) / PIXELS_PER_STEP], dim=-1)  # (B, T, 3)
        context = h
        for attend, decode in zip(self.attend, self.decode, strict=True):
            h = decode(h + attend(h, context, place))
        return h


class PixelConvolutions(nn.Module):
    """Window (N, W, W) -> (N, width): two residual blocks of 3x3 convolutions, and a linear map of all their values."""

    def __init__(self, window: int, width: int, channels: int = 32) -> None:
        super().__init__()
        self.enter = nn.Conv2d(1, channels, 3, padding=1)
        self.blocks = nn.Sequential(ResidualBlock(channels), ResidualBlock(channels))
        self.leave = nn.Linear(channels * window**2, width)

    def forward(self, windows: Tensor) -> Tensor:
        """Map windows to features."""
        features: Tensor = self.leave(self.blocks(self.enter(windows.unsqueeze(1))).flatten(1))
        return features


class ResidualMlp(nn.Module):
    """h + W_2 gelu(W_1 LN(h))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.into, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, h: Tensor) -> Tensor:
        """Map (..., width) to the same shape."""
        return h + self.out(nn.functional.gelu(self.into(self.norm(h))))


def _sensor(frames: Tensor, told: SceneLabels | None) -> tuple[Tensor, Tensor]:
    """Return the noise, grey levels, and the inverse of the clipping level, near one, (B,) each."""
    if told is None:
        noise = frames.new_full((len(frames),), NOISE_FLOOR_FLOAT)
        return noise, torch.zeros_like(noise)
    return told.noise_sigma.to(frames), SCALE / told.saturation.to(frames)


def _alone(slots: Tensor) -> Tensor:
    """Return how correct slots (..., 7) are expected to be by their own presence and errors alone, (...)."""
    return slots[..., PRESENCE].sigmoid() * expected_correctness(slots[..., SIGMA_X : SIGMA_Y + 1])


def _slots(raw: Tensor) -> Tensor:
    """Turn the last layer's numbers (..., 7) into slots, positions about the blob's centroid."""
    light = USUAL_INTENSITY + SCALE * raw[..., 2:3]
    error = torch.hypot(FIRST_ERROR * raw[..., 4:6].exp(), raw.new_tensor(LEAST_ERROR))
    light_error = torch.hypot(FIRST_INTENSITY_ERROR * raw[..., 6:7].exp(), raw.new_tensor(LEAST_INTENSITY_ERROR))
    return torch.cat([raw[..., :2], light, raw[..., 3:4], error, light_error], dim=-1)
