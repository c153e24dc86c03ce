"""The long run: `python -m tests.fuzz --inputs 20000`; exits with 1 where any input raised, hung or took too much."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz.readers import fuzzed


def main() -> int:
    """Run the fuzz and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        faults = fuzzed(Path(folder), given.inputs, given.seed, lambda text: print(text, flush=True))
    for fault in faults:
        print(fault)
    print(f"{given.inputs:,} inputs, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
