from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from csist_bench.datasets import Dataset
from csist_bench.methods import registry
from tests.helpers.object_server import BUCKET, ObjectServer
from tests.helpers.object_server import object_server as running_server
from tests.helpers.tiny_sets import tiny_store

# Workers of pytest-xdist share the cores: threads of theirs that wait for each other would spin in the way of the rest.
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))


@pytest.fixture
def registry_as_it_was() -> Iterator[None]:
    """Forget the methods that a test adds: those of other tests would see them."""
    rows, classes = dict(registry.METHODS), dict(registry._CLASSES)
    yield
    for held, before in ((registry.METHODS, rows), (registry._CLASSES, classes)):
        held.clear()
        held.update(before)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """20 trajectories of 6 frames: 14 to train on, 3 to validate."""
    return tiny_store(tmp_path_factory.mktemp("data") / "tiny.zarr")


@pytest.fixture(scope="session")
def object_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    """An S3 server that checks credentials; one for all tests of a process."""
    pytest.importorskip("moto")
    pytest.importorskip("flask")
    pytest.importorskip("obstore")
    with running_server(tmp_path_factory.mktemp("objects")) as server:
        yield server


@pytest.fixture
def bucket(object_server: ObjectServer, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """An address of this test's own in that server's bucket, with the credentials of a user who may write there."""
    for name, value in object_server.environment().items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{uuid.uuid5(uuid.NAMESPACE_URL, request.node.nodeid).hex}"
