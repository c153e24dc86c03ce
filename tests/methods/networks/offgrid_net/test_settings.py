"""Settings of OffGrid-Net: which belong together."""

from __future__ import annotations

from typing import Any

import pytest

from csist_bench.errors import InputError
from csist_bench.methods.networks.base import checked_settings, network_from_settings, resolve_settings
from csist_bench.methods.networks.offgrid_net.settings import OffGridNetSettings
from csist_bench.methods.registry import find
from csist_bench.simulation.optics import Optics


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"window": 6}, "window must be odd"),
        ({"reach": -1}, "reach must be 0 or more"),
        ({"reach": 1, "width": 100}, "width must be divisible by the 8 heads, got 100"),
        ({"alternatives": 2, "moments": False}, "moments must be true where there are alternatives"),
        ({"alternatives": 2, "assignments": "all"}, "assignments must be best where there are alternatives"),
        ({"alternatives": 2, "start": "phase", "slots": 6}, "slots must be divisible by 4"),
        ({"alternatives": 2, "smooth": True}, "smooth must be false without reach"),
        ({"reach": 1, "smooth": True}, "smooth must be false without reach or alternatives"),
        ({"start": "phase"}, 'alternatives must be 2 or more to start by "phase", got 1'),
        ({"pixels": "square"}, "pixels must be one of linear, convolution"),
        ({"nothing": 1}, "unknown field 'nothing'"),
    ],
)
def test_settings_that_do_not_belong_together_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=f"offgrid-net settings: {words}"):
        checked_settings(find("offgrid-net"), settings)


def test_a_window_must_fit_the_frame() -> None:
    with pytest.raises(InputError, match="window must be odd and at most twice the frame's size, got 13"):
        network_from_settings(find("offgrid-net"), Optics(size=5), {"window": 13})


def test_settings_are_spelled_out_in_the_order_of_their_fields() -> None:
    resolved = resolve_settings(find("offgrid-net"), {"smooth": True, "reach": 2, "alternatives": 3})
    assert list(resolved) == list(OffGridNetSettings.__struct_fields__)
    assert OffGridNetSettings(**resolved) == OffGridNetSettings(smooth=True, reach=2, alternatives=3)
    assert (OffGridNetSettings(reach=2, depth=5).later_blocks, OffGridNetSettings(depth=5).later_blocks) == (2, 0)
