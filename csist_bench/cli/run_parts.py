"""`csist-bench run` into a folder of parts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from csist_bench.cli.options import ProgressLine, note

if TYPE_CHECKING:
    from csist_bench.conventions import Decoder
    from csist_bench.datasets import Split
    from csist_bench.datasets.frame_files import BareFrames
    from csist_bench.methods.by_shard import Call, Manner


def is_folder(out: str) -> bool:
    """Tell whether an --out means a folder of parts: its name has no suffix, or ends in a slash."""
    return out.endswith(("/", "\\")) or not Path(out).suffix


def require_split(source: Split | BareFrames, data: str, decoders: tuple[Decoder, ...]) -> Split:
    """Return a split; what cannot be answered shard by shard is refused: bare frames, and several decoders."""
    from csist_bench.datasets import Split
    from csist_bench.errors import must

    if not isinstance(source, Split):
        raise must("--out", "be a file for frames without targets", f"a folder for {data}", "add .json or .parquet")
    if len(decoders) > 1:
        raise must("--decoder", "be one for a folder of parts", ", ".join(decoders))
    return source


def answer_into(folder: str, call: Call, manner: Manner) -> None:
    """Answer a split into a folder, with progress, and say what came of it."""
    from csist_bench.methods.by_shard import run_by_shard

    done = run_by_shard(folder, call, manner, ProgressLine(f"{call.method}: unmixed"))
    there = f", {done.skipped:,} were there" if done.skipped else ""
    note(f"{folder}: wrote {done.written:,} parts in {done.seconds:.1f} s{there}")
    if not done.complete:
        note("not complete yet: other parts are missing")
        return
    note(f"complete: {done.detections:,} detections in {done.frames:,} frames")
    for remark in done.remarks:
        note(f"{folder}: {remark}")
