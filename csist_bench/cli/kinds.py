"""Tell what a path given to `info` or `validate` is."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from csist_bench.errors import InputError
from csist_bench.files.objects import is_address
from csist_bench.recipes import shipped

Kind = Literal["dataset", "recipe", "predictions", "frames"]


def kind_of(path: str) -> Kind:
    """Return the kind of a path: a data set holds a data group, a recipe is TOML; frames or predictions."""
    if path in shipped("data") or path in shipped("methods") or path.endswith(".toml"):
        return "recipe"
    if is_address(path):
        return _kind_of_objects(path)
    if (
        "://" in path
        or (Path(path) / "test").is_dir()
        or (Path(path) / "train").is_dir()
        or (Path(path) / "_progress").is_dir()
    ):
        return "dataset"
    if not Path(path).exists():
        raise InputError(f"{path}: no such file, folder or shipped recipe")
    return "frames" if _is_frames(path) else "predictions"


def _kind_of_objects(address: str) -> Kind:
    """Tell predictions from data sets: by the suffix of one file, or by the manifest of parts."""
    from csist_bench.predictions.parts import is_parts_folder
    from csist_bench.predictions.writing import SUFFIXES

    return "predictions" if address.lower().endswith(SUFFIXES) or is_parts_folder(address) else "dataset"


def _is_frames(path: str) -> bool:
    """Tell frames from heat maps and tables of detections, which may be NPZ files and Zarr stores too."""
    from csist_bench.datasets.frame_kinds import frame_form

    form = frame_form(path)
    if form == "npz":
        from csist_bench.datasets.array_files import open_npz
        from csist_bench.predictions.npz_format import names_detections

        try:
            with open_npz(Path(path)) as archive:
                return not names_detections(archive)
        except InputError:
            return False
    if form == "zarr":
        from csist_bench.datasets.foreign_zarr import array_names, open_foreign
        from csist_bench.predictions.heat_maps import HEAT_MAPS

        names = array_names(Path(path)) or []
        of_maps = HEAT_MAPS in names or (names == [""] and len(open_foreign(Path(path), ("",))[""].shape) == 4)
        return not of_maps
    return form is not None


def is_method_recipe(path: str) -> bool:
    """Tell whether a TOML file names a method, as recipes of methods do."""
    import tomllib

    try:
        return "method" in tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
