"""Small true files of every text and table form, their mutations, and the readers they are thrown at."""

from __future__ import annotations

import gzip
import io
import json
import resource
import shutil
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from csist_bench.datasets import open_dataset
from csist_bench.datasets.camera_files import read_camera
from csist_bench.datasets.frame_axes import FrameLayout
from csist_bench.datasets.frame_files import read_bare_frames
from csist_bench.datasets.frame_formats.arrays import open_frames
from csist_bench.datasets.public_layouts.annotations import read_annotation
from csist_bench.datasets.target_tables import read_target_table
from csist_bench.errors import InputError
from csist_bench.files import packaged
from csist_bench.files.convention import AS_THE_FORM, Convention
from csist_bench.files.sources import decoded_json
from csist_bench.leaderboard.folder import Place, Submission, read_submission, submission_text
from csist_bench.leaderboard.folder_check import claim_of
from csist_bench.leaderboard.lines import read_lines
from csist_bench.leaderboard.overlap import TrainingData, overlap
from csist_bench.leaderboard.rows import read_rows, write_rows
from csist_bench.methods.registry import torch_works
from csist_bench.predictions import Header, read_predictions, write_predictions
from csist_bench.recipes import load_data_recipe, load_method_recipe
from csist_bench.simulation.camera import Camera
from csist_bench.simulation.camera_file import apply
from csist_bench.simulation.optics import Optics
from tests.helpers import frame_files
from tests.helpers.prediction_files import N, T, rows_of, sample
from tests.helpers.rows import row
from tests.helpers.sets import tiny_set

LONGEST_S = 2.0
LARGEST_GROWTH = 1 << 30  # bytes
REPORTED = 5000  # inputs between two lines of progress
STORE = "true.zarr"
RECIPES = (("data.toml", "data", "seqcsist-noise"), ("method.toml", "methods", "derefnet"))
ANNOTATION = b"""<annotation><size><width>11</width><height>11</height></size><sigma>0.5</sigma>
<object><coordinate><xc>5.1</xc><yc>4.9</yc><brightness>230</brightness></coordinate></object></annotation>"""
CAMERA = b"""schema = "csist-bench/camera@1"
psf_sigma = [0.5, 0.6]
noise_sigma = 2.5
background = "plane"
intensity = [180, 260.5]
saturation = inf
"""
SUBMISSION = Submission(
    format="csist-bench/submission@1",
    predictions=Place(sha256="sha256:" + "0" * 64, file="predictions.json.gz"),
    told=("optics", "brightness"),
    training=(TrainingData(recipe="seqcsist noise_sigma=2.0", seed=1), TrainingData(other="frames of ours")),
    row={name: value for name, value in row(tier="submitted").values().items() if value not in (None, "")},
)
TOKENS = [
    b"nan", b"NaN", b"Infinity", b"-1", b"1e999", b"9" * 400, b"1,234", b"0,5", b";", b"\t", b",", b'"', b"\r", b"\n",
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"#", b"sep=;\n", b"=1+1", b"null", b"true", b"{", b"}", b"[", b"]",
    b"[" * 2000, b'{"x":' * 500, b"\x1b[31m", "\u202e".encode(), "٣".encode(), b"2_30", b"0x10",
    b"\xd8\x00", b'\\ud800', b'"x":1,',
]  # fmt: skip


