"""Windows answered and merged: pixels, masks, clipping, cameras."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from csist_bench.detections import Detections
from csist_bench.methods.groups.answering import GroupAnswers, cut_pieces, window_camera, without_bad_pixels
from csist_bench.methods.groups.detection import GroupFinder
from csist_bench.methods.groups.following import follow
from csist_bench.methods.groups.windows import WindowRule, windows_of
from csist_bench.simulation.camera import Camera, PixelMaps
from csist_bench.simulation.optics import Optics
from tests.helpers.foreign_frames import add_spot

CAMERA = Camera(Optics(), noise_sigma=2.0)


def scene(*spots, shape=(64, 96), frames=2, level=0.0, noise=2.0, flux=800.0):
    images = np.random.default_rng(0).normal(level, noise, (frames, *shape))
    for image in images:
        for x, y in spots:
            add_spot(image, x, y, flux, (0.5, 0.5))
    return images


class Brightest:
    """Answers each window's frame by its brightest pixel; keeps what it was given."""

    def __init__(self):
        self.given = []

    def __call__(self, camera, fit):
        self.camera = camera
        return self

    def answer_each(self, frames):
        self.given.append((self.camera, frames))
        b, t, side = frames.shape[:3]
        place = frames.reshape(b, t, -1).argmax(axis=2)
        index = np.indices((b, t)).reshape(2, -1)
        row, column = (part.ravel().astype(float) for part in np.unravel_index(place, (side, side)))
        score = frames.max(axis=(2, 3)).ravel()
        return [Detections(index[0], index[1], column, row, score)], [0.25]


def answered(frames, camera=CAMERA, together=False, false_alarms=1e-6, **more):
    method = Brightest()
    found, seconds = GroupAnswers(camera, method, together, false_alarms=false_alarms, **more).answer_each(frames)
    return found[0], seconds, method.given


@pytest.mark.parametrize("together", [False, True])
def test_answers_come_back_in_the_coordinates_of_frames(together):
    frames = np.stack([scene((20, 30), (70, 12)), scene((40, 50), (10, 10))])
    found, seconds, given = answered(frames, together=together)
    keys = list(zip(found.trajectory, found.frame, found.group, found.x, found.y))
    assert keys == [
        (0, 0, 1, 20, 30), (0, 0, 0, 70, 12), (0, 1, 1, 20, 30), (0, 1, 0, 70, 12),
        (1, 0, 0, 10, 10), (1, 0, 1, 40, 50), (1, 1, 0, 10, 10), (1, 1, 1, 40, 50),
    ]  # fmt: skip
    assert seconds == [0.25 * len(given)]
    assert all(pixels.shape[1] == (2 if together else 1) for _, pixels in given)


def test_the_number_of_threads_changes_nothing():
    frames = scene((20, 30), (70, 12), (45, 45), frames=20)[None]
    alone = GroupAnswers(CAMERA, Brightest(), False).answer_each(frames, 1)[0][0]
    several = GroupAnswers(CAMERA, lambda *told: Brightest()(*told), False).answer_each(frames, 3)[0][0]
    for name, column in alone.columns().items():
        np.testing.assert_array_equal(column, several.columns()[name])


def test_the_background_is_taken_out_and_told_to_be_so():
    row, column = np.mgrid[:64, :96]
    _, _, given = answered((scene((40, 30)) + 500 + column + 0.5 * row)[None])
    assert len(given) == 2
    for told, pixels in given:
        assert (told.background, told.optics.size, told.centre) == (0.0, 11, 5.0)
        border = np.concatenate([pixels[:, :, 0].ravel(), pixels[:, :, -1].ravel()])
        assert abs(border.mean()) < 1.5


def test_clipped_windows_are_answered_alone_on_their_own_level():
    frames = np.clip(scene((40, 30), (70, 12), level=1000.0), 0, 1200)
    frames[:, 12, 70] = 1100
    camera = replace(CAMERA, saturation=1200.0)
    _, _, given = answered(frames[None], camera)
    clipped = [(told, pixels) for told, pixels in given if np.isfinite(told.saturation)]
    assert len(clipped) == 2
    for told, pixels in clipped:
        assert pixels.max() == told.saturation == 1200
        assert abs(told.background - 1000) < 1
    _, _, blind = answered(frames[None], camera, censors=False)
    assert all(np.isinf(told.saturation) for told, _ in blind)
    assert np.isfinite(np.concatenate([pixels.ravel() for _, pixels in blind])).all()
    assert abs(max(pixels.max() for _, pixels in blind) - 200) < 2


def pieces_of(frames, camera):
    finder = GroupFinder(camera, frames.shape[1:], 0.01, False)
    found = [finder.find(frame) for frame in frames]
    rule = WindowRule.of(camera, frames.shape[1:], False)
    windows = list(windows_of(follow([one.centre for one in found]), found, rule))
    return list(cut_pieces(windows, found, frames, camera))


def test_neighbours_in_a_window_are_masked():
    frames = scene((40, 30), (46, 30), frames=1, flux=300)
    first, second = pieces_of(frames, CAMERA)
    for piece, own, other in ((first, 40, 45), (second, 46, 41)):
        at = piece.window.column
        assert piece.bad is not None
        assert piece.bad[0, 30 - piece.window.row, other - at]
        assert not piece.bad[0, 30 - piece.window.row, own - at]
        pixels = without_bad_pixels(piece)
        assert pixels[0].argmax() == (30 - piece.window.row) * piece.window.side + own - at
        assert pixels[piece.bad].max() == 0


def test_windows_without_neighbours_are_not_masked():
    assert all(piece.bad is None for piece in pieces_of(scene((40, 30), (60, 30), frames=1), CAMERA))


def test_bad_pixels_of_the_camera_are_masked_in_their_windows():
    bad = np.zeros((64, 96), np.bool_)
    bad[31, 41] = True
    (piece,) = pieces_of(scene((40, 30), frames=1), replace(CAMERA, maps=PixelMaps(bad)))
    assert np.argwhere(piece.bad[0]).tolist() == [[31 - piece.window.row, 41 - piece.window.column]]


def test_noise_of_windows_holds_the_backgrounds_shot_noise_where_it_is_there():
    row = np.random.default_rng(1)
    shot, offset = (row.normal(1000, sd, (64, 64)) for sd in (np.hypot(2, 10), 2))
    camera = replace(CAMERA, shot_gain=0.1)
    for frame, wanted in ((shot, np.hypot(2, 10)), (offset, 2)):
        finder = GroupFinder(camera, frame.shape, 0.1, False)
        assert abs(window_camera(camera, [finder.find(frame)]).noise_sigma / wanted - 1) < 0.05
    finder = GroupFinder(CAMERA, shot.shape, 0.1, False)
    assert window_camera(CAMERA, [finder.find(shot)]).noise_sigma == 2
    assumed = replace(CAMERA, assumed=("noise_sigma",))
    assert abs(window_camera(assumed, [finder.find(shot)]).noise_sigma / np.hypot(2, 10) - 1) < 0.05


def test_frames_without_groups_have_no_detections():
    found, _, _ = answered(np.random.default_rng(7).normal(0, 2, (1, 3, 64, 64)))
    assert len(found) == 0
