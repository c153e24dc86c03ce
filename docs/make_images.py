"""Draw the pictures of the documentation: overview.png, conventions.png and demo.png in images/, beside this script.

    python docs/make_images.py [overview] [conventions] [demo]

It needs the package installed and nothing else: frames and targets come from the sample set, answers from the command
line, scores from leaderboard/leaderboard.csv; demo.png is what `csist-bench demo` draws, in fewer colours.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import zarr
from PIL import Image

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.patches import Rectangle

ROOT = Path(__file__).resolve().parents[1]
IMAGES = Path(__file__).resolve().parent / "images"
SAMPLE = ROOT / "data" / "sample" / "seqcsist.zarr"
SPLIT, TRAJECTORY, FRAME = "train", 1, 10
NODES = 3  # per pixel

INK, FAINT = "#222222", "#b9bdc4"
BLUE, ORANGE, GREEN, RED, GREY = "#1f66b0", "#d9761a", "#2a8a57", "#c23b3b", "#6f7782"
STYLE = {"font.size": 9, "axes.edgecolor": FAINT, "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK,
         "ytick.color": INK, "axes.titlesize": 10, "axes.titlelocation": "left", "figure.dpi": 130}  # fmt: skip


def node(index: Any) -> Any:
    """Return the place of a label node along one axis, px."""
    return (index - (NODES - 1) / 2) / NODES


def nearest_node(place: Any) -> Any:
    """Return the index of the node nearest to a place (px) along one axis."""
    return np.rint(NODES * place + (NODES - 1) / 2)


def save(figure: Any, name: str) -> None:
    """Write a picture."""
    IMAGES.mkdir(exist_ok=True)
    figure.savefig(IMAGES / name, facecolor="white", metadata={"Software": None})
    print(IMAGES / name, (IMAGES / name).stat().st_size, "bytes")


# --- overview -------------------------------------------------------------------------------------------------------


def overview() -> None:
    """A blurred spot, what is in it, and how far methods get as noise grows."""
    part = zarr.open_group(SAMPLE / SPLIT, mode="r")
    frame = np.asarray(part["frames"][TRAJECTORY, FRAME])
    truth = np.asarray(part["target_xy"][TRAJECTORY, FRAME])
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.7), width_ratios=[1, 1, 1.35], layout="constrained")
    spot, inside, curves = axes
    spot.imshow(frame, cmap="gray", vmin=0)
    spot.set_title("What the sensor sees: 11 × 11 pixels")
    middle = np.rint(np.nanmean(truth, axis=0))
    spot.add_patch(Rectangle(middle - 1.5, 3, 3, fill=False, edgecolor=ORANGE, linewidth=1.4))
    close_up(inside, frame, truth, answers("ml"), middle)
    noise_curves(curves)
    save(figure, "overview.png")
    plt.close(figure)


def answers(method: str) -> Any:
    """Return the (x, y) that a method answers for the frame, px."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "answers.json"
        command = [sys.executable, "-m", "csist_bench", "run", method, "--data", str(SAMPLE), "--split", SPLIT,
                   "--limit", str(TRAJECTORY + 1), "--out", str(out)]  # fmt: skip
        subprocess.run(command, check=True, cwd=ROOT)
        rows = json.loads(out.read_text())["predictions"]
    return np.array([[row["x"], row["y"]] for row in rows if (row["trajectory"], row["frame"]) == (TRAJECTORY, FRAME)])


def close_up(axes: Any, frame: Any, truth: Any, found: Any, middle: Any) -> None:
    """Draw the pixels about the spot with targets, answers and the nodes of the label grid."""
    axes.imshow(frame, cmap="gray", vmin=0)
    x, y = (np.arange(3 * NODES) + nearest_node(centre) - 4 for centre in middle)
    across, down = np.meshgrid(node(x), node(y))
    axes.plot(across, down, ".", color="#8fc1f5", markersize=3)
    label = node(nearest_node(truth))
    axes.plot(*label.T, "s", color="#8fc1f5", markersize=11, fillstyle="none", label="nearest grid node")
    axes.plot(*truth.T, "o", color=ORANGE, markersize=9, fillstyle="none", markeredgewidth=1.8, label="target")
    axes.plot(*found.T, "+", color="#5be39a", markersize=9, markeredgewidth=1.8, label="ml, off the grid")
    axes.set(xlim=(middle[0] - 1.5, middle[0] + 1.5), ylim=(middle[1] + 1.5, middle[1] - 1.5))
    axes.set_title("What is in it: the marked 3 × 3 pixels")
    legend = axes.legend(loc="lower left", fontsize=7.5, framealpha=0.85, facecolor="#333333", edgecolor="none")
    for text in legend.get_texts():
        text.set_color("white")


