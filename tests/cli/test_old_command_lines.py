"""Flags and arguments are a contract: what version 0.1.0 took is taken still."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest

from csist_bench.cli import COMMANDS, cli

GOLDEN = Path(__file__).parents[1] / "golden" / "command_lines_0_1_0.txt"
LINES = [line for line in GOLDEN.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
NEWER = {"calibrate", "check-method", "compare", "merge", "track"}  # commands that version 0.1.0 did not have


def parsed(line):
    """Parse a command line as the program does, down to the last subcommand, without running anything."""
    program, name, *words = shlex.split(line)
    assert program == "csist-bench"
    command = cli.get_command(click.Context(cli), name)
    context = command.make_context(name, words)
    if isinstance(command, click.Group):
        name, command, words = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, words, parent=context)
    return context.params


@pytest.mark.parametrize("line", LINES)
def test_a_command_line_is_still_taken(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_scene.csv").touch()
    parsed(line)


def test_every_command_is_among_them():
    assert {line.split()[1] for line in LINES} == set(COMMANDS) - NEWER


def test_a_flag_that_never_was_is_refused():
    with pytest.raises(click.UsageError, match="No such option"):
        parsed("csist-bench run ml --nowhere")
