"""What OffGrid-Net answers of its alternatives: untrained the likeliest, trained the place that counts for most."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from csist_bench.methods.networks.common.correctness import soft_correctness
from csist_bench.methods.networks.common.set_loss import (
    COLUMNS,
    INTENSITY,
    LEARNED,
    PRESENCE,
    SCORE,
    SIGMA_X,
    Alternatives,
)
from csist_bench.methods.networks.offgrid_net.mixture_decision import (
    MOST_LEAN,
    USUAL_DEVIATION,
    MixtureDecision,
    decision_loss,
    leaning,
    likeliest,
)
from tests.helpers.slots import some_alternatives, some_slots

SENSOR = torch.tensor([[0.4, 0.3, 0.0]])


def scrambled(alternatives: int) -> MixtureDecision:
    """Return a network whose answers depend on all that it sees."""
    answer = MixtureDecision(alternatives)
    generator = torch.Generator().manual_seed(0)
    for parameter in answer.parameters():
        nn.init.normal_(parameter, std=1.0, generator=generator)
    return answer


def test_the_likeliest_alternative_is_answered_with_its_scores() -> None:
    found = some_alternatives(6, 3, 4)
    answers = likeliest(found)
    assert answers.shape == (6, 4, COLUMNS)
    best_of = (found.weight + found.lean).argmax(dim=1).tolist()
    assert best_of != found.weight.argmax(dim=1).tolist()
    for n, best in enumerate(best_of):
        assert torch.equal(answers[n, :, : PRESENCE + 1], found.slots[n, best, :, : PRESENCE + 1])
        assert torch.equal(answers[n, :, SCORE], found.correctness[n, best])
    assert len(set(best_of)) > 1
    torch.testing.assert_close(MixtureDecision(3)(found, SENSOR.expand(6, 3)), answers)  # untrained, it says the same


def test_alternatives_lean_to_the_one_that_the_turn_points_at() -> None:
    arms = torch.arange(4) * math.pi / 2
    angle = torch.tensor([0.1, 0.1 + math.pi / 4, 0.1 + math.pi / 8, 0.6])
    slots = torch.zeros((1, 4, 4, LEARNED))
    slots[0, ..., 0] = 0.2 + 0.3 * torch.cos(angle[:, None] + arms)
    slots[0, ..., 1] = -0.1 + 0.3 * torch.sin(angle[:, None] + arms)
    slots[..., PRESENCE] = 20.0
    found = leaning(slots, torch.tensor([0.1]))
    torch.testing.assert_close(found[0], MOST_LEAN * torch.cos(4 * (angle - 0.1)), atol=1e-5, rtol=0)
    # Two opposite targets point as the cross does that they are of; slots without a target do not count.
    slots[:, :, 1::2, PRESENCE] = -20.0
    torch.testing.assert_close(leaning(slots, torch.tensor([0.1])), found, atol=1e-5, rtol=0)
    slots[..., :2] = 0.2
    assert leaning(slots, torch.tensor([0.1])).isfinite().all()


def test_errors_are_those_of_the_mixture_about_what_is_answered() -> None:
    slots = some_slots(2, 2).unsqueeze(0)  # two sets of two slots
    slots[..., PRESENCE] = 9.0
    slots[0, 0, :, :2] = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    slots[0, 1, :, :2] = torch.tensor([[1.1, 0.2], [0.0, 0.3]])  # the second set names them in the other order
    weight = torch.tensor([[0.75, 0.25]]).log()
    answers = likeliest(Alternatives(slots, weight, torch.tensor([[[2.0, 2.0], [-2.0, -2.0]]])))[0]
    for k, other in ((0, 1), (1, 0)):
        gap = slots[0, 1, other, :3] - slots[0, 0, k, :3]
        square = 0.75 * slots[0, 0, k, 4:].square() + 0.25 * (slots[0, 1, other, 4:].square() + gap.square())
        torch.testing.assert_close(answers[k, SIGMA_X:LEARNED], square.sqrt())
    alone = likeliest(Alternatives(slots, torch.tensor([[30.0, -30.0]]), torch.zeros((1, 2, 2))))[0]
    torch.testing.assert_close(alone[:, SIGMA_X:LEARNED], slots[0, 0, :, 4:])


def test_a_doubtful_slot_is_not_taken_for_its_certain_neighbour() -> None:
    slots = some_slots(2, 2).unsqueeze(0)
    slots[0, :, :, :2] = torch.tensor([[0.0, 0.0], [0.3, 0.0]])
    slots[0, :, 0, PRESENCE], slots[0, :, 1, PRESENCE] = 0.4, 9.0  # a presence of 0.6
    alone = likeliest(Alternatives(slots, torch.tensor([[30.0, -30.0]]), torch.zeros((1, 2, 2))))[0]
    torch.testing.assert_close(alone[:, SIGMA_X:LEARNED], slots[0, 0, :, 4:])


def test_turned_alternatives_are_answered_by_the_same_answers_turned() -> None:
    found, answer = some_alternatives(6, 3, 4), scrambled(3)
    turned = found.slots.clone()
    turned[..., 0], turned[..., 1] = -found.slots[..., 1], found.slots[..., 0]
    turned[..., SIGMA_X], turned[..., SIGMA_X + 1] = found.slots[..., SIGMA_X + 1], found.slots[..., SIGMA_X]
    sensor = SENSOR.expand(6, 3)
    before, after = answer(found, sensor), answer(found._replace(slots=turned), sensor)
    first = found.slots[torch.arange(6), (found.weight + found.lean).argmax(dim=1)]
    assert (before[..., :2] - first[..., :2]).abs().max() > 0.01
    torch.testing.assert_close(after[..., 0], -before[..., 1], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(after[..., 1], before[..., 0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(after[..., [2, 3, 6, 7]], before[..., [2, 3, 6, 7]], atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(after[..., [4, 5]], before[..., [5, 4]], atol=1e-5, rtol=1e-5)
    assert (before[..., SIGMA_X:LEARNED] / likeliest(found)[..., SIGMA_X:LEARNED] - 1).abs().max() > 0.01


def test_the_order_of_alternatives_does_not_matter() -> None:
    found, answer, sensor = some_alternatives(6, 3, 4), scrambled(3), SENSOR.expand(6, 3)
    other = Alternatives(*(part[:, [2, 0, 1]] for part in found))
    torch.testing.assert_close(answer(other, sensor), answer(found, sensor), atol=1e-5, rtol=1e-5)


def test_the_loss_is_of_places_scores_and_errors() -> None:
    answers = torch.zeros((1, 2, COLUMNS))
    answers[0, :, :INTENSITY] = torch.tensor([[0.0, 0.0], [5.0, 5.0]])
    answers[0, :, INTENSITY] = 235.0
    answers[0, :, SIGMA_X:LEARNED] = torch.tensor([0.1, 0.2, 10.0])
    answers[0, :, SCORE] = torch.tensor([0.5, -1.0])
    xy, intensity = (
        torch.tensor([[[0.06, 0.08]]]),
        torch.tensor([[230.0]]),
    )  # 0.1 px from the first; none for the second
    score = answers[0, :, SCORE].sigmoid()
    right = -(0.8 * score[0].log() + 0.2 * (1 - score[0]).log()) - (1 - score[1]).log()
    place = 1 - soft_correctness(torch.tensor(0.1))
    errors = 0.5 * (0.6**2 + 0.4**2 + 0.5**2) + torch.tensor(0.1 * 0.2 * 0.1).log()
    torch.testing.assert_close(decision_loss(answers, xy, intensity)["answer"], place + right + errors)


def test_a_slot_that_will_not_be_answered_takes_no_target() -> None:
    answers = torch.zeros((1, 2, COLUMNS))
    answers[0, :, 0] = torch.tensor([0.04, 0.0])
    answers[0, :, PRESENCE] = torch.tensor([9.0, -9.0])
    answers[0, :, SIGMA_X:LEARNED] = 1.0
    answers.requires_grad_(True)
    decision_loss(answers, torch.zeros((1, 1, 2)), torch.zeros((1, 1)))["answer"].backward()
    assert answers.grad is not None
    assert answers.grad[0, 0, 0] > 0.1
    assert answers.grad[0, 1, 0] == 0.0


def test_a_deviation_beyond_all_errors_pulls_no_more_than_one_at_their_bound() -> None:
    answers = torch.zeros((1, 1, COLUMNS))
    answers[..., SIGMA_X : SIGMA_X + 2], answers[..., SIGMA_X + 2] = torch.tensor([0.001, 1.0]), 1.0
    answers.requires_grad_(True)
    decision_loss(answers, torch.tensor([[[0.2, 0.0]]]), torch.tensor([[0.0]]))["answer"].backward()
    assert answers.grad is not None
    # d/ds (u^2 / 2 + u^2 log(d / (u s)) + log s): larger errors are wanted, however far the target is.
    expected = (1 - USUAL_DEVIATION**2) / 0.001
    assert answers.grad[0, 0, SIGMA_X].item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_it_learns_to_answer_between_two_places_that_are_as_likely() -> None:
    torch.manual_seed(0)
    n = 64
    slots = torch.zeros((n, 2, 1, LEARNED))
    slots[:, 0, 0, 0], slots[:, 1, 0, 0] = -0.09, 0.09
    # The errors of both are said to be eight times what they are.
    slots[..., 2], slots[..., PRESENCE], slots[..., 4:6], slots[..., 6] = 235.0, 9.0, 0.08, 8.0
    weight = torch.zeros((n, 2))
    weight[:, 0] += 0.01
    found = Alternatives(slots, weight, torch.zeros((n, 2, 1)))
    generator = torch.Generator().manual_seed(1)
    xy = 0.01 * torch.randn((n, 1, 2), generator=generator)
    xy[::2, 0, 0] -= 0.09
    xy[1::2, 0, 0] += 0.09
    intensity = 235.0 + torch.randn((n, 1), generator=generator)
    sensor, answer = SENSOR.expand(n, 3), MixtureDecision(2)
    optimiser = torch.optim.Adam(answer.parameters(), lr=3e-2)
    for _ in range(300):
        optimiser.zero_grad()
        decision_loss(answer(found, sensor), xy, intensity)["answer"].backward()
        optimiser.step()
    learned = answer(found, sensor)[0, 0]
    # 0.09 px from both: within four of five thresholds, or nearly; at either place a target in two is within two.
    assert learned[0].item() == pytest.approx(0.0, abs=0.02)
    assert learned[SCORE].sigmoid().item() == pytest.approx(0.77, abs=0.04)
    assert learned[SIGMA_X:LEARNED].tolist() == pytest.approx([0.065, 0.043, 1.0], rel=0.15)  # one factor for both axes
