import msgspec
import numpy as np
import pytest
from scipy import stats

from csist_bench.recipes import DataRecipe, load_data_recipe
from csist_bench.simulation.camera import saturation_level
from csist_bench.simulation.rendering import render_shard
from csist_bench.simulation.scenes import stream
from csist_bench.simulation.sensor import sense

DARK = np.zeros((200, 20, 11, 11))


def recipe_with(**fields):
    return DataRecipe(name="test", **fields)


def sensed(frames=DARK, **fields):
    return sense(recipe_with(**fields), frames.copy(), range(len(frames)))


def test_an_ideal_sensor_changes_nothing():
    frames = np.random.default_rng(0).normal(size=(2, 20, 11, 11))
    assert np.array_equal(sensed(frames), frames)


def test_read_noise_has_its_sigma_and_is_independent_between_pixels():
    noise = sensed(noise_sigma=3.0)
    assert noise.std() == pytest.approx(3.0, rel=0.01)
    assert abs(noise.mean()) < 0.02
    assert abs(np.corrcoef(noise[:, :, 0, 0].ravel(), noise[:, :, 0, 1].ravel())[0, 1]) < 0.06
    assert not np.array_equal(noise[0], noise[1])


def test_shot_noise_has_the_variance_of_its_gain():
    frames = np.full((100, 20, 11, 11), 80.0)
    shot = sensed(frames, shot_gain=2.0)
    assert shot.mean() == pytest.approx(80, rel=0.005)
    assert shot.var() == pytest.approx(2.0 * 80, rel=0.02)
    assert (sensed(np.full((1, 20, 11, 11), -5.0), shot_gain=1.0) == 0).all()


def test_backgrounds_have_their_level_and_spread():
    assert (sensed(background="constant", background_mean=12.5) == 12.5).all()
    clutter = sensed(background="clutter", background_mean=50.0, background_sigma=4.0)
    assert clutter.mean() == pytest.approx(50, abs=1.5)
    assert 2.0 < clutter[:, 0].std() < 5.0
    assert np.array_equal(clutter[:, 0], clutter[:, 19])  # still over a trajectory
    assert not np.array_equal(clutter[0], clutter[1])


def test_clutter_follows_its_power_law():
    fields = sensed(background="clutter", background_sigma=1.0, background_exponent=3.0)[:, 0]
    fields = fields - fields.mean(axis=(1, 2), keepdims=True)
    power = (np.abs(np.fft.rfft2(fields * np.hanning(11)[:, None] * np.hanning(11))) ** 2).mean(axis=0)
    assert power[1, 1] > 20 * power[5, 5]


def test_quantised_frames_are_whole_numbers_within_range():
    frames = render_shard(load_data_recipe("seqcsist-8bit"), range(30)).frames
    assert frames.dtype == np.uint8
    assert frames.max() == 255
    exact = render_shard(load_data_recipe("seqcsist"), range(30)).frames
    assert np.abs(np.clip(exact, 0, 255) - frames).max() <= 0.5001
    saturated = (exact > 254.5).any(axis=(2, 3)).mean()
    assert 0.25 < saturated < 0.5  # 39 % over the whole set


def test_saturation_is_the_lower_of_level_and_bits():
    assert saturation_level(recipe_with(bits=8)) == 255
    assert saturation_level(recipe_with(bits=8, saturation=200.0)) == 200
    assert np.isinf(saturation_level(recipe_with()))
    assert sensed(np.full((1, 20, 11, 11), 300.0), saturation=200.0).max() == 200


def test_noise_variants_of_a_seed_share_their_scenes():
    quiet, noisy = (render_shard(load_data_recipe("seqcsist-noise", [f"noise_sigma={s}"]), [3]) for s in (1, 5))
    assert np.array_equal(quiet.scenes.xy, noisy.scenes.xy, equal_nan=True)
    clean = render_shard(load_data_recipe("seqcsist"), [3]).frames.astype(float)
    assert np.allclose((noisy.frames - clean) / 5, quiet.frames - clean, atol=1e-4)


def test_recipe_is_frozen():
    with pytest.raises(AttributeError):
        load_data_recipe("seqcsist").seed = 3
    assert msgspec.structs.replace(load_data_recipe("seqcsist"), seed=3).seed == 3


def test_every_frame_has_noise_of_its_own():
    noise = sensed(noise_sigma=3.0)
    assert stats.pearsonr(noise[:, 0].ravel(), noise[:, 1].ravel()).pvalue > 1e-4
    assert stats.kstest(noise.ravel() / 3.0, "norm").pvalue > 1e-4
    shot = sensed(np.full((200, 20, 11, 11), 80.0), shot_gain=2.0) - 80
    assert stats.pearsonr(shot[:, 0].ravel(), shot[:, 1].ravel()).pvalue > 1e-4


def test_frames_of_real_numbers_are_not_clipped_at_zero():
    noise = sensed(noise_sigma=3.0, saturation=5.0)
    assert noise.max() == 5.0
    assert (noise < 0).mean() == pytest.approx(0.5, abs=0.01)
    assert sensed(noise_sigma=3.0, bits=8).min() == 0.0


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0, 3.0])
def test_clutter_is_white_noise_shaped_by_its_spectrum(exponent):
    """Against sums of plane waves over a field four times as wide, from the same white noise."""
    frames = sensed(
        DARK[:2], background="clutter", background_mean=7.0, background_sigma=4.0, background_exponent=exponent
    )
    for index, frame in enumerate(frames[:, 0]):
        white = stream(0, index, 1).standard_normal((44, 44))
        frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(44), np.fft.fftfreq(44)))
        amplitude = np.zeros((44, 44))
        amplitude[frequency > 0] = frequency[frequency > 0] ** (-exponent / 2)  # power falls as f^-exponent
        wave = np.exp(2j * np.pi * np.outer(np.arange(44), np.arange(44)) / 44)
        spectrum = wave.conj() @ white @ wave.conj() * amplitude
        field = (wave @ spectrum @ wave).real
        np.testing.assert_allclose(frame, 7.0 + 4.0 * field[:11, :11] / field.std(), atol=1e-9)
