from __future__ import annotations

import hashlib

import pytest

from csist_bench.errors import InputError
from csist_bench.methods.networks.weight_files import FOLDER_VARIABLE, shipped_weights, weights_file
from csist_bench.methods.registry import METHODS
from tests.helpers.server import serving

ROW = METHODS["espcn"]
CONTENT = b"weights"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server():
    """A server on the loopback that has one file, and the requests that it got."""
    with serving({"/espcn.safetensors": CONTENT}) as running:
        yield running


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_file_is_fetched_once_and_kept_under_its_digest(server, tmp_path):
    address, asked = server
    first = weights_file(ROW, f"{address}/espcn.safetensors", DIGEST)
    assert first.read_bytes() == CONTENT
    assert first.is_relative_to(tmp_path / "cache")
    assert weights_file(ROW, f"{address}/espcn.safetensors", f"sha256:{DIGEST.upper()}") == first
    assert asked == ["/espcn.safetensors"]
    first.write_bytes(b"damaged")
    assert weights_file(ROW, f"{address}/espcn.safetensors", DIGEST).read_bytes() == CONTENT


def test_what_is_not_what_the_digest_means_is_not_kept(server, tmp_path):
    address, _ = server
    with pytest.raises(InputError, match=f"sha256 of {address}/espcn.safetensors must be {'0' * 64}, got {DIGEST}"):
        weights_file(ROW, f"{address}/espcn.safetensors", "0" * 64)
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize("digest", ["", "abc", "g" * 64])
def test_an_address_needs_a_digest(server, digest):
    address, asked = server
    with pytest.raises(InputError, match="--sha256 must be the 64 hexadecimal digits"):
        weights_file(ROW, f"{address}/espcn.safetensors", digest)
    assert not asked


def test_an_address_that_does_not_answer_is_said(server):
    address, _ = server
    with pytest.raises(InputError, match="cannot be fetched: Not Found"):
        weights_file(ROW, f"{address}/none.safetensors", DIGEST)


def test_a_variant_is_found_in_the_folder_of_variants(tmp_path, monkeypatch):
    (tmp_path / "espcn-mine.safetensors").write_bytes(CONTENT)
    with pytest.raises(InputError, match=r"'espcn-mine' are not installed; .*checkout.*CSIST_BENCH_WEIGHTS.*URL"):
        weights_file(ROW, "espcn-mine")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert weights_file(ROW, "espcn-mine") == tmp_path / "espcn-mine.safetensors"
    assert weights_file(ROW, "espcn-mine", DIGEST) == tmp_path / "espcn-mine.safetensors"
    with pytest.raises(InputError, match="must be 0000"):
        weights_file(ROW, "espcn-mine", "0" * 64)


def test_every_method_with_weights_has_them_in_the_package_and_variants_lie_in_the_checkout():
    for name in ("offgrid-net-5", "derefnet", "espcn"):
        assert shipped_weights(name).parent.name == "weights"
        assert shipped_weights(name).parent.parent.name == "csist_bench"
    assert shipped_weights("derefnet-noise2").parent.parent.name == "leaderboard"
