"""The worker that decodes foreign stores: requests come in as lines, answers go out with their length."""

from __future__ import annotations

import io
import json
import struct
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import zarr

from csist_bench.datasets import zarr_worker

HEAD = struct.Struct("<?q")


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Return a function that sends requests to the worker of a store of 4 x 3 numbers and reads its answers."""
    values = np.arange(12, dtype=">i2").reshape(4, 3)
    zarr.create_array(tmp_path / "set.zarr", name="values", data=values, chunks=(2, 3))
    monkeypatch.setattr(zarr_worker, "limit_memory", lambda largest: None)  # of this very process

    def answers(*requests):
        lines = b"".join(json.dumps(request).encode() + b"\n" for request in requests)
        out = io.BytesIO()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(lines)))
            patch.setattr(sys, "stdout", SimpleNamespace(buffer=out))
            zarr_worker.main(str(tmp_path / "set.zarr"), 1000)
        found, data = [], out.getvalue()
        while data:
            failed, length = HEAD.unpack_from(data)
            found.append((failed, data[HEAD.size : HEAD.size + length]))
            data = data[HEAD.size + length :]
        return found

    return answers


def test_regions_come_in_the_order_of_this_machine(ask):
    (whole_failed, whole), (part_failed, part) = ask(
        {"name": "values", "region": [[0, 4], [0, 3]]}, {"name": "values", "region": [[1, 3], [0, 2]]}
    )
    assert (whole_failed, part_failed) == (False, False)
    np.testing.assert_array_equal(np.frombuffer(whole, "=i2"), np.arange(12))
    np.testing.assert_array_equal(np.frombuffer(part, "=i2"), [3, 4, 6, 7])


def test_what_fails_is_said_and_the_next_request_is_answered(ask):
    (failed, text), (next_failed, _) = ask(
        {"name": "missing", "region": [[0, 1]]}, {"name": "values", "region": [[0, 1], [0, 1]]}
    )
    assert failed
    assert b"missing" in text
    assert not next_failed


def test_memory_that_runs_out_is_said(ask, monkeypatch):
    def greedy(store, request):
        raise MemoryError

    monkeypatch.setattr(zarr_worker, "answer", greedy)
    assert ask({}) == [(True, b"it needs more memory than its shape says")]
