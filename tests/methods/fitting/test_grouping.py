"""Which frames are fitted together."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.methods.fitting.grouping import plan_groups


@pytest.mark.parametrize("frames, length", [(20, 20), (20, 5), (20, 1), (3, 5), (1, 20), (130, 20), (130, 130)])
def test_plans_answer_every_frame_once_from_its_own_group(frames: int, length: int) -> None:
    blank = np.zeros(2 * frames, np.bool_)
    blank[frames + frames // 2] = True
    plan = plan_groups(blank, np.arange(2), frames, length)
    assert sorted(plan.frames.tolist()) == np.flatnonzero(~blank).tolist()
    np.testing.assert_array_equal(plan.members[plan.groups, plan.frame_offsets], plan.frames)
    assert (plan.members != frames + frames // 2).all()
    assert (plan.members // frames == plan.members[:, :1] // frames)[plan.members >= 0].mean() > 0.5