def noise_curves(axes: Any) -> None:
    """Draw CSO-mAP against read noise from the leaderboard's tables."""
    for method, settings, label, colour in (
        ("Group MAP", "frames=20", "group-map, 20 frames", GREEN),
        ("OffGrid-Net", "", "offgrid-net, 1 frame", BLUE),
        ("ML-seq", "", "ml-seq, 20 frames", ORANGE),
        ("ML", "", "ml, 1 frame", RED),
    ):
        sigma, score = measured(method, settings)
        axes.plot(sigma, score, "o-", color=colour, markersize=4)
        axes.annotate(label, (sigma[-1], score[-1]), (6, -3), textcoords="offset points", color=colour, fontsize=8)
    sigma, score = published()
    axes.plot(sigma, score, "o-", color=GREY, markersize=4)
    axes.annotate("best published", (sigma[-1], score[-1]), (6, -3), textcoords="offset points", color=GREY, fontsize=8)
    limit = ceiling()
    axes.axhline(limit, color=GREY, linestyle=":", linewidth=1)
    axes.annotate("perfect detector on a grid of 3 nodes per pixel", (7.5, limit), (0, 4), ha="right",
                  textcoords="offset points", color=GREY, fontsize=7.5)  # fmt: skip
    axes.set(xlim=(-0.2, 7.6), ylim=(30, 103), xticks=range(6), xlabel="read noise, grey levels", ylabel="CSO-mAP, %")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("How far methods get")


def table(name: str) -> list[dict[str, str]]:
    """Return the rows of one of the leaderboard's tables."""
    with (ROOT / "leaderboard" / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def measured(method: str, settings: str) -> tuple[list[float], list[float]]:
    """Return noise levels and scores of a method, ranked by its own score."""
    sought = {"method": method, "settings": settings, "rank": "score", "decoder": "own", "tier": "reproduced"}
    plain = ("seqcsist", *(f"seqcsist-noise sigma={sigma}" for sigma in range(1, 6)))
    rows = [row for row in table("leaderboard.csv") if row["dataset"] in plain]
    found = [row for row in rows if all(row[name] == value for name, value in sought.items())]
    points = sorted({float(row["noise_sigma"]): float(row["cso_map"]) for row in found}.items())
    if not points:
        sys.exit(f"leaderboard.csv must hold rows of {method} {settings}".rstrip())
    return [sigma for sigma, _ in points], [score for _, score in points]


def published() -> tuple[list[float], list[float]]:
    """Return noise levels and scores of the best published method."""
    rows = [row for row in table("published_ablations.csv") if row["experiment"].endswith(" noise")]
    points = sorted((float(row["setting"].partition("=")[2]), float(row["cso_map"])) for row in rows)
    return [sigma for sigma, _ in points], [score for _, score in points]


def ceiling() -> float:
    """Return the best score that any ranking of grid nodes can reach."""
    rows = [row for row in table("lines.csv") if (row["dataset"], row["kind"]) == ("seqcsist", "ceiling")]
    return max(float(row["cso_map"]) for row in rows)


# --- conventions ----------------------------------------------------------------------------------------------------


def conventions() -> None:
    """Pixels and axes; nodes of the label grid; frames of a trajectory."""
    figure, parts = plt.subplot_mosaic("ab;cc", figsize=(10, 6.2), height_ratios=[3, 1], layout="constrained")
    pixels(parts["a"])
    label_nodes(parts["b"])
    frames(parts["c"])
    save(figure, "conventions.png")
    plt.close(figure)


def pixels(axes: Any) -> None:
    """Draw the corner of a frame: centres at integers, x to the right, y down."""
    size = 4
    for column in range(size):
        for row in range(size):
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=FAINT))
            axes.plot(column, row, ".", color=GREY, markersize=4)
            axes.text(column, row + 0.32, f"[{row}, {column}]", ha="center", fontsize=7.5, color=GREY)
    axes.add_patch(Rectangle((-0.5, -0.5), 1, 1, facecolor="#e6effa", edgecolor=BLUE, zorder=0))
    x, y = 2.3, 0.8
    axes.plot(x, y, "o", color=ORANGE, markersize=8)
    axes.text(4.0, y, f"(x, y) = ({x}, {y}) px", va="center", color=ORANGE, fontsize=9)
    axes.plot([x, 3.95], [y, y], "-", color=ORANGE, linewidth=0.8)
    axes.text(-0.42, -0.6, "pixel (0, 0) spans −0.5 to 0.5", color=BLUE, fontsize=8.5)
    arrows = {"arrowstyle": "->", "color": INK}
    axes.annotate("", (3.45, -1.0), (-0.5, -1.0), arrowprops=arrows)
    axes.annotate("", (-1.0, 3.45), (-1.0, -0.5), arrowprops=arrows)
    axes.text(3.5, -1.0, "x", va="center", fontsize=11)
    axes.text(-1.0, 3.6, "y", ha="center", va="top", fontsize=11)
    axes.set(xlim=(-1.3, 5.7), ylim=(4.0, -1.35), aspect="equal", xticks=range(size), yticks=range(size))
    axes.set_title("Frame: array [row = y, column = x], centres at integers")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def label_nodes(axes: Any) -> None:
    """Draw two by two pixels with three nodes per pixel and axis, and the node that a target is labelled by."""
    for column in range(2):
        for row in range(2):
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=GREY))
    places = node(np.arange(2 * NODES))
    across, down = np.meshgrid(places, places)
    axes.plot(across, down, ".", color=BLUE, markersize=6)
    for index, place in enumerate(places):
        axes.text(place, -0.62, f"{index}", ha="center", color=BLUE, fontsize=8.5)
        axes.text(-0.62, place, f"{index}", va="center", ha="right", color=BLUE, fontsize=8.5)
    axes.text(-0.78, -0.78, "node", color=BLUE, fontsize=8.5, ha="center", va="center")
    x, y = 0.79, 0.21
    i, j = nearest_node(np.array([x, y]))
    axes.plot([x, node(i)], [y, node(j)], "-", color=ORANGE, linewidth=1)
    axes.plot(x, y, "o", color=ORANGE, markersize=8)
    axes.plot(node(i), node(j), "s", color=BLUE, markersize=12, fillstyle="none")
    axes.plot([x, 1.6], [y, y], "-", color=ORANGE, linewidth=0.8)
    axes.text(1.63, y, f"target at ({x}, {y})", color=ORANGE, fontsize=9, va="center")
    axes.plot([node(i) + 0.06, 1.6], [node(j) + 0.06, 0.5], "-", color=BLUE, linewidth=0.8)
    said = f"its label: grid [{j:.0f}, {i:.0f}],\nnode at ({node(i):.2f}, {node(j):.2f})"
    axes.text(1.63, 0.5, said, color=BLUE, fontsize=8.5, va="center")
    axes.set(xlim=(-0.95, 2.55), ylim=(1.65, -0.95), aspect="equal", xticks=[0, 1], yticks=[0, 1])
    axes.set_title("Label grid, c = 3: node i at (i − (c − 1) / 2) / c px")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def frames(axes: Any) -> None:
    """Draw a trajectory's frames, which of them are scored, and one five-frame window."""
    for frame in range(20):
        scored = 2 <= frame < 18
        axes.add_patch(Rectangle((frame - 0.42, -0.42), 0.84, 0.84, facecolor="#cfe6d8" if scored else "#eeeeee",
                                 edgecolor=GREEN if scored else FAINT))  # fmt: skip
        axes.text(frame, 0, f"{frame}", ha="center", va="center", fontsize=8.5)
    axes.annotate("", (5.5, 0.75), (10.5, 0.75), arrowprops={"arrowstyle": "<->", "color": BLUE})
    axes.text(8, 1.12, "five-frame window of frame 8", ha="center", color=BLUE, fontsize=8.5)
    axes.text(17.6, 1.12, "image_id = trajectory × 20 + frame", ha="right", color=GREY, fontsize=8.5)
    axes.set(xlim=(-0.8, 19.8), ylim=(1.5, -0.7), xticks=[], yticks=[])
    axes.set_title("Frames of a trajectory count from 0; scored are 2 to 17 (“2:18”, the end left out)")
    axes.spines[:].set_visible(False)


