"""Compiled kernels: by reference, within their callers, said while they are compiled, and the same as plain Python."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from csist_bench import jit as compiling
from csist_bench.datasets import open_dataset
from csist_bench.jit import jit
from tests.helpers.sets import tiny_set
from tests.helpers.unmixing import unmixed

RECORD = """
import numpy as np
from csist_bench.jit import by_reference, jit, jit_within, when_compiling

@by_reference
class Pair:
    \"\"\"Two arrays.\"\"\"
    first: object
    second: object

@jit
def pair(n):
    return Pair(np.zeros(n), np.full(n, 2.0))

@jit_within
def add(pair, step):
    for i in range(pair.first.shape[0]):
        if i > 1:
            return i
        pair.first[i] += step * pair.second[i]
    return -1

@jit
def add_twice(pair):
    return add(pair, 1.0) + add(pair, 10.0)

when_compiling(lambda kept: print("compiling, kept:", kept))
made = pair(3)
print(add_twice(made), made.first.tolist(), made.second.tolist())
"""


@pytest.mark.parametrize("plain", ["", "1"])
def test_records_are_changed_in_place_compiled_or_not(tmp_path, plain):
    (tmp_path / "record.py").write_text(RECORD)
    environment = {"CSIST_BENCH_NO_NUMBA": plain, "PYTHONPATH": ":".join(p for p in sys.path if p), "PATH": ""}
    said = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", "import record"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        said.append(done.stdout.split("\n")[:-1])
    result = "4 [22.0, 22.0, 0.0] [2.0, 2.0, 2.0]"
    # Told once while it compiles; a second process takes the functions from the cache, but for those that read fields.
    assert said[0] == ([result] if plain else ["compiling, kept: True", result])
    assert said[1][-1] == result


SLOW = """
import sys
from numba.core import event
from csist_bench.jit import jit

@jit
def total(numbers):
    result = 0.0
    for i in range(numbers.shape[0]):
        result += numbers[i]
    return result

@jit
def twice(numbers):
    return 2.0 * total(numbers)

class Listener(event.Listener):
    def on_start(self, begun):
        print(begun.data["dispatcher"].py_func.__qualname__)
        if begun.data["dispatcher"] is total:
            time.sleep(2.0)  # as if it were long
    def on_end(self, _):
        pass

event.register("numba:compile", Listener())
import time
import numpy as np
sys.stdin.readline()  # both begin together
assert [twice(np.arange(3, dtype=one)) for one in sys.argv[1:]] == [6.0] * len(sys.argv[1:])
"""


def test_processes_that_begin_together_compile_a_function_once_and_lose_nothing(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    environment = {"PYTHONPATH": ":".join(p for p in sys.path if p), "PATH": ""}

    def compiled(*runs_of_types):
        command = [sys.executable, "-c", "import slow"]
        runs = [
            subprocess.Popen(
                [*command, *types],
                cwd=tmp_path,
                env=environment,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            for types in runs_of_types
        ]
        time.sleep(1.0)
        for run in runs:
            run.stdin.write("\n")
            run.stdin.flush()
        said = [run.communicate()[0].split() for run in runs]
        assert [run.returncode for run in runs] == [0] * len(runs)
        return sorted(name for names in said for name in names)

    assert compiled(["float64"], ["float64"], ["float32"]) == ["total", "total", "twice", "twice"]  # once a type
    assert compiled(["float64", "float32"]) == []


def test_a_process_that_hangs_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    (tmp_path / "held_kernel.py").write_text("from csist_bench.jit import jit\n\n@jit\ndef one(x):\n    return x + 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    one = importlib.import_module("held_kernel").one
    folder = Path(one.stats.cache_path)
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(compiling, "WAIT_S", 0.5)
    with FileLock(folder / "held_kernel.one.lock"):
        began = time.monotonic()
        assert one(1) == 2
        assert time.monotonic() - began >= 0.5
    assert one(1.5) == 2.5


def test_kernels_of_cameras_that_are_not_in_use_are_not_compiled():
    code = (
        "import numpy as np, csist_bench as cb;"
        "from csist_bench.methods.fitting import dense_images, dense_model;"
        "cb.unmix(np.zeros((1, 2, 11, 11)), 'ml', noise_sigma=2.0, camera=None);"
        "print(*[f.__name__ for f in (dense_images.fill_images, dense_model.dense_cost) if f.signatures])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


INNER = """
import numpy as np
from csist_bench.jit import compile_for, jit, jit_inner

