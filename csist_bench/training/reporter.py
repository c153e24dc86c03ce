"""Lines of progress, with the rate and the time left, and the same as entries of the log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from csist_bench.training.checkpoint import Progress
from csist_bench.training.loop import Stage

SECONDS_BETWEEN_LINES = 5.0


class Reporter:
    """Says how a run goes; at most one line every few seconds, and every validation."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self._began = self._said = time.monotonic()
        self._first = 0

    def begin(self, stage: Stage, step: int) -> None:
        """Start a stage at a step."""
        self._began, self._first = time.monotonic(), step
        size, length = stage.data.optics.size, stage.data.sequence_length
        units = f"sequences of {length}" if length > 1 else "frames"
        self.say(
            f"{stage.name}: {stage.steps:,} steps of {stage.batch} {units} of {size} x {size} px, "
            f"{stage.steps / stage.steps_per_epoch:.3g} epochs" + (f", from step {step:,}" if step else "")
        )

    def losses(self, stage: Stage, step: int, progress: Progress, means: dict[str, float]) -> dict[str, Any]:
        """Return the log entry of the mean losses up to a step, and say it when it is time."""
        now = time.monotonic()
        pace = max(now - self._began, 1e-9) / max(1, step - self._first)  # seconds a step, validation included
        rate = stage.batch * stage.data.sequence_length / pace
        epoch = step / stage.steps_per_epoch
        if now - self._said >= SECONDS_BETWEEN_LINES or step == stage.steps:
            self._said = now
            self.say(
                f"{stage.name} step {step:,}/{stage.steps:,} epoch {epoch:.2f} loss {means['total']:.4g} "
                f"{rate:,.0f} frames/s, {_duration(pace * (stage.steps - step))} left"
            )
        return {
            "step": progress.steps_before + step,
            "stage": stage.name,
            "epoch": round(epoch, 4),
            "lr": stage.lr_factor(step - 1) * stage.lr,
            **{name: float(f"{mean:.6g}") for name, mean in means.items()},
            "frames_per_s": round(rate, 1),
            "minutes": round(progress.minutes, 3),
        }

    def scores(self, scores: dict[str, float], improved: bool) -> None:
        """Say a validation score."""
        precisions = " ".join(f"{value:.1f}" for name, value in scores.items() if name != "cso_map")
        self.say(
            f"validation CSO-mAP {scores['cso_map']:.2f} ({precisions})" + (", the best so far" if improved else "")
        )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
