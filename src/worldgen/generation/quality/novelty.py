"""Novelty: the distance of a clip from the training clips of the model, which is small for copies of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError, Received

GRID = (16, 9)
MOMENTS = 3
DIMENSIONS = 32
FILE_NAME = "training.safetensors"
ARRAYS = {"mean": 1, "basis": 2, "descriptors": 2, "scale": 1}


def describe(clip: Clip) -> np.ndarray:
    """First, middle and last frame as 16 x 9 cells of CIELAB colour, ``(1296,)`` float32, 1 about black to white."""
    picked = np.linspace(0, len(clip) - 1, MOMENTS).round().astype(int)
    cells = [cv2.resize(clip.frames[i], GRID, interpolation=cv2.INTER_AREA) for i in picked]
    return np.concatenate([cv2.cvtColor(c.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).ravel() for c in cells]) / 100


@dataclass(frozen=True, eq=False)
class TrainingClips:
    """Descriptors of the training clips.

    mean ``(1296,)`` and basis ``(1296, 32)``: principal components of their descriptions. descriptors ``(n, 32)``: each
    clip in these components. scale ``(1,)``: the median distance of a training clip to its nearest neighbour among the
    others. All float32; stored as float16.
    """

    mean: np.ndarray
    basis: np.ndarray
    descriptors: np.ndarray
    scale: np.ndarray

    def __len__(self) -> int:
        return len(self.descriptors)

    def novelty(self, clip: Clip) -> float:
        """Distance to the nearest training clip; 1 is the median distance of training clips from one another."""
        point = (describe(clip) - self.mean) @ self.basis
        return float(np.sqrt(np.square(self.descriptors - point).sum(1)).min() / self.scale[0])

    @classmethod
    def of(cls, clips: Iterable[Clip]) -> TrainingClips:
        """Describe training clips. Raises: InputError for fewer than three, or when most are copies of one another."""
        rows = np.stack([describe(clip) for clip in clips])
        if len(rows) < 3:
            raise InputError("training clips to describe", len(rows), "at least three")
        mean = rows.mean(0)
        _, _, directions = np.linalg.svd(rows - mean, full_matrices=False)
        # Rounded as it is stored, so that later clips are measured in the same components.
        stored = lambda x: x.astype(np.float16).astype(np.float32)  # noqa: E731
        mean, basis = stored(mean), stored(directions[:DIMENSIONS].T)
        points = stored((rows - mean) @ basis)
        apart = np.sqrt(np.maximum(_squared_distances(points), 0))
        np.fill_diagonal(apart, np.inf)
        scale = np.median(apart.min(1))
        if scale == 0:
            raise InputError("training clips to describe", Received("mostly copies of one another"), "different clips")
        return cls(mean, basis, points, np.array([scale], np.float32))

    def save(self, folder: str | Path) -> None:
        """Write ``training.safetensors`` into a folder."""
        from safetensors.numpy import save

        from worldgen.files.storage import write_bytes

        # safetensors writes the memory of an array, so a transposed array would be read in another order.
        arrays = {
            name: np.ascontiguousarray(getattr(self, name), np.float16 if name != "scale" else np.float32)
            for name in ARRAYS
        }
        write_bytes(str(Path(folder) / FILE_NAME), save(arrays))

    @classmethod
    def load(cls, folder: str | Path) -> TrainingClips | None:
        """The training clips described in a folder; None where there is no such file.

        Raises: InputError for a damaged file.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = Path(folder) / FILE_NAME
        if not path.is_file():
            return None
        try:
            arrays = load_file(path)
        except SafetensorError as error:
            raise InputError(f"training clips {path}", Received(str(error)), "a whole .safetensors file") from error
        if {name: array.ndim for name, array in arrays.items()} != ARRAYS:
            raise InputError(f"training clips {path}", sorted(arrays), f"the arrays {', '.join(ARRAYS)}")
        return cls(**{name: array.astype(np.float32) for name, array in arrays.items()})


def _squared_distances(points: np.ndarray) -> np.ndarray:
    squares = np.square(points.astype(np.float64)).sum(1)
    return squares[:, None] + squares[None] - 2 * points.astype(np.float64) @ points.T.astype(np.float64)
