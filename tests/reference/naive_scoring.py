"""The scoring protocol with plain loops, written from its text and sharing no code with the package.

A frame is a pair (detections, targets); a detection is (trajectory, frame, x, y, score), a target is (x, y).
"""

from __future__ import annotations

import itertools
import math

THRESHOLDS = (0.05, 0.10, 0.15, 0.20, 0.25)


def distance(detection, target):
    dx, dy = detection[2] - target[0], detection[3] - target[1]
    return math.sqrt(dx * dx + dy * dy)


def ranked(detections):
    return sorted(detections, key=lambda d: (-d[4], d[0], d[1], d[2], d[3]))


def nearest_hits(detections, targets, threshold):
    """Return the true positives of one frame: each detection looks at its nearest target only."""
    taken, hits = set(), []
    for detection in ranked(detections):
        best, best_distance = None, math.inf
        for index, target in enumerate(targets):
            if distance(detection, target) < best_distance:
                best, best_distance = index, distance(detection, target)
        if best is not None and best_distance <= threshold and best not in taken:
            taken.add(best)
            hits.append(detection)
    return hits


def hungarian_pairs(detections, targets, threshold):
    """Return (pairs, total distance) of the best one-to-one assignment within the threshold, by trying them all."""
    best = (0, 0.0)
    slots = [*range(len(targets)), *[None] * len(detections)]
    for choice in set(itertools.permutations(slots, len(detections))):
        pairs = [distance(d, targets[t]) for d, t in zip(detections, choice) if t is not None]
        if all(value <= threshold for value in pairs):
            best = max(best, (len(pairs), -sum(pairs)))
    return best[0], -best[1]


def average_precision(detections, hits, n_targets):
    """Area under the precision-recall curve, precision made monotone from the right."""
    hit = {id(d) for d in hits}
    recall, precision, true = [0.0], [], 0
    for rank, detection in enumerate(ranked(detections), start=1):
        true += id(detection) in hit
        recall.append(true / n_targets)
        precision.append(true / rank)
    area = 0.0
    for i in range(len(precision)):
        area += (recall[i + 1] - recall[i]) * max(precision[i:])
    return area


def score(frames, thresholds=THRESHOLDS):
    """Return [AP per threshold] as fractions over a list of (detections, targets)."""
    everything = [d for detections, _ in frames for d in detections]
    n_targets = sum(len(targets) for _, targets in frames)
    result = []
    for threshold in thresholds:
        hits = [d for detections, targets in frames for d in nearest_hits(detections, targets, threshold)]
        result.append(average_precision(everything, hits, n_targets))
    return result


def ospa(detections, targets, cutoff=0.25):
    """OSPA of order 2 of one frame, by trying every assignment (Schuhmacher, Vo and Vo 2008)."""
    m, n = len(detections), len(targets)
    if m == 0 and n == 0:
        return 0.0
    if m == 0 or n == 0:
        return cutoff
    few, many = (detections, targets) if m <= n else (targets, detections)
    best = math.inf
    for chosen in itertools.permutations(many, len(few)):
        total = 0.0
        for a, b in zip(few, chosen):
            d, t = (a, b) if m <= n else (b, a)
            total += min(distance(d, t), cutoff) ** 2
        best = min(best, total)
    return math.sqrt((best + cutoff**2 * abs(m - n)) / max(m, n))


def gospa(detections, targets, cutoff=0.25):
    """GOSPA of order 2 and alpha 2 of one frame, by trying every set of pairs (Rahmathullah et al. 2017).

    Returns the distance and the parts of its square: localisation, missed, false.
    """
    half = cutoff**2 / 2
    best = (half * (len(targets) + len(detections)), 0.0, half * len(targets), half * len(detections))
    for size in range(1, min(len(detections), len(targets)) + 1):
        for chosen in itertools.combinations(detections, size):
            for order in itertools.permutations(targets, size):
                apart = [distance(d, t) for d, t in zip(chosen, order)]
                if max(apart) >= cutoff:
                    continue
                parts = (
                    sum(value**2 for value in apart),
                    half * (len(targets) - size),
                    half * (len(detections) - size),
                )
                best = min(best, (sum(parts), *parts))
    return math.sqrt(best[0]), *best[1:]


def common_f1(frames, thresholds=THRESHOLDS):
    """CSO-F1: F1 at each threshold, as fractions, at the one score cut of highest mean; of equal ones the highest."""
    everything = [d for detections, _ in frames for d in detections]
    n_targets = sum(len(targets) for _, targets in frames)
    best, found = -1.0, None
    for cut in sorted({d[4] for d in everything}, reverse=True):
        f1 = []
        for threshold in thresholds:
            kept = [([d for d in detections if d[4] >= cut], targets) for detections, targets in frames]
            true = sum(len(nearest_hits(detections, targets, threshold)) for detections, targets in kept)
            f1.append(2 * true / (sum(len(detections) for detections, _ in kept) + n_targets))
        if math.fsum(f1) > best + 1e-12:
            best, found = math.fsum(f1), (cut, f1)
    return found
