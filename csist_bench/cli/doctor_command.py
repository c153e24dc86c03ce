"""`csist-bench doctor`."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
from typing import Any

import click

from csist_bench.cli.options import json_option, print_json, say

_CORE = ("numpy", "scipy", "numba", "zarr", "pandas", "click", "msgspec", "matplotlib", "filelock", "pillow")
_EXTRAS = {"torch": "torch", "safetensors": "torch", "mmcv": "mmcv", "dask": "dask", "distributed": "dask", "fsspec": "remote", "obstore": "remote", "pyarrow": "parquet", "tifffile": "images", "astropy": "images"}  # fmt: skip  # noqa: E501


@click.command("doctor")
@json_option
def command(as_json: bool) -> None:
    """Show what is installed, which device and backends are live, and what would not work.

    \b
    Example:
      csist-bench doctor
    """
    report = {
        **_machine(),
        "packages": _packages(),
        "accelerators": _accelerators(),
        "deformable_convolution": _deformable(),
    }
    if as_json:
        print_json(report)
        return
    for name, value in report.items():
        if isinstance(value, dict):
            say(f"{name}:")
            for key, item in value.items():
                say(f"  {key:<14} {item}")
        else:
            say(f"{name:<24} {value}")


def _machine() -> dict[str, Any]:
    from csist_bench import __version__, files

    kernels = "plain Python (CSIST_BENCH_NO_NUMBA is set)" if os.environ.get("CSIST_BENCH_NO_NUMBA") else "numba"
    return {
        "csist-bench": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "kernels": kernels,
        "recipes": f"{len(list(files.packaged('recipes').rglob('*.toml')))} found",
        "weights": ", ".join(sorted(p.stem for p in files.packaged("weights").glob("*.safetensors"))) or "none",
    }


def _packages() -> dict[str, str]:
    found = {}
    for name in (*_CORE, *_EXTRAS):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            extra = _EXTRAS.get(name)
            found[name] = f"missing (pip install 'csist-bench[{extra}]')" if extra else "missing: reinstall csist-bench"
    return found


def _accelerators() -> str:
    try:
        torch = importlib.import_module("torch")
    except ModuleNotFoundError:
        return "none (PyTorch is not installed)"
    if torch.cuda.is_available():
        return ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    return "mps" if torch.backends.mps.is_available() else "none (networks run on the CPU)"


def _deformable() -> str:
    try:
        layer = importlib.import_module("csist_bench.methods.networks.common.deform_conv")
    except ModuleNotFoundError:
        return "unavailable (PyTorch is not installed)"
    return str(layer.backend())
