"""What a GPU makes of this package, in eight minutes: speeds, and two networks trained to their rows.

    python -m leaderboard.gpu_check --out gpu.json              # on a CUDA GPU, from the root of a checkout
    python -m leaderboard.gpu_check --out gpu.json --resume     # what is not measured yet
    python -m leaderboard.gpu_check --out dry.json --dry-run    # every step, tiny, on the CPU

Nothing need be installed but what the package imports, and nothing is fetched. Steps come in the order of their worth.
Each runs in a process of its own, so that an error of the GPU ends no other, and is stopped when its time is over.
Figures are saved as they are measured, in FILE, and as a table beside it (FILE with .md). The exit code is 1 where a
step failed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from csist_bench.errors import InputError, must, unknown
from csist_bench.files import replace_file
from csist_bench.speed.measures import Measure, Step, machine
from csist_bench.speed.record import Record, carry_out_one

ROOT = Path(__file__).resolve().parents[1]
MINUTES, TRAINING_MINUTES = 8.0, 3.0
START_S = 15.0  # of a process: imports, the GPU's first call
SCORING_S = 45.0  # about a training: sets, answers and scores
DRY_SET = 40  # trajectories


@dataclass(frozen=True)
class Plan:
    """How the check is carried out; `limit_s` is what a step may take."""

    device: str
    dry: bool = False
    training_s: float = 60 * TRAINING_MINUTES
    limit_s: float = 60 * MINUTES


class Task(NamedTuple):
    """What a step measures, and the least and most seconds that it is worth to begin and to go on."""

    measure: Callable[[Plan], Iterator[Measure]]
    least_s: float
    most_s: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out the check, or one step of it; return 1 if a step failed."""
    options = _options(arguments)
    try:
        plan = _plan(options)
        if options.step:
            return carry_out_here(options.step, plan, options.out)
        return carry_out_all(plan, options)
    except InputError as error:
        print(f"gpu_check: error: {error}", file=sys.stderr)
        return 2


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m leaderboard.gpu_check", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the figures, JSON")
    parser.add_argument("--resume", action="store_true", help="go on with FILE")
    parser.add_argument("--device", help="cuda, cuda:1, ...; by default cuda, and cpu in a dry run")
    parser.add_argument("--dry-run", action="store_true", help="tiny sizes: whether every step runs")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of the whole (default 8)")
    parser.add_argument("--training-minutes", type=float, default=TRAINING_MINUTES, help="of a training (default 3)")
    parser.add_argument("--only", action="append", metavar="STEP", help=f"repeatable; of: {', '.join(TASKS)}")
    parser.add_argument("--step", help=argparse.SUPPRESS)  # one step, in this process
    parser.add_argument("--limit", type=float, default=0.0, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _plan(options: argparse.Namespace) -> Plan:
    for name in ("minutes", "training_minutes"):
        if not getattr(options, name) > 0:
            raise must(f"--{name.replace('_', '-')}", "be positive", getattr(options, name))
    for name in [*(options.only or []), *([options.step] if options.step else [])]:
        if name not in TASKS:
            raise unknown("step", name, TASKS)
    device = options.device or ("cpu" if options.dry_run else "cuda")
    limit = options.limit or 60 * options.minutes
    return Plan(device, options.dry_run, 60 * options.training_minutes, limit)


# --- all steps, each in a process of its own --------------------------------------------------------------------------


def carry_out_all(plan: Plan, options: argparse.Namespace) -> int:
    """Take the steps in turn, as long as there is time for them; return 1 if one failed."""
    began = time.monotonic()
    told = _told(plan)
    path: Path = options.out
    record = Record.opened(path, told, options.resume)
    record.save()
    print(f"on {told['device']}, PyTorch {told['torch']}", flush=True)
    for name, task in TASKS.items():
        if name in record.done or name not in (options.only or TASKS):
            continue
        left = 60 * options.minutes - (time.monotonic() - began)
        record.begin(name)
        if left < task.least_s + START_S and not plan.dry:
            record.left_out[name] = f"{left:.0f} s were left, {task.least_s + START_S:.0f} s are the least"
            record.save()
        else:
            record.save()
            limit = left if plan.dry else min(left, task.most_s + START_S)
            record = _in_process(name, limit, options, plan)
        replace_file(path.with_suffix(".md"), as_markdown(record).encode())
    print(f"{path} and {path.with_suffix('.md')} written")
    return 1 if record.failed else 0


def _in_process(name: str, limit: float, options: argparse.Namespace, plan: Plan) -> Record:
    """Take one step in another process, stopped after `limit` seconds, and return what is measured by then."""
    print(f"{name}:", flush=True)
    command = [sys.executable, "-m", "leaderboard.gpu_check", "--out", str(options.out.resolve())]
    command += ["--step", name, "--device", plan.device, "--limit", f"{limit:.1f}"]
    command += ["--training-minutes", str(options.training_minutes), *(["--dry-run"] if plan.dry else [])]
    try:
        code = subprocess.run(command, cwd=ROOT, check=False, timeout=limit).returncode
        failure = f"the process ended with code {code}" if code else ""
    except subprocess.TimeoutExpired:
        failure = f"stopped after {limit:.0f} s"
    record = Record.read(options.out)
    if failure and name not in record.failed:
        record.failed[name] = failure
        print(f"{name}: failed: {failure}", flush=True)
        record.save()
    return record


def carry_out_here(name: str, plan: Plan, path: Path) -> int:
    """Take one step in this process and add its figures to the file; return 1 if it failed."""
    record = Record.read(path) if path.exists() else Record(_told(plan), path)
    record.begin(name)
    carry_out_one(Step(name, partial(TASKS[name].measure, plan)), record, partial(print, flush=True))
    record.save()
    return 1 if name in record.failed else 0


def _told(plan: Plan) -> dict[str, Any]:
    """Return what the file says of how it was measured."""
    import torch

    from csist_bench.speed.device_clock import device_name

    return {"device": device_name(plan.device), "torch": str(torch.__version__), "dry_run": plan.dry}


def as_markdown(record: Record) -> str:
    """Return the figures as a page."""
    told, here = record.options, machine()
    lines = ["# GPU check", "", f"{told['device']}; PyTorch {told['torch']}, Python {here['python']}."]
    if not told["device"].startswith("cuda"):
        lines += ["", "**Not measured on a GPU.** These figures say that the steps run, and nothing of a GPU's speed."]
    if told["dry_run"]:
        lines += ["", "A dry run: networks, sets and trainings are tiny."]
    lines += ["", "| step | figure | value | unit | aim |", "| --- | --- | ---: | --- | --- |"]
    for m in record.measures:
        value = f"{m.value:,.4g}" if abs(m.value) < 1000 else f"{m.value:,.0f}"
        lines.append(f"| {m.step} | {m.name.strip()} | {value} | {m.unit} | {m.goal} |")
    for title, reasons in (("Failed", record.failed), ("Left out", record.left_out)):
        if reasons:
            lines += ["", f"{title}:", "", *(f"- {name}: {reason}" for name, reason in reasons.items())]
    return "\n".join(lines) + "\n"


# --- speeds ----------------------------------------------------------------------------------------------------------


def _way(plan: Plan, **changes: Any) -> Any:
    from csist_bench.speed.way import Way

    return Way.of(plan.device, **changes)


def _loop(plan: Plan) -> Iterator[Measure]:
    from csist_bench.speed.networks import loop_speed

    small = tuple(f"{key}={value}" for key, value in _TINY["derefnet"]["settings"].items()) if plan.dry else ()
    yield from loop_speed(_way(plan), small, rounds=1 if plan.dry else 3)


def _points(plan: Plan) -> Iterator[Measure]:
    from csist_bench.methods.registry import METHODS
    from csist_bench.speed.networks import point_network_speed, small_set

    with small_set(DRY_SET) as store:
        sizes = (64, (32, 64)) if plan.dry else (0, ())
        for precision in ("float32", "bfloat16"):
            yield from point_network_speed(METHODS["offgrid-net"], store, _way(plan, precision=precision), *sizes)


def _stream(plan: Plan) -> Iterator[Measure]:
    from csist_bench.speed.networks import STREAM_SCENES, stream_speed

    yield from stream_speed(_way(plan), 64 if plan.dry else STREAM_SCENES)


def _ways(name: str, plan: Plan) -> Iterator[Measure]:
    """Yield what a training step gains from number types and from compiling, and after how long compiling has paid."""
    from csist_bench.methods.networks.base import build_network
    from csist_bench.methods.registry import METHODS
    from csist_bench.simulation.optics import Optics
    from csist_bench.speed.networks import small_set, step_speed

    # Compiling takes a CPU most of a minute: one network shows that it runs.
    compiled = (False, True) if not plan.dry or name == "edsr" else (False,)
    tiny = [f"{key}={value}" for key, value in _TINY[name]["settings"].items()] if plan.dry else []
    with small_set(DRY_SET) as store:
        plain = 0.0
        for compiles, precision in product(compiled, ("float32",) if plan.dry else ("float32", "tf32", "bfloat16")):
            way = _way(plan, precision=precision, compile=compiles)
            compiling = 0.0
            for measure in step_speed(METHODS[name], store, way, build_network(name, Optics(), tiny)):
                told = f"{name}, {precision}{', compiled' if compiles else ''}: {measure.name.strip()}"
                yield replace(measure, name=told)
                compiling = measure.value if measure.name == "  compiling" else compiling
                if measure.name == "  training step":
                    plain = plain or measure.value
                    yield from _gain(measure.value, plain, compiling)


def _gain(rate: float, plain: float, compiling: float) -> Iterator[Measure]:
    yield Measure("  of the plain step's speed", rate / plain, "x")
    saved = 1 / plain - 1 / rate
    if compiling and saved > 0:
        yield Measure("  compiling has paid after", compiling / saved, "frames")


def _networks(plan: Plan) -> Iterator[Measure]:
    from csist_bench.speed.networks import network_steps

    names = ("espcn", "lista") if plan.dry else ()
    began = time.monotonic()
    for step in network_steps(_way(plan), names):
        if "derefnet against" in step.name or "stream" in step.name or "offgrid-net" in step.name:
            continue  # steps of their own
        if time.monotonic() - began > 0.9 * plan.limit_s:
            return
        yield from step.measure()


# --- two networks to their rows, and which steps there are ------------------------------------------------------------

_TINY: dict[str, dict[str, dict[str, Any]]] = {
    "derefnet": {"settings": {"phases": 2, "features": 4, "blocks": 1}, "training": {}},
    "edsr": {"settings": {"features": 4, "blocks": 1}, "training": {"batch_frames": 8, "steps": 2}},
    "offgrid-net": {
        "settings": {"width": 16, "depth": 1},
        "training": {"batch_frames": 32, "steps": 2, "calibration.steps": 2, "validate_trajectories": 2},
    },
}


def _to_row(name: str, plan: Plan) -> Iterator[Measure]:
    from csist_bench.methods.networks.base import resolve_device
    from csist_bench.speed.to_row import Budget, train_to_row

    budget = Budget(min(plan.training_s, max(1.0, plan.limit_s - SCORING_S)))
    if plan.dry:
        budget = Budget(plan.training_s, DRY_SET, **_TINY[name])
    yield from train_to_row(name, resolve_device(plan.device), budget)


_TRAINING = Task(_loop, 60.0, 60 * TRAINING_MINUTES + SCORING_S)
TASKS = {
    "derefnet against the loop": Task(_loop, 10.0, 60.0),
    "offgrid-net": Task(_points, 10.0, 60.0),
    "stream": Task(_stream, 10.0, 30.0),
    "train offgrid-net": _TRAINING._replace(measure=partial(_to_row, "offgrid-net")),
    "train edsr": _TRAINING._replace(measure=partial(_to_row, "edsr")),
    "ways of offgrid-net": Task(partial(_ways, "offgrid-net"), 30.0, 120.0),
    "ways of edsr": Task(partial(_ways, "edsr"), 30.0, 120.0),
    "ways of derefnet": Task(partial(_ways, "derefnet"), 30.0, 120.0),
    "other networks": Task(_networks, 20.0, 300.0),
}


if __name__ == "__main__":
    sys.exit(main())