# --- demo -----------------------------------------------------------------------------------------------------------


def demo() -> None:
    """What `csist-bench demo` draws, with as few colours as keep it below 200 kB."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "csist_bench", "demo", "--out", folder], check=True, cwd=ROOT)
        with Image.open(Path(folder) / "frames.png") as picture:
            in_few_colours(picture.convert("RGB")).save(IMAGES / "demo.png", optimize=True)
    print(IMAGES / "demo.png", (IMAGES / "demo.png").stat().st_size, "bytes")


def in_few_colours(picture: Image.Image) -> Image.Image:
    """Return a picture with 128 greys and as many colours; a palette by frequency would hold greys alone."""
    values = np.asarray(picture).astype(int)
    coloured = np.where(np.ptp(values, axis=2)[..., None] < 6, 0, values).astype(np.uint8)
    marks = Image.fromarray(coloured).quantize(128, method=Image.Quantize.MAXCOVERAGE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*np.repeat(np.linspace(0, 255, 128).astype(int), 3).tolist(), *marks[: 3 * 128]])
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


def main() -> None:
    """Draw the pictures that are named, or all."""
    drawn = {"overview": overview, "conventions": conventions, "demo": demo}
    chosen = sys.argv[1:] or list(drawn)
    unknown = sorted(set(chosen) - set(drawn))
    if unknown:
        sys.exit(f"picture must be of {', '.join(drawn)}, got {', '.join(unknown)}")
    with mpl.rc_context(STYLE):
        for name in chosen:
            drawn[name]()


if __name__ == "__main__":
    main()
