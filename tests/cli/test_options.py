"""What the commands share beside their options."""

import subprocess
import sys

COMPILES = """
from csist_bench.cli.options import note_compiling
from csist_bench.jit import jit

note_compiling(lambda: print("second process"))

@jit
def same(x):
    return x

same(1), same(2), same(1.0)
"""


def test_compiling_is_said_once_and_a_second_process_asked_for_where_its_work_is_kept(tmp_path):
    def said(*command):
        done = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.splitlines(), [line.split(",")[0] for line in done.stderr.splitlines()]

    assert said("-c", COMPILES) == ([], ["compiling"])  # code without a file is never kept
    (tmp_path / "kernels.py").write_text(COMPILES)
    assert said("kernels.py") == (["second process"], ["compiling"])
    assert said("kernels.py") == ([], [])
