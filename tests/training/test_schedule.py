from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csist_bench.training.schedule import ONE_CYCLE_START, lr_factor

STEPS = 101


def shares(schedule: str, warmup: float = 0.0, final: float = 0.0) -> list[float]:
    return [lr_factor(step, STEPS, schedule, warmup, final) for step in range(STEPS)]  # type: ignore[arg-type]


def test_a_cosine_starts_at_one_passes_a_half_and_ends_at_its_final_share() -> None:
    curve = shares("cosine", final=0.1)
    assert curve[0] == 1.0
    assert curve[50] == pytest.approx((1.0 + 0.1) / 2)
    assert curve[-1] == pytest.approx(0.1)


def test_warmup_rises_linearly_from_the_first_step() -> None:
    curve = shares("constant", warmup=10 / STEPS)
    assert curve[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert curve[10:] == [1.0] * 91


def test_one_cycle_rises_to_one_and_falls() -> None:
    curve = shares("one-cycle")
    peak = curve.index(max(curve))
    assert curve[0] == ONE_CYCLE_START
    assert curve[peak] == pytest.approx(1.0)
    assert peak == 31  # ceil of three tenths of 101 steps
    assert curve[-1] == pytest.approx(0.0)


@given(
    steps=st.integers(1, 500),
    schedule=st.sampled_from(["cosine", "one-cycle", "constant"]),
    warmup=st.floats(0, 0.99),
    final=st.floats(0, 1),
    data=st.data(),
)
@settings(max_examples=200, deadline=None)
def test_the_share_is_never_negative_nor_above_one(
    steps: int, schedule: str, warmup: float, final: float, data: st.DataObject
) -> None:
    step = data.draw(st.integers(0, steps - 1))
    assert 0 <= lr_factor(step, steps, schedule, warmup, final) <= 1 + 1e-12  # type: ignore[arg-type]
