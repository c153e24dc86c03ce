"""`python -m tests.camera_aims`: how near methods come to the aims set for frames of any imager.

Parts: calibrate, methods, background, errors, misfit. Frames of three imagers are made with plain NumPy; every figure
stands beside its aim. Example: python -m tests.camera_aims calibrate errors --cameras level --scale 0.2
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from tests.camera_aims import answering, calibrating, misfits
from tests.camera_aims.measured import Measured
from tests.camera_aims.rows import BEGIN, HEAD, PARTS, Row, into_page
from tests.camera_aims.scenes import IMAGERS

MEASURE: dict[str, Callable[[Measured], Iterator[Row]]] = {
    "calibrate": calibrating.rows_of,
    "methods": answering.methods,
    "background": answering.background,
    "errors": answering.errors,
    "misfit": misfits.rows_of,
}


def main(arguments: list[str] | None = None) -> int:
    """Measure the chosen parts and print a line for each figure; what is missed does not change the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.camera_aims", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"default: {' '.join(PARTS)}")
    parser.add_argument("--cameras", nargs="+", choices=IMAGERS, default=list(IMAGERS), help="default: all")
    parser.add_argument("--scale", type=float, default=1.0, help="factor of frames and runs (default 1)")
    parser.add_argument("--out", type=Path, help="JSON file of the rows; those of other parts and cameras in it stay")
    parser.add_argument("--markdown", type=Path, help="put the tables into this page (docs/camera-aims.md)")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"PART must be one of {', '.join(PARTS)}, got {sorted(unknown)[0]}")
    if asked.markdown and not (asked.markdown.is_file() and BEGIN in asked.markdown.read_text(encoding="utf-8")):
        parser.error(f"--markdown must name a page with {BEGIN}, got {asked.markdown}")
    if not asked.scale > 0:
        parser.error(f"--scale must be positive, got {asked.scale}")
    parts = asked.parts or list(PARTS)
    measured = Measured(tuple(asked.cameras), asked.scale)
    rows = kept(asked.out, parts, asked.cameras)
    print(HEAD, flush=True)
    for part in parts:
        for row in MEASURE[part](measured):
            print(row.text(), flush=True)
            rows.append(row)
            if asked.out:
                asked.out.write_text(json.dumps([asdict(one) for one in rows], indent=1) + "\n", encoding="utf-8")
    if asked.markdown:
        page = asked.markdown.read_text(encoding="utf-8")
        asked.markdown.write_text(into_page(page, rows), encoding="utf-8")
    return 0


def kept(path: Path | None, parts: list[str], cameras: list[str]) -> list[Row]:
    """Return the rows of a file that are not measured again."""
    if path is None or not path.exists():
        return []
    rows = [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
    return [row for row in rows if row.part not in parts or row.camera not in cameras]


if __name__ == "__main__":
    sys.exit(main())
