"""Presence of road users from the detector's boxes: a group is present when its best box scores high enough."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from worldgen.core.clip import Clip
from worldgen.files.shipped import assets_dir
from worldgen.instruments.detector.detector import GROUPS as DETECTED
from worldgen.instruments.detector.detector import Detector, find, load_detector
from worldgen.instruments.instrument_files import stored_instrument

DETECTOR = "detector"
SIZE_PX = 224, 128
"""Frames are resized to this width and height, for which the sizes that count as present are defined."""
LEAST_SCORE = 0.02


@dataclass(frozen=True, eq=False)
class PresenceReader:
    """A detector with a threshold for each of its groups.

    hash: of the detector's weights. thresholds: group -> score in (0, 1) from which on the group is present.
    """

    detector: Detector
    hash: str
    thresholds: dict[str, float]

    @classmethod
    def load(
        cls, thresholds: dict[str, float] | None = None, folder: str | Path | None = None
    ) -> PresenceReader | None:
        """The shipped detector, or one from a folder; None where there is none. Thresholds are 0.5 by default."""
        folder = Path(folder) if folder else assets_dir() / "instruments" / DETECTOR
        if not (folder / "config.json").is_file():
            return None
        return cls(load_detector(folder), stored_instrument(folder).hash, thresholds or dict.fromkeys(DETECTED, 0.5))

    def scores(self, clip: Clip, frames: list[int]) -> np.ndarray:
        """The best score of each of the detector's groups in each of N frames, ``(N, 3)`` float64; 0 where nothing is
        found."""
        pictures = clip.frames[np.clip(frames, 0, len(clip) - 1)]
        if pictures.shape[2:0:-1] != SIZE_PX:
            pictures = np.stack([cv2.resize(p, SIZE_PX, interpolation=cv2.INTER_AREA) for p in pictures])
        out = np.zeros((len(frames), len(DETECTED)))
        for row, (group, _, score) in enumerate(find(self.detector, pictures, threshold=LEAST_SCORE)):
            np.maximum.at(out[row], group, score)
        return out

    def read(self, clip: Clip, frames: list[int]) -> dict[str, np.ndarray]:
        """Group -> ``(N,)`` in [0, 1]: 0.5 where the score is the threshold, 0 and 1 where it is 0 and 1."""
        scores = self.scores(clip, frames)
        return {
            group: np.interp(scores[:, DETECTED.index(group)], [0.0, threshold, 1.0], [0.0, 0.5, 1.0])
            for group, threshold in self.thresholds.items()
        }


def best_threshold(present: np.ndarray, absent: np.ndarray) -> float:
    """The threshold with the highest balanced accuracy, in (0, 1); of equally good ones the middle one.

    present, absent: best scores ``(N,)`` and ``(M,)`` of pictures with and without the group; 0.5 where either is
    empty.
    """
    if not len(present) or not len(absent):
        return 0.5
    cuts = np.unique(np.concatenate([present, absent, [0.05, 0.95]]))
    cuts = np.clip((cuts[:-1] + cuts[1:]) / 2, 0.01, 0.99)
    right = [(present >= cut).mean() + (absent < cut).mean() for cut in cuts]
    best = np.flatnonzero(np.isclose(right, np.max(right)))
    return float(round(cuts[best[len(best) // 2]], 4))
