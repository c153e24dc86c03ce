"""In which share of runs over 500 frames a camera told wrong is said, and one told right is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from csist_bench.simulation.camera import Camera
from tests.camera_aims.measured import Measured, answered
from tests.camera_aims.rows import Row, met
from tests.camera_aims.scenes import IMAGERS, LENGTH, Scene, scene_of

FRAMES = 500  # of a run
RIGHT_RUNS, WRONG_RUNS = 14, 3  # of a camera
SAID, NOT_SAID = 1.0, 0.99  # shares
SILENT = 0.01


@dataclass(frozen=True)
class Way:
    """A method, on sequences or on single frames, and by how much the PSF is told wrong."""

    method: str
    single: bool
    width: float

    @property
    def text(self) -> str:
        return f"`{self.method}`, single frames" if self.single else f"`{self.method}`, sequences"


WAYS = (Way("ml-seq", False, 0.06), Way("group-map", False, 0.06), Way("ml", True, 0.12), Way("ml", False, 0.06))


def wider(camera: Camera, factor: float) -> Camera:
    widths = camera.psf_sigma_xy
    optics = replace(camera.optics, psf_sigma=camera.optics.psf_sigma * factor)
    return replace(
        camera, optics=optics, psf_sigma_xy=None if widths is None else (widths[0] * factor, widths[1] * factor)
    )


def wrong(name: str, way: Way, scene: Scene) -> dict[str, Camera]:
    """Return cameras told wrong, by what is wrong with them."""
    right = scene.camera
    cameras = {
        f"PSF {100 * way.width:.0f} % narrower": wider(right, 1 - way.width),
        f"PSF {100 * way.width:.0f} % wider": wider(right, 1 + way.width),
    }
    if not any(IMAGERS[name].slope):  # a plane is fitted, and no level of it is told
        cameras["level told 20 too low"] = replace(scene.levelled, background=scene.imager.level - 20)
        cameras["level told 20 too high"] = replace(scene.levelled, background=scene.imager.level + 20)
    if scene.gain:  # that of these imagers makes 69 % and 90 % of the variance at the peak
        cameras["gain told half"] = replace(right, shot_gain=0.5 * right.shot_gain)
        cameras["gain told twice"] = replace(right, shot_gain=2 * right.shot_gain)
    return cameras


def run_of(name: str, way: Way, run: int, frames: int) -> Scene:
    """Return the frames of one run: other ones for each."""
    scene = scene_of(IMAGERS[name], (5, run), -(-frames // LENGTH), way.method == "group-map")
    return scene.one_by_one() if way.single else scene


def remark(scene: Scene, method: str, camera: Camera) -> str:
    """Return what is said of a camera; that a method does not use all of it is not meant."""
    done = answered(scene, method, camera)
    texts: list[Any] = [text for text in done.remarks if not text.startswith(f"{method} does not use")]
    return "; ".join(texts)


def rows_of(measured: Measured) -> Iterator[Row]:
    frames = measured.many(FRAMES, LENGTH)
    right, bad = measured.many(RIGHT_RUNS), measured.many(WRONG_RUNS)
    for way in WAYS:
        for name in measured.cameras:
            said = sum(
                bool(remark(scene, way.method, scene.camera))
                for scene in (run_of(name, way, run, frames) for run in range(right))
            )
            what, figure = f"{way.text}: told right", f"said in {said} of {right} runs"
            yield Row("misfit", what, name, figure, "not said in 99 %", met(said <= SILENT * right))
        for name in measured.cameras:
            yield from wrongs(name, way, bad, frames)


def wrongs(name: str, way: Way, runs: int, frames: int) -> Iterator[Row]:
    said: dict[str, int] = {}
    for run in range(runs):
        scene = run_of(name, way, 1000 + run, frames)
        for what, camera in wrong(name, way, scene).items():
            said[what] = said.get(what, 0) + bool(remark(scene, way.method, camera))
    for what, count in said.items():
        figure = f"said in {count} of {runs} runs"
        yield Row("misfit", f"{way.text}: {what}", name, figure, "said in 100 %", met(count == runs))
