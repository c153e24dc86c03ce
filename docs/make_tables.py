"""Measure the tables of tracks.md, resolution.md and groups.md, beside this script, and write them there.

    python docs/make_tables.py [tracks] [resolution] [groups]

It makes its own data sets, as the pages say, and takes some ten minutes on two cores. Scores of fitters are the same on
any machine; those of networks may differ in the last digit, and speeds are this machine's.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

import csist_bench as cb
from csist_bench.datasets import Split
from csist_bench.evaluation.matching import best_of_each_frame, positions
from csist_bench.evaluation.resolution import pairs_of
from csist_bench.evaluation.track_scores import score_tracks
from csist_bench.evaluation.truth import Truth
from csist_bench.leaderboard.result_tables import markdown_table
from csist_bench.methods.linking import with_tracks

PAGES = Path(__file__).resolve().parent
SIGMAS = (2, 5)  # grey levels
DISTANCES = (0.1, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0)  # px, edges of the table's bins
ALL_ANSWERS = 10**6


class Way(NamedTuple):
    """A row: how the page calls a method, and how it is run."""

    name: str
    method: str
    weights: str | None = None
    decoder: str = "grid"
    answers: int = 2  # a frame, that count in the table of resolution

    def run(self, data: Split) -> cb.Detections:
        """Return its answers."""
        print(f"{self.name} on {data.recipe.name}, sigma {data.recipe.noise_sigma:g}", file=sys.stderr)
        return cb.unmix(data, self.method, weights=self.weights, decoder=self.decoder)


TRACKED = (
    Way("`ml`, linked", "ml"),
    Way("`ml-seq`, 20 frames", "ml-seq"),
    Way("`group-map`, 20 frames", "group-map"),
    Way("`offgrid-net`, 5 frames", "offgrid-net", "offgrid-net-5"),
    Way("`offgrid-net`, 20 frames", "offgrid-net", "offgrid-net-20"),
    Way("`derefnet`, grid", "derefnet"),
    Way("`derefnet`, polish", "derefnet", decoder="polish"),
)
NAMED_BY_TRUTH = (0, 3, 5, 6)  # rows of those, whose linking is compared with the truth's
RESOLVING = (
    Way("`ml`", "ml"),
    Way("`offgrid-net --weights offgrid-net-free`", "offgrid-net", "offgrid-net-free"),
    Way("`espcn`, grid", "espcn"),
    Way("`espcn`, polish", "espcn", decoder="polish"),
    Way("`bid`, grid", "bid"),
    Way("`bid`, polish", "bid", decoder="polish"),
    Way("`bid`, grid, all answers", "bid", answers=ALL_ANSWERS),
)


def tracks(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the name of each table of tracks.md and its text."""
    scored, by_truth = [], []
    for sigma in SIGMAS:
        path = folder / f"noise{sigma}.zarr"
        data = cb.generate(path, "seqcsist-noise", trajectories=667, noise_sigma=sigma).test
        truth = Truth.from_split(data)
        for n, way in enumerate(TRACKED):
            found = way.run(data)
            found = with_tracks(found) if found.track is None else found
            of = score_tracks(found, truth).to_dict()
            shares = [f"{of[name]:.1f}" for name in ("hota", "deta", "assa", "loca", "idf1")]
            cso_map = f"{cb.evaluate(found, data).cso_map:.1f}"
            scored.append([way.name, f"{sigma}", cso_map, *shares, f"{of['ospa2']:.3f}", f"{of['id_switches']}"])
            if n in NAMED_BY_TRUTH:
                best = score_tracks(named_by_truth(found, truth), truth).to_dict()
                shown = [f"{best['hota']:.1f}", f"{best['idf1']:.1f}", f"{best['ospa2']:.3f}", f"{best['id_switches']}"]
                by_truth.append([way.name.removesuffix(", linked"), f"{sigma}", *shown])
    names = ["", "sigma", "CSO-mAP", "HOTA", "DetA", "AssA", "LocA", "IDF1", "OSPA(2), px", "switches"]
    yield "scores", markdown_table(names, scored)
    yield "named by the truth", markdown_table(["", "sigma", "HOTA", "IDF1", "OSPA(2), px", "switches"], by_truth)


def named_by_truth(found: cb.Detections, truth: Truth) -> cb.Detections:
    """Return detections whose tracks are their nearest targets; second ones in a frame are tracks of their own."""
    frame = truth.scored_frame(found)
    found = found.select(frame >= 0)
    frame = frame[frame >= 0]
    away = np.linalg.norm(truth.frame_xy[frame] - positions(found)[:, None], axis=-1)
    nearest = np.nanargmin(away, axis=1)
    order = np.lexsort([away[np.arange(len(frame)), nearest], nearest, frame])
    same = np.zeros(len(frame), bool)
    same[1:] = (np.diff(frame[order]) == 0) & (np.diff(nearest[order]) == 0)
    place = np.arange(len(frame))
    again = np.empty(len(frame), np.int64)
    again[order] = place - np.maximum.accumulate(np.where(same, 0, place))
    return replace(found, track=nearest + truth.frame_xy.shape[1] * again)


def resolution(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the name of the table of resolution.md and its text."""
    data = cb.generate(folder / "pairs.zarr", "csist-pairs", trajectories=3000).test
    truth = Truth.from_split(data)
    rows, known = [], {}
    for way in RESOLVING:
        key = way._replace(name="", answers=0)
        found = known[key] = known.get(key) or way.run(data)
        pairs = pairs_of(best_of_each_frame(found, way.answers), truth)
        shares = pairs.shares(np.array(DISTANCES), np.array([1.0, pairs.ratio.max()]))[0]
        percent = [f"{100 * share:.1f}" for share in (pairs.resolved.mean(), *shares)]
        rows.append([way.name, *percent, f"{pairs.answers:.1f}"])
    bins = [f"{low}-{high}" for low, high in pairwise(DISTANCES)]
    yield "shares", markdown_table(["", "all", *bins, "answers counted"], rows)


def groups(_: Path) -> Iterator[tuple[str, str]]:
    """Yield the name of the table of groups.md and its text."""
    sys.path.insert(0, str(PAGES.parent))  # frames made by plain NumPy are of the tests
    from tests.helpers.group_aims import HEAD, measured

    yield "groups", markdown_table(HEAD, measured())


PARTS: dict[str, Callable[[Path], Iterator[tuple[str, str]]]] = {
    "tracks": tracks,
    "resolution": resolution,
    "groups": groups,
}


def main() -> None:
    """Carry out the command."""
    chosen = sys.argv[1:] or list(PARTS)
    if unknown := set(chosen) - set(PARTS):
        sys.exit(f"must be among {', '.join(PARTS)}, got {', '.join(sorted(unknown))}")
    for name in chosen:
        page = PAGES / f"{name}.md"
        with tempfile.TemporaryDirectory() as folder:
            for part, text in PARTS[name](Path(folder)):
                marked = re.compile(rf"(<!-- begin measured: {part} -->\n)(.*?)(<!-- end measured -->)", re.DOTALL)
                if not marked.search(page.read_text()):
                    sys.exit(f"{page}: must hold <!-- begin measured: {part} --> and <!-- end measured -->")
                page.write_text(marked.sub(rf"\g<1>\n{text}\n\n\g<3>", page.read_text()))


if __name__ == "__main__":
    main()
