"""Networks from outside: build one with checked settings, run it in batches, count what it costs.

A network is built as `Class(sampling, settings)` (see `methods.registry`) and maps frames (B, T, size, size) to
label grids (B, T, c * size, c * size), grey levels both ways.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal, get_args

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from csist_bench.errors import InputError, must, require_shape, unknown
from csist_bench.methods import registry
from csist_bench.methods.networks.common.sampling import Sampling
from csist_bench.methods.registry import Method
from csist_bench.recipes import convert
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.optics import Optics

RunDtype = Literal["float32", "bfloat16"]


class NoSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of a network from outside that has none."""


MACS_FRAMES = 20  # frames of the trajectory over which the cost of one frame is averaged
# Feature maps of more frames do not fit into the caches: on one core ISTA-Net++ ran 14 frames/s by 512 and 36 by 16.
CPU_FRAMES = 16


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Let torch use so many threads; their number is the whole process's: not to be entered by two threads at once."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def build_network(
    name: str, optics: Optics, overrides: Iterable[str] = (), initialiser: NDArray[Any] | None = None
) -> nn.Module:
    """Return an untrained network of the registry, with its recipe's settings and `name=value` overrides.

    Weights are drawn from torch's global generator: seed it, or build inside `seeded`.

    Parameters
    ----------
    name : str
        Name of the method.
    optics : Optics
    initialiser : ndarray, shape ((c * size)^2, size^2), optional
        Q, fitted on a training split; by default the pseudo-inverse of Phi.

    Raises
    ------
    InputError
        If the method is unknown or not a network, or a setting is unknown or of the wrong type.
    """
    method = registry.find(name)
    return network_from_settings(method, optics, registry.settings_of(method, overrides), initialiser)


def network_from_settings(
    method: Method, optics: Optics, settings: Mapping[str, Any], initialiser: NDArray[Any] | None = None
) -> nn.Module:
    """Return an untrained network with the given settings; those left out have their defaults."""
    if not method.trainable:
        raise must("method", "be a trainable network", method.name)
    chosen = checked_settings(method, settings)
    model = registry.load_class(method)(Sampling.from_optics(optics, initialiser), chosen)
    if not isinstance(model, nn.Module):
        raise TypeError(f"{method.entry} must be a torch module, got {type(model).__name__}")
    return model


def checked_settings(method: Method, settings: Mapping[str, Any]) -> msgspec.Struct:
    """Return the settings of a network as its own struct; a bad one is named with its rule."""
    kind: type[msgspec.Struct] = getattr(registry.load_class(method), "Settings", NoSettings)
    return convert(without_removed(method, settings), kind, f"{method.name} settings")