def seeds(folder: Path) -> dict[str, bytes]:
    """Return small true files by name."""
    found: dict[str, bytes] = {}
    for suffix in (".json", ".json.gz", ".csv", ".npz", ".parquet"):
        try:
            write_predictions(folder / f"seed{suffix}", sample(5), Header({"name": "m"}, "d", "test", "sha256:0", 4))
        except InputError:  # Parquet is an extra
            continue
        found[f"p{suffix}"] = (folder / f"seed{suffix}").read_bytes()
    text = found["p.csv"].decode()
    rows = rows_of(sample(5))
    found |= {
        "semicolon.csv": text.replace(",", ";").replace(".", ",").encode(),
        "utf16.csv": text.encode("utf-16"),
        "quoted.csv": "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in text.split()).encode(),
        "rows.jsonl": "\n".join(map(json.dumps, rows)).encode(),
        "list.json": json.dumps(rows).encode(),
        "columns.json": json.dumps({name: [row[name] for row in rows] for name in rows[0]}).encode(),
        "pandas.json": sample(5).to_pandas().to_json().encode(),
        "storm.csv": b'frame,"x [nm]",y [nm],intensity [photon],uncertainty [nm]\n3,13,58,121,7\n3,9,5,1,NaN\n',
        "image_3.txt": b"1.5 2.5 3\n4 5 6\n",
        "targets.csv": b"trajectory,frame,target,x,y,intensity\n0,0,0,5.0,5.0,240\n1,2,1,-4.5,4.5,1000\n",
        "run.json": json.dumps({"method": "espcn", "settings": {"a": [1, 2.5, None]}}).encode(),
    }
    found |= _arrays() | _frames(folder) | _weights(folder) | _store(folder)
    found |= {name: (packaged("recipes") / kind / f"{of}.toml").read_bytes() for name, kind, of in RECIPES}
    found["COS0.xml"] = ANNOTATION
    found["camera.toml"] = CAMERA
    found["row.toml"] = submission_text(SUBMISSION).encode()
    write_rows(folder / "seed.csv", [row(), row(note="=b")])
    found["leaderboard.csv"] = (folder / "seed.csv").read_bytes()
    found["lines.csv"] = b"dataset,split,kind,label,cso_map,dataset_fingerprint\nseqcsist,test,ceiling,grid,47.6,\n"
    return found


def _arrays() -> dict[str, bytes]:
    found = {}
    maps = np.zeros((N, T, 33, 33), np.float32)
    maps[:, :, 15, 15] = 200
    for name, save in (("maps.npz", np.savez), ("packed.npz", np.savez_compressed)):
        file = io.BytesIO()
        save(file, heatmaps=maps)
        found[name] = file.getvalue()
    file = io.BytesIO()
    np.save(file, np.full((3, 5, 5), 7, np.int16))
    return found | {"frames.npy": file.getvalue()}


def _frames(folder: Path) -> dict[str, bytes]:
    """Return frames in every form; of folders and stores, a picture and the metadata."""
    values, made = frame_files.pattern("uint16", (3, 5, 6)), folder / "frames"
    made.mkdir()
    Image.fromarray(values[0]).save(made / "f.png")
    frame_files.write_npz(made / "f.npz", values)
    frame_files.write_tiff(made / "f.tif", values)
    frame_files.write_tiff(made / "f64.tiff", values.astype(float))
    frame_files.write_fits(made / "f.fits", values)
    frame_files.write_mat(made / "f.mat", values)
    frame_files.write_zarr(made / "f.zarr", values)
    found = {f"frames{file.suffix}": file.read_bytes() for file in made.iterdir() if file.is_file()}
    return found | {"frames.json": (made / "f.zarr" / "zarr.json").read_bytes()}


def _weights(folder: Path) -> dict[str, bytes]:
    if not torch_works():
        return {}
    from csist_bench.methods.networks.base import build_network
    from csist_bench.methods.networks.weights import save_weights
    from tests.helpers.cards import card_of

    settings = ["features=2", "mapped=2"]
    save_weights(folder / "seed.safetensors", build_network("espcn", Optics(), settings), card_of("espcn", settings))
    return {"w.safetensors": (folder / "seed.safetensors").read_bytes()}


def _store(folder: Path) -> dict[str, bytes]:
    """Return the metadata of a data set, of which the rest stands in `folder` as it was written."""
    tiny_set(folder / STORE)
    return {"zarr.json": (folder / STORE / "zarr.json").read_bytes()}


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Return a file with one to four changes: bits, bytes, tokens, pieces cut, doubled or moved."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        place = int(rng.integers(0, len(out) + 1))
        stop = min(len(out), place + int(rng.integers(0, 40)))
        match int(rng.integers(0, 7)):
            case 0 if place < len(out):
                out[place] ^= 1 << int(rng.integers(0, 8))
            case 1 if place < len(out):
                out[place] = int(rng.integers(0, 256))
            case 2:
                out[place:place] = TOKENS[int(rng.integers(0, len(TOKENS)))]
            case 3:
                out[place:stop] = TOKENS[int(rng.integers(0, len(TOKENS)))]
            case 4:
                del out[place:stop]
            case 5:
                out[place:place] = out[place:stop] * int(rng.integers(1, 4))
            case _:
                del out[place : None if rng.random() < 0.3 else place + 1]
    return bytes(out)


