"""The short run; the long one is `python -m tests.fuzz --inputs N`."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz import readers
from tests.fuzz.readers import fuzzed


def test_no_mutation_of_a_true_file_raises_anything_but_our_error(tmp_path):
    assert fuzzed(tmp_path, 2500, seed=1) == []


def test_the_fuzz_sees_what_it_looks_for(tmp_path, monkeypatch):
    def raises(path: Path, rng: object) -> None:
        raise KeyError(path.name)

    monkeypatch.setattr(readers, "read", raises)
    faults = fuzzed(tmp_path, 40, seed=1)
    assert len(faults) == 40
    assert "KeyError" in faults[0]


def test_the_true_files_are_read(tmp_path):
    for name, data in readers.seeds(tmp_path).items():
        path = tmp_path / name.replace(".", "_") / name
        path.parent.mkdir()
        path.write_bytes(data)
        rng = type("Never", (), {"random": staticmethod(lambda: 1.0)})()
        readers.read(path, rng)
