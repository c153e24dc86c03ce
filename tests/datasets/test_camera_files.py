"""Camera files: what is written is read again, and what cannot be right is one line naming file and field."""

from __future__ import annotations

import numpy as np
import pytest

from csist_bench.datasets.camera_files import camera_text, read_camera, write_camera
from csist_bench.errors import InputError
from csist_bench.simulation.camera_file import CameraFile, fields_of
from csist_bench.simulation.spline_psf import SplinePsf

SCHEMA = 'schema = "csist-bench/camera@1"\n'


@pytest.fixture
def write(tmp_path):
    def made(text: str, schema: str = SCHEMA):
        path = tmp_path / "camera.toml"
        path.write_text(schema + text, encoding="utf-8")
        return path

    return made


def test_every_field_comes_back(tmp_path):
    psf = SplinePsf.from_gaussian(0.5, 0.6)
    noise, bad = np.random.default_rng(0).uniform(1, 2, (4, 5)), np.eye(4, 5, dtype=bool)
    table = {
        "psf": "spline",
        "psf_file": "maps/psf.npy",
        "psf_sigma": 0.55,
        "psf_sigma_error": [0.001, 0.002],
        "noise_sigma": "noise.npy",
        "gain": 0.25,
        "background": "plane",
        "saturation": float("inf"),
        "intensity": [180.0, 260.0],
        "bad_pixels": 'b "1" \u00fc.npy',
    }
    path = tmp_path / "new" / "camera.toml"
    write_camera(path, CameraFile(fields_of(table, "x"), "x", psf, noise, bad))
    read = read_camera(path)
    assert read.table() == table
    np.testing.assert_array_equal(read.noise_map, noise)
    np.testing.assert_array_equal(read.bad, bad)
    np.testing.assert_allclose(read.psf.coefficients, psf.coefficients, atol=1e-12)
    assert sorted(p.name for p in path.parent.iterdir()) == sorted(
        ["camera.toml", "maps", "noise.npy", 'b "1" \u00fc.npy']
    )


def test_one_number_stays_one_number(tmp_path):
    text = camera_text(fields_of({"psf_sigma": 0.5, "background": 20, "intensity": "free"}, "x"))
    assert text == SCHEMA + 'psf_sigma = 0.5\nbackground = 20.0\nintensity = "free"\n'
    (tmp_path / "c.toml").write_text(text)
    assert read_camera(tmp_path / "c.toml").table() == {"psf_sigma": 0.5, "background": 20.0, "intensity": "free"}


def test_an_empty_camera_tells_nothing(write):
    assert read_camera(write("")).table() == {}
    assert read_camera(None).table() == {}


def test_single_fields_are_replaced_and_values_are_toml_or_bare_words(write):
    path = write("noise_sigma = 2\npsf_sigma = 0.5\n")
    read = read_camera(path, ["psf_sigma=[0.6, 0.7]", "background=plane", "intensity=free", "gain=1"])
    expected = {"noise_sigma": 2.0, "psf_sigma": [0.6, 0.7], "background": "plane", "intensity": "free", "gain": 1.0}
    assert read.table() == expected
    assert read_camera(None, ["saturation=255"]).table() == {"saturation": 255.0}


def test_a_gaussian_set_over_a_spline_leaves_its_file_out(write):
    path = write('psf = "spline"\npsf_file = "not-there.npy"\n')
    assert read_camera(path, ["psf=gaussian"]).table() == {"psf": "gaussian"}


def test_names_count_from_the_file_and_without_one_from_the_working_folder(write, tmp_path, monkeypatch):
    np.save(tmp_path / "noise.npy", np.ones((2, 2)))
    path = write('noise_sigma = "noise.npy"\n')
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert read_camera(path).noise_map.shape == (2, 2)
    with pytest.raises(InputError, match=r"--camera-set: noise_sigma: noise\.npy not found"):
        read_camera(None, ["noise_sigma=noise.npy"])


