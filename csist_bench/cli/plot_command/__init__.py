"""`csist-bench plot`: one file a picture."""

from __future__ import annotations

import click

from csist_bench.cli.plot_command.calibration import calibration_command
from csist_bench.cli.plot_command.frames import frames_command
from csist_bench.cli.plot_command.leaderboard import leaderboard_command
from csist_bench.cli.plot_command.overlay import overlay_command
from csist_bench.cli.plot_command.precision_recall import pr_command
from csist_bench.cli.plot_command.resolution import resolution_command
from csist_bench.cli.plot_command.training import training_command
from csist_bench.cli.plot_command.trajectory import trajectory_command


@click.group("plot")
def command() -> None:
    """Draw frames, groups, trajectories, precision-recall curves, resolution, training, the leaderboard or calibration.

    \b
    Examples:
      csist-bench plot frames preds.json --trajectory 7 --out frames.png
      csist-bench plot leaderboard --out leaderboard.svg
    """


for picture in (
    frames_command,
    overlay_command,
    trajectory_command,
    pr_command,
    resolution_command,
    training_command,
    leaderboard_command,
    calibration_command,
):
    command.add_command(picture)
