"""What groups in large frames are found and how well: `python -m tests.helpers.group_aims` prints the figures.

Frames are those of `foreign_frames`; what a window alone gives is measured on the same targets and noise law, one group
a frame, its window cut about the truth.
"""

from __future__ import annotations

import time

import numpy as np

from csist_bench.datasets.frame_files import BareFrames
from csist_bench.methods.groups.detection import GroupFinder
from csist_bench.methods.inference import unmix
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics
from tests.helpers.foreign_frames import foreign_scene, peak_share

NEAR = 4.0  # px from a group's centre that a detected group may be
MATCHED = 0.5  # px

CAMERAS = {
    "sharp, noise 3": {"psf_sigma": (0.5, 0.5), "noise": 3.0, "level": 300.0, "gradient": (0.1, -0.05), "bits": 12},
    "wide, noise 10": {"psf_sigma": (0.8, 0.8), "noise": 10.0, "level": 1000.0, "gradient": (0.2, 0.1), "bits": 14},
    "unequal, shot noise": {
        "psf_sigma": (0.6, 0.7), "noise": 4.0, "gain": 0.2, "level": 500.0, "gradient": (-0.2, 0.3), "bits": 12,
    },
}  # fmt: skip


def camera_of(how, size=11, background=0.0):
    """Return the camera that a scene's keywords tell, free in brightness."""
    widths = how["psf_sigma"]
    share = peak_share(widths)
    return Camera(
        Optics(float(np.sqrt(np.prod(widths))), size),
        noise_sigma=how["noise"],
        shot_gain=how.get("gain", 0.0),
        saturation=2.0 ** how["bits"] - 1 if how.get("bits") else np.inf,
        background=background,
        intensity_min=4 * how["noise"] / share,
        intensity_max=100 * how["noise"] / share,
        psf_sigma_xy=None if widths[0] == widths[1] else widths,
    )


def bare(frames):
    """Return frames (T, H, W) or (N, T, H, W) as a source without targets."""
    frames = frames if frames.ndim == 4 else frames[None]
    return BareFrames(frames, load_data_recipe("seqcsist"))


def centres_of(truth):
    """Return (frame, x, y) of each group of each frame."""
    keys = np.unique(truth[:, [0, 4]], axis=0)
    return np.array([(t, *truth[(truth[:, 0] == t) & (truth[:, 4] == g), 1:3].mean(axis=0)) for t, g in keys])


def search(frames, truth, camera, false_alarms=0.1):
    """Return how many groups there are, how many are found, and how many are false."""
    finder = GroupFinder(camera, frames.shape[1:], false_alarms, frames.dtype.kind in "iu")
    centres = centres_of(truth)
    hit = false = 0
    for t, frame in enumerate(frames):
        own = centres[centres[:, 0] == t][:, :0:-1]  # y, x
        found = finder.find(frame).centre
        away = np.hypot(*(own[:, None] - found[None]).transpose(2, 0, 1)) if len(found) else np.full((len(own), 1), 9e9)
        hit += int((away.min(axis=1) <= NEAR).sum())
        false += int((away.min(axis=0) > NEAR).sum()) if len(found) else 0
    return len(centres), hit, false


def position_errors(found, truth):
    """Return the errors in x and y of the detections nearest to the targets of frames with rows (frame, x, y, ...)."""
    errors = []
    for t in np.unique(truth[:, 0]):
        own = truth[truth[:, 0] == t]
        mine = found.frame == t
        if not mine.any():
            continue
        dx = found.x[mine][None] - own[:, 1:2]
        dy = found.y[mine][None] - own[:, 2:3]
        best = np.argmin(np.hypot(dx, dy), axis=1)
        rows = np.arange(len(own))
        near = np.hypot(dx, dy)[rows, best] <= MATCHED
        errors.append(np.stack([dx[rows, best], dy[rows, best]], axis=1)[near])
    return np.concatenate(errors)


def cut_about_truth(frames, truth, side):
    """Return windows (n, 1, side, side) about the true groups, and their truth with frame = window."""
    windows, rows = [], []
    for t, x, y in centres_of(truth):
        group = truth[(truth[:, 0] == t) & (np.hypot(truth[:, 1] - x, truth[:, 2] - y) < NEAR)]
        left, top = round(x) - side // 2, round(y) - side // 2
        for row in group:
            rows.append((len(windows), row[1] - left, row[2] - top, *row[3:]))
        windows.append(frames[int(t), top : top + side, left : left + side])
    return np.array(windows), np.array(rows)


HEAD = ("camera", "groups", "found, %", "false a frame", "median error, px", "in windows by themselves", "frames/s")


def measured():
    """Yield the figures of each camera, one text a column of HEAD."""
    for name, how in CAMERAS.items():
        total = hit = false = frames_seen = 0
        seconds, errors, alone = 0.0, [], []
        for count in (8, 16, 24, 32, 40):
            rng = np.random.default_rng((1, count))
            frames, truth = foreign_scene(rng, (512, 640), 8, groups=count, **how)
            camera = camera_of(how)
            some = search(frames, truth, camera)
            total, hit, false = total + some[0], hit + some[1], false + some[2]
            frames_seen += len(frames)
            unmix(bare(frames[:1]), "ml", camera=camera, brightness="free")
            began = time.perf_counter()
            found = unmix(bare(frames), "ml", camera=camera, brightness="free")
            seconds += time.perf_counter() - began
            errors.append(position_errors(found, truth))
            flat, own = foreign_scene(np.random.default_rng((1, count)), (512, 640), 8, groups=count, **flattened(how))
            windows, rows = cut_about_truth(flat, own, 13)
            by_itself = camera_of(how, 13, how["level"])
            answered = unmix(bare(windows), "ml", camera=by_itself, groups="one", brightness="free")
            alone.append(position_errors(answered, rows))
        medians = [np.median(np.hypot(*np.concatenate(part).T)) for part in (errors, alone)]
        shares = f"{100 * hit / total:.2f}", f"{false / frames_seen:.3f}"
        yield name, f"{total:,}", *shares, *(f"{one:.4f}" for one in medians), f"{frames_seen / seconds:.0f}"


def flattened(how):
    """Return a scene's keywords without its gradient."""
    return how | {"gradient": (0.0, 0.0)}


if __name__ == "__main__":
    for row in (HEAD, *measured()):
        print(" | ".join(row), flush=True)