@pytest.mark.parametrize(
    "name",
    [
        "/etc/x.npy",
        "../x.npy",
        "a/../../x.npy",
        "..\\\\x.npy",
        "C:\\\\x.npy",
        "C:x.npy",
        "x.npz",
        "",
        "link/x.npy",
        "\\u0000.npy",
        "a\\nb.npy",
    ],
)
def test_names_that_leave_the_folder_are_refused(write, tmp_path, name):
    outside = tmp_path.parent / "outside"
    outside.mkdir(exist_ok=True)
    np.save(outside / "x.npy", np.ones((2, 2)))
    (tmp_path / "link").symlink_to(outside)
    path = write(f'noise_sigma = "{name}"\n')
    with pytest.raises(InputError) as error:
        read_camera(path)
    assert f"{path}: noise_sigma must be" in str(error.value)
    assert "the camera file's folder" in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("psf_sigma = ", "not a TOML camera file"),
        ("psf_sigma = -1", "psf_sigma must be above 0, got -1"),
        ("psf_sgma = 1", "unknown field 'psf_sgma'; did you mean 'psf_sigma'?"),
        ("a = " + "[" * 5000, "not a TOML camera file"),
        ("gain = " + "9" * 5000, "not a TOML camera file"),
        ('psf = "spline"\npsf_file = "none.npy"', "psf_file: "),
        ('psf = "spline"\npsf_file = "even.npy"', "psf_file even.npy must have shape (n, n), n odd"),
        ('psf = "spline"\npsf_file = "dim.npy"', "psf_file dim.npy must sum to 1"),
        ('psf = "spline"\npsf_file = "text.npy"', "psf_file: "),
        ('noise_sigma = "pickle.npy"', "never unpickled"),
        ('bad_pixels = "even.npy"', "bad_pixels even.npy must hold truth values"),
    ],
)
def test_bad_files_are_one_line_that_names_file_and_field(write, tmp_path, text, says):
    samples = SplinePsf.from_gaussian(0.5, 0.5).samples
    np.save(tmp_path / "even.npy", samples[1:, 1:])
    np.save(tmp_path / "dim.npy", 0.9 * samples)
    np.save(tmp_path / "pickle.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "text.npy").write_text("not an array")
    path = write(text + "\n")
    with pytest.raises(InputError) as error:
        read_camera(path)
    assert str(error.value).startswith(f"{path}: ")
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("schema", ["", 'schema = "csist-bench/camera@2"\n', "schema = 1\n"])
def test_another_schema_is_refused(write, schema):
    with pytest.raises(InputError, match="schema must be 'csist-bench/camera@1', got"):
        read_camera(write("psf_sigma = 1\n", schema))


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"camera file .* not found"):
        read_camera(tmp_path / "none.toml")
    with pytest.raises(InputError, match="must be a file, got a folder"):
        read_camera(tmp_path)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a TOML camera file"):
        read_camera(tmp_path / "binary.toml")


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("noise_sigma", "--camera-set must be NAME=VALUE, got noise_sigma; for example --camera-set noise_sigma=2"),
        ("noise=2", "unknown field 'noise'; did you mean 'noise_sigma'?"),
        ("schema=x", "unknown field 'schema'"),
        ("gain=-1", "--camera-set: gain must be at least 0, got -1"),
    ],
)
def test_bad_overrides_are_named(override, says):
    with pytest.raises(InputError) as error:
        read_camera(None, [override])
    assert says in str(error.value)


def test_arrays_that_are_not_there_or_would_leave_the_folder_are_not_written(tmp_path):
    for fields, says in (
        ({"bad_pixels": "bad.npy"}, "bad_pixels must come with its array"),
        ({"noise_sigma": "../n.npy"}, "noise_sigma must be the name of an .npy file in the camera file's folder"),
    ):
        with pytest.raises(InputError, match=says):
            write_camera(tmp_path / "camera.toml", CameraFile(fields_of(fields, "x"), noise_map=np.ones((2, 2))))
    assert list(tmp_path.iterdir()) == []
