"""The command line. Each command lives in its own module, imported only when it is called."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, NoReturn

import click

from csist_bench import __version__

# Command: one-line help. The help page is made from this table, so that `--help` imports no command.
COMMANDS = {
    "demo": "The whole story in under a minute: generate, unmix, score, one picture.",
    "generate": "Render a data set from a recipe, or a scene of your own, into chunked Zarr.",
    "info": "Describe a data set, frames of your own, a recipe or a prediction file.",
    "validate": "Check a data set, a recipe or a prediction file.",
    "import": "Read the published PNG + XML layout into a data set.",
    "export": "Write a data set in the published PNG + XML layout.",
    "calibrate": "Estimate the camera of frames from the frames alone.",
    "run": "Unmix a data set with a method and write a prediction file.",
    "merge": "Join folders of parts of predictions into one.",
    "track": "Link the detections of a prediction file to tracks.",
    "train": "Train a network by its recipe.",
    "evaluate": "Score a prediction file: AP05..AP25 and CSO-mAP.",
    "compare": "Tell whether prediction files, or rows, differ by more than chance.",
    "limit": "Cramer-Rao lines of a data set, per prior tier.",
    "submit": "Score a prediction file and add it to the leaderboard.",
    "leaderboard": "Show the leaderboard: terminal, Markdown, HTML or JSON.",
    "plot": "Draw frames, trajectories, precision-recall curves or the leaderboard.",
    "bench": "Measure the speed of everything on this machine.",
    "methods": "List the methods: family, parameters, cost, prior tier, paper.",
    "check-method": "Try whether a method of your own keeps the contract.",
    "doctor": "Show what is installed and what would not work.",
}


# Package: the extra that brings it.
EXTRAS = {
    "torch": "torch",
    "safetensors": "torch",
    "mmcv": "mmcv",
    "dask": "dask",
    "distributed": "dask",
    "fsspec": "remote",
    "obstore": "remote",
    "pyarrow": "parquet",
    "xarray": "xarray",
    "tifffile": "images",
    "astropy": "images",
}
OUT_OF_GPU_MEMORY = "OutOfMemoryError"  # torch's, which is not imported for its name
INTERRUPTED = 130  # as a shell reports a program ended by Ctrl-C


class LazyGroup(click.Group):
    """A group that imports the module of a command when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all command names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"csist_bench.cli.{cmd_name.replace('-', '_')}_command")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Answer a mistyped command with the nearest one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from csist_bench.errors import unknown

            raise unknown("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="csist-bench")
def cli() -> None:
    """Closely-spaced infrared small target (CSIST) unmixing: simulate, unmix, score, compare.

    \b
    Start here:
      csist-bench demo
      csist-bench generate && csist-bench run ista && csist-bench evaluate preds.json
    """


def main(args: list[str] | None = None) -> Any:
    """Run the command line; bad input ends in one line on stderr and exit code 2."""
    if os.environ.get("CSIST_BENCH_DEBUG"):
        return cli.main(args=args, prog_name="csist-bench")
    try:
        sys.exit(cli.main(args=args, prog_name="csist-bench", standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.UsageError as error:
        _fail(f"{_sentence(error)}; see: {error.ctx.command_path if error.ctx else 'csist-bench'} --help")
    except click.ClickException as error:
        _fail(_sentence(error))
    except click.Abort:
        _fail("interrupted", INTERRUPTED)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        _fail(f"this needs the package {package}; install it with: pip install 'csist-bench[{EXTRAS[package]}]'")
    except (ValueError, TypeError, OSError, MemoryError) as error:
        _fail(describe(error))
    except RuntimeError as error:
        _fail(_of_gpu_memory(error))


def _of_gpu_memory(error: RuntimeError) -> str:
    """Return one line for a GPU whose memory does not suffice; any other error is one of this program."""
    if type(error).__name__ != OUT_OF_GPU_MEMORY:
        raise error
    what = describe(error).partition(". ")[0].removesuffix(".")
    return f"{what}; fewer frames a pass (run --batch) or a step (train --set batch_frames) need less"


def _sentence(error: click.ClickException) -> str:
    return " ".join(error.format_message().split()).removesuffix(".")


def _fail(message: str, code: int = 2) -> NoReturn:
    from csist_bench.errors import printable

    click.echo(f"csist-bench: error: {printable(message)}", err=True)
    sys.exit(code)


def describe(error: BaseException) -> str:
    """Return one line for an error: operating-system errors name the file and the cause."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__