def read(path: Path, rng: np.random.Generator) -> None:
    """Read a file by the reader of its name."""
    if path.name == "leaderboard.csv":
        read_rows(path)
    elif path.name == "lines.csv":
        read_lines(path.parent)
    elif path.name == "targets.csv":
        read_target_table(path)
    elif path.name == "frames.json":
        (path.parent / "f.zarr").mkdir(exist_ok=True)
        shutil.copy2(path, path.parent / "f.zarr" / "zarr.json")
        open_frames(path.parent / "f.zarr", None)
    elif path.name == "row.toml":
        (path.parent / "predictions.json.gz").write_bytes(b"not looked at")
        submitted = read_submission(path.parent)
        claim_of(submitted.row)
        for data in submitted.content.training:
            overlap(data, load_data_recipe("seqcsist"), "test")
    elif path.name == "camera.toml":
        told = read_camera(path)
        apply(Camera(Optics(), 2.0), told, (5, 5))
    elif path.stem == "frames":
        read_bare_frames(path, FrameLayout({".mat": "YXT", ".png": "YX"}.get(path.suffix, "TYX")))
    elif path.suffix == ".toml":
        (load_data_recipe if path.name == "data.toml" else load_method_recipe)(str(path))
    elif path.suffix == ".safetensors":
        from csist_bench.methods.networks.weights import load_weights

        load_weights(path)
    elif path.suffix == ".xml":
        read_annotation(path)
    elif path.name == "zarr.json":
        # The rest of the store stands beside the folder of this file.
        if not (path.parent / "test").exists():
            shutil.copytree(path.parents[1] / STORE, path.parent, dirs_exist_ok=True)
        part = open_dataset(str(path.parent)).split("test")
        part.read("target_xy", 0, part.n_trajectories)
    elif path.name == "run.json":
        decoded_json(path.read_bytes(), str(path), dict[str, object])
    else:
        asked = Convention(1, "corner", "yx") if rng.random() < 0.2 else AS_THE_FORM
        options = {"pixel_size_nm": 100.0, "convention": asked}
        where = path.parent if path.suffix == ".txt" else path
        read_predictions(where, frames_per_trajectory=T, n_trajectories=N, **options)


def fuzzed(folder: Path, inputs: int, seed: int, say: Callable[[str], None] = lambda text: None) -> list[str]:
    """Throw mutations at the readers and return what went wrong, one line an input that can be made again."""
    true = seeds(folder)
    names = sorted(true)
    faults: list[str] = []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    for number in range(inputs):
        rng = np.random.default_rng((seed, number))
        name = names[number % len(names)]
        data = true[name]
        if name.endswith(".gz") and rng.random() < 0.7:
            data = gzip.compress(mutated(gzip.decompress(data), rng), compresslevel=1)
        else:
            data = mutated(data, rng)
        path = folder / name.replace(".", "_") / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        begun = time.perf_counter()
        try:
            read(path, rng)
        except InputError as error:
            if not str(error).isprintable():
                faults.append(f"input {number} ({name}): message is not one printable line: {error!r}")
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            faults.append(f"input {number} ({name}): {type(error).__name__}: {error} at {at.filename}:{at.lineno}")
        if (took := time.perf_counter() - begun) > LONGEST_S:
            faults.append(f"input {number} ({name}): {took:.1f} s")
        if (number + 1) % REPORTED == 0:
            say(f"{number + 1:,} inputs, {len(faults)} faults")
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    if growth > LARGEST_GROWTH:
        faults.append(f"memory grew by {growth:,} bytes")
    return faults
