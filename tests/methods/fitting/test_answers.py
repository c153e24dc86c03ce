"""Answers of frames as rows."""

import numpy as np

from csist_bench.methods.fitting.answers import FrameAnswers


def test_only_the_targets_of_a_frame_become_rows():
    answers = FrameAnswers.empty(4, 3)
    assert len(answers.detections(2, 2)) == 0
    answers.targets[3] = 2
    answers.theta[3] = np.arange(9).reshape(3, 3)
    answers.sigma[3], answers.score[3] = 10 + answers.theta[3], [0.5, 0.25, 1.0]
    found = answers.detections(2, 2)
    assert found.trajectory.tolist() == found.frame.tolist() == [1, 1]
    assert [found.x.tolist(), found.y.tolist(), found.score.tolist()] == [[0, 3], [1, 4], [0.5, 0.25]]
    assert found.intensity is not None
    assert found.sigma_intensity is not None
    assert [found.intensity.tolist(), found.sigma_intensity.tolist()] == [[2, 5], [12, 15]]


def test_the_slots_of_one_fit_are_tracks():
    answers = FrameAnswers.empty(6, 3)
    answers.targets[:] = [2, 2, 0, 1, 1, 1]
    found = answers.detections(2, 3, np.array([4, 4, 4, 9, 9, 9]))
    assert found.track.tolist() == [0, 1, 0, 1, 0, 0, 0]
    assert answers.detections(2, 3).track is None


def test_tracks_are_linked_from_fit_to_fit():
    answers = FrameAnswers.empty(4, 2)
    answers.targets[:] = 2
    # The second fit has the targets in the other order.
    answers.theta[:2, :, :2] = [[5.0, 5.0], [5.4, 5.0]]
    answers.theta[2:, :, :2] = [[5.4, 5.0], [5.0, 5.0]]
    found = answers.detections(1, 4, np.array([0, 0, 1, 1]))
    assert found.track.tolist() == [0, 1, 0, 1, 1, 0, 1, 0]
