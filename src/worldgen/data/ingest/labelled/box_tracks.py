"""Track ids for boxes without them, by their overlap from frame to frame."""

from __future__ import annotations

from worldgen.data.ingest.labelled.picture_set import Row

MIN_OVERLAP = 0.3
"""Least overlap (intersection over union) of boxes in consecutive frames that are one object."""


def linked(rows: list[Row]) -> list[Row]:
    """The rows with a track id for those that have none (0): that of the best overlap in the previous frame.

    rows: (frame, class index, track id, x0, y0, x1, y1, ignore). Only boxes of one class are linked.
    """
    number = max([0, *(int(row[2]) for row in rows)])
    last: list[Row] = []
    out: list[Row] = []
    for frame in sorted({row[0] for row in rows}):
        taken: set[int] = set()
        before = [row for row in last if row[0] == frame - 1]
        last = []
        for row in (row for row in rows if row[0] == frame):
            track = int(row[2])
            if track == 0:
                fits = [
                    (_overlap(old, row), int(old[2])) for old in before if old[1] == row[1] and int(old[2]) not in taken
                ]
                best = max(fits, default=(0.0, 0))
                number += best[0] < MIN_OVERLAP
                track = best[1] if best[0] >= MIN_OVERLAP else number
            taken.add(track)
            last.append((*row[:2], track, *row[3:]))
        out += last
    return out


def _overlap(one: Row, two: Row) -> float:
    """Intersection over union of two boxes."""
    (a0, b0, a1, b1), (c0, d0, c1, d1) = one[3:7], two[3:7]
    shared = max(0.0, min(a1, c1) - max(a0, c0)) * max(0.0, min(b1, d1) - max(b0, d0))
    union = (a1 - a0) * (b1 - b0) + (c1 - c0) * (d1 - d0) - shared
    return shared / union if union > 0 else 0.0
