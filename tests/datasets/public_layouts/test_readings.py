"""Readings of annotations: there and back, what decimals can move, and what tells rounding from truncation."""

import numpy as np
import pytest

from csist_bench.datasets.public_layouts.readings import READINGS, Residuals, Slack, annotated, find_reading, places
from csist_bench.errors import InputError
from csist_bench.files.convention import AS_THE_FORM, OURS
from csist_bench.simulation.optics import Optics
from csist_bench.simulation.rendering import frames_from_targets

OPTICS = Optics()


@pytest.mark.parametrize("reading", READINGS)
def test_a_reading_undoes_its_writing(reading):
    xy = np.array([[[4.0, 6.5], [np.nan, np.nan]]])
    assert np.array_equal(places(annotated(xy, reading), reading), xy, equal_nan=True)
    assert len(READINGS) == 6
    assert READINGS[0] == OURS


@pytest.mark.parametrize("decimals", [(2, 2), (1, 0), (3, 3)])
def test_no_rounding_moves_a_pixel_by_more_than_the_slack(decimals):
    rng = np.random.default_rng(3)
    xy, light = rng.uniform(3, 7, (4000, 3, 2)), rng.uniform(150, 250, (4000, 3))
    rounded = np.round(xy, decimals[0]), np.round(light, decimals[1])
    moved = np.abs(frames_from_targets(xy, light, OPTICS) - frames_from_targets(*rounded, OPTICS)).max(axis=(1, 2))
    allowed = Slack.of(decimals, OPTICS)(rounded[1])
    assert (moved <= allowed).all()
    assert moved.max() > 0.2 * allowed.max()  # and the bound is no mere large number


def test_the_slack_is_reached_by_the_largest_rounding_where_a_pixel_is_steepest():
    def moved(before, after):
        frames = [frames_from_targets(np.array([[xy]]), np.array([[light]]), OPTICS) for *xy, light in (before, after)]
        return np.abs(frames[1] - frames[0]).max()

    of_place, of_light = Slack.of((2, 9), OPTICS), Slack.of((9, 0), OPTICS)
    assert moved((5, 5, 200), (5, 5, 200.5)) == pytest.approx(of_light.of_target, rel=1e-6)
    edges = [moved((5 + x, 5, 200), (5 + x + 0.005, 5, 200)) for x in np.linspace(-1, 1, 401)]
    # Along one axis; the slack is for both.
    assert 1 <= 200 * of_place.of_light / 2 / max(edges) < 1.01


def test_one_wrong_frame_of_a_block_is_found_and_named():
    xy, light = np.full((10, 1, 2), 5.0), np.full((10, 1), 50.0)
    shown = np.rint(frames_from_targets(xy, light, OPTICS))
    shown[6, 5, 5] += 7
    part = Residuals(OPTICS, 1.0, 255.0, Slack.of((6, 17), OPTICS))
    part.add(xy, light, shown)
    assert part.failed[0].tolist()[0] == 6
    assert part.error[0, 0] == pytest.approx(7, abs=0.5)


def test_slack_counts_the_targets_that_are_there():
    slack, light = Slack.of((2, 0), OPTICS), np.array([[200.0, np.nan], [200.0, 100.0], [np.nan, np.nan]])
    assert slack(light).tolist() == pytest.approx(
        [200 * slack.of_light + slack.of_target, 300 * slack.of_light + 2 * slack.of_target, 0]
    )


def residuals_of(quantise, decimals, count=400):
    rng = np.random.default_rng(1)
    xy, light = rng.uniform(3, 7, (count, 2, 2)), rng.uniform(40, 60, (count, 2))
    shown = quantise(frames_from_targets(xy, light, OPTICS))
    part = Residuals(OPTICS, 1.0, 255.0, Slack.of((decimals, 17), OPTICS))
    for first in range(0, count, 100):
        block = slice(first, first + 100)
        part.add(np.round(xy[block], decimals), light[block], shown[block])
    return part


@pytest.mark.parametrize(("quantise", "pixels"), [(np.rint, "rounded"), (np.floor, "truncated")])
def test_the_mean_tells_what_few_decimals_hide(quantise, pixels):
    part = residuals_of(quantise, 1)
    assert (part.failed[0] < 0).all()  # both are within the slack
    assert find_reading({"here": part}, {"here": []}, AS_THE_FORM, None).pixels == pixels


@pytest.mark.parametrize(("quantise", "pixels"), [(np.rint, "rounded"), (np.floor, "truncated")])
def test_pictures_that_one_rounding_alone_explains_are_of_it(quantise, pixels):
    part = residuals_of(quantise, 6, count=100)
    assert find_reading({"here": part}, {"here": []}, AS_THE_FORM, None).pixels == pixels


def test_splits_of_different_rounding_are_refused():
    parts = {"train": residuals_of(np.rint, 6, count=100), "test": residuals_of(np.floor, 6, count=100)}
    with pytest.raises(InputError, match=r"one split are rounded and those of another truncated \(with axes xy"):
        find_reading(parts, {"train": [], "test": []}, AS_THE_FORM, None)


def test_where_the_mean_does_not_tell_both_are_said():
    part = residuals_of(np.rint, 1)
    part.means[0] = 4, 1.0, 1.0
    assert find_reading({"here": part}, {"here": []}, AS_THE_FORM, None).pixels == "rounded or truncated"


@pytest.mark.parametrize(
    ("places_px", "count", "options"),
    [([6.0, 6.0], 2, "--axes xy|yx"), ([np.nan, np.nan], 6, "--axes xy|yx and --origin centre|corner|one")],
)
def test_where_several_readings_fit_the_options_that_tell_them_apart_are_named(places_px, count, options):
    xy, light = np.array([[places_px]]), np.array([[200.0 if count == 2 else np.nan]])
    part = Residuals(OPTICS, 1.0, 255.0, Slack.of((6, 17), OPTICS))
    part.add(xy, light, np.rint(frames_from_targets(xy, light, OPTICS)))
    with pytest.raises(InputError) as caught:
        find_reading({"here": part}, {"here": ["0.png"]}, AS_THE_FORM, None)
    assert f"the pictures in {count} readings (" in str(caught.value)
    assert str(caught.value).endswith(f"; tell which one with {options}")


def test_readings_that_a_frame_rules_out_are_not_rendered_again():
    part = residuals_of(np.rint, 6)
    assert part.alive().tolist() == [True] + [False] * 5
    assert np.isnan(part.frames[-1][:, 1:]).all()
    assert part.failed[0].tolist()[0] == -1
    assert 0 <= part.failed[3].max() < 100
