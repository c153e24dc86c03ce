"""The stream: rendered and sensed as the simulator does, labelled alike, seeded, and trained on."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from csist_bench.cli.train_command import command
from csist_bench.datasets import Dataset
from csist_bench.errors import InputError
from csist_bench.methods import registry
from csist_bench.methods.networks.common.rendering import SceneLabels
from csist_bench.methods.networks.weights import load_weights, read_tensors
from csist_bench.recipes import load_data_recipe
from csist_bench.simulation.camera import NOISE_FLOOR_FLOAT, NOISE_FLOOR_INTEGER
from csist_bench.simulation.optics import Optics, grid_from_targets
from csist_bench.simulation.rendering import frames_from_targets
from csist_bench.training.recipe import training_recipe
from csist_bench.training.run import Options, Outcome, train
from csist_bench.training.stream import SceneStream, scene_stream, sense
from csist_bench.training.stream_recipe import StreamRecipe, scenes_from_texts

CPU = torch.device("cpu")
SMALL = {"width": 16, "depth": 2}


def open_stream(store: Dataset, grids: bool = False, whole: bool = True, **fields: object) -> SceneStream:
    return scene_stream(store, StreamRecipe(**fields), "all", grids, whole, CPU)  # type: ignore[arg-type]


def drawn(store: Dataset, count: int, seed: int = 0, **fields: object) -> tuple[torch.Tensor, SceneLabels]:
    frames, labels = open_stream(store, **fields).draw(count, seed)
    assert isinstance(labels, SceneLabels)
    return frames, labels


def tiny_optics(store: Dataset) -> Optics:
    return Optics.from_recipe(store.recipe)


def test_frames_are_the_simulators_of_the_targets_that_label_them(tiny: Dataset) -> None:
    frames, labels = drawn(tiny, 30, length=3)
    assert frames.shape == (30, 3, 11, 11)
    exact = frames_from_targets(labels.xy.double().numpy(), labels.intensity.double().numpy(), tiny_optics(tiny))
    np.testing.assert_allclose(frames.numpy(), exact, atol=1e-5 * 250)


def test_label_grids_are_those_of_the_stored_sets(tiny: Dataset) -> None:
    frames, grids = open_stream(tiny, grids=True, length=1).draw(200, 3)
    same, labels = drawn(tiny, 200, 3, length=1)
    assert torch.equal(frames, same)
    xy, light = (tensor.double().numpy() for tensor in labels[:2])
    np.testing.assert_allclose(grids.numpy(), grid_from_targets(xy, light, tiny_optics(tiny)), rtol=1e-6)


def test_the_seed_decides_a_batch(tiny: Dataset) -> None:
    fields = {"length": 2, "noise": (0.0, 5.0), "scenes": {"seqcsist": 1.0, "seqcsist-dense": 2.0}}
    first, again, other = (drawn(tiny, 20, seed, **fields) for seed in (7, 7, 8))
    assert torch.equal(first[0], again[0])
    assert all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(first[1], again[1], strict=True))
    assert not torch.equal(first[0], other[0])


def test_a_mixture_keeps_its_shares(tiny: Dataset) -> None:
    _, labels = drawn(tiny, 2000, scenes={"seqcsist": 1.0, "seqcsist-dense": 3.0}, length=1)
    assert labels.xy.shape == (2000, 1, 8, 2)
    many = (~labels.intensity.isnan()).sum(dim=-1) > 4
    assert abs(float(many.float().mean()) - 0.75 * 4 / 7) < 0.03


def test_units_begin_anywhere_in_a_trajectory(tiny: Dataset) -> None:
    stream = open_stream(tiny, length=5)
    assert (stream.sequence_length, stream.starts, stream.scored) == (5, range(16), slice(0, 5))
    whole = open_stream(tiny)
    assert (whole.sequence_length, whole.starts, whole.scored) == (20, range(1), slice(2, 18))
    alone = open_stream(tiny, whole=False)
    assert (alone.sequence_length, alone.starts, alone.scored) == (1, range(20), slice(0, 1))
    scored = scene_stream(tiny, StreamRecipe(), "scored", True, False, CPU)
    assert scored.starts == range(2, 18)


# --- sensor ----------------------------------------------------------------------------------------------------------


def sensed(count: int, *overrides: str, **fields: object) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    told = StreamRecipe(**fields)  # type: ignore[arg-type]
    level = torch.full((count, 1, 8, 8), 100.3)
    return sense(level, load_data_recipe("seqcsist", overrides), told, torch.Generator().manual_seed(1))


def test_noise_is_drawn_as_the_recipe_says_and_told() -> None:
    frames, noise, saturation = sensed(4000, noise=(1.0, 5.0), noise_free=0.3)
    free = noise == NOISE_FLOOR_FLOAT
    assert abs(float(free.float().mean()) - 0.3) < 0.03
    assert float(noise[~free].min()) > 1.0
    assert abs(float(noise[~free].mean()) - 3.0) < 0.1
    assert torch.equal(frames[free], torch.full_like(frames[free], 100.3))
    scaled = (frames[~free] - 100.3) / noise[~free, None, None, None]
    assert abs(float(scaled.std()) - 1.0) < 0.01
    assert saturation.isinf().all()


def test_a_data_recipes_own_sensor_is_kept_where_nothing_is_drawn() -> None:
    frames, noise, saturation = sensed(50, "noise_sigma=2", "bits=8", "dtype=uint8")
    assert (noise == 2.0).all()
    assert (saturation == 255.0).all()
    assert torch.equal(frames, frames.round())
    assert float(frames.std()) == pytest.approx(2.0, rel=0.1)


def test_eight_bits_round_and_clip_and_the_background_is_taken_away_again() -> None:
    frames, noise, saturation = sensed(400, eight_bit=0.5, background=(200.0, 220.0))
    whole = noise == NOISE_FLOOR_INTEGER
    assert 0.4 < float(whole.float().mean()) < 0.6
    # 100.3 on a background of 200 or more is above 255.
    np.testing.assert_allclose(frames[whole, 0, 0, 0], saturation[whole], atol=1e-4)
    assert float(saturation[whole].max()) <= 55.0
    np.testing.assert_allclose(frames[~whole], 100.3, atol=1e-4)
    assert saturation[~whole].isinf().all()


# --- training --------------------------------------------------------------------------------------------------------


def go(store: Dataset, folder: Path, name: str, table: dict[str, object], **options: object) -> Outcome:
    settings = SMALL if name == "offgrid-net" else {"features": 6, "mapped": 4}
    recipe = training_recipe({"log_every": 1, "steps": 4, "batch_frames": 8, "batch_trajectories": 2, **table})
    where = Options(folder, **options)  # type: ignore[arg-type]
    return train(registry.find(name), store, settings, recipe, where, CPU, lambda line: None)


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("offgrid-net", {"stream": {"length": 1, "noise": [0.0, 5.0]}, "ema": 0.9}),
        ("offgrid-net", {"stream": {"length": 3, "scenes": {"stored": 1.0}}}),
        ("espcn", {"stream": {"noise": [0.0, 2.0]}}),
    ],
)
def test_a_paused_and_resumed_run_ends_as_an_uninterrupted_one(
    tiny: Dataset, tmp_path: Path, name: str, table: dict[str, object]
) -> None:
    whole = go(tiny, tmp_path / "whole", name, table)
    outcome = go(tiny, tmp_path / "parts", name, table, max_minutes=1e-9)
    while not outcome.finished:
        outcome = go(tiny, tmp_path / "parts", name, table, max_minutes=1e-9, resume=True)
    assert (outcome.steps, outcome.best) == (whole.steps, whole.best)
    parts, single = (read_tensors(tmp_path / run / "last.safetensors")[0] for run in ("parts", "whole"))
    assert [key for key in parts if not torch.equal(parts[key], single[key])] == []


@pytest.mark.slow
def test_the_command_streams_and_the_weights_say_of_what(tiny: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = ["offgrid-net", "--data", tiny.path, "--out", str(out), "--stream", "seqcsist-rotated"]
    arguments += ["--stream", "seqcsist=0.5", "--set", "steps=2", "--set", "batch_frames=8", "--device", "cpu"]
    result = CliRunner().invoke(command, [*arguments, "--set", "settings.width=16"])
    assert result.exit_code == 0, result.output
    card = load_weights(out / "last.safetensors")[1]
    assert card.dataset == "seqcsist-rotated + seqcsist"
    assert card.recipe["stream"]["scenes"] == {"seqcsist-rotated": 1.0, "seqcsist": 0.5}
    assert card.recipe["stream"]["noise_free"] == 0.1  # of the method's own recipe


def test_bad_streams_are_refused(tiny: Dataset, tmp_path: Path) -> None:
    for table, words in (
        ({}, "offgrid-net learns from a stream"),
        ({"stream": {"length": 21}}, "stream.length must be at most the 20 frames"),
        ({"stream": {"noise": [3.0, 1.0]}}, "stream.noise must be"),
        ({"stream": {"noise": [3.0]}}, "stream.noise must be"),
        ({"stream": {"noise_free": 0.5}}, "stream.noise_free must be 0 where no noise is drawn"),
        ({"stream": {"scenes": {}}}, "stream.scenes must name at least one"),
        ({"stream": {"scenes": {"seqcsit": 1.0}}}, "did you mean 'seqcsist'"),
        ({"stream": {"scenes": {"seqcsist": 0.0}}}, "scenes[...] must be float > 0.0"),
        ({"stream": {"lenght": 1}}, "unknown field 'lenght'"),
        ({"stream": {"length": 1}, "augment": True}, "augment must be left out with a stream"),
        ({"stream": {"length": 1}, "noise": 1.0}, "noise must be left out with a stream"),
        ({"stream": {"length": 1}, "label_falloff": 1.0}, "label_falloff must be left out with a stream"),
    ):
        with pytest.raises(InputError, match=re.escape(words)):
            go(tiny, tmp_path / "run", "offgrid-net", table)
    with pytest.raises(InputError, match="window must be left out with a stream"):
        go(tiny, tmp_path / "run", "espcn", {"stream": {}, "window": {"size": 5}})
    assert not (tmp_path / "run").exists()


def test_stream_options_are_recipes_with_weights() -> None:
    assert scenes_from_texts(["seqcsist", "mine.toml=0.5"]) == {"seqcsist": 1.0, "mine.toml": 0.5}
    for text in ("seqcsist=much", "seqcsist=0", "=1", "seqcsist=-1", "seqcsist=inf"):
        with pytest.raises(InputError, match="--stream must be RECIPE or RECIPE=WEIGHT"):
            scenes_from_texts([text])
