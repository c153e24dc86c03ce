"""`group-map`: maximum a posteriori unmixing of targets that stand on arms about a common moving point (tier D).

The scene law of SeqCSIST (TGRS 2025, section III) puts K targets in different directions at a common, slowly growing
distance from a reference point on a smooth path, with intensities constant in time. Which directions is a discrete
unknown (11 sets for K = 2..4 on the four axes); all else is continuous. Every set is fitted by Gauss-Newton
(`methods.group_map._kernels.fit`), jointly over the frames of a group, and weighed by its Laplace evidence; the
answer is the set with most targets expected right, and its score the probability of that.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from csist_bench.conventions import PriorTier
from csist_bench.detections import Detections, concatenate
from csist_bench.errors import must, require_finite, require_shape
from csist_bench.methods.fitting.answers import FrameAnswers
from csist_bench.methods.fitting.background import dark_camera, shot_variance, targets_alone
from csist_bench.methods.fitting.counts import LARGEST_COUNT, blank_frames, count_candidates
from csist_bench.methods.fitting.grouping import plans_of
from csist_bench.methods.fitting.noise_model import noise_model_of, plain_noise_model
from csist_bench.methods.fitting.survey import survey_frames
from csist_bench.methods.group_map._kernels.answering import Choice
from csist_bench.methods.group_map.hypotheses import GroupModel, answer_best, fit_plan
from csist_bench.methods.group_map.posterior_answers import Answers, answer_by_posterior, choice_of
from csist_bench.recipes import NonNegative, Positive
from csist_bench.simulation.camera import Camera

Floats = NDArray[np.float64]

EDGE_SIGMAS = 3.0  # a target nearer to the border of the frame loses light
FRAMES_AT_A_TIME = 2000  # bounds the memory of the fits


class GroupMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the group MAP fit, and the method itself.

    `frames` is 1 (each frame alone), 5 (the window centred on the frame) or "all" (the whole sequence; 20 means "all"
    too, whatever its length). `axes` are fixed or rotated by one unknown angle for each group. Lengths in px: `radius`
    and `radius_sd` are the prior of the arms at the middle of a group, `growth` their growth per frame, `arm_sd` the
    scatter of single arms.

    Two laws of the generator's path can be used as well. `step` is the reference's motion along the scene's own first
    axis, px per frame; it shows a rotated scene its angle (0: learn the angle from the arms alone). With `start`
    "integer" the reference sets off, in the sequence's frame 0, from an integer first coordinate 1..9 and moves by
    `step` towards the far side: true of SeqCSIST, not of a sequence cut out of its middle.

    `answers` says how the posterior becomes answers: "map" gives the targets of one hypothesis, "posterior" as many
    answers as there are most probably targets, placed so that they are expected to hit most, and "hedged" every answer
    that is worth its place below the others, MOST_ANSWERS at most: CSO-mAP does not mind answers that are wrong.
    """

    frames: Literal[1, 5, 20, "all"] = "all"
    axes: Literal["fixed", "rotated"] = "fixed"
    directions: Literal["axes", "compass"] = "axes"
    radius: Positive = 0.307
    radius_sd: Positive = 0.005
    growth: NonNegative = 0.0007
    arm_sd: NonNegative = 0.0013
    step: NonNegative = 0.04
    start: Literal["free", "integer"] = "free"
    answers: Answers = "map"
    window: Annotated[int, Meta(ge=3, le=15)] = 5
    max_targets: Annotated[int, Meta(ge=1, le=LARGEST_COUNT)] = LARGEST_COUNT

    def __post_init__(self) -> None:
        if self.window % 2 == 0:
            raise must("window", "be odd", self.window)

    @property
    def prior_tier(self) -> PriorTier:
        """What it knows: the generator, turned by any angle where its axes may be."""
        return "D" if self.axes == "fixed" else "D-rotated"

    @property
    def judged(self) -> Literal["fit"] | None:
        """Answers placed to hit are no fit: the light they leave in the frames is not judged."""
        return "fit" if self.answers == "map" else None

    def detect(self, frames: NDArray[Any], camera: Camera) -> Detections:
        """Find the targets of frames by MAP fits of groups.

        Parameters
        ----------
        frames : ndarray, shape (B, T, size, size), grey levels
            B sequences; integer frames are taken too.
        camera : Camera
            Optics, noise, clipping level, background and brightness law.

        Returns
        -------
        Detections
            With `score` the probability of being right, averaged over distances 0.05..0.25 px. A frame with less light
            than half of the faintest target has none. A sequence whose number of targets changes is fitted frame by
            frame. Light for more than four targets is answered by sets of the eight compass points, and for more than
            `max_targets` by that many.

        Raises
        ------
        InputError
            If the frames have another shape or are not finite.
        """
        return self.decide(frames, camera, choice_of(self.answers, self.max_targets))

    def decide(self, frames: NDArray[Any], camera: Camera, choice: Choice | None) -> Detections:
        """Answer as `detect` does, by a choice of the caller's own; None: the targets of one hypothesis."""
        size = camera.optics.size
        require_shape("frames", frames, (None, None, size, size), "(B, T, size, size)")
        if not self.window <= size:
            raise must("window", f"be at most the frame's {size} px", self.window)
        require_finite("frames", np.asarray(frames))
        b, t = frames.shape[:2]
        model = self._model(frames, camera, choice is not None)
        run = max(1, FRAMES_AT_A_TIME // max(t, 1))
        runs = range(0, b if t else 0, run)
        return concatenate([self._decide(frames[i : i + run], model, choice).shifted(i) for i in runs])

    def _decide(self, frames: NDArray[Any], model: GroupModel, choice: Choice | None) -> Detections:
        b, t, size = frames.shape[:3]
        whole = np.subtract(frames, model.camera.background, dtype=np.float64).reshape(-1, size, size)
        flat = targets_alone(whole, model.camera)
        shot = shot_variance(whole, flat, model.camera)
        variances, dark = model.noise_model.variance + shot, dark_camera(model.camera, shot)
        near = EDGE_SIGMAS * model.camera.optics.psf_sigma + self.radius - 0.5
        survey = survey_frames(flat, self.window, model.noise_model.saturation, near)
        blank = blank_frames(survey, model.camera)
        answers = FrameAnswers.empty(b * t, max(choice.most if choice else 0, LARGEST_COUNT))
        length = t if self.frames in (20, "all") else min(int(self.frames), t)
        window = np.full(b * t, -1)  # which fit answers a frame
        for plan in plans_of(survey, blank, (b, t), length, dark):
            window[plan.frames] = window.max() + 1 + plan.groups
            allowed = count_candidates(survey, plan.members, dark, self.max_targets)
            fits = fit_plan(survey, plan, allowed, variances, model)
            if choice is None:
                answer_best(plan, fits, model, answers)
            else:
                answer_by_posterior(plan, fits, choice, answers)
        # An answer placed to hit is of no target, so that it has no track.
        return answers.detections(b, t, window if length > 1 and choice is None else None)

    def _model(self, frames: NDArray[Any], camera: Camera, every_start: bool = False) -> GroupModel:
        rounded = bool(np.isfinite(camera.saturation) and (frames == np.rint(frames)).all())
        noise_model = plain_noise_model(noise_model_of(camera, rounded))
        return GroupModel(
            camera,
            noise_model,
            (self.radius, self.radius_sd),
            self.growth,
            self.arm_sd,
            self.directions,
            self.axes == "rotated",
            self.step,
            self.start == "integer",
            every_start,
        )
