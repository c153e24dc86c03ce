from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from csist_bench import files
from csist_bench.errors import InputError
from csist_bench.methods.networks.base import build_network
from csist_bench.methods.networks.weight_files import weights_folders
from csist_bench.methods.networks.weights import SUMS, load_weights, save_weights
from csist_bench.simulation.optics import Optics
from tests.helpers.cards import card_of

SETTINGS = ["features=6", "mapped=4"]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "espcn.safetensors"
    save_weights(path, build_network("espcn", Optics(), SETTINGS), card_of("espcn", SETTINGS))
    return path


def test_the_card_beside_the_weights_is_the_one_inside(saved: Path) -> None:
    card = load_weights(saved)[1]
    beside = json.loads(saved.with_suffix(".json").read_text())
    assert beside["method"] == card.method == "espcn"
    assert beside["settings"] == card.settings == {"features": 6, "mapped": 4}
    assert card.optics == Optics()
    assert sorted(p.name for p in saved.parent.iterdir()) == ["espcn.json", "espcn.safetensors"]


def test_half_precision_is_half_the_size_and_close(saved: Path, tmp_path: Path) -> None:
    model, card = load_weights(saved)
    save_weights(tmp_path / "half.safetensors", model, card, half=True)
    assert (tmp_path / "half.safetensors").stat().st_size < 0.6 * saved.stat().st_size
    halved, _ = load_weights(tmp_path / "half.safetensors")
    for name, tensor in model.state_dict().items():
        other = halved.state_dict()[name]
        assert other.dtype == tensor.dtype
        torch.testing.assert_close(other, tensor, rtol=1e-3, atol=1e-6)


def test_another_methods_weights_are_refused(saved: Path) -> None:
    with pytest.raises(InputError, match="weights must be of method 'srcnn', got those of 'espcn'"):
        load_weights(saved, "srcnn")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.safetensors not found"):
        load_weights(tmp_path / "none.safetensors")


@pytest.mark.parametrize("keep", [0, 4, 200, -1])
def test_a_truncated_file(saved: Path, keep: int) -> None:
    saved.write_bytes(saved.read_bytes()[:keep])
    with pytest.raises(InputError, match="not a whole safetensors file"):
        load_weights(saved)


def test_a_flipped_bit(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[-5] ^= 1
    saved.write_bytes(content)
    with pytest.raises(InputError, match="must match the digest of its weights"):
        load_weights(saved)


def test_an_edited_card(saved: Path) -> None:
    content = saved.read_bytes()
    assert content.count(b'\\"step\\":0') == 1
    saved.write_bytes(content.replace(b'\\"step\\":0', b'\\"step\\":9'))
    with pytest.raises(InputError, match="must match the digest of its card"):
        load_weights(saved)


def test_cards_of_earlier_versions_are_held_against_the_list_beside_them(tmp_path: Path) -> None:
    shipped = files.packaged("weights") / "espcn.safetensors"
    content = shipped.read_bytes()
    assert b"sha256_with_card" not in content
    edited = tmp_path / shipped.name
    edited.write_bytes(content.replace(b'\\"seed\\":0', b'\\"seed\\":1'))
    assert edited.read_bytes() != content
    load_weights(edited)  # no list: nothing is known of it
    (tmp_path / SUMS).write_text(shipped.with_name(SUMS).read_text())
    with pytest.raises(InputError, match="must match the digest of its card"):
        load_weights(edited)
    edited.write_bytes(content)
    load_weights(edited)


@pytest.mark.parametrize("folder", weights_folders(), ids=lambda folder: folder.parent.name)
def test_the_list_names_every_file_that_is_shipped(folder: Path) -> None:
    """Where this fails: cd into the folder, then sha256sum *.safetensors > SHA256SUMS"""
    listed = dict(line.split()[::-1] for line in (folder / SUMS).read_text().splitlines())
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.safetensors")}
    assert listed == found


def test_a_file_of_something_else(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(2)}, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match=r"safetensors of another program .no digest in the header.; weights are"):
        load_weights(tmp_path / "x.safetensors")


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_checkpoint_of_pytorch_is_never_opened(tmp_path: Path, wrapped: bool, legacy: bool) -> None:
    state = {"module.x": torch.zeros(2)}
    path = tmp_path / ("w.safetensors" if legacy else "w.pth")
    torch.save({"state_dict": state} if wrapped else state, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(InputError, match=r"a checkpoint of PyTorch .* not opened; weights are .safetensors") as caught:
        load_weights(path)
    assert "damaged" not in str(caught.value)
    save_file(state, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match=r"names with the prefix 'module.' of a wrapper"):
        load_weights(tmp_path / "x.safetensors")


def test_a_converted_checkpoint_is_read(saved: Path, tmp_path: Path) -> None:
    """The steps of docs/methods.md."""
    trained, _ = load_weights(saved)
    wrapped = {f"module.{name}": tensor for name, tensor in trained.state_dict().items()}
    torch.save({"state_dict": wrapped}, tmp_path / "theirs.pth")
    state = torch.load(tmp_path / "theirs.pth", map_location="cpu", weights_only=True)
    state = {name.removeprefix("module."): tensor for name, tensor in state.get("state_dict", state).items()}
    model, card = load_weights(saved)
    model.load_state_dict(state)
    save_weights(tmp_path / "mine.safetensors", model, card)
    again, _ = load_weights(tmp_path / "mine.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), trained.state_dict().values()))


def test_weights_that_do_not_fit_the_settings_of_their_card(saved: Path, tmp_path: Path) -> None:
    model, _ = load_weights(saved)
    save_weights(tmp_path / "w.safetensors", model, card_of("espcn", ["features=7", "mapped=4"]))
    with pytest.raises(InputError, match=r"do not fit the network: .* is \(6, 1, 5, 5\) instead of \(7, 1, 5, 5\)"):
        load_weights(tmp_path / "w.safetensors")


def test_an_unknown_or_ill_typed_setting() -> None:
    with pytest.raises(InputError, match="espcn settings: unknown field 'feature'; did you mean 'features'"):
        build_network("espcn", Optics(), ["feature=5"])
    with pytest.raises(InputError, match=r"features must be int, got 2\.5"):
        build_network("espcn", Optics(), ["features=2.5"])


def test_only_networks_can_be_built() -> None:
    with pytest.raises(InputError, match="must be a trainable network, got ista"):
        build_network("ista", Optics())
