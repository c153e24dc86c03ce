import numpy as np
import pytest
from scipy.ndimage import correlate1d

from csist_bench.detections import Detections
from csist_bench.errors import InputError
from csist_bench.evaluation import _kernels as kernel
from csist_bench.evaluation.breakdown import bootstrap_intervals, separation
from csist_bench.evaluation.ceilings import ceiling_text, grid_ceiling, snapped_targets
from csist_bench.evaluation.image_quality import image_quality, ssim
from csist_bench.evaluation.matching import match
from csist_bench.evaluation.metrics import best_f1, cardinality, rmse
from csist_bench.evaluation.report import DetailOptions, evaluate
from csist_bench.simulation.optics import Optics, grid_from_targets
from tests.helpers.scenes import detections_of, frames_of, random_scene, truth_of
from tests.reference import naive_scoring as naive


def test_best_f1_tries_every_score_and_no_cut_within_a_tie():
    rng = np.random.default_rng(0)
    for _ in range(200):
        n, frames = int(rng.integers(1, 12)), 4
        score = np.sort(rng.integers(0, 5, n))[::-1].astype(float)
        hits, frame = rng.random(n) < 0.5, rng.integers(0, frames, n)
        count = rng.integers(1, 4, frames)
        tried = []
        for cut in np.unique(score)[::-1]:
            kept = score >= cut
            true = int(hits[kept].sum())
            tried.append((2 * true / (kept.sum() + count.sum()), cut, true, kept))
        f1, cut, true, kept = max(tried, key=lambda row: (row[0], row[1]))
        point = best_f1(0.1, score, hits, frame, count)
        assert (point.f1, point.score) == (100 * f1, cut)
        assert point.precision == pytest.approx(100 * true / kept.sum())
        assert point.recall == pytest.approx(100 * true / count.sum())
        assert point.false_alarms == pytest.approx((kept.sum() - true) / frames)
        assert point.cardinality == pytest.approx(100 * cardinality(frame[kept], count))


def test_best_f1_of_nothing():
    none = np.zeros(0)
    point = best_f1(0.1, none, none.astype(bool), none.astype(int), np.array([2, 0]))
    assert (point.precision, point.recall, point.f1, point.false_alarms, point.cardinality) == (0, 0, 0, 0, 50)
    assert np.isnan(point.score)


def test_rmse():
    assert rmse(np.array([0.3, 0.4])) == pytest.approx(np.sqrt(0.125))
    assert np.isnan(rmse(np.zeros(0)))


def test_ssim_equals_a_plain_filter():
    rng = np.random.default_rng(1)
    a, b = rng.uniform(0, 255, (2, 3, 15, 15))
    offset = np.arange(-5, 6)
    weight = np.exp(-(offset**2) / 4.5)
    weight /= weight.sum()

    def smooth(image):
        return correlate1d(correlate1d(image, weight, axis=0), weight, axis=1)[5:-5, 5:-5]

    for x, y, value in zip(a, b, ssim(a, b)):
        mx, my = smooth(x), smooth(y)
        vx, vy, vxy = smooth(x * x) - mx**2, smooth(y * y) - my**2, smooth(x * y) - mx * my
        top = (2 * mx * my + 2.55**2) * (2 * vxy + 7.65**2)
        bottom = (mx**2 + my**2 + 2.55**2) * (vx + vy + 7.65**2)
        assert value == pytest.approx((top / bottom).mean(), abs=1e-10)
    assert ssim(a, a) == pytest.approx(np.ones(3))


def test_image_quality_is_of_the_label_grids():
    rng = np.random.default_rng(2)
    targets, rows = random_scene(rng, n=1, t=4)
    rows = [(*row[:2], *np.clip(row[2:4], 0, 10), row[4]) for row in rows]
    intensity = rng.uniform(200, 260, len(rows))
    truth = truth_of(targets, 1, 4)
    matched = match(detections_of(rows, intensity=intensity), truth)
    quality = image_quality(matched, truth, 3, 11)
    optics = Optics()
    theirs = grid_from_targets(truth.frame_xy, truth.frame_intensity, optics)
    for index in range(4):
        mine = [i for i, row in enumerate(rows) if row[1] == index]
        xy = np.array([rows[i][2:4] for i in mine]).reshape(-1, 2)
        ours = grid_from_targets(xy, intensity[mine], optics)
        assert quality.squared_error[index] == pytest.approx(np.mean((ours - theirs[index]) ** 2))
        assert quality.ssim[index] == pytest.approx(ssim(ours[None], theirs[index : index + 1])[0])
    everything = np.ones(4, dtype=bool)
    assert quality.psnr(everything) == pytest.approx(10 * np.log10(255**2 / quality.squared_error.mean()))


def test_image_quality_of_the_truth_is_perfect_and_needs_intensities():
    truth = truth_of([[(5, 5), (7, 3)]], 1, 1)
    rows = [(0, 0, 5, 5, 1), (0, 0, 7, 3, 1)]
    perfect = image_quality(match(detections_of(rows, intensity=np.full(2, 230.0)), truth), truth, 3, 11)
    assert perfect.psnr(np.ones(1, dtype=bool)) == np.inf
    assert perfect.ssim[0] == pytest.approx(1)
    assert image_quality(match(detections_of(rows), truth), truth, 3, 11) is None
    report = evaluate(detections_of(rows), truth, full=True, options=DetailOptions(bootstrap=5))
    assert report.to_dict()["figures"]["psnr"] is None


