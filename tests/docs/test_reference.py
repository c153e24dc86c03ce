"""Tables of fields and columns in the documentation are those of the code."""

from __future__ import annotations

import re
import subprocess
import sys

import msgspec
import pytest

from csist_bench.datasets.layout import DIMENSIONS
from csist_bench.predictions.table import COLUMNS
from csist_bench.simulation.camera_file import CameraFields
from tests.helpers.pages import ROOT


def test_tables_that_are_written_from_the_code_are_as_written():
    """Where this fails: python docs/make_reference.py"""
    command = [sys.executable, "docs/make_reference.py", "--check"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr


@pytest.mark.parametrize(
    ("page", "heading", "names"),
    [
        ("prediction-formats.md", "Columns", COLUMNS),
        ("camera.md", "Fields", ("schema", *msgspec.structs.fields(CameraFields))),
        ("data-sets.md", "The store", tuple(DIMENSIONS)),
    ],
)
def test_tables_that_are_written_by_hand_have_every_name(page, heading, names):
    names = {getattr(name, "name", name) for name in names}
    section = (ROOT / "docs" / page).read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    first = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert {name for cell in first for name in re.findall(r"`(\w+)`", cell)} == names
