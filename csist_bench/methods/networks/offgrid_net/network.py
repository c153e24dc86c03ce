"""OffGrid-Net: unmixing as set prediction. The network answers targets, not a heat map.

Each frame is cut to a window about its blob and answered with K slots (x, y, intensity, presence and standard errors),
trained by the likelihood under the best assignment of slots to targets (`set_loss`) on an endless stream of
scenes. The idea of slots matched to objects is DETR's (Carion et al., ECCV 2020, arXiv:2005.12872); that of answering
point emitters with errors of their own is DECODE's (Speiser et al., Nature Methods 2021).

    h_t = R(...R(W f_t)),  R(h) = h + W_2 gelu(W_1 LN(h)),  slots_t = W' LN(h_t)

f_t holds the window's pixels, its centroid and its moments about it (`moments`), how near it is to the image's
borders, the noise and the clipping level; positions are answered relative to the centroid. With `reach` > 0
the later half of the blocks are each preceded by attention over the frames at most `reach` away (`temporal_attention`),
whose keys come from the earlier half: so a frame depends on 2 `reach` + 1 frames and no others.

With `alternatives` > 1 the network holds several whole sets of slots, their weights, and how correct each slot is
expected to be. Several arrangements of targets can fit a frame alike, and a single set then answers their mean, which
is none of them. What is answered is the likeliest set, its slots moved to where they count for most
(`mixture_decision`).

Alternatives start as regular polygons turned against each other. Where noise leaves the angle of a scene open they stay
what they were: polygons that start upright then answer upright scenes better than others, though no scene ever said
so. With `start = "phase"` they start turned to the phase of the blob's fourth moment, and the network says how far to
keep to them,

    xy_ak = raw_ak + g_a R(psi) polygon_ak.

In noise that phase is nearly an even draw, so what is left open is answered by no angle more often than another. Of
alternatives that are about as likely the one nearest to that phase is answered (`mixture_decision.leaning`). A network
of a law without axes needs both.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from csist_bench.errors import must
from csist_bench.methods.networks.common.rendering import SceneLabels
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.networks.common.set_loss import (
    INTENSITY,
    LEARNED,
    SCORE,
    Alternatives,
    alternatives_loss,
    set_loss,
)
from csist_bench.methods.networks.offgrid_net.hermite_moments import HermiteMoments, Seen, exact, usual_blob_sigma
from csist_bench.methods.networks.offgrid_net.layers import PixelConvolutions, ResidualMlp, started_at
from csist_bench.methods.networks.offgrid_net.mixture_decision import (
    SENSOR_FEATURES,
    MixtureDecision,
    decision_loss,
    leaning,
    likeliest,
)
from csist_bench.methods.networks.offgrid_net.mixture_weights import MixtureWeights, rest_of
from csist_bench.methods.networks.offgrid_net.path_smoothing import fitted_places, smooth_paths
from csist_bench.methods.networks.offgrid_net.settings import OffGridNetSettings
from csist_bench.methods.networks.offgrid_net.slots import SCALE, moved, own_correctness, polygons, slots_from_raw
from csist_bench.methods.networks.offgrid_net.temporal_attention import TemporalAttention, TemporalConvolution
from csist_bench.methods.networks.offgrid_net.windows import blob_centre, border_distances, centroid, windows_about
from csist_bench.simulation.camera import NOISE_FLOOR_FLOAT

BORDER = 4  # px: farther from a border no light is lost
LEAST_SHARE = 1e-6  # of correctness: keeps its logit bounded
PLACE_FEATURES, TURN_FEATURES = 6, 2
FRAMES_PER_STEP, PIXELS_PER_STEP = 10.0, 4.0  # units of displacement between frames
START_SHRINKAGE = 0.3  # of the first weights where alternatives start as polygons


class _Look(NamedTuple):
    """What the network reads of N frames.

    Pixels (row, column) that windows (N, W, W) are cut about, centroids (x, y) px, what moments are taken of, how far
    blobs are turned, rad (0 where it is not asked), and all features (N, F).
    """

    pixel: Tensor
    windows: Tensor
    middle: Tensor
    seen: Seen | None
    turn: Tensor
    features: Tensor


class OffGridNet(nn.Module):
    """Answers each frame with sets of slots; see the module's docstring."""

    Settings = OffGridNetSettings
    indivisible = ("judge", "answer")  # a network that starts from another takes them whole or not at all

    def __init__(self, sampling: Sampling, settings: OffGridNetSettings) -> None:
        super().__init__()
        if settings.window > 2 * sampling.size:
            raise must("window", "be odd and at most twice the frame's size", settings.window)
        width, slots, alternatives = settings.width, settings.slots, settings.alternatives
        self.window, self.slots, self.alternatives = settings.window, slots, alternatives
        self.reach, self.assignments, self.blob_sigma = settings.reach, settings.assignments, usual_blob_sigma(sampling)
        # The order is that of the random numbers and of the parameters in an optimiser's saved state.
        self.pixels = _pixel_layer(settings)
        self.moments = HermiteMoments(sampling, settings.window) if settings.moments else None
        self.embed = nn.Linear(_feature_count(settings, self.moments), width)
        self.encode = nn.Sequential(*(ResidualMlp(width) for _ in range(settings.depth - settings.later_blocks)))
        self.attend = nn.ModuleList(_temporal_layer(settings) for _ in range(settings.later_blocks))
        self.decode = nn.ModuleList(ResidualMlp(width) for _ in range(settings.later_blocks))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, alternatives * slots * LEARNED)
        self.judge = _mixture_weights(settings, self.moments)
        self.answer = MixtureDecision(alternatives) if settings.several and settings.answers == "moved" else None
        self.steady = started_at(nn.Linear(width, 1), 1.0) if settings.smooth else None
        self.keep = nn.Linear(width, alternatives) if settings.start == "phase" else None
        if settings.several:
            self._start_as_polygons()

    @property
    def calibrating(self) -> nn.Module | None:
        """What says how large errors are, and nothing else."""
        return self.answer.rescale if self.answer else None

    def forward(self, frames: Tensor, told: SceneLabels | None = None) -> Tensor:
        """Answer frames (B, T, S, S), grey levels, with slots (B, T, K, 8), columns as in `common.set_loss`.

        Of `told` only the noise and the clipping level are read; by default there is none of either.
        """
        found = self._found(frames, told)
        if isinstance(found, Alternatives):
            answers = self._decided(found, frames, told)
            slots = torch.cat([answers[..., :SCORE], answers[..., SCORE:].sigmoid()], dim=-1)
        else:
            slots = torch.cat([found, own_correctness(found).unsqueeze(-1)], dim=-1)
        return slots.unflatten(0, frames.shape[:2])

    def loss(self, frames: Tensor, labels: SceneLabels, scored: slice) -> dict[str, Tensor]:
        """Return the losses on the scored frames."""
        found = self._found(frames, labels, scored)
        truth = labels.xy[:, scored].flatten(0, 1), labels.intensity[:, scored].flatten(0, 1)
        if not isinstance(found, Alternatives):
            return set_loss(found, *truth, self.assignments)
        terms = alternatives_loss(found, *truth)
        if self.answer is None:
            return terms
        terms |= decision_loss(self._decided(found, frames, labels, scored), *truth)
        return {**terms, "total": terms["total"] + terms["answer"]}

    def _decided(
        self, found: Alternatives, frames: Tensor, told: SceneLabels | None, scored: slice = slice(None)
    ) -> Tensor:
        """Make one set of answers (N, K, 8) of the scored frames' alternatives, which are not changed by it."""
        if self.answer is None:
            return likeliest(found)
        noise, clipping = (x[:, None].expand(frames.shape[:2])[:, scored].flatten() for x in _sensor(frames, told))
        fixed = Alternatives(found.slots.detach(), found.weight.detach(), found.correctness.detach(), found.lean)
        return self.answer(fixed, _sensor_features(noise, clipping))

    def _found(self, frames: Tensor, told: SceneLabels | None, scored: slice = slice(None)) -> Tensor | Alternatives:
        """Answer the scored frames of (B, T, S, S), N in all, with slots (N, K, 7), or with alternatives."""
        sequences = (frames.shape[0], frames.shape[1])
        look = self._look(frames, told)
        h = self._hidden(look, sequences)
        slots, ahead = self._placed(h, look, sequences)
        there = moved(slots, look.middle.to(slots)[:, None, None])
        if self.judge is None or self.moments is None or look.seen is None:
            return there[:, 0].unflatten(0, sequences)[:, scored].flatten(0, 1)
        fixed = slots.detach()  # the weights do not change the sets
        by_sequence = Seen(*(x.unflatten(0, sequences) for x in look.seen))
        with exact(fixed):
            rest = rest_of(self.moments, by_sequence, fixed.unflatten(0, sequences), self.reach, ahead)
        weight, right = self.judge(h, fixed, rest.flatten(0, 1))
        # Weight and errors give a first estimate; the network adds what they miss, such as that the weights of
        # alternatives that agree add up.
        usual = weight.detach().softmax(dim=1).unsqueeze(2) * own_correctness(fixed)
        right = right + torch.logit(usual, LEAST_SHARE)
        lean = leaning(fixed, look.turn) if self.keep else torch.zeros_like(weight)
        parts = (x.unflatten(0, sequences)[:, scored].flatten(0, 1) for x in (there, weight, right, lean))
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

    def _hidden(self, look: _Look, sequences: tuple[int, int]) -> Tensor:
        """Return the features (N, width) that answers are read from."""
        h = self.encode(self.embed(look.features))
        if self.reach:
            h = self._mixed(h.unflatten(0, sequences), look.pixel.unflatten(0, sequences)).flatten(0, 1)
        features: Tensor = self.norm(h)
        return features

    def _mixed(self, h: Tensor, pixel: Tensor) -> Tensor:
        """Let frames (B, T, width), cut about pixels (B, T, 2), look at their neighbours."""
        b, t = h.shape[:2]
        time = torch.arange(t, dtype=h.dtype, device=h.device).expand(b, t).unsqueeze(-1) / FRAMES_PER_STEP
        place = torch.cat([time, pixel.to(h.dtype) / PIXELS_PER_STEP], dim=-1)  # (B, T, 3)
        context = h
        for attend, decode in zip(self.attend, self.decode, strict=True):
            h = decode(h + attend(h, context, place))
        return h

    def _placed(self, h: Tensor, look: _Look, sequences: tuple[int, int]) -> tuple[Tensor, Tensor | None]:
        """Return slots (N, A, K, 7) about the blobs' centroids, and how far they move, as `rest_of` asks, if known."""
        slots = slots_from_raw(self.head(h).float().unflatten(-1, (self.alternatives, self.slots, LEARNED)))
        if self.keep:
            start = polygons(look.turn, self.alternatives, self.slots)
            slots = moved(slots, self.keep(h).float()[..., None, None] * start)
        return self._steadied(slots, h, look, sequences) if self.steady else (slots, None)

    def _steadied(self, slots: Tensor, h: Tensor, look: _Look, sequences: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Take the noise of a frame's own place from its slots; also return how far they move, as `rest_of` asks.

        The network, which knows the noise, says how much of it to take.
        """
        start = look.middle.flip(1) - look.pixel
        seen = (look.pixel + fitted_places(look.windows, start, self.blob_sigma)).flip(1).unflatten(0, sequences)
        path = smooth_paths(seen, self.reach)
        shift = self.steady(h).float() * (path[:, :, self.reach] - seen).flatten(0, 1)  # type: ignore[misc]
        t = torch.arange(sequences[1], device=h.device)
        around = (t[:, None] + torch.arange(-self.reach, self.reach + 1, device=h.device)).clamp(0, sequences[1] - 1)
        ahead = path - look.middle.unflatten(0, sequences)[:, around]
        return moved(slots, shift[:, None, None]), ahead - ahead[:, :, self.reach, None]

    def _start_as_polygons(self) -> None:
        """Let alternatives start as regular polygons turned against each other, so that each has scenes to answer."""
        with torch.no_grad():
            self.head.weight *= START_SHRINKAGE
            places = self.head.bias.view(self.alternatives, self.slots, LEARNED)[..., :INTENSITY]
            if self.keep:
                self.keep.weight *= START_SHRINKAGE
                self.keep.bias.fill_(1.0)
                places.zero_()
            else:
                places.copy_(polygons(torch.zeros(1, device=places.device), self.alternatives, self.slots)[0])


# --- parts, as the settings have them ---------------------------------------------------------------------------------


def _pixel_layer(settings: OffGridNetSettings) -> nn.Module:
    if settings.pixels == "linear":
        return nn.Flatten()
    return PixelConvolutions(settings.window, settings.width)


def _feature_count(settings: OffGridNetSettings, moments: HermiteMoments | None) -> int:
    """Return how many features `_look` reads of a frame."""
    pixels = settings.window**2 if settings.pixels == "linear" else settings.width
    turn = TURN_FEATURES if settings.start == "phase" else 0
    return pixels + PLACE_FEATURES + SENSOR_FEATURES + (moments.count if moments else 0) + turn


def _temporal_layer(settings: OffGridNetSettings) -> nn.Module:
    if settings.neighbours == "attention":
        return TemporalAttention(settings.width, settings.heads, settings.reach)
    return TemporalConvolution(settings.width, settings.reach)


def _mixture_weights(settings: OffGridNetSettings, moments: HermiteMoments | None) -> MixtureWeights | None:
    if moments is None or not settings.several:
        return None
    return MixtureWeights(len(moments.orders) * (2 if settings.reach else 1), settings.width, settings.slots)


# --- the sensor -------------------------------------------------------------------------------------------------------


def _sensor(frames: Tensor, told: SceneLabels | None) -> tuple[Tensor, Tensor]:
    """Return the noise, grey levels, and the inverse of the clipping level, near one, (B,) each."""
    if told is None:
        noise = frames.new_full((len(frames),), NOISE_FLOOR_FLOAT)
        return noise, torch.zeros_like(noise)
    return told.noise_sigma.to(frames), SCALE / told.saturation.to(frames)


def _sensor_features(noise: Tensor, clipping: Tensor) -> Tensor:
    """Return features (N, 3) of the noise and the clipping level as `_sensor` returns them."""
    return torch.stack([noise / 5.0, noise.clamp_min(1e-3).log() / 2.0, clipping], dim=-1)
