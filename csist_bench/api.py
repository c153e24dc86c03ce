"""The public Python interface, `import csist_bench as cb`: each function is one call into the package.

`unmix` stands in `csist_bench.methods.inference`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from csist_bench.conventions import FAMILIES, Family
from csist_bench.datasets import Dataset, Split, open_dataset
from csist_bench.detections import Detections
from csist_bench.errors import must, unknown

if TYPE_CHECKING:
    from csist_bench.datasets.frame_files import BareFrames
    from csist_bench.evaluation.report import Report
    from csist_bench.methods.calibration.result import Calibration
    from csist_bench.recipes import DataRecipe
    from csist_bench.simulation.camera_file import CameraFile
    from csist_bench.training.run import Outcome


def list_methods(family: Family | None = None) -> list[str]:
    """Return the names of the methods, of one family or of all, in the order of the leaderboard.

    Examples
    --------
    >>> import csist_bench as cb
    >>> cb.list_methods(family="off-grid")
    ['ml', 'ml-seq', 'group-map', 'offgrid-net']
    """
    from csist_bench.methods.registry import METHODS

    if family is not None and family not in FAMILIES:
        raise unknown("family", family, FAMILIES)
    return [name for name, row in METHODS.items() if family in (None, row.family)]


def list_recipes(kind: str = "data") -> list[str]:
    """Return the names of the shipped recipes: of data sets ("data") or of methods ("methods").

    Examples
    --------
    >>> import csist_bench as cb
    >>> "seqcsist" in cb.list_recipes()
    True
    """
    from csist_bench.recipes import shipped

    if kind not in ("data", "methods"):
        raise unknown("kind of recipes", kind, ("data", "methods"))
    return list(shipped(kind))


def generate(
    path: str | Path,
    recipe: str | Path | DataRecipe = "seqcsist",
    *,
    workers: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    **fields: Any,
) -> Dataset:
    """Render a data set into chunked Zarr and open it.

    Parameters
    ----------
    path : str or Path
        The set to be made: a folder, or the address of objects, `s3://bucket/key`.
    recipe : str, Path or DataRecipe
        Name of a shipped recipe (`list_recipes`), a TOML file, or a recipe itself.
    workers : int, optional
        Processes; the same seed gives the same bytes with any number of them.
    resume, overwrite : bool
        Go on with an unfinished set, or replace the one that is there.
    progress : callable, optional
        Called with the frames done and those in all.
    **fields
        Fields of the recipe to change, such as `trajectories=100` or `noise_sigma=2`.

    Raises
    ------
    InputError
        If the recipe or a field is wrong, or the path holds something else.

    Examples
    --------
    >>> import csist_bench as cb
    >>> data = cb.generate(tmp_path / "set.zarr", "seqcsist-noise", trajectories=20, noise_sigma=2)
    >>> data.test.frames.shape
    (3, 20, 11, 11)
    """
    from csist_bench.datasets.generation import generate as render
    from csist_bench.recipes import DataRecipe, convert, load_data_recipe, resolved

    chosen = recipe if isinstance(recipe, DataRecipe) else load_data_recipe(str(recipe))
    if fields:
        chosen = convert({**resolved(chosen), **fields}, DataRecipe, f"recipe {chosen.name}")
    render(path, chosen, workers=workers, resume=resume, overwrite=overwrite, progress=progress)
    return open_dataset(path)


def evaluate(
    detections: Detections,
    data: Split,
    *,
    frames: range | None = None,
    matching: str = "nearest",
    full: bool = False,
    max_answers: int | None = None,
) -> Report:
    """Score detections against a split by the protocol: CSO-mAP and AP05 to AP25, in percent.

    Parameters
    ----------
    detections : Detections
        With indices counted within the split.
    data : Split
        The split that was unmixed, such as `open_dataset(path).test`.
    frames : range, optional
        Frames to score; by default those that count.
    matching : {"nearest", "hungarian"}
        The second is a variant, and its figures bear another name.
    full : bool
        Add operating points, OSPA, image quality, breakdowns and intervals; this takes seconds.
    max_answers : int, optional
        Score the so many best detections of each frame alone: a variant too.

    Returns
    -------
    Report
        With `cso_map`, `ap`, `cso_f1`, `gospa`, `answers_per_frame` and `to_dict()`.

    Examples
    --------
    >>> import csist_bench as cb
    >>> data = cb.open_dataset("data/sample/seqcsist.zarr")
    >>> cb.evaluate(cb.unmix(data.test, "ml"), data.test).to_dict()["targets"] > 0
    True
    """
    from csist_bench.evaluation.report import DetailOptions, Provenance
    from csist_bench.evaluation.report import evaluate as score
    from csist_bench.evaluation.truth import Truth

    scored = data.scored_frames if frames is None else frames
    truth = Truth.from_split(data, scored)
    options = DetailOptions(grid=(data.recipe.c, data.recipe.size))
    provenance = Provenance(standard_frames=scored == data.scored_frames)
    return score(
        detections,
        truth,
        matching=matching,
        full=full,
        options=options,
        provenance=provenance,
        max_answers=max_answers,
    )


def load_predictions(
    path: str | Path,
    data: Split | None = None,
    *,
    first_frame: int | None = None,
    origin: str | None = None,
    axes: str | None = None,
    pixel_size_nm: float | None = None,
) -> Detections:
    """Read a prediction file of any form: JSON, CSV, NPZ, Parquet, Zarr heat maps, or a folder of text files.

    Parameters
    ----------
    path : str or Path
    data : Split, optional
        The split that was answered; indices are then checked, and heat maps decoded by its nodes per pixel.
    first_frame : {0, 1}, optional
        Number of the first frame in the file; by default 0, in ThunderSTORM tables 1.
    origin : {"centre", "corner"}, optional
        Where positions count from: the centre of pixel (0, 0), or its outer corner as in ThunderSTORM tables.
    axes : {"xy", "yx"}, optional
        "yx": the file's x is the row and its y the column.
    pixel_size_nm : float, optional
        Pixel size of positions in nanometres.

    Raises
    ------
    InputError
        For anything that is wrong with the file, naming the place; also where it says that it answers other data.

    Examples
    --------
    >>> import csist_bench as cb
    >>> data = cb.open_dataset("data/sample/seqcsist.zarr")
    >>> cb.save_predictions(cb.unmix(data.test, "ml"), tmp_path / "preds.json", data=data.test, method="ML")
    >>> found = cb.load_predictions(tmp_path / "preds.json", data.test)
    """
    from csist_bench.errors import InputError
    from csist_bench.files.convention import Convention
    from csist_bench.predictions import Decoding, read_predictions

    read = read_predictions(
        path,
        frames_per_trajectory=data.n_frames if data else None,
        n_trajectories=data.n_trajectories if data else None,
        decoding=Decoding.of_data(data.recipe) if data else None,
        pixel_size_nm=pixel_size_nm,
        convention=Convention(first_frame, origin, axes),
    )
    if data is None:
        return read.detections
    mismatch = read.header.mismatch(data.fingerprint, data.name, lambda: data.fingerprint_v2)
    if mismatch:
        raise InputError(f"{path}: {mismatch}")
    return read.detections


def save_predictions(
    detections: Detections,
    path: str | Path,
    *,
    data: Split | None = None,
    method: str = "",
    n_frames: int | None = None,
    overwrite: bool = True,
) -> None:
    """Write a prediction file; the suffix says which form: .json, .json.gz, .csv, .npz or .parquet.

    Parameters
    ----------
    data : Split, optional
        What was unmixed; its name and fingerprint go into the file, so that it cannot be scored on other data.
    method : str
        The method's name, as it shall stand on the leaderboard.
    n_frames : int, optional
        How many frames were answered. It tells frames in which nothing was found from frames that were left out.

    Raises
    ------
    InputError
        If a value is not finite, the suffix is unknown, or the file exists and must not be replaced.

    Examples
    --------
    >>> import csist_bench as cb
    >>> data = cb.open_dataset("data/sample/seqcsist.zarr")
    >>> found = cb.unmix(data.test, "ml", first=1)
    >>> cb.save_predictions(found, tmp_path / "mine.json", data=data.test, method="MyNet")
    """
    from csist_bench.predictions import Header, write_predictions

    header = Header({"name": method} if method else {}, n_frames=n_frames)
    if data is not None:
        scored = f"{data.scored_frames.start}:{data.scored_frames.stop}"
        known = (data.recipe.name, data.name, data.fingerprint)
        header = Header(header.method, *known, n_frames, scored, fingerprint_v2=data.fingerprint_v2)
    write_predictions(path, detections, header, overwrite)


def load_camera(path: str | Path, **fields: Any) -> CameraFile:
    """Read a camera file: what is known of an imager, to be told to `unmix`.

    Parameters
    ----------
    path : str or Path
        A camera.toml (docs/camera.md); the arrays that it names count from its folder.
    **fields
        Fields that replace those of the file, such as `psf_sigma=(0.5, 0.52)` or `background="plane"`.

    Raises
    ------
    InputError
        Naming the file and the field, if anything in it is not such as can be.

    Examples
    --------
    >>> import csist_bench as cb
    >>> path = tmp_path / "camera.toml"
    >>> text = 'schema = "csist-bench/camera@1"' + chr(10) + "psf_sigma = 0.51"
    >>> written = path.write_text(text)
    >>> camera = cb.load_camera(path, noise_sigma=2.0)
    >>> found = cb.unmix(cb.open_dataset("data/sample/seqcsist.zarr").test, "ml", camera=camera, first=1)
    """
    from csist_bench.datasets.camera_files import read_camera

    return read_camera(path, fields)


def calibrate(
    frames: str | Path | NDArray[Any] | BareFrames | Split,
    given: str | Path | CameraFile | None = None,
    *,
    say: Callable[[str], None] = lambda text: None,
) -> Calibration:
    """Estimate the camera of frames from the frames alone (docs/camera.md).

    Parameters
    ----------
    frames : path, ndarray, BareFrames or Split
        A data set (its split `train`, or else `test`; its recipe is not looked at), a file of frames, or an array,
        (T, H, W) or (N, T, H, W). The PSF's widths take sequences of 5 frames or more.
    given : path or CameraFile, optional
        What is known already: these fields are not sought.
    say : callable
        Takes lines of progress.

    Returns
    -------
    Calibration
        With `to_text()`, `to_dict()`, `missing`, and `camera_file()`, which `unmix` takes as its camera.

    Raises
    ------
    InputError
        If the frames or the file cannot be read, all pixels are equal, or most of them are saturated.

    Examples
    --------
    >>> import csist_bench as cb
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(100, 3, (50, 1, 11, 11))
    >>> found = cb.calibrate(noise)
    >>> round(found.camera_file().fields.noise_sigma), sorted(found.missing)
    (3, ['gain', 'psf_sigma'])
    """
    from csist_bench.datasets.camera_files import read_camera
    from csist_bench.methods.calibration.calibrate import calibrate as estimate
    from csist_bench.methods.calibration.given import Given
    from csist_bench.methods.calibration.source import frames_of

    told = read_camera(given) if isinstance(given, (str, Path)) else given
    values, _ = frames_of(frames)
    return estimate(values, Given.of(told, values), say)


def label_grid(data: Split, first: int | None = None) -> NDArray[np.float64]:
    """Return the label grids of a split's frames, shape (N, T, c * size, c * size), grey levels.

    Parameters
    ----------
    first : int, optional
        Of the first so many trajectories only: a whole split takes gigabytes.

    Examples
    --------
    >>> import csist_bench as cb
    >>> cb.label_grid(cb.open_dataset("data/sample/seqcsist.zarr").test, first=1).shape
    (1, 20, 33, 33)
    """
    from csist_bench.simulation.optics import Optics, grid_from_targets

    optics = Optics.from_recipe(data.recipe)
    xy, intensity = data.read("target_xy", 0, first), data.read("target_intensity", 0, first)
    return grid_from_targets(xy, intensity, optics, data.recipe.label_collision)


def load_network(weights: str | Path) -> Any:
    """Return a trained network, on the CPU and set to evaluation.

    Parameters
    ----------
    weights : path or str
        A .safetensors file, or the name of shipped weights, such as "derefnet" or "offgrid-net-5".

    Returns
    -------
    torch.nn.Module
        Maps frames (B, T, size, size) to label grids (B, T, c * size, c * size), grey levels; `offgrid-net` to slots.

    Examples
    --------
    >>> import csist_bench as cb
    >>> network = cb.load_network("espcn")  # doctest: +SKIP
    """
    from csist_bench.errors import InputError
    from csist_bench.methods.networks.weight_files import shipped_weights
    from csist_bench.methods.registry import METHODS, load_class

    load_class(METHODS["srcnn"])  # without PyTorch this is the clear error
    from csist_bench.methods.networks.weights import load_weights

    path = shipped_weights(str(weights)) or Path(weights)
    if not path.is_file():
        raise InputError(f"weights {weights} not found; name a .safetensors file or shipped weights such as 'espcn'")
    return load_weights(path)[0].eval()


def train(
    method: str | type[Any],
    data: Dataset,
    out: str | Path,
    *,
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    max_minutes: float = 0.0,
    say: Callable[[str], None] = print,
    **fields: Any,
) -> Outcome:
    """Train a network by its recipe, or go on with a paused run; the weights lie in `out`.

    Parameters
    ----------
    method : str or type
        Name of a network (`list_methods`), or one from outside, as `unmix` takes it.
    data : Dataset
        With splits "train" and "val".
    settings : mapping, optional
        Settings of the network that depart from its recipe's.
    max_minutes : float
        Pause after so many minutes; 0: go on to the end.
    say : callable
        Takes lines of progress.
    **fields
        Fields of the training recipe to change, such as `epochs=1` or `lr=1e-3`.

    Raises
    ------
    InputError
        If method, settings, recipe, data and folder do not belong together.

    Examples
    --------
    >>> import csist_bench as cb
    >>> cb.train("espcn", cb.open_dataset("data/seqcsist.zarr"), out="runs/espcn", epochs=1)  # doctest: +SKIP
    """
    from csist_bench.methods.outside import register, resolve
    from csist_bench.methods.registry import load_class
    from csist_bench.recipes import MethodRecipe, load_method_recipe, shipped

    row = resolve(method) if isinstance(method, str) else register(method)
    if not row.trainable:
        raise must("method", "be a network", f"{row.name}, which needs no training")
    load_class(row)  # without PyTorch this is the clear error
    from csist_bench.methods.networks.base import resolve_device
    from csist_bench.training.recipe import training_recipe
    from csist_bench.training.run import Options
    from csist_bench.training.run import train as run

    recipe = load_method_recipe(row.name) if row.name in shipped("methods") else MethodRecipe(method=row.name)
    options = Options(Path(out), resume, overwrite, max_minutes)
    training = training_recipe({**recipe.training, **fields}, f"{row.name} training")
    return run(row, data, {**recipe.settings, **(settings or {})}, training, options, resolve_device(device), say)
