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
UNKNOWN_WIDTH = 10.0  # px: as good as nothing known of a width
RIGID = next(line for line in cramer_rao.LINES if line.name == "20 frames, rigid group, cubic motion")
GAIN_OF_NONE = 0.1  # of the read noise's variance that a gain may make up at the peak where there is none


def rows_of(measured: Measured) -> Iterator[Row]:
    for name in measured.cameras:
        scene = measured.calibration_scene(name)
        found, seconds = measured.calibration(name)
        for what, figure, aim, is_met in figures(found, scene):
            yield Row("calibrate", what, name, figure, aim, met(is_met))
        told = f"{seconds:.0f} s for {scene.frames.shape[0] * scene.frames.shape[1]:,} frames"
        yield Row("calibrate", "time, kernels compiled", name, told, f"{SECONDS:.0f} s", met(seconds <= SECONDS))
        what, figure, aim, is_met = widths(measured.calibration(name, intensity_told=True)[0], scene, True)
        yield Row("calibrate", what, name, figure, aim, met(is_met))
        yield single_frames(name, scene)


def figures(found: Calibration, scene: Scene) -> Iterator[tuple[str, str, str, bool]]:
    """Yield what, figure, aim and whether it is met."""
    true = scene.levelled
    yield widths(found, scene)
    if found.transfer is None:
        yield "read noise and gain", "not found", f"within {NOISE} % and {GAIN} %", False
    else:
        off = 100 * (found.transfer.noise_sigma[0] / true.noise_sigma - 1)
        error = 100 * found.transfer.noise_sigma[1] / true.noise_sigma
        yield "read noise", f"{off:+.1f} (+- {error:.1f}) %", f"within {NOISE} %", abs(off) <= NOISE
        yield gain(*found.transfer.gain, scene)
    level = found.level[0] - scene.imager.level
    text = f"{level:+.3f} (+- {found.level[1]:.3f}) grey levels"
    yield "level of the background", text, f"within {LEVEL}", abs(level) <= LEVEL


def widths(found: Calibration, scene: Scene, intensity_told: bool = False) -> tuple[str, str, str, bool]:
    what, aim = f"PSF widths, x and y{', intensities told' if intensity_told else ''}", f"within {WIDTH} %"
    true = np.array(scene.levelled.widths)
    best = "; bound +- {:.2f}, {:.2f} %".format(*100 * width_bound(scene, intensity_told) / true)
    if found.widths is None:
        return what, f"not found, and said so{best}", aim, False
    off = 100 * (np.array(found.widths.sigma) / true - 1)
    error = 100 * np.array(found.widths.error) / true
    text = ", ".join(f"{a:+.2f} (+- {b:.2f}) %" for a, b in zip(off, error))
    return what, text + best, aim, bool(np.abs(off).max() <= WIDTH)


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


def gain(found: float, error: float, scene: Scene) -> tuple[str, str, str, bool]:
    if scene.gain:
        off = 100 * (found / scene.gain - 1)
        return "gain", f"{off:+.1f} (+- {100 * error / scene.gain:.1f}) %", f"within {GAIN} %", abs(off) <= GAIN
    share = found * np.median(scene.frames.max(axis=(2, 3))) / scene.imager.noise**2
    figure = f"{found:.4f}: {100 * share:.0f} % of the read noise's variance at the peak"
    return "gain where there is none", figure, f"at most {100 * GAIN_OF_NONE:.0f} %", share <= GAIN_OF_NONE


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
