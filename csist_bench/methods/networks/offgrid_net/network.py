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

With `alternatives` > 1 the network holds several whole sets of slots, their weights, and how correct each slot is
expected to be. Several arrangements of targets can fit a frame alike, and a single set then answers their mean, which
is none of them. What is answered is the likeliest set, its slots moved to where they count for most
(`layers.answering`).

Alternatives start as regular polygons turned against each other. Where noise leaves the angle of a scene open they stay
what they were: polygons that start upright then answer upright scenes better than others, though no scene ever said
so. With `start = "phase"` they start turned to the phase of the blob's fourth moment, and the network says how far to
keep to them,

    xy_ak = raw_ak + g_a R(psi) polygon_ak.

In noise that phase is nearly an even draw, so what is left open is answered by no angle more often than another. Of
alternatives that are about as likely the one nearest to that phase is answered (`answering.leaning`). A network of a
law without axes needs both.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from csist_bench.errors import must
from csist_bench.methods.networks.common.correctness import expected_correctness
from csist_bench.methods.networks.common.rendering import SceneLabels
from csist_bench.methods.networks.common.residual import ResidualBlock
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.common.set_loss import (
    INTENSITY,
    LEARNED,
    PRESENCE,
    SCORE,
    SIGMA_X,
    SIGMA_Y,
    Alternatives,
    alternatives_loss,
    set_loss,
)
from csist_bench.methods.networks.offgrid_net.answering import SENSOR_FEATURES, Answer, answer_loss, leaning, likeliest
from csist_bench.methods.networks.offgrid_net.judge import USUAL_INTENSITY, Judge, rest_of
from csist_bench.methods.networks.offgrid_net.moments import BlobMoments, Seen, exact, usual_blob_sigma
from csist_bench.methods.networks.offgrid_net.neighbours import NeighbourAttention, NeighbourConvolution
from csist_bench.methods.networks.offgrid_net.path import fitted_places, paths
from csist_bench.methods.networks.offgrid_net.windows import blob_centre, border_distances, centroid, windows_about
from csist_bench.recipes import Count
from csist_bench.simulation.camera import NOISE_FLOOR_FLOAT

SCALE = 100.0  # grey levels
LEAST_ERROR, LEAST_INTENSITY_ERROR = 1e-3, 0.05  # px, grey levels: keeps the likelihood bounded
FIRST_ERROR, FIRST_INTENSITY_ERROR = 0.3, 10.0  # px, grey levels: of an untrained network
LEAST_SHARE = 1e-6  # of correctness: keeps its logit bounded
BORDER = 4  # px: farther from a border no light is lost
PLACE_FEATURES, TURN_FEATURES = 6, 2
FRAMES_PER_STEP, PIXELS_PER_STEP = 10.0, 4.0  # units of displacement between frames


class _Look(NamedTuple):
    """Of N frames: pixels (row, column) that windows (N, W, W) are cut about, centroids (x, y) px, what moments are of,
    how far blobs are turned, rad (0 where it is not asked), and all features (N, F).
    """

    pixel: Tensor
    windows: Tensor
    middle: Tensor
    seen: Seen | None
    turn: Tensor
    features: Tensor


