"""Read a prediction file of any form, told apart by its first bytes and its suffix."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from csist_bench.conventions import GRID_THRESHOLD
from csist_bench.detections import Detections
from csist_bench.errors import InputError, must
from csist_bench.files import require_regular
from csist_bench.predictions.csv_format import read_csv
from csist_bench.predictions.folder_format import read_folder
from csist_bench.predictions.header import Header, Predictions
from csist_bench.predictions.heat_maps import Decoding, MapRules
from csist_bench.predictions.json_format import read_json
from csist_bench.predictions.npz_format import read_npz
from csist_bench.predictions.parquet_format import read_parquet
from csist_bench.predictions.table import SNIFFED, IndexBounds
from csist_bench.predictions.zarr_format import read_zarr

GZIP, ZIP, PARQUET = b"\x1f\x8b", b"PK", b"PAR1"


def read_predictions(
    path: str | Path,
    *,
    frames_per_trajectory: int | None,
    n_trajectories: int | None,
    c: int = 3,
    threshold: float = GRID_THRESHOLD,
    pixel_size_nm: float | None = None,
    maps: MapRules | None = None,
) -> Predictions:
    """Read and check a prediction file.

    Parameters
    ----------
    path : str or Path
        JSON (object of rows or columns, or a bare list; also gzipped), CSV, ThunderSTORM CSV, Parquet, NPZ, a Zarr
        store of heat maps, or a folder of text files.
    frames_per_trajectory, n_trajectories : int or None
        T and N of the split that was answered; None leaves the indices unchecked.
    c, threshold : int, float
        Decoding of heat maps: nodes per pixel, least node value in grey levels.
    pixel_size_nm : float, optional
        Pixel size for positions in nanometres.
    maps : MapRules, optional
        What is known of heat maps beforehand, and what absent chunks of them mean.

    Raises
    ------
    InputError
        For anything that is wrong with the file, naming the place, the first five offenders and how many more.
    """
    path = Path(path)
    warnings: list[str] = []
    bounds = IndexBounds(frames_per_trajectory, n_trajectories)
    decoding = Decoding(c, threshold, maps or MapRules())
    if not path.exists():
        raise InputError(f"prediction file {path} not found")
    if path.is_dir():
        is_zarr = any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray"))
        read = read_zarr(path, bounds, warnings, decoding) if is_zarr else read_folder(path, bounds, warnings)
    else:
        read = _read_file(path, bounds, warnings, decoding, pixel_size_nm)
    return Predictions(*read, warnings)


def _read_file(
    path: Path, bounds: IndexBounds, warnings: list[str], decoding: Decoding, pixel_size_nm: float | None
) -> tuple[Detections, Header]:
    where = str(path)
    require_regular(path)
    with path.open("rb") as file:
        if file.read(len(ZIP)) == ZIP:
            return read_npz(path, bounds, warnings, decoding)
    data = path.read_bytes()
    if data.startswith(GZIP):
        data = _unzipped(data, where)
    if not data or data.isspace():
        raise InputError(f"{where}: the file is empty")
    if data.startswith(PARQUET):
        return read_parquet(data, where, bounds, warnings)
    suffix = next((s for s in reversed(path.suffixes) if s.lower() != ".gz"), "").lower()
    if suffix in (".npz", ".parquet"):
        raise must(where, f"be a {suffix[1:]} file, as its name says", "other content")
    begin = data[:SNIFFED].lstrip()[:20]
    if begin[:1] in (b"{", b"["):
        return read_json(data, where, bounds, warnings)
    if suffix == ".json":
        raise must(where, "begin with '{' or '[', as JSON does", begin)
    return read_csv(data, where, bounds, warnings, pixel_size_nm)


def _unzipped(data: bytes, where: str) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{where}: damaged gzip file ({error})") from None
