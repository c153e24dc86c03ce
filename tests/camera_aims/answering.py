"""Scores with a calibrated camera and with a fitted plane, and errors over predicted errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from csist_bench.evaluation.cramer_rao import LINES
from csist_bench.evaluation.cramer_rao_lines import cramer_rao_table
from csist_bench.simulation.camera import Camera
from tests.camera_aims.measured import Measured, answered, cso_map, difference, pulls
from tests.camera_aims.rows import Row, met
from tests.camera_aims.scenes import IMAGERS, Imager, Scene, scene_of

METHODS = ("ml", "ml-seq", "group-map")
CALIBRATED_LOSS, PLANE_LOSS = 0.5, 2.0  # points of CSO-mAP
PULLS = (0.9, 1.1)
ONE_FRAME = next(line for line in LINES if line.name == "1 frame")  # of the brightness law, as `ml` is told here
SLOPE = (1.0, -0.7)  # grey levels per px, of the imagers that have none
LOSS_NEAR = 2.0  # points by which a loss may depart from the line's

# What a calibrated camera was made from: what it is compared with, and in words.
TOLD = {
    "calibrated": (("exact, free", "intensities unknown to both"), ("exact", "nothing given, the other told the law")),
    "calibrated, law": (("exact", "intensities told to both"),),
}


def methods(measured: Measured) -> Iterator[Row]:
    """Compare answers with the calibrated camera with those told exactly."""
    aim = f"a loss of at most {CALIBRATED_LOSS} points"
    for name in measured.cameras:
        for told, others in TOLD.items():
            missing = measured.calibration(name, "law" in told)[0].missing
            for (other, words), method in product(others, METHODS):
                what = f"`{method}`, {words}"
                if missing:
                    yield Row("methods", what, name, "no camera: PSF not found", aim, "no")
                    continue
                scene, _, exact = measured.answers(name, method, other)
                found = measured.answers(name, method, told)[2]
                off, error = difference(found, exact, scene.truth)
                figure = f"{off:+.2f} (+- {error:.2f}), of {cso_map(exact, scene.truth):.1f}"
                yield Row("methods", what, name, figure, aim, met(off >= -CALIBRATED_LOSS))


def with_slope(imager: Imager) -> Imager:
    """Return the imager, its background a plane."""
    return imager if any(imager.slope) else replace(imager, slope=SLOPE, level=max(imager.level, 20.0))


def without_slope(imager: Imager) -> Imager:
    return replace(imager, slope=(0.0, 0.0))


def plane_scenes(measured: Measured, name: str) -> tuple[Scene, Scene]:
    """Return frames of an imager with a plane, and others whose background is known to be level."""
    count = measured.many(50, 5)

    def make():
        imager = IMAGERS[name]
        return scene_of(with_slope(imager), (3,), count), scene_of(without_slope(imager), (4,), count)

    return measured.once(("planes", name), make)


def plane_answers(measured: Measured, name: str):
    """Return (scene, camera, answers) by what was done: "fitted", "removed", "freed", "known"."""

    def make():
        sloping, flat = plane_scenes(measured, name)
        level = sloping.without_slope()
        told = {
            "fitted": (sloping, sloping.camera),
            "removed": (level, level.levelled),
            "freed": (flat, replace(flat.levelled, background_law="plane", background=0.0)),
            "known": (flat, flat.levelled),
        }
        return {how: (s, c, answered(s, "ml", c).detections) for how, (s, c) in told.items()}

    return measured.once(("plane answers", name), make)


def background(measured: Measured) -> Iterator[Row]:
    """Compare `ml` with a fitted plane with the plane taken off, and with no plane at all."""
    for name in measured.cameras:
        by = plane_answers(measured, name)
        truth = by["fitted"][0].truth
        off, error = difference(by["fitted"][2], by["removed"][2], truth)
        figure = f"{off:+.2f} (+- {error:.2f}), of {cso_map(by['removed'][2], truth):.1f}"
        aim = f"a loss of at most {PLANE_LOSS:.0f} points"
        yield Row("background", "plane fitted against removed", name, figure, aim, met(off >= -PLANE_LOSS))
        truth = by["known"][0].truth
        off, error = difference(by["freed"][2], by["known"][2], truth)
        line = line_of(by["freed"][0], by["freed"][1]) - line_of(by["known"][0], by["known"][1])
        figure = f"{off:+.2f} (+- {error:.2f}), of {cso_map(by['known'][2], truth):.1f}; line {line:+.2f}"
        aim = f"the Cramer-Rao line's, to {LOSS_NEAR:.0f} points"
        yield Row("background", "plane freed where there is none", name, figure, aim, met(off >= line - LOSS_NEAR))


def line_of(scene: Scene, camera: Camera) -> float:
    """Return CSO-mAP of the Cramer-Rao line of one frame."""
    # A fitted background makes shot noise too: the line is told its level, which it does not take for known.
    lit = replace(camera, background=scene.imager.level)
    return cramer_rao_table(scene.truth, lit, lines=[ONE_FRAME])[0].cso_map


def errors(measured: Measured) -> Iterator[Row]:
    """Compare position errors with the predicted ones in everything that was answered above."""
    aim = f"{PULLS[0]} to {PULLS[1]}"
    for name in measured.cameras:
        kinds = {"exact": "told exactly", "exact, free": "told exactly but for the intensities"}
        for told, words in (("calibrated", "calibrated"), ("calibrated, law", "calibrated, intensities told")):
            if not measured.calibration(name, "law" in told)[0].missing:
                kinds[told] = words
        for method, (told, words) in product(METHODS, kinds.items()):
            scene, _, found = measured.answers(name, method, told)
            yield error_row(f"`{method}`, {words}", name, found, scene, aim)
        for how, (scene, _, found) in plane_answers(measured, name).items():
            if how in ("fitted", "freed"):
                yield error_row(f"`ml`, plane {how}", name, found, scene, aim)


def error_row(what, name, found, scene, aim) -> Row:
    spread, error, right, count = pulls(found, scene)
    figure = f"{spread:.2f} (+- {error:.2f}; {count:,} errors; counts right in {100 * right:.0f} %)"
    return Row("errors", what, name, figure, aim, met(PULLS[0] <= spread <= PULLS[1]))
