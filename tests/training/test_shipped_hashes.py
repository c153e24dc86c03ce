"""Hashes of shipped recipes, by every scheme and for every start."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from csist_bench import files
from csist_bench.methods.registry import find
from csist_bench.training.recipe import training_hash, training_hash_1, training_recipe
from csist_bench.training.shipped_hashes import shipped_hashes
from csist_bench.training.start import weights_digest
from tests.helpers.cards import card_of


def test_a_recipe_has_a_hash_for_each_of_the_weights_it_may_start_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "edsr.toml").write_text(
        'method = "edsr"\n[training]\nstart_from = "espcn"\nlog_every = 7\n'
    )
    (tmp_path / "methods" / "srcnn.toml").write_text('method = "srcnn"\n')
    (tmp_path / "espcn.safetensors").write_bytes(b"weights")
    card = msgspec.structs.replace(card_of("edsr"), initial_weights="older")
    (tmp_path / "edsr-mine.json").write_bytes(msgspec.json.encode(card))
    monkeypatch.setattr(files, "packaged", lambda kind: tmp_path)
    edsr, recipe = find("edsr"), training_recipe({"start_from": "espcn", "log_every": 7})
    digest = weights_digest(tmp_path / "espcn.safetensors")
    assert shipped_hashes(edsr) == {
        training_hash_1(edsr, {}, recipe),
        training_hash(edsr, {}, recipe, digest),
        training_hash(edsr, {}, recipe, "older"),
    }
    plain = training_recipe({})
    srcnn = find("srcnn")
    assert shipped_hashes(srcnn) == {training_hash_1(srcnn, {}, plain), training_hash(srcnn, {}, plain)}
