import pytest

from csist_bench.training.checkpoint import Progress
from csist_bench.training.distributed import World
from csist_bench.training.loop import FULL, Stage
from csist_bench.training.recipe import TrainingRecipe
from csist_bench.training.reporter import Reporter
from tests.helpers.unit_sets import random_units


def stage(frames: int = 1) -> Stage:
    recipe = TrainingRecipe(schedule="cosine")
    return Stage(1, FULL, random_units(8, frames=frames), 10, 4, 0.5, recipe, World())


@pytest.mark.parametrize("frames,units", [(1, "frames"), (3, "sequences of 3")])
def test_a_stage_begins_with_what_it_is(frames: int, units: str) -> None:
    said: list[str] = []
    Reporter(said.append).begin(stage(frames), 7)
    assert said == [f"full: 10 steps of 4 {units} of 5 x 5 px, 5 epochs, from step 7"]


def test_entries_of_the_log_count_all_stages_and_the_last_step_is_always_said() -> None:
    said: list[str] = []
    reporter = Reporter(said.append)
    reporter.begin(stage(), 0)
    entry = reporter.losses(stage(), 5, Progress(steps_before=100, minutes=1.23456), {"total": 1.23456789, "mse": 2.0})
    assert len(said) == 1  # nothing but the beginning: lines are seconds apart
    assert (entry["step"], entry["stage"], entry["epoch"]) == (105, "full", 2.5)
    assert (entry["total"], entry["mse"], entry["minutes"]) == (1.23457, 2.0, 1.235)
    assert entry["lr"] == pytest.approx(0.5 * stage().lr_factor(4))
    reporter.losses(stage(), 10, Progress(), {"total": 3.0})
    assert said[-1].startswith("full step 10/10 epoch 5.00 loss 3 ")
    assert said[-1].endswith(" 0 s left")


def test_scores_are_said_with_what_is_best() -> None:
    said: list[str] = []
    Reporter(said.append).scores({"cso_map": 51.234, "ap05": 10.0, "ap25": 90.05}, improved=True)
    assert said == ["validation CSO-mAP 51.23 (10.0 90.0), the best so far"]
