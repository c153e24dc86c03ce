"""Damaged shards are made again."""

import pytest

from csist_bench import datasets
from csist_bench.datasets import layout
from csist_bench.datasets.generation import generate
from csist_bench.datasets.verification import verify
from csist_bench.errors import InputError
from tests.helpers.sets import chunk_file, contents, same


@pytest.mark.parametrize("name", datasets.ARRAYS)
@pytest.mark.parametrize("damage", ["truncated", "zeroed", "missing"])
def test_resume_repairs_damaged_shards(copied, name, damage):
    before, file = contents(copied), chunk_file(copied, name)
    raw = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(raw[: len(raw) // 2] if damage == "truncated" else b"\0" * len(raw))
    with pytest.raises(InputError):
        contents(copied)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "FRAMES_PER_CHUNK", 4)
        assert generate(copied, datasets.open_dataset(copied).recipe, resume=True).written == 40
    assert same(before, contents(copied))
    assert verify(copied) == []
