"""Calibration from frames alone, against the imager that made them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from csist_bench.evaluation import cramer_rao
from csist_bench.methods.calibration.calibrate import Calibration, calibrate
from tests.camera_aims.measured import Measured
from tests.camera_aims.rows import Row, met
from tests.camera_aims.scenes import Scene

WIDTH, NOISE, GAIN, LEVEL, SECONDS = 0.5, 2.0, 10.0, 0.2, 60.0  # %, %, %, grey levels, s
SINGLE_WIDTH = 2.0  # %
DRAWS = 8  # of the frames that a camera is calibrated on
UNKNOWN_WIDTH = 10.0  # px: as good as nothing known of a width
RIGID = next(line for line in cramer_rao.LINES if line.name == "20 frames, rigid group, cubic motion")
GAIN_OF_NONE = 0.1  # of the read noise's variance that a gain may make up at the peak where there is none


def rows_of(measured: Measured) -> Iterator[Row]:
    """Compare calibrations of several draws of frames with what the frames were made with."""
    for name in measured.cameras:
        drawn = range(measured.many(DRAWS, 2))
        scenes = [measured.calibration_scene(name, draw) for draw in drawn]
        found = [measured.calibration(name, draw=draw) for draw in drawn]
        own = [one for one, _ in found]
        yield widths(name, own, scenes)
        yield from transfer(name, own, scenes)
        off = [(one.level[0] - scene.imager.level, one.level[1]) for one, scene in zip(own, scenes)]
        yield row("level of the background", name, off, LEVEL, " grey levels", 3)
        took = float(np.mean([seconds for _, seconds in found]))
        told = f"{took:.0f} s for {scenes[0].frames.shape[0] * scenes[0].frames.shape[1]:,} frames"
        yield Row("calibrate", "time, kernels compiled", name, told, f"{SECONDS:.0f} s", met(took <= SECONDS))
        yield widths(name, [measured.calibration(name, True, draw)[0] for draw in drawn], scenes, True)
        yield single_frames(name, scenes[0])


def row(what: str, name: str, off: list[tuple[float, float]], limit: float, unit: str, digits: int) -> Row:
    """Return a row of (off, stated error) of each draw: the root mean squares of both."""
    by, said = rms(off)
    figure = f"{by:.{digits}f}{unit} (said: +- {said:.{digits}f})"
    return Row("calibrate", what, name, figure, f"within {limit}{unit}", met(by <= limit))


def rms(values: list[tuple[float, ...]]) -> np.ndarray:
    return np.sqrt(np.mean(np.square(values), axis=0))


def transfer(name: str, found: list[Calibration], scenes: list[Scene]) -> Iterator[Row]:
    """Yield read noise and gain."""
    known = [(one.transfer, scene) for one, scene in zip(found, scenes) if one.transfer is not None]
    if len(known) < len(found):
        figure = f"not found in {len(found) - len(known)} of {len(found)}"
        yield Row("calibrate", "read noise and gain", name, figure, f"within {NOISE} % and {GAIN} %", "no")
        return
    noise = [
        (100 * (own.noise_sigma[0] / scene.imager.noise - 1), 100 * own.noise_sigma[1] / scene.imager.noise)
        for own, scene in known
    ]
    yield row("read noise", name, noise, NOISE, " %", 1)
    if scenes[0].gain:
        gain = [(100 * (own.gain[0] / scene.gain - 1), 100 * own.gain[1] / scene.gain) for own, scene in known]
        yield row("gain", name, gain, GAIN, " %", 1)
        return
    share = max(
        own.gain[0] * float(np.median(scene.frames.max(axis=(2, 3)))) / scene.imager.noise**2 for own, scene in known
    )
    figure = f"at most {100 * share:.0f} % of the read noise's variance at the peak"
    aim = f"at most {100 * GAIN_OF_NONE:.0f} %"
    yield Row("calibrate", "gain where there is none", name, figure, aim, met(share <= GAIN_OF_NONE))


def widths(name: str, found: list[Calibration], scenes: list[Scene], intensity_told: bool = False) -> Row:
    what, aim = f"PSF widths, x and y{', intensities told' if intensity_told else ''}", f"within {WIDTH} %"
    true = np.array(scenes[0].levelled.widths)
    bound = ", ".join(f"{100 * one:.2f}" for one in width_bound(scenes[0], intensity_told) / true)
    known = [one.widths for one in found if one.widths is not None]
    if len(known) < len(found):
        figure = f"not found in {len(found) - len(known)} of {len(found)}, and said so; bound {bound} %"
        return Row("calibrate", what, name, figure, aim, "no")
    by = rms([tuple(100 * (np.array(one.sigma) / true - 1)) for one in known])
    said = rms([tuple(100 * np.array(one.error) / true) for one in known])
    figure = f"{by[0]:.2f}, {by[1]:.2f} % (said: +- {said[0]:.2f}, {said[1]:.2f}); bound {bound} %"
    return Row("calibrate", what, name, figure, aim, met(by.max() <= WIDTH))


def width_bound(scene: Scene, intensity_told: bool) -> np.ndarray:
    """Return the Cramer-Rao bound of both widths, px, that all sequences share: rigid groups on cubic paths."""
    camera = replace(
        scene.camera,
        background=scene.imager.level,
        psf_sigma_error=(UNKNOWN_WIDTH, UNKNOWN_WIDTH),
        intensity_free=not intensity_told,
    )
    design = cramer_rao._design(RIGID, scene.xy, range(scene.xy.shape[1]))
    design = cramer_rao._with_widths(design, 2)
    information = cramer_rao.frame_information(scene.xy, scene.light, camera)
    factor = cramer_rao._inverse_factor(RIGID, design, information, camera, scene.xy.shape[2])
    of_widths = factor[:, -2:] @ np.swapaxes(factor[:, -2:], -1, -2)
    return np.sqrt(np.diag(np.linalg.inv(np.linalg.inv(of_widths).sum(axis=0))))


def single_frames(name: str, scene: Scene) -> Row:
    """Calibrate the frames as if they were unrelated."""
    alone = scene.one_by_one()
    found = calibrate(alone.frames)
    aim = f"within {SINGLE_WIDTH} % or not found"
    if found.widths is None:
        return Row(
            "calibrate", "PSF widths from single frames", name, "not found, and said so", aim, met(bool(found.missing))
        )
    off = max(abs(100 * (own / right - 1)) for own, right in zip(found.widths.sigma, scene.levelled.widths))
    return Row("calibrate", "PSF widths from single frames", name, f"{off:.2f} %", aim, met(off <= SINGLE_WIDTH))