def test_breakdowns_are_scores_of_the_frames_alone():
    rng = np.random.default_rng(3)
    targets, rows = random_scene(rng, n=3, t=4)
    truth = truth_of(targets, 3, 4)
    details = evaluate(detections_of(rows), truth, full=True, options=DetailOptions(bootstrap=0)).details
    assert sum(row.frames for row in details.by_targets) == 12
    assert sum(row.frames for row in details.by_separation) == 12
    frames = frames_of(targets, rows, 4)
    for row in details.by_targets:
        chosen = [frame for frame in frames if f"K = {len(frame[1])}" == row.label]
        assert len(chosen) == row.frames
        if row.label == "K = 0":
            assert np.isnan(row.ap).all()
        else:
            np.testing.assert_allclose(np.array(row.ap) / 100, naive.score(chosen), atol=1e-12)
        assert row.ospa == pytest.approx(np.mean([naive.ospa(*frame) for frame in chosen]))
        right = np.mean([len(detections) == len(group) for detections, group in chosen])
        assert row.cardinality == pytest.approx(100 * right)
    assert details.intervals == {}


def test_separation_is_the_smallest_distance():
    truth = truth_of([[(5, 5), (5, 6), (5.3, 5.4)], [(5, 5)], []], 1, 3)
    assert separation(truth).tolist() == pytest.approx([0.5, np.inf, np.inf])


def _weighted(targets, rows, weights):
    """AP of a scene in which trajectory i is repeated weights[i] times, by the plain scorer."""
    copies = np.repeat(np.arange(len(weights)), weights)
    again = [targets[c] for c in copies]
    repeated = [(i, *row[1:]) for i, c in enumerate(copies) for row in rows if row[0] == c]
    return evaluate(detections_of(repeated), truth_of(again, len(again), 1)).ap


def test_weighted_ap_equals_the_ap_of_repeated_trajectories():
    rng = np.random.default_rng(4)
    for _ in range(40):
        targets, rows = random_scene(rng, n=4, t=1)
        # Distinct scores: copies of tied detections of one trajectory would rank in turns, not one after another.
        rows = [(*row[:4], score) for row, score in zip(rows, rng.permutation(len(rows)))]
        truth = truth_of(targets, 4, 1)
        matched = match(detections_of(rows), truth)
        weights = rng.integers(0, 4, (3, 4))
        weights[:, 0] += 1
        places = [np.flatnonzero(row) for row in matched.hits]
        out = np.empty((3, 5))
        scratch = np.empty((2, len(rows)), dtype=np.int64)
        start = np.cumsum([0, *map(len, places)])
        per_trajectory = truth.frame_count
        kernel.weighted_average_precision(
            np.concatenate(places), start, matched.frame, weights, per_trajectory, scratch, out
        )
        for row, values in zip(weights, out):
            expected = _weighted(targets, rows, row) if (row * per_trajectory).sum() else (0.0,) * 5
            np.testing.assert_allclose(100 * values, expected, atol=1e-10)


def test_intervals_hold_the_score_repeat_with_the_seed_and_close_with_more_data():
    rng = np.random.default_rng(5)

    def scene(n):
        targets = [[(5, 5), (7, 7)]] * n
        rows = [(i, 0, 5 + rng.normal(0, 0.1), 5, rng.random()) for i in range(n)]
        return truth_of(targets, n, 1), detections_of(rows)

    widths = []
    for n in (20, 500):
        truth, detections = scene(n)
        matched = match(detections, truth)
        intervals = bootstrap_intervals(matched, truth, 200, seed=1)
        assert intervals == bootstrap_intervals(matched, truth, 200, seed=1)
        assert intervals != bootstrap_intervals(matched, truth, 200, seed=2)
        report = evaluate(detections, truth)
        for value, (low, high) in zip((*report.ap, report.cso_map), intervals):
            assert low <= value <= high
        widths.append(intervals[-1][1] - intervals[-1][0])
    assert widths[1] < widths[0] / 3


def test_intervals_do_not_vary_where_all_trajectories_are_alike():
    truth = truth_of([[(5, 5), (7, 7)]] * 6, 6, 1)
    matched = match(detections_of([(i, 0, 5, 5, 1) for i in range(6)]), truth)
    assert np.array(bootstrap_intervals(matched, truth, 20)) == pytest.approx(50.0)
    with pytest.raises(InputError, match="at least 1 resample"):
        bootstrap_intervals(matched, truth, 0)


def test_snapped_targets_sit_on_nodes_and_merge():
    truth = truth_of([[(5.1, 4.9), (4.9, 5.1), (6.4, 5.0)]], 1, 1, intensity=[[220, 230, 240]])
    snapped = snapped_targets(truth, 3)
    rows = sorted(zip(snapped.x.round(9), snapped.y.round(9), snapped.score))
    assert rows == [(5.0, 5.0, 450.0), (round(19 / 3, 9), 5.0, 240.0)]


def test_grid_ceiling_bounds_every_ranking():
    rng = np.random.default_rng(6)
    targets = [rng.uniform(3, 8, (3, 2)) for _ in range(40)]
    truth = truth_of(targets, 10, 4, intensity=rng.uniform(220, 250, (40, 3)))
    ceiling = grid_ceiling(truth, 3)
    snapped = snapped_targets(truth, 3)
    by_brightness = evaluate(snapped, truth)
    assert ceiling["by_brightness"]["cso_map"] == pytest.approx(by_brightness.cso_map)
    for _ in range(20):
        score = rng.random(len(snapped))
        shuffled = Detections(snapped.trajectory, snapped.frame, snapped.x, snapped.y, score)
        assert evaluate(shuffled, truth).cso_map <= ceiling["any_ranking"]["cso_map"] + 1e-9
    assert grid_ceiling(truth, 5)["any_ranking"]["cso_map"] > ceiling["any_ranking"]["cso_map"]
    assert "3-fold" in ceiling_text(ceiling)
    with pytest.raises(InputError, match="odd number of nodes"):
        grid_ceiling(truth, 4)
