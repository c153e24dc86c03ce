"""docs/walkthrough-unknown-sensor.md: every block runs, and the figures in its prose are those of the run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.helpers.command_line import CommandLine

PAGE = Path(__file__).parents[1] / "docs" / "walkthrough-unknown-sensor.md"
BLOCK = re.compile(r"```(python|sh)\n(.*?)```", re.DOTALL)
FIGURE = re.compile(r"([\d.]+)<!-- walk: (.+?) \+- ([\d.]+) -->")


@pytest.mark.slow
def test_the_page_runs_and_its_figures_are_those_of_the_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text, cli, known = PAGE.read_text(), CommandLine(capsys), {}
    for kind, block in BLOCK.findall(text):
        if kind == "python":
            exec(compile(block, str(PAGE), "exec"), known)
            continue
        for line in block.splitlines():
            command, *arguments = shlex.split(line)
            assert command == "csist-bench"
            cli.passes(*arguments)
    figures = FIGURE.findall(text)
    assert len(figures) >= 10
    measured = {expression: float(eval(expression, known)) for _, expression, _ in figures}
    said = {expression: pytest.approx(float(value), abs=float(within)) for value, expression, within in figures}
    assert measured == said
    assert known["camera"].background == "plane"
    for picture in ("calibrate.png", "frames.png", "overlay.png"):
        assert (tmp_path / picture).stat().st_size > 10_000
