"""Kernels compiled side by side: a second process begins at the far end of what a run compiles.

A run comes to its kernels one after another, and all but one core would wait. What it comes to last, or what takes
longest, the second process compiles meanwhile. The two meet in the cache on disk alone, where each function is
compiled by one of them and taken up by the other (`csist_bench.jit`). The second process says nothing, ends with the
first, and nothing depends on it.
"""

from __future__ import annotations

import atexit
import functools
import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import NamedTuple

import numpy as np

from csist_bench.methods.fitting.answers import FrameAnswers
from csist_bench.methods.fitting.noise_model import noise_model_of
from csist_bench.methods.misfit import misfit_of_block
from csist_bench.methods.scope import Scope
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.camera import Camera

# Where each method has its function `steps`. It yields calls, the far end first: each compiles a kernel, or the longest
# part of one, for arguments of the types that a run has.
METHODS = {name: f"csist_bench.methods.{name.replace('-', '_')}.ahead" for name in ("ml", "ml-seq", "group-map")}
FEW = 8  # trajectories that call for all kernels: some are needed by crowded frames only
CALIBRATION = "calibration"  # is none of them, and told as they are
# The module search path is handed on as it is: the package may have been found by the working folder alone.
START = "import json, sys; told = json.loads(sys.argv[1]); sys.path[:] = told.pop('path')\n"
START += f"from {__name__} import Told, main; main(Told(**told))"


class Told(NamedTuple):
    """What decides which kernels a method needs, and the types of their arguments.

    `dense`: the camera needs the dense model. `noise_sigma` in grey levels, `psf_sigma_error` in px. `answered`
    are other methods, all of whose kernels are compiled before, by answering a few frames.
    """

    method: str
    dense: bool
    noise_sigma: float
    psf_sigma_error: tuple[float, float]
    answered: Sequence[str] = ()

    @classmethod
    def of(cls, method: str, camera: Camera, answered: Sequence[str] = ()) -> Told:
        """Return what is to be told of a method and the camera that it is run with."""
        along_x, along_y = camera.psf_sigma_error
        dense = noise_model_of(camera, False).dense
        return cls(method, dense, float(camera.noise_sigma), (float(along_x), float(along_y)), answered)

    @property
    def camera(self) -> Camera:
        """A camera for which the same is compiled."""
        along_x, along_y = self.psf_sigma_error
        camera = Camera.from_recipe(load_data_recipe("seqcsist"), self.noise_sigma)
        camera = replace(camera, psf_sigma_error=(along_x, along_y))
        return replace(camera, background_law="plane") if self.dense else camera


def compile_ahead(method: str, camera: Camera, answered: Sequence[str] = ()) -> subprocess.Popen[bytes] | None:
    """Start the second process for a method, where it helps.

    All kernels of the methods `answered` are compiled before, by answering a few frames with each.

    None where there is one core, where the method is no fitter, or where no process can be started.
    """
    if method not in (*METHODS, CALIBRATION) or cores() < 2 or not sys.executable:
        return None
    told = Told.of(method, camera, answered)._asdict() | {"path": [str(place) for place in sys.path]}
    try:
        # Its standard input is a pipe that closes with this process, however that ends. In a session of its own it
        # does not hear Ctrl-C; that is for this process to hear.
        process = subprocess.Popen(
            [sys.executable, "-c", START, json.dumps(told)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:  # no memory for another process, say
        return None
    atexit.register(_end, process)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def compile_own(method: str, camera: Camera) -> None:
    """Compile here what a run of a fitter does well to compile first, while the second process begins at the far end.

    What cannot be compiled here the run comes to later, and says what is wrong.
    """
    if method in METHODS:
        with suppress(Exception):
            for step in import_module(METHODS[method]).own_steps(camera):
                step()


def compile_calibration_ahead() -> subprocess.Popen[bytes] | None:
    """Start the second process for a calibration."""
    return compile_ahead(CALIBRATION, Camera.from_recipe(load_data_recipe("seqcsist")))


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main(told: Told) -> None:
    """Compile what is told; the whole of the second process, which this ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    gc.disable()  # a short life in which nearly all that is made is kept
    with suppress(Exception):  # the run that it helps compiles what is missing, and says what is wrong
        if told.answered:  # and the run itself comes to its kernels late
            compile_own(told.method, told.camera)
        for method in told.answered:
            # What needs no frames comes first: the kernel that renders them may be another process's at that time.
            for step in steps(method, told.camera):
                step()
            answer_few(method, told.noise_sigma)
        for step in steps(told.method, told.camera):
            step()
    os._exit(0)  # the thread still reads, which the usual end would wait for


def answer_few(method: str, noise_sigma: float) -> None:
    """Answer a few trajectories, which call for all kernels of a method."""
    # Here, since the second process of a single method does without them.
    from csist_bench.datasets.frame_files import BareFrames
    from csist_bench.methods.inference import unmix_each
    from csist_bench.simulation.rendering import render_shard

    recipe = load_data_recipe("seqcsist-noise", [f"noise_sigma={noise_sigma:g}"])
    frames = render_shard(recipe, range(FEW)).frames
    unmix_each(BareFrames(frames, recipe), method, ["grid"], scope=Scope(workers=1, groups="one"))


def steps(method: str, camera: Camera) -> Iterator[Callable[[], object]]:
    """Yield what is compiled for a method, in the order of the second process."""
    home = METHODS.get(method, f"csist_bench.methods.{method}.ahead")
    yield from import_module(home).steps(camera)
    nothing = np.zeros((0, 1, camera.optics.size, camera.optics.size))
    yield functools.partial(misfit_of_block, nothing, FrameAnswers.empty(0, 1).detections(0, 1), camera)


def _end_with_parent() -> None:
    os.read(0, 1)
    os._exit(0)