def without_removed(method: Method, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings without those that a network no longer has, which cards of earlier versions spell out.

    Its class's `removed_settings` holds the only value that each of them may have.
    """
    removed: dict[str, Any] = getattr(registry.load_class(method), "removed_settings", {})
    for name in removed.keys() & settings.keys():
        if settings[name] != removed[name]:
            rule = f"be {removed[name]} (it is no setting any more)"
            raise must(f"{method.name} settings: {name}", rule, settings[name])
    return {name: value for name, value in settings.items() if name not in removed}


def resolve_settings(method: Method, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return every setting of a network as a plain table: the given ones, the others at their defaults."""
    return msgspec.structs.asdict(checked_settings(method, settings))


def method_of(model: nn.Module) -> Method:
    """Return the registry row whose class a network is of."""
    entry = f"{type(model).__module__}:{type(model).__qualname__}"
    for method in registry.METHODS.values():
        if method.entry == entry:
            return method
    raise must("model", "be a network of the registry", entry)


def resolve_device(name: str) -> torch.device:
    """Return a torch device; "auto" is a CUDA or Apple GPU where there is one, else the CPU."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()  # a device must give back what it is given; torch has some that cannot
    except (RuntimeError, AssertionError):  # torch raises either for a device that is misspelt or not there
        raise must("device", "be auto, cpu, or a GPU of this machine such as cuda:0", name, _seen(name)) from None
    return device


def _seen(name: str) -> str:
    """Say what this PyTorch sees of CUDA, to somebody who asked for it."""
    if not name.startswith("cuda"):
        return ""
    if torch.version.cuda is None:
        return f"this PyTorch ({torch.__version__}) was built without CUDA"
    return f"PyTorch {torch.__version__} sees {torch.cuda.device_count()} CUDA GPUs"


class BatchedNetwork:
    """A network on its device, set to run `batch` frames a pass.

    With `dtype` bfloat16 its matrix products and convolutions are rounded to half a percent (torch's autocast).
    """

    def __init__(
        self,
        model: nn.Module,
        device: str | torch.device = "auto",
        batch: int = 512,
        dtype: RunDtype = "float32",
    ) -> None:
        if batch < 1:
            raise must("batch", "be at least 1 frame", batch)
        if dtype not in get_args(RunDtype):
            raise unknown("dtype", str(dtype), get_args(RunDtype))
        self.rounded = dtype == "bfloat16"
        self.device = resolve_device(device) if isinstance(device, str) else device
        self.model = model.to(self.device)
        self.batch = batch

    def rounding(self) -> AbstractContextManager[object]:
        """Return the context in which the network answers."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.rounded else nullcontext()


class BatchedGridNetwork(BatchedNetwork):
    """A network that is run over frames in batches; answers are the same for any batch size, in float32.

    Parameters
    ----------
    model : nn.Module
        A network of the registry; it is moved to `device` and set to evaluation.
    device : str or torch.device
    batch : int
        Frames per forward pass. Networks that need whole trajectories get at least one. Convolutions on a CPU take at
        most `CPU_FRAMES`, whatever is asked.
    dtype : {"float32", "bfloat16"}
        Of matrix products and convolutions and of what they hand on (torch's autocast). Numbers are then rounded to
        half a percent, answers depend on the batch in their last digits, and processors that have bfloat16 answer up
        to twice as many frames a second.
    """

    def __init__(
        self,
        model: nn.Module,
        device: str | torch.device = "auto",
        batch: int = 512,
        dtype: RunDtype = "float32",
    ) -> None:
        super().__init__(model, device, batch, dtype)
        in_caches = self.device.type == "cpu" and getattr(model, "resizable", False)
        if in_caches:
            self.batch = min(batch, CPU_FRAMES)
        self.whole_trajectories = method_of(model).context == "trajectory"

    def heat_maps(self, frames: NDArray[Any], camera: Camera) -> NDArray[np.float32]:
        """Return the label grids of frames.

        Parameters
        ----------
        frames : ndarray, shape (B, T, size, size), grey levels
        camera : Camera
            Its constant background is subtracted; its optics must be those the network was built for.

        Returns
        -------
        float32 ndarray, shape (B, T, c * size, c * size), grey levels
        """
        optics = camera.optics
        n, size = optics.grid_size, optics.size
        require_shape("frames", frames, (None, None, size, size), "(B, T, size, size)")
        b, t = frames.shape[:2]
        units, per_pass = (b, max(1, self.batch // t)) if self.whole_trajectories else (b * t, self.batch)
        sequences = frames.reshape(units, -1, size, size)
        grids = np.empty((*sequences.shape[:2], n, n), dtype=np.float32)
        with evaluated(self.model), torch.inference_mode(), self.rounding():
            for start in range(0, units, per_pass):
                part = np.subtract(sequences[start : start + per_pass], camera.background, dtype=np.float32)
                answer = self.model(torch.from_numpy(part).to(self.device))
                grids[start : start + per_pass] = answer.float().cpu().numpy()
        return grids.reshape(b, t, n, n)


@contextmanager
def evaluated(model: nn.Module) -> Iterator[None]:
    """Set a network to evaluation, in full precision; it is left as it was."""
    was_training = model.training
    model.eval()
    try:
        with _full_precision():
            yield
    finally:
        model.train(was_training)


@contextmanager
def _full_precision() -> Iterator[None]:
    """Keep GPUs from rounding float32 products to TF32, which would make answers depend on the batch."""
    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    before = products.allow_tf32, convolutions.allow_tf32
    products.allow_tf32 = convolutions.allow_tf32 = False
    try:
        yield
    finally:
        products.allow_tf32, convolutions.allow_tf32 = before


def count_parameters(model: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def macs_per_frame(model: nn.Module, optics: Optics, frames: int = MACS_FRAMES) -> float:
    """Return multiply-accumulates per frame of one trajectory, by torch's own counter (matrix products and
    convolutions; element-wise work is not counted).
    """
    device = next(model.parameters()).device
    inputs = torch.zeros(1, frames, optics.size, optics.size, device=device)
    with evaluated(model), torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(inputs)
    return counter.get_total_flops() / 2 / frames


def require_finite_weights(model: nn.Module) -> None:
    """Raise unless every parameter and buffer is finite, naming the first that is not."""
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise InputError(f"weights must be finite, got NaN or infinity in {name!r}")


def plain_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return detached, contiguous CPU copies that share no memory, as safetensors needs them."""
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
