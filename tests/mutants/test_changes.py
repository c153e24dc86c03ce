"""Which changes are made of a module, which are not, and which of them a sample holds."""

from __future__ import annotations

import sys

import pytest

from tests.mutants import __main__ as command
from tests.mutants.changes import mutants_of

LEFT_ALONE = '''
"""Docstring with 1 < 2."""
from typing import Literal, cast
Index = int | float
Indices = list[int] | dict[str, Index]
Form = Literal["a", 1]


class Row(Struct, frozen=True, gc=False):
    size: int | None


@cached(size=2)
def f(a: int | None = 3) -> int | float:
    """Docstring."""
    logging.getLogger("x").setLevel(10)
    text = f"{a + 1} of {a < 2}"
    if TYPE_CHECKING:
        import os
    raise must(text, "be 3", show(a[:40]))
'''


def changes(tmp_path, source):
    (tmp_path / "module.py").write_text(source)
    return mutants_of(tmp_path / "module.py")


def test_what_only_says_something_or_names_types_is_left_alone(tmp_path):
    assert changes(tmp_path, LEFT_ALONE) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a < b", ["x = a <= b"]),
        ("x = a is not b", ["x = a is b"]),
        ("x = a | b", ["x = a & b"]),
        ("x = a and b", ["x = a or b"]),
        ("x += a", ["x -= a"]),
        ("x = a ** b", ["x = a * b"]),
        ("x = not a", ["x = a"]),
        ("x = -a", ["x = a"]),
        ("x = 3", ["x = 4"]),
        ("x = 0.0", ["x = 0.5"]),
        ("x = 2.0", ["x = 2.2"]),
        ("x = True", ["x = False"]),
        ("x = np.floor(a)", ["x = np.ceil(a)"]),
        ("x = min(a)", ["x = max(a)"]),
        ("f(a)", ["pass"]),
        ("warnings.append(f'{a}')", ["pass"]),
        ("class A(Struct, forbid_unknown_fields=True):\n    pass", ["class A(Struct, forbid_unknown_fields=False):"]),
        ("if a == 1:\n    f(2)", ["if a != 1:", "if a == 2:", "pass", "f(3)"]),
    ],
)
def test_each_kind_of_change_stands_in_its_text(tmp_path, source, expected):
    found = changes(tmp_path, source)
    assert len(found) == len(expected)
    for mutant, line in zip(found, expected):
        assert line in [text.strip() for text in mutant.text.splitlines()]
        assert f"{mutant.path}:{mutant.line}: {mutant.before} -> {mutant.after}" == str(mutant)


def test_a_sample_stays_what_it_was_where_nothing_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "ROOT", tmp_path)
    folder = tmp_path / "csist_bench" / "package"
    folder.mkdir(parents=True)
    for name in "abc":
        (folder / f"{name}.py").write_text("".join(f"x{i} = {i}\ny{i} = a < b\n" for i in range(20)))
    before = command.sample("package", 60, seed=0)
    assert len({(m.path, m.text) for m in before}) == 60
    assert [(m.path, m.line) for m in before] == sorted((m.path, m.line) for m in before)
    assert [m.text for m in before] != [m.text for m in command.sample("package", 60, seed=1)]
    assert len(command.sample("package", 1000, seed=0)) == 120
    (folder / "a.py").write_text("'''More.'''\n" + (folder / "a.py").read_text() + "z = c + d\n")
    (folder / "d.py").write_text("x = 1\n")
    old, new = ({(m.path.name, m.before, m.after) for m in one} for one in (before, command.sample("package", 60, 0)))
    assert len(old - new) <= 2


@pytest.mark.parametrize(
    ("source", "code"), [("raise SystemExit(3)", 3), ("while True: pass", None), ("import time; time.sleep(60)", None)]
)
def test_a_run_ends_at_its_limit_of_processor_time_or_ten_times_it(source, code):
    assert command.ended([sys.executable, "-c", source], 0.1)[0] == code


def test_a_start_counts_once_among_the_tests_that_fit():
    seconds = {"a/test_x.py": 50.0, "a/test_b.py": 5.0, "a/test_c.py": 4.0, "a/test_d.py": 9.0, "a/test_e.py": 7.0}
    assert command._batches("test_x.py", seconds, 8.0) == [
        ["a/test_x.py"],
        ["a/test_c.py", "a/test_b.py", "a/test_e.py"],
    ]
    assert command._batches("test_y.py", seconds, 5.0) == [["a/test_c.py", "a/test_b.py"]]
    assert command._batches("test_y.py", {}, 5.0) == []
