"""What the pictures share: colours, tidy axes, and writing a figure to a file.

Colours are those of Okabe and Ito (2008), which colour-blind readers can tell apart; targets and detections also differ
in shape.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from csist_bench.errors import unknown
from csist_bench.files import replace_file

Floats = NDArray[np.float64]

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PINK = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
THRESHOLD_COLOURS = (PINK, ORANGE, GREEN, SKY, BLUE)
SUFFIXES = (".png", ".svg", ".pdf")
RESOLUTION = 160  # dots per inch
TRUE_TYPE = 42  # fonts of PDF files; journals refuse those of type 3, the default


def tidy(*panels: Axes) -> None:
    """Take away the frame and put a faint grid behind the data."""
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(color="0.9", lw=0.7)
        panel.set_axisbelow(True)


def require_picture(path: str | Path) -> str:
    """Return the format of a picture by its suffix."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise unknown("picture format", suffix or str(path), SUFFIXES)
    return suffix[1:]


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure in the format of its suffix, whole or not at all; equal figures make equal files."""
    kind = require_picture(path)
    content = io.BytesIO()
    # Without a date, and with fixed names of the parts, equal pictures are equal files.
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}[kind]
    with matplotlib.rc_context({"svg.hashsalt": "csist-bench", "pdf.fonttype": TRUE_TYPE}):
        figure.savefig(content, format=kind, dpi=RESOLUTION, metadata=metadata)
    replace_file(Path(path), content.getvalue())


def inline_svg(figure: Figure, name: str, label: str) -> str:
    """Return a figure as a part of a page, in the page's font and colours; `name` keeps its ids apart from others'."""
    content = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(content, format="svg", dpi=RESOLUTION, transparent=True, metadata={"Date": None})
    text = content.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", text)
    text = re.sub(r'^<svg [^>]*?viewBox="([^"]*)"[^>]*>', rf'<svg viewBox="\1" role="img" aria-label="{label}">', text)
    return text.replace("#000000", "currentColor").replace("#e6e6e6", "var(--grid)")
