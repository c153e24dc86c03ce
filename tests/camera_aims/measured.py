"""What is measured once and used by several parts: scenes, calibrations, answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from csist_bench.detections import Detections
from csist_bench.evaluation.report import evaluate
from csist_bench.evaluation.truth import Truth
from csist_bench.methods.calibration.calibrate import Calibration, calibrate
from csist_bench.methods.calibration.given import Given
from csist_bench.methods.inference import unmix_each
from csist_bench.methods.scope import Unmixed
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.camera_file import CameraFile, fields_of
from tests.camera_aims.scenes import IMAGERS, Scene, scene_of

SEQUENCES = 50  # of 20 frames, of a scene that a camera is calibrated on
JUDGED = 300  # and of one that answers are judged on: the errors in a sequence go together
PARTS_OF_SCENE = 10  # by whose spread the error of a figure is told
CALIBRATED, ANSWERED = 1, 2  # streams of seeds


@dataclass
class Measured:
    """Scenes of the chosen cameras, their calibrations and their answers, each made when it is first asked for."""

    cameras: tuple[str, ...] = tuple(IMAGERS)
    scale: float = 1.0
    _kept: dict[Any, Any] = field(default_factory=dict)

    def many(self, count: int, least: int = 1) -> int:
        """Return a number of things at the chosen scale."""
        return max(least, round(count * self.scale))

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what was made under a key, or make it."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def calibration_scene(self, name: str, draw: int = 0) -> Scene:
        count = self.many(SEQUENCES, 6)
        return self.once(("frames", name, draw), lambda: scene_of(IMAGERS[name], (CALIBRATED, draw), count))

    def calibration(self, name: str, intensity_told: bool = False, draw: int = 0) -> tuple[Calibration, float]:
        """Return what a draw of frames tells of their camera, and how long that took, s."""

        def make():
            scene = self.calibration_scene(name, draw)
            law = [scene.levelled.intensity_min, scene.levelled.intensity_max]
            told = CameraFile(fields_of({"intensity": law}, "told")) if intensity_told else None
            given = Given.of(told, scene.frames)
            began = time.perf_counter()
            found = calibrate(scene.frames, given)
            return found, time.perf_counter() - began

        return self.once(("calibration", name, intensity_told, draw), make)

    def scene(self, name: str, arms: bool = False) -> Scene:
        """Return what the answers of a camera are judged on: other frames than those of its calibration."""
        count = self.many(JUDGED, 10)
        return self.once(("scene", name, arms), lambda: scene_of(IMAGERS[name], (ANSWERED, arms), count, arms))

    def answers(self, name: str, method: str, told: str) -> tuple[Scene, Camera, Detections]:
        """Return a scene, a camera and the answers of a method told it.

        `told` is "exact", "exact, free" (but for the intensities, of which nothing is told), "calibrated" from frames
        alone, or "calibrated, law" (beside the law of the intensities).
        """
        scene = self.scene(name, method == "group-map")
        if told.startswith("exact"):
            # A calibrated camera knows the level, where the background is level.
            camera = scene.camera if any(scene.imager.slope) else scene.levelled
            camera = replace(camera, intensity_free="free" in told)
        else:
            camera = self.calibration(name, intensity_told="law" in told)[0].camera
        key = "answers", name, method, told
        return scene, camera, self.once(key, lambda: answered(scene, method, camera).detections)


def answered(scene: Scene, method: str, camera: Camera) -> Unmixed:
    return unmix_each(scene.bare(), method, ["grid"], camera)[0]


def cso_map(found: Detections, truth: Truth) -> float:
    """Return CSO-mAP, percent."""
    return float(np.mean(evaluate(found, truth).ap))


def difference(one: Detections, other: Detections, truth: Truth) -> tuple[float, float]:
    """Return by how much CSO-mAP of the first is above that of the other on the same frames, and the error of that.

    The error is that of the mean of parts of the trajectories.
    """
    parts = []
    for rows in np.array_split(truth.trajectories, min(PARTS_OF_SCENE, len(truth.trajectories))):
        part = Truth.from_arrays(truth.xy, truth.intensity, truth.count, truth.frames, rows)
        parts.append(cso_map(one, part) - cso_map(other, part))
    whole = cso_map(one, truth) - cso_map(other, truth)
    return whole, float(np.std(parts, ddof=1) / np.sqrt(len(parts)))


def pulls(found: Detections, scene: Scene) -> tuple[float, float, float, int]:
    """Return the robust spread of position errors over their predicted errors, the error of that, the share of counts
    that are right, and the number of errors.

    Only frames whose number of targets is right count. The spread is the 68.27 percentile of the absolute pulls; its
    error comes from that in parts of the sequences.
    """
    n, t = scene.light.shape[:2]
    index = found.trajectory * t + found.frame
    order = np.argsort(index, kind="stable")
    starts = np.searchsorted(index[order], np.arange(n * t + 1))
    right, values = 0, []
    parts: list[list[np.ndarray]] = [[] for _ in range(min(PARTS_OF_SCENE, n))]
    for f in range(n * t):
        rows = order[starts[f] : starts[f + 1]]
        xy = scene.xy.reshape(n * t, -1, 2)[f]
        xy = xy[np.isfinite(xy[:, 0])]
        if len(rows) != len(xy):
            continue
        right += 1
        own = np.stack([found.x[rows], found.y[rows]], axis=-1)
        error = np.stack([found.sigma_x[rows], found.sigma_y[rows]], axis=-1)
        at, to = linear_sum_assignment(np.hypot(*(own[:, None] - xy[None]).transpose(2, 0, 1)))
        values.append((own[at] - xy[to]) / error[at])
        parts[f // t * len(parts) // n].append(values[-1])
    if not values:
        return float("nan"), float("nan"), 0.0, 0
    known = [spread_of(part) for part in parts if part]
    error_of_it = np.std(known, ddof=1) / np.sqrt(len(known)) if len(known) > 1 else np.nan
    return spread_of(values), float(error_of_it), right / (n * t), sum(2 * len(one) for one in values)


def spread_of(values: list[np.ndarray]) -> float:
    return float(np.percentile(np.abs(np.concatenate(values)), 68.27))
