"""Networks that answer targets: run one in batches, and turn its slots into detections.

Such a network maps frames (B, T, size, size) to slots (B, T, K, 8), columns as in `common.set_loss`, given
`SceneLabels` of which it reads the noise and the clipping level. Its `reach` says how many frames on either side an
answer depends on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from csist_bench.detections import Detections, detections_from_slots
from csist_bench.errors import require_shape
from csist_bench.methods.networks.base import BatchedNetwork, evaluated, torch_threads
from csist_bench.methods.networks.common.rendering import SceneLabels
from csist_bench.methods.networks.common.set_loss import (
    COLUMNS,
    INTENSITY,
    PRESENCE,
    SCORE,
    SIGMA_INTENSITY,
    SIGMA_X,
    SIGMA_Y,
)
from csist_bench.simulation.camera import Camera

BLOCK = 64  # frames of a long sequence answered at a time


class BatchedPointNetwork(BatchedNetwork):
    """A network that is run over frames in batches; answers are the same for any batch size.

    Parameters
    ----------
    model : nn.Module
        A network of the registry whose output is points; it is moved to `device` and set to evaluation.
    device : str or torch.device
    batch : int
        Frames per forward pass; at least one sequence where the network looks at neighbours.
    dtype : {"float32", "bfloat16"}
        Of matrix products; moments of blobs, which are small differences, stay as they are.
    """

    @property
    def reach(self) -> int:
        """Frames on either side that an answer takes in."""
        return int(self.model.reach)  # type: ignore[arg-type]

    def detect(self, frames: NDArray[Any], camera: Camera) -> Detections:
        """Return the targets of frames (B, T, size, size), grey levels, with intensity and standard errors.

        A frame has as many as its presence probabilities sum to, rounded; the score is the expected correctness.
        """
        slots = self.slots(frames, camera).astype(np.float64)
        with np.errstate(over="ignore"):
            presence = 1.0 / (1.0 + np.exp(-slots[..., PRESENCE]))
        order = np.argsort(-presence, axis=-1, kind="stable")
        presence = np.take_along_axis(presence, order, axis=-1)
        slots = np.take_along_axis(slots, order[..., None], axis=2)
        return detections_from_slots(
            slots[..., :INTENSITY],
            slots[..., SCORE],
            np.rint(presence.sum(axis=-1)),
            slots[..., INTENSITY],
            slots[..., SIGMA_X : SIGMA_Y + 1],
            slots[..., SIGMA_INTENSITY],
        )

    @property
    def threads(self) -> int:
        """Threads that may use the runner at once: one a core, or one for a GPU."""
        return torch.get_num_threads() if self.device.type == "cpu" else 1

    @contextmanager
    def side_by_side(self, threads: int) -> Iterator[None]:
        """Let so many threads use the runner at once, each with its share of the cores.

        A pass is many small steps, which several cores do hardly faster than one.
        """
        share = max(1, torch.get_num_threads() // threads)
        # The mode is set once for all threads: each would restore the one that another had set.
        with torch_threads(share), evaluated(self.model):
            yield

    def slots(self, frames: NDArray[Any], camera: Camera) -> NDArray[np.float32]:
        """Return the network's slots, float32 (B, T, K, 8), for frames (B, T, size, size)."""
        size = camera.optics.size
        require_shape("frames", frames, (None, None, size, size), "(B, T, size, size)")
        b, t = frames.shape[:2]
        # Frames that are answered by themselves are sequences of one.
        sequences = frames if self.reach else frames.reshape(b * t, 1, size, size)
        with evaluated(self.model), torch.inference_mode(), self.rounding():
            parts = [self._sequence_slots(part, camera) for part in self._passes(sequences)]
        return np.concatenate(parts).reshape(b, t, -1, COLUMNS)

    def _passes(self, sequences: NDArray[Any]) -> list[NDArray[Any]]:
        """Return sequences in parts of at most `batch` frames."""
        per_pass = max(1, self.batch // min(sequences.shape[1], BLOCK))
        return [sequences[i : i + per_pass] for i in range(0, max(1, len(sequences)), per_pass)]

    def _sequence_slots(self, sequences: NDArray[Any], camera: Camera) -> NDArray[np.float32]:
        """Answer sequences (B, T, size, size) in blocks, each with the neighbours that it depends on."""
        b, t = sequences.shape[:2]
        given = np.subtract(sequences, camera.background, dtype=np.float32)
        pixels, told = torch.from_numpy(given).to(self.device), told_of(camera, b, self.device)
        answers = []
        for start in range(0, t, BLOCK):
            first, stop = max(0, start - self.reach), min(start + BLOCK, t)
            block = self.model(pixels[:, first : stop + self.reach], told)
            answers.append(block[:, start - first : stop - first])
        return np.asarray(torch.cat(answers, dim=1).float().cpu().numpy())


def told_of(camera: Camera, count: int, device: torch.device) -> SceneLabels:
    """Return labels without targets, which hold the noise and the clipping level of `count` sequences."""
    return SceneLabels(
        xy=torch.empty((count, 0, 0, 2), device=device),
        intensity=torch.empty((count, 0, 0), device=device),
        noise_sigma=torch.full((count,), camera.noise_sigma, device=device),
        saturation=torch.full((count,), camera.saturation - camera.background, device=device),
    )