@jit_inner
def doubled(pair, step):
    return (step * pair[0], pair[1])

@jit
def quadrupled(x):
    return doubled(doubled((x, 1), 2.0), 2.0)[0]

compile_for(doubled, (1.0, 1), 2.0)
print(quadrupled(3.0), doubled((1.0, 7), 2.0), doubled((1.0, 7), 3.0), doubled((np.ones(1), 7), 2.0)[0])
"""


@pytest.mark.parametrize("plain", ["", "1"])
def test_an_inner_kernel_can_be_called_from_python_all_the_same(tmp_path, plain):
    (tmp_path / "inner.py").write_text(INNER)
    environment = {"CSIST_BENCH_NO_NUMBA": plain, "PYTHONPATH": ":".join(p for p in sys.path if p), "PATH": ""}
    for _ in range(2):  # compiled, and then taken from the cache
        command = [sys.executable, "-c", "import inner"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout == "12.0 (2.0, 7) (3.0, 7) [2.]\n"


ANSWERED = """
import sys
from csist_bench import jit
from csist_bench.datasets import open_dataset
from tests.helpers.unmixing import unmixed
split = open_dataset(sys.argv[1]).split("test")
for name in ("ml", "ml-seq", "group-map", "bid", "ista"):
    unmixed(split, name, workers=1)
print(jit._caller_of.cache_info().currsize)
"""


def test_no_run_calls_an_inner_kernel_from_python(tmp_path):
    data = tiny_set(tmp_path / "set.zarr", "seqcsist-noise", "noise_sigma=5")
    done = subprocess.run([sys.executable, "-c", ANSWERED, str(data)], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


def test_arrays_of_records_are_numpys():
    from csist_bench.methods.fitting.levenberg import frame_workspace

    work = frame_workspace(2, 5)
    work.normal[0, 0] = 3.0
    assert work.normal[0, 0] == 3.0
    assert isinstance(work.normal, np.ndarray)


def double(x):
    return 2 * x


def test_a_function_without_a_place_for_its_cache_is_compiled_all_the_same():
    homeless = types.FunctionType(double.__code__.replace(co_filename="<nowhere>"), globals())
    assert jit(homeless)(21) == 42


PLAIN_PYTHON = """
import json, sys
from tests.helpers.unmixing import unmixed
from csist_bench.jit import jit
from csist_bench.datasets import open_dataset
split = open_dataset(sys.argv[1]).split("test")
found = {}
for name, settings in json.loads(sys.argv[2]).items():
    done = unmixed(split, name, settings=settings, first=1, frames=range(1, 2), workers=1)
    found[name] = {column: values.tolist() for column, values in done.detections.columns().items()}
print(json.dumps({"numba": "numba" in sys.modules, "frame": split.frames[0, 0].tolist(), "found": found}))
"""


def test_the_kernels_give_the_same_as_plain_python(tmp_path):
    settings = {"ista": {"iterations": 30}, "bid": {"iterations": 3, "alpha": 0.5}, "ml": {}}
    compiled, plain = tmp_path / "compiled.zarr", tmp_path / "plain.zarr"
    tiny_set(compiled)
    environment = {**os.environ, "CSIST_BENCH_NO_NUMBA": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    generate = "import pathlib, sys; from tests.helpers.sets import tiny_set; tiny_set(pathlib.Path(sys.argv[1]))"
    for code, *arguments in ((generate, str(plain)), (PLAIN_PYTHON, str(plain), json.dumps(settings))):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], env=environment, check=True, capture_output=True, text=True
        )
    answer = json.loads(done.stdout)
    assert not answer["numba"]
    split = open_dataset(compiled).split("test")
    np.testing.assert_allclose(answer["frame"], split.frames[0, 0], rtol=1e-6)
    for name, overrides in settings.items():
        expected = unmixed(split, name, settings=overrides, first=1, frames=range(1, 2)).detections.columns()
        assert len(expected["x"])
        assert answer["found"][name].keys() == expected.keys()
        for column, values in expected.items():
            np.testing.assert_allclose(answer["found"][name][column], values, rtol=1e-4, atol=1e-6, err_msg=column)
