"""What a data set says of a source in its own tables, in place of files beside it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from worldgen.data.ingest.logs.ego_log import EgoLog


@dataclass(frozen=True, eq=False)
class Recording:
    """Times, ego log and boxes of a source.

    times_s: ``(F,)`` float64 times of its frames on the clock of the data set, increasing. log: its motion on the same
    clock, or None. boxes: (frame index, class index, track id, x0, y0, x1, y1, ignore) of each box in pixels, or None
    where nobody annotated. notes: sentences for the report.
    """

    times_s: np.ndarray
    log: EgoLog | None = None
    boxes: tuple[tuple[float, ...], ...] | None = None
    notes: tuple[str, ...] = ()

    def digest(self) -> bytes:
        """A hash of the content."""
        hasher = hashlib.blake2b(np.ascontiguousarray(self.times_s).tobytes())
        if self.log is not None:
            for name, values in sorted(self.log.series.items()):
                hasher.update(name.encode() + np.ascontiguousarray(values).tobytes())
        hasher.update(repr(self.boxes).encode())
        return hasher.digest()
