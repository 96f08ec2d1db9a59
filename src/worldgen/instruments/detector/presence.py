"""Who is there, from the boxes that the detector finds: a group is present when its best box scores high enough."""

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
"""Pictures are brought to this width and height, as the sizes that count as present are meant there."""
LEAST_SCORE = 0.02


@dataclass(frozen=True, eq=False)
class PresenceReader:
    """A detector with a score for each of its groups from which on one is there.

    hash: names the detector's weights. thresholds: group -> score in (0, 1).
    """

    detector: Detector
    hash: str
    thresholds: dict[str, float]

    @classmethod
    def load(
        cls, thresholds: dict[str, float] | None = None, folder: str | Path | None = None
    ) -> PresenceReader | None:
        """The shipped detector, or one from a folder; None where there is none. Scores are 0.5 until calibrated."""
        folder = Path(folder) if folder else assets_dir() / "instruments" / DETECTOR
        if not (folder / "config.json").is_file():
            return None
        return cls(load_detector(folder), stored_instrument(folder).hash, thresholds or dict.fromkeys(DETECTED, 0.5))

    def scores(self, clip: Clip, frames: list[int]) -> np.ndarray:
        """The best score of each of the detector's groups in each of the frames, ``(N, 3)``; 0 where nothing is found."""
        pictures = clip.frames[np.clip(frames, 0, len(clip) - 1)]
        if pictures.shape[2:0:-1] != SIZE_PX:
            pictures = np.stack([cv2.resize(p, SIZE_PX, interpolation=cv2.INTER_AREA) for p in pictures])
        out = np.zeros((len(frames), len(DETECTED)))
        for row, (group, _, score) in enumerate(find(self.detector, pictures, threshold=LEAST_SCORE)):
            np.maximum.at(out[row], group, score)
        return out

    def read(self, clip: Clip, frames: list[int]) -> dict[str, np.ndarray]:
        """Group -> ``(N,)`` in [0, 1]: 0.5 at the threshold, 0 for nothing, 1 for certain."""
        scores = self.scores(clip, frames)
        return {
            group: np.interp(scores[:, DETECTED.index(group)], [0.0, threshold, 1.0], [0.0, 0.5, 1.0])
            for group, threshold in self.thresholds.items()
        }


def best_threshold(present: np.ndarray, absent: np.ndarray) -> float:
    """The score that best parts pictures with a group from those without: most balanced share right.

    present, absent: best scores ``(N,)`` and ``(M,)``; of equally good scores the middle one, 0.5 where either is empty.
    """
    if not len(present) or not len(absent):
        return 0.5
    cuts = np.unique(np.concatenate([present, absent, [0.05, 0.95]]))
    cuts = np.clip((cuts[:-1] + cuts[1:]) / 2, 0.01, 0.99)
    right = [(present >= cut).mean() + (absent < cut).mean() for cut in cuts]
    best = np.flatnonzero(np.isclose(right, np.max(right)))
    return float(round(cuts[best[len(best) // 2]], 4))
