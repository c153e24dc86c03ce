"""Flipped bits of stored sets of both schemas: found when read, or harmless."""

import numpy as np
import pytest

from csist_bench import datasets
from csist_bench.errors import InputError
from tests.helpers.sets import chunk_file, contents, same

FLIPS = 25


@pytest.mark.parametrize("name", datasets.ARRAYS)
def test_every_flipped_bit_is_found_or_harmless(copied, name):
    before, file = contents(copied, "train"), chunk_file(copied, name)
    whole, rng = file.read_bytes(), np.random.default_rng(0)
    for _ in range(FLIPS):
        raw = bytearray(whole)
        raw[rng.integers(len(raw))] ^= 1 << rng.integers(8)
        file.write_bytes(raw)
        try:
            assert same(before, contents(copied, "train"))
        except InputError as error:
            message = str(error)
            assert name in message or "shard 1" in message
            assert "repair it with: csist-bench generate --out" in message


@pytest.mark.parametrize(
    "file", ["zarr.json", "train/zarr.json", "train/frames/zarr.json", "train/target_xy/zarr.json"]
)
def test_every_flipped_bit_of_metadata_is_found_or_harmless(copied, file):
    before, recipe = contents(copied, "train"), datasets.open_dataset(copied).recipe
    whole, rng, found = (copied / file).read_bytes(), np.random.default_rng(1), 0
    for _ in range(FLIPS):
        raw = bytearray(whole)
        raw[rng.integers(len(raw))] ^= 1 << rng.integers(8)
        (copied / file).write_bytes(raw)
        try:
            assert same(before, contents(copied, "train"))
            assert datasets.open_dataset(copied).recipe == recipe
        except InputError:
            found += 1
    assert found > FLIPS / 2
