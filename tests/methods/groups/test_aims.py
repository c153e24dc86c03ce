"""How well groups in frames of 640 x 512 px are found, over cameras (tests/helpers/group_aims.py)."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.methods.inference import unmix
from tests.helpers.foreign_frames import foreign_scene
from tests.helpers.group_aims import (
    CAMERAS,
    bare,
    camera_of,
    cut_about_truth,
    flattened,
    position_errors,
    search,
)


@pytest.mark.slow
@pytest.mark.parametrize("name", CAMERAS)
def test_groups_are_found_and_none_is_false(name):
    total = hit = false = frames_seen = 0
    for count in (8, 24, 40):
        frames, truth = foreign_scene(np.random.default_rng(count), (512, 640), 10, groups=count, **CAMERAS[name])
        some = search(frames, truth, camera_of(CAMERAS[name]))
        total, hit, false, frames_seen = total + some[0], hit + some[1], false + some[2], frames_seen + len(frames)
    assert hit >= 0.99 * total
    assert false / frames_seen < 0.1 + 2 * np.sqrt(0.1 / frames_seen)  # 0.1 is asked for


@pytest.mark.slow
def test_positions_are_as_good_as_in_windows():
    how = CAMERAS["sharp, noise 3"] | {"least_snr": 20.0}
    medians = []
    frames, truth = foreign_scene(np.random.default_rng(0), (512, 640), 20, groups=40, **how)
    found = unmix(bare(frames), "ml", camera=camera_of(how), brightness="free")
    medians.append(np.median(np.hypot(*position_errors(found, truth).T)))
    frames, truth = foreign_scene(np.random.default_rng(0), (512, 640), 20, groups=40, **flattened(how))
    windows, rows = cut_about_truth(frames, truth, 11)
    alone = unmix(bare(windows), "ml", camera=camera_of(how, 11, how["level"]), groups="one", brightness="free")
    medians.append(np.median(np.hypot(*position_errors(alone, rows).T)))
    assert medians[0] < 1.05 * medians[1]