class OffGridNet(nn.Module):
    """Answers each frame with `slots` slots, made of `alternatives` sets of them.

    `reach` frames on either side are looked at (0: the frame alone); if `smooth`, places keep to the smooth path of the
    blob through them (`layers.path`).

    What was tried beside it, for comparison: without `moments`; `pixels` through convolutions first; `neighbours` by
    convolution in time; with one set of slots, the loss under all `assignments`; with more, the likeliest as `answers`.
    """

    indivisible = ("judge", "answer")  # a network that starts from another takes them whole or not at all

    def __init__(
        self, sampling: Sampling, width: Count = 512, depth: Count = 4, slots: Count = 4, reach: int = 0,
        heads: Count = 8, window: Count = 7, alternatives: Count = 1, moments: bool = True,
        pixels: Literal["linear", "convolution"] = "linear",
        neighbours: Literal["attention", "convolution"] = "attention", assignments: Literal["best", "all"] = "best",
        start: Literal["upright", "phase"] = "upright", answers: Literal["likeliest", "moved"] = "moved",
        smooth: bool = False,
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
        told += TURN_FEATURES if start == "phase" else 0
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
        self.answer = Answer(alternatives) if alternatives > 1 and answers == "moved" else None
        self.steady: nn.Linear | None = None
        if smooth:
            if not reach or alternatives == 1:
                raise must("smooth", "be false without reach or alternatives", smooth)
            self.blob_sigma = usual_blob_sigma(sampling)
            self.steady = nn.Linear(width, 1)
            nn.init.zeros_(self.steady.weight)
            nn.init.ones_(self.steady.bias)
        self.keep: nn.Linear | None = None
        if start == "phase":
            if alternatives == 1:
                raise must("alternatives", 'be 2 or more to start by "phase"', alternatives)
            if slots % 4:
                raise must("slots", 'be divisible by 4 to start by "phase", which is known up to a quarter', slots)
            self.keep = nn.Linear(width, alternatives)
        if alternatives > 1:
            self._start_as_polygons()

    @property
    def calibrating(self) -> nn.Module | None:
        """What says how large errors are, and nothing else."""
        return self.answer.rescale if self.answer else None

    def forward(self, frames: Tensor, told: SceneLabels | None = None) -> Tensor:
        """Answer frames (B, T, S, S), grey levels, with slots (B, T, K, 8), columns as in `layers.set_loss`.

        Of `told` only the noise and the clipping level are read; by default there is none of either.
        """
        found = self._answers(frames, told)
        if isinstance(found, Alternatives):
            answers = self._answered(found, frames, told)
            slots = torch.cat([answers[..., :SCORE], answers[..., SCORE:].sigmoid()], dim=-1)
        else:
            slots = torch.cat([found, _alone(found).unsqueeze(-1)], dim=-1)
        return slots.unflatten(0, frames.shape[:2])

    def _answered(
        self, found: Alternatives, frames: Tensor, told: SceneLabels | None, scored: slice = slice(None)
    ) -> Tensor:
        """Make one set of answers (N, K, 8) of the scored frames' alternatives, which are not changed by it."""
        if self.answer is None:
            return likeliest(found)
        noise, clipping = (x[:, None].expand(frames.shape[:2])[:, scored].flatten() for x in _sensor(frames, told))
        fixed = Alternatives(found.slots.detach(), found.weight.detach(), found.correctness.detach(), found.lean)
        return self.answer(fixed, _sensor_features(noise, clipping))

    def _answers(self, frames: Tensor, told: SceneLabels | None, scored: slice = slice(None)) -> Tensor | Alternatives:
        """Answer the scored frames of (B, T, S, S), N in all, with slots (N, K, 7), or with alternatives."""
        b, t = frames.shape[:2]
        look = self._look(frames, told)
        h = self.encode(self.embed(look.features))
        if self.reach:
            h = self._mixed(h.unflatten(0, (b, t)), look.pixel.unflatten(0, (b, t))).flatten(0, 1)
        h = self.norm(h)
        slots = _slots(self.head(h).float().unflatten(-1, (self.alternatives, self.slots, LEARNED)))
        if self.keep:
            slots = _moved(slots, self.keep(h).float()[..., None, None] * self._polygons(look.turn))
        ahead = None
        if self.steady:
            slots, ahead = self._steadied(slots, h, look, (b, t))
        there = _moved(slots, look.middle.to(slots)[:, None, None])
        if self.judge is None or self.moments is None or look.seen is None:
            return there[:, 0].unflatten(0, (b, t))[:, scored].flatten(0, 1)
        fixed = slots.detach()  # they are judged, not changed, by what they leave
        by_sequence = Seen(*(x.unflatten(0, (b, t)) for x in look.seen))
        with exact(fixed):
            rest = rest_of(self.moments, by_sequence, fixed.unflatten(0, (b, t)), self.reach, ahead)
        weight, right = self.judge(h, fixed, rest.flatten(0, 1))
        # What weight and errors say of it by themselves, and what is learned beyond: where alternatives agree, their
        # weights add up.
        usual = weight.detach().softmax(dim=1).unsqueeze(2) * _alone(fixed)
        right = right + torch.logit(usual, LEAST_SHARE)
        lean = leaning(fixed, look.turn) if self.keep else torch.zeros_like(weight)
        parts = (x.unflatten(0, (b, t))[:, scored].flatten(0, 1) for x in (there, weight, right, lean))
        return Alternatives(*parts)

    def _look(self, frames: Tensor, told: SceneLabels | None) -> _Look:
        """Return what the network reads of frames (B, T, S, S)."""
        flat, size = frames.flatten(0, 1), frames.shape[-1]
        pixel = blob_centre(flat)
        windows = windows_about(flat, pixel, self.window)
        noise, clipping = (x[:, None].expand(frames.shape[:2]).flatten() for x in _sensor(frames, told))
        with exact(windows):
            seen = self.moments.seen(windows, noise) if self.moments else None
            middle = seen.middle if seen else centroid(windows)
        features = [
            self.pixels(windows / SCALE),
            border_distances(pixel, size, BORDER),
            middle,
            _sensor_features(noise, clipping),
        ]
        turn = torch.zeros_like(noise)
        if self.moments and seen:
            with exact(windows):
                features.append(self.moments(seen))
                turn = self.moments.turn(seen) if self.keep else turn
        if self.keep:
            features.append(torch.stack([turn.cos(), turn.sin()], dim=-1))
        return _Look(pixel, windows, (pixel + middle).flip(1), seen, turn, torch.cat(features, dim=1))

    def _steadied(self, slots: Tensor, h: Tensor, look: _Look, sequences: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Take the noise of a frame's own place from its slots; also return how far they move, as `rest_of` asks.

        The network, which knows the noise, says how much of it to take.
        """
        start = look.middle.flip(1) - look.pixel
        seen = (look.pixel + fitted_places(look.windows, start, self.blob_sigma)).flip(1).unflatten(0, sequences)
        path = paths(seen, self.reach)
        shift = self.steady(h).float() * (path[:, :, self.reach] - seen).flatten(0, 1)  # type: ignore[misc]
        t = torch.arange(sequences[1], device=h.device)
        around = (t[:, None] + torch.arange(-self.reach, self.reach + 1, device=h.device)).clamp(0, sequences[1] - 1)
        ahead = path - look.middle.unflatten(0, sequences)[:, around]
        return _moved(slots, shift[:, None, None]), ahead - ahead[:, :, self.reach, None]

    def _start_as_polygons(self) -> None:
        """Let alternatives start as regular polygons turned against each other, so that each has scenes to answer."""
        with torch.no_grad():
            self.head.weight *= 0.3
            places = self.head.bias.view(self.alternatives, self.slots, LEARNED)[..., :INTENSITY]
            if self.keep:
                self.keep.weight *= 0.3
                self.keep.bias.fill_(1.0)
                places.zero_()
            else:
                places.copy_(self._polygons(torch.zeros(1, device=places.device))[0])

    def _polygons(self, turn: Tensor) -> Tensor:
        """Return the alternatives' polygons turned by angles (N,), rad, as (N, A, K, 2) px."""
        step = torch.arange(self.slots) + torch.arange(self.alternatives)[:, None] / self.alternatives
        angle = turn[:, None, None] + 2 * math.pi / self.slots * step.to(turn)
        return FIRST_ERROR * torch.stack([angle.cos(), angle.sin()], dim=-1)

    def loss(self, frames: Tensor, labels: SceneLabels, scored: slice) -> dict[str, Tensor]:
        """Return the losses on the scored frames."""
        found = self._answers(frames, labels, scored)
        truth = labels.xy[:, scored].flatten(0, 1), labels.intensity[:, scored].flatten(0, 1)
        if isinstance(found, Alternatives):
            terms = alternatives_loss(found, *truth)
            if self.answer is None:
                return terms
            terms |= answer_loss(self._answered(found, frames, labels, scored), *truth)
            return {**terms, "total": terms["total"] + terms["answer"]}
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


def _moved(slots: Tensor, by: Tensor) -> Tensor:
    """Return slots (..., 7) with their positions moved, px."""
    return torch.cat([slots[..., :INTENSITY] + by, slots[..., INTENSITY:]], dim=-1)


def _sensor(frames: Tensor, told: SceneLabels | None) -> tuple[Tensor, Tensor]:
    """Return the noise, grey levels, and the inverse of the clipping level, near one, (B,) each."""
    if told is None:
        noise = frames.new_full((len(frames),), NOISE_FLOOR_FLOAT)
        return noise, torch.zeros_like(noise)
    return told.noise_sigma.to(frames), SCALE / told.saturation.to(frames)


def _sensor_features(noise: Tensor, clipping: Tensor) -> Tensor:
    """Return what is told of the sensor as features (N, 3), of noise and clipping as `_sensor` returns them."""
    return torch.stack([noise / 5.0, noise.clamp_min(1e-3).log() / 2.0, clipping], dim=-1)


def _alone(slots: Tensor) -> Tensor:
    """Return how correct slots (..., 7) are expected to be by their own presence and errors alone, (...)."""
    return slots[..., PRESENCE].sigmoid() * expected_correctness(slots[..., SIGMA_X : SIGMA_Y + 1])


def _slots(raw: Tensor) -> Tensor:
    """Turn the last layer's numbers (..., 7) into slots, positions about the blob's centroid."""
    light = USUAL_INTENSITY + SCALE * raw[..., 2:3]
    error = torch.hypot(FIRST_ERROR * raw[..., 4:6].exp(), raw.new_tensor(LEAST_ERROR))
    light_error = torch.hypot(FIRST_INTENSITY_ERROR * raw[..., 6:7].exp(), raw.new_tensor(LEAST_INTENSITY_ERROR))
    return torch.cat([raw[..., :2], light, raw[..., 3:4], error, light_error], dim=-1)
