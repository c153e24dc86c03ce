"""Trained weights on disk: NAME.safetensors, whose header carries a card, and NAME.json, the same card to read.

The card says what the weights are (method, resolved settings, optics), where they come from (resolved training recipe
and its hash, fingerprint of the data, code version, step, cost) and how good they were (validation CSO-mAP). Two
digests recognise a damaged or edited file: of the tensors, which names the weights in recipes and rows, and of that and
the card. Files of version 0.1.0 have the first alone; those that are shipped are listed in `SHA256SUMS` beside them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from csist_bench import __version__
from csist_bench.conventions import PriorTier
from csist_bench.errors import InputError, must, show
from csist_bench.files import replace_file
from csist_bench.files.sources import decoded_json, file_bytes, first_bytes
from csist_bench.methods import registry
from csist_bench.methods.networks.base import network_from_settings, plain_tensors
from csist_bench.simulation.optics import Optics

FORMAT = "csist-bench/weights@1"
_CARD, _DIGEST, _WHOLE = "card", "sha256", "sha256_with_card"
SUMS = "SHA256SUMS"
_TENSORS_SHOWN = 3
TAKEN = (
    "weights are .safetensors files with a card, as `csist-bench train` writes them; docs/methods.md, 'Weights of other"
    " programs', shows how to convert a .pth file"
)
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"\x1f\x8b")
_CHECKPOINTS = (".pth", ".pt", ".ckpt", ".bin", ".pkl", ".tar")
_WRAPPERS = ("module.", "state_dict.", "model.", "_orig_mod.", "generator.")  # DataParallel, mmengine, torch.compile


class WeightsCard(msgspec.Struct, frozen=True, kw_only=True):
    """What a weights file says of itself."""

    method: str
    settings: dict[str, Any]
    psf_sigma: float
    size: int
    c: int
    recipe: dict[str, Any]  # resolved training recipe
    recipe_hash: str
    hash_scheme: int = 1  # of `recipe_hash`; cards of earlier versions do not say
    dataset: str
    fingerprint: str | None
    step: int
    cso_map: float | None = None  # percent, on the validation split
    minutes: float = 0.0  # training time up to this step; from scheme 2 on with that of the weights it started from
    device: str = "cpu"
    initial_weights: str = ""  # digest of the weights that training started from, if any
    prior_tier: PriorTier | Literal[""] = ""  # what the network knows; cards older than this field have none
    code_version: str = __version__
    format: str = FORMAT

    @property
    def optics(self) -> Optics:
        """The optics that the network was built for."""
        return Optics(self.psf_sigma, self.size, self.c)


def save_weights(path: Path, model: nn.Module, card: WeightsCard, half: bool = False) -> None:
    """Write a network's weights and card, each by rename; `half` stores floats in half precision."""
    tensors = plain_tensors(model.state_dict())
    if half:
        tensors = in_half_precision(tensors)
    text = msgspec.json.encode(card)
    write_tensors(path, tensors, {_CARD: text.decode()})
    replace_file(path.with_suffix(".json"), msgspec.json.format(text, indent=2) + b"\n")


