"""Labels and the score of the protocol as functions of tensors."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from csist_bench.conventions import GRID_THRESHOLD
from csist_bench.detections import Detections, detections_from_grid, detections_from_slots
from csist_bench.errors import must
from csist_bench.evaluation.report import evaluate
from csist_bench.evaluation.truth import Truth
from csist_bench.simulation.optics import Optics
from csist_bench.training.stream import grids_from_targets


def label_grid(xy: Tensor, intensity: Tensor, *, size: int = 11, c: int = 3) -> Tensor:
    """Return label grids: each intensity at its nearest node, 0 elsewhere; on the device of the targets.

    Parameters
    ----------
    xy : Tensor, shape (..., K, 2), px
        NaN marks an absent target.
    intensity : Tensor, shape (..., K), grey levels

    Returns
    -------
    Tensor, shape (..., c * size, c * size)

    Examples
    --------
    >>> import torch
    >>> from csist_bench.torch import label_grid
    >>> float(label_grid(torch.tensor([[5.0, 5.0]]), torch.tensor([230.0]))[16, 16])
    230.0
    """
    return grids_from_targets(xy, intensity, Optics(size=size, c=c))


def cso_map(
    answers: Tensor | tuple[Tensor, Tensor], xy: Tensor, *, c: int = 3, threshold: float = GRID_THRESHOLD
) -> float:
    """Return CSO-mAP, percent, of heat maps or of points.

    Parameters
    ----------
    answers : Tensor, shape (..., c * size, c * size), or (places (..., M, 2), scores (..., M))
        Heat maps in grey levels, decoded as published: every node of at least `threshold`; or places in px, NaN where a
        frame has fewer than M answers, and their scores.
    xy : Tensor, shape (..., K, 2), px
        True targets of the same frames, NaN where there are fewer than K.

    Raises
    ------
    InputError
        If the shapes do not belong together, or there is no target.

    Examples
    --------
    >>> import torch
    >>> from csist_bench.torch import cso_map
    >>> truth = torch.tensor([[[4.0, 5.0], [5.5, 5.0]]])
    >>> cso_map((truth, torch.ones(1, 2)), truth)
    100.0
    """
    places = xy.detach().cpu().double().numpy()
    if places.ndim < 2 or places.shape[-1] != 2:
        raise must("xy", "have shape (..., K, 2)", tuple(xy.shape))
    places = places.reshape(-1, 1, *places.shape[-2:])
    absent = np.isnan(places).any(axis=-1)
    order = np.argsort(absent, axis=-1, kind="stable")  # targets first, as the protocol's tables have them
    places = np.take_along_axis(places, order[..., None], axis=-2)
    light = np.where(np.take_along_axis(absent, order, axis=-1), np.nan, 1.0)
    truth = Truth.from_arrays(places, light, (~absent).sum(axis=-1), range(1))
    return evaluate(_detections(answers, len(places), c, threshold), truth).cso_map


def _detections(answers: Tensor | tuple[Tensor, Tensor], frames: int, c: int, threshold: float) -> Detections:
    if isinstance(answers, Tensor):
        maps = answers.detach().float().cpu().numpy()
        maps = maps.reshape(-1, 1, *maps.shape[-2:])
        _require_frames(len(maps), frames)
        return detections_from_grid(maps, c, threshold)
    places, scores = (part.detach().cpu().double() for part in answers)
    if places.shape != (*scores.shape, 2):
        raise must("answers", "be places (..., M, 2) and scores (..., M)", (tuple(places.shape), tuple(scores.shape)))
    places, scores = places.reshape(-1, 1, *places.shape[-2:]), scores.reshape(-1, 1, scores.shape[-1])
    _require_frames(len(places), frames)
    present = ~places.isnan().any(dim=-1)
    order = torch.argsort((~present).int(), dim=-1, stable=True)
    places = torch.take_along_dim(places, order[..., None], dim=-2)
    scores = torch.take_along_dim(scores, order, dim=-1)
    return detections_from_slots(places.numpy(), scores.numpy(), present.sum(dim=-1).numpy())


def _require_frames(found: int, frames: int) -> None:
    if found != frames:
        raise must("answers", f"be of the {frames} frames of xy", found)
