"""Groups followed over the frames of a trajectory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

REACH = 4.0  # px that a group may be away from where it was expected
LONGEST_GAP = 3  # frames without light that a track bridges
MEMORY = 0.5  # weight of the newest step in a track's speed


@dataclass(eq=False)
class Track:
    """A group in consecutive frames from `first` on.

    `members` holds its index among the groups of each frame, -1 where it was not seen; `centres` (row, column), px, are
    those of its light, in between along a straight line.
    """

    first: int
    members: list[int] = field(default_factory=list)
    centres: list[tuple[float, float]] = field(default_factory=list)
    speed: tuple[float, float] = (0.0, 0.0)

    @property
    def last(self) -> int:
        """The frame in which it was last seen."""
        return self.first + len(self.members) - 1

    def expected(self, frame: int) -> tuple[float, float]:
        """Return where it should be in a later frame."""
        ahead = frame - self.last
        return self.centres[-1][0] + ahead * self.speed[0], self.centres[-1][1] + ahead * self.speed[1]

    def extend(self, frame: int, member: int, centre: tuple[float, float]) -> None:
        """Add a sighting, and straight steps over the frames since the last one."""
        ahead = frame - self.last
        begin = self.centres[-1]
        step = ((centre[0] - begin[0]) / ahead, (centre[1] - begin[1]) / ahead)
        for n in range(1, ahead):
            self.members.append(-1)
            self.centres.append((begin[0] + n * step[0], begin[1] + n * step[1]))
        self.members.append(member)
        self.centres.append(centre)
        weight = MEMORY if len(self.members) > ahead + 1 else 1.0
        self.speed = (
            weight * step[0] + (1 - weight) * self.speed[0],
            weight * step[1] + (1 - weight) * self.speed[1],
        )


def follow(centres: Sequence[Floats]) -> list[Track]:
    """Link the groups of consecutive frames: nearest first, within `REACH` of where each is expected.

    Parameters
    ----------
    centres : T arrays, shape (G, 2), px
        (row, column) of the groups of each frame.

    Returns
    -------
    list of Track
        By first frame, then row and column: a track's place is the number of its group.
    """
    tracks: list[Track] = []
    alive: list[Track] = []
    for frame, found in enumerate(centres):
        alive = [track for track in alive if frame - track.last <= LONGEST_GAP + 1]
        free = set(range(len(found)))
        if alive and len(found):
            expected = np.array([track.expected(frame) for track in alive])
            away = np.hypot(*(expected[:, None] - found[None]).transpose(2, 0, 1))
            rows, columns = np.nonzero(away <= REACH)
            order = np.argsort(away[rows, columns], kind="stable")
            taken: set[int] = set()
            for a, g in zip(rows[order].tolist(), columns[order].tolist()):
                if a not in taken and g in free:
                    taken.add(a)
                    free.discard(g)
                    alive[a].extend(frame, g, (float(found[g, 0]), float(found[g, 1])))
        for g in sorted(free, key=lambda g: (found[g, 0], found[g, 1])):
            born = Track(frame, [g], [(float(found[g, 0]), float(found[g, 1]))])
            tracks.append(born)
            alive.append(born)
    return tracks
