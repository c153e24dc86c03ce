"""Tell what a path given to `info` or `validate` is."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from csist_bench.errors import InputError
from csist_bench.recipes import shipped

Kind = Literal["dataset", "recipe", "predictions"]


def kind_of(path: str) -> Kind:
    """Return the kind of a path: a data set holds a data group, a recipe is TOML, anything else is predictions."""
    if path in shipped("data") or path in shipped("methods") or path.endswith(".toml"):
        return "recipe"
    if (
        "://" in path
        or (Path(path) / "test").is_dir()
        or (Path(path) / "train").is_dir()
        or (Path(path) / "_progress").is_dir()
    ):
        return "dataset"
    if not Path(path).exists():
        raise InputError(f"{path}: no such file, folder or shipped recipe")
    return "predictions"


def is_method_recipe(path: str) -> bool:
    """Tell whether a TOML file names a method, as recipes of methods do."""
    import tomllib

    try:
        return "method" in tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
