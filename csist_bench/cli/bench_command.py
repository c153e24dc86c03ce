"""`csist-bench bench`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from csist_bench.cli.options import json_option, note, say

if TYPE_CHECKING:
    from csist_bench.speed.measures import NetworkOptions

SOME_FAILED = 1


@click.command("bench")
@click.argument("parts", nargs=-1)
@click.option("--out", metavar="FILE", help="Write the figures as JSON here, after each step.")
@click.option("--resume", is_flag=True, help="Go on with the figures of --out: only what it lacks is measured.")
@click.option(
    "--max-minutes", type=click.FloatRange(min=0), default=0.0, metavar="N", help="Begin no step after so long."
)
@click.option("--device", default="auto", show_default=True, help="Of networks: auto, cpu, cuda, cuda:1, ...")
@click.option("--method", "methods", multiple=True, metavar="NAME", help="A network; repeatable. [default: all]")
@click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16"]),
    default="float32",
    show_default=True,
    help="Number type of networks' products.",
)
@click.option("--compile", "compiled", is_flag=True, help="Networks compiled by torch.compile.")
@json_option
def command(
    parts: tuple[str, ...], out: str | None, resume: bool, max_minutes: float, as_json: bool, **networks: Any
) -> None:
    """Measure the speed of everything on this machine, as a table and JSON.

    PARTS choose among rendering, generate, evaluate, methods, networks and start; all of them by default. `networks`
    takes every network, untrained, forward and through a step of its training, DeRefNet beside its published loop, and
    the stream of scenes that OffGrid-Net learns from; a CUDA GPU is waited for, and its memory is counted. A step that
    fails is told in one line, and the next goes on. Other work on the machine disturbs the figures; ratios are measured
    in one run.

    \b
    Examples:
      csist-bench bench
      csist-bench bench rendering generate --out bench.json
      csist-bench bench networks --device cuda --precision bfloat16 --out gpu.json --resume
      csist-bench bench networks --method offgrid-net --method derefnet
    """
    from pathlib import Path

    from csist_bench.files import require_place
    from csist_bench.speed.measures import NetworkOptions
    from csist_bench.speed.parts import NETWORKS, PARTS, steps_of
    from csist_bench.speed.record import Record, carry_out

    options = NetworkOptions(networks["device"], networks["precision"], networks["compiled"], networks["methods"])
    measured = NETWORKS in (parts or PARTS)
    if not measured and options != NetworkOptions():
        raise click.UsageError(f"--device, --method, --precision and --compile are of the part {NETWORKS}")
    steps = steps_of(parts, options)
    if out:
        require_place(out)
    record = Record.opened(Path(out) if out else None, _told(options) if measured else {}, resume)
    carry_out(steps, record, note if as_json else say, max_minutes)
    if as_json:
        say(record.as_json())
    if record.failed:
        raise SystemExit(SOME_FAILED)


def _told(options: NetworkOptions) -> dict[str, Any]:
    """Return what a file of figures says of how networks were measured."""
    from csist_bench.methods.registry import torch_works

    if not torch_works():
        return {}
    from csist_bench.speed.device_clock import device_name

    return {"device": device_name(options.device), "precision": options.precision, "compile": options.compile}