def in_half_precision(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors with floats rounded to half precision."""
    return {name: value.half() if value.is_floating_point() else value for name, value in tensors.items()}


def load_weights(path: str | Path, method: str | None = None) -> tuple[nn.Module, WeightsCard]:
    """Rebuild the network of a weights file, in float32, on the CPU.

    Parameters
    ----------
    path : str or Path
        A .safetensors file written by `save_weights`.
    method : str, optional
        The method that the file must be of.

    Raises
    ------
    InputError
        If the file is missing, damaged, of another format or method, or does not fit the network it names.
    """
    path = Path(path)
    tensors, metadata = read_tensors(path)
    card = _card_of(path, metadata)
    if method is not None and card.method != method:
        raise InputError(f"{path}: weights must be of method {method!r}, got those of {card.method!r}")
    model = network_from_settings(registry.find(card.method), card.optics, card.settings)
    fill_weights(model, tensors, str(path))
    return model, card


def _card_of(path: Path, metadata: Mapping[str, str]) -> WeightsCard:
    if _CARD not in metadata:
        raise InputError(f"{path}: safetensors of another program (no card in the header); {TAKEN}")
    return _decoded_card(path, metadata[_CARD])


def read_card(path: Path) -> WeightsCard:
    """Return the card that is written beside a weights file, NAME.json, without reading the weights."""
    return _decoded_card(path, file_bytes(path, "card"))


def _decoded_card(path: Path, text: str | bytes) -> WeightsCard:
    card: WeightsCard = decoded_json(text, f"{path}: its card cannot be read", WeightsCard)
    if card.format != FORMAT:
        raise InputError(f"{path}: format must be {FORMAT!r}, got {show(card.format)}")
    return card


def fill_weights(model: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Copy tensors into a network; any that is missing, left over or of another shape is named."""
    wanted = model.state_dict()
    wrong = [f"{name} is missing" for name in wanted if name not in tensors]
    wrong += [f"{name} is not of this network" for name in tensors if name not in wanted]
    wrong += [
        f"{name} is {tuple(tensors[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    if wrong:
        more = f" and {len(wrong) - _TENSORS_SHOWN} more" if len(wrong) > _TENSORS_SHOWN else ""
        more += f" ({_wrapped(tensors).removeprefix(', ')}: strip it)" if _wrapped(tensors) and tensors else ""
        raise InputError(f"{where}: weights do not fit the network: {'; '.join(wrong[:_TENSORS_SHOWN])}{more}")
    model.load_state_dict({name: tensor.to(wanted[name].dtype) for name, tensor in tensors.items()})


# --- safetensors with a digest ----------------------------------------------------------------------------------------


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write CPU tensors and text metadata to a safetensors file, by rename."""
    metadata = {**metadata, _DIGEST: _digest(tensors)}
    replace_file(path, save(tensors, {**metadata, _WHOLE: _text_digest(metadata)}))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a safetensors file whole and check its digests."""
    _refuse_foreign(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except SafetensorError as error:
        raise InputError(f"{path}: not a whole safetensors file ({show(str(error))}); {TAKEN}") from None
    if _DIGEST not in metadata:
        raise InputError(
            f"{path}: safetensors of another program (no digest in the header){_wrapped(tensors)}; {TAKEN}"
        )
    texts = {name: text for name, text in metadata.items() if name != _WHOLE}
    whole = metadata[_WHOLE] == _text_digest(texts) if _WHOLE in metadata else _is_as_listed(path)
    if not whole or metadata[_DIGEST] != _digest(tensors):
        part = "weights" if whole else "card"
        raise must(
            f"{path}", f"match the digest of its {part}", "other contents", "the file is damaged; fetch it again"
        )
    return tensors, metadata


def _is_as_listed(path: Path) -> bool:
    """Whether a file of version 0.1.0, whose card no digest covers, is the one listed beside it, if any is."""
    sums = path.with_name(SUMS)
    listed = dict(line.split()[::-1] for line in sums.read_text().splitlines()) if sums.is_file() else {}
    return path.name not in listed or listed[path.name] == hashlib.sha256(path.read_bytes()).hexdigest()


def _text_digest(texts: Mapping[str, str]) -> str:
    return hashlib.sha256(msgspec.json.encode(texts, order="sorted")).hexdigest()


def _refuse_foreign(path: Path) -> None:
    """Raise for a checkpoint of PyTorch, which is a pickle and could run code: it is never opened."""
    if first_bytes(path, "weights").startswith(_PICKLES) or path.suffix.lower() in _CHECKPOINTS:
        raise InputError(f"{path}: a checkpoint of PyTorch or of a tool built on it, which is not opened; {TAKEN}")


def _wrapped(names: Iterable[str]) -> str:
    """Say which wrapper all names of tensors begin with, if any."""
    prefix = next((text for text in _WRAPPERS if all(name.startswith(text) for name in names)), "")
    return f", its names with the prefix '{prefix}' of a wrapper" if prefix else ""


def _digest(tensors: Mapping[str, Tensor]) -> str:
    state = hashlib.sha256()
    for name in sorted(tensors):
        state.update(name.encode())
        state.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return state.hexdigest()
