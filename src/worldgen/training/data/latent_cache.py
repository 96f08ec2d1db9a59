"""The latent cache: clips encoded once and kept on disk, so that training the world model decodes no video.

A cache is a folder named by what it was made from (codec weights, clips, size). The arrays hold
the N frames of all clips end to end:

- ``latents.npy`` ``(N, C, h, w)`` float16;
- ``past1.npy`` ``(N, C + 1, h, w)`` float16: the history of each frame at stride 1
  (``models.native.history.reprojection``), and ``past2.npy`` ... for other strides;
- ``mirrored.npy``, ``past1_mirrored.npy`` ...: the same of the mirrored frames, where training mirrors;
- ``layout.npy`` ``(N, K, hl, wl)`` uint8, 254 for 1, where clips have layouts;
- ``ego.npy`` ``(N, 2)`` float32; and ``cache.json``, the facts about each clip and a digest of each file.

The arrays are plain NumPy files, mapped into memory, never pickled. A cache whose files are not as they were written is
made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion
from worldgen.core.seeds import stable_key
from worldgen.files.digest import file_digest
from worldgen.files.json_files import read_object
from worldgen.training.data.rendered_layouts import mirror_layout
from worldgen.training.data.windows import ClipRecord

CACHE_VERSION = 6

LAYOUT_STEPS = 254
"""The byte that stands for 1 in a kept layout. It is even, so that 0.5, which stands for no motion, is kept exactly."""
_STEPS = (np.arange(256) / LAYOUT_STEPS).astype(np.float16)
"""The value of each byte, in a table: NumPy's division of float16 arrays is slow."""


@dataclass(frozen=True)
class CacheKey:
    """What a cache was made from."""

    codec: str
    clips: str
    width_px: int
    height_px: int
    mirrored: bool
    layouts: bool
    strides: tuple[int, ...]
    max_frames: int

    @property
    def name(self) -> str:
        return stable_key("latents", CACHE_VERSION, sorted(self.to_json().items()))

    def to_json(self) -> dict:
        """The key as ``cache.json`` holds it."""
        return {**vars(self), "strides": list(self.strides)}


class LatentCache:
    """Encoded clips on disk. Each process maps the arrays on first use, so a cache is light to send to loader
    processes.

    Raises:
        OSError, ValueError, KeyError: when the folder is no cache; see :func:`cache_damage`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        facts = read_object(folder / "cache.json")
        self.offsets = [clip["offset"] for clip in facts["clips"]]
        self.has_layout = [clip["has_layout"] for clip in facts["clips"]]
        ego = np.load(folder / "ego.npy", allow_pickle=False)
        self.records = [_record(clip, ego) for clip in facts["clips"]]
        self._maps: dict[str, np.ndarray] = {}

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_maps": {}}  # a memory map would be sent as a copy

    def __len__(self) -> int:
        return len(self.records)

    def latents(self, index: int, frames: slice, *, mirrored: bool = False) -> np.ndarray:
        """Latents ``(F, C, h, w)`` float32 of some frames of a clip."""
        return self._frames("mirrored" if mirrored else "latents", index, frames)

    def reprojected(self, index: int, frames: slice, *, mirrored: bool = False) -> np.ndarray:
        """History ``(F, C + 1, h, w)`` float32 of each frame: the frame ``frames.step`` before it, reprojected, and its
        visibility."""
        return self._frames(history_name(frames.step or 1, mirrored), index, frames)

    def layout(self, index: int, frames: slice, *, mirrored: bool = False) -> np.ndarray | None:
        """Layout maps ``(F, K, hl, wl)`` float16 of some frames of a clip, or None where it has none."""
        if not self.has_layout[index]:
            return None
        maps = _STEPS[self._frames("layout", index, frames, np.uint8)]
        return mirror_layout(maps) if mirrored else maps

    def _frames(self, name: str, index: int, frames: slice, dtype: DTypeLike = np.float32) -> np.ndarray:
        if name not in self._maps:
            self._maps[name] = np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        first = self.offsets[index]
        chosen = slice(first + frames.start, first + frames.stop, frames.step)
        return np.asarray(self._maps[name][chosen], dtype=dtype)


def history_name(stride: int, mirrored: bool) -> str:
    """Name of the array with the histories at one stride."""
    return f"past{stride}" + ("_mirrored" if mirrored else "")


ABSENT = "there are none"
"""What :func:`cache_damage` says of a folder that does not exist."""


def cache_damage(folder: Path, key: CacheKey) -> str | None:
    """Why the cache in ``folder`` cannot be used, or None when every file is as it was written."""
    if not folder.is_dir():
        return ABSENT
    try:
        facts = read_object(folder / "cache.json")
        if facts["cache_version"] != CACHE_VERSION or facts["key"] != key.to_json():
            return "they were made from something else"
        files = facts["files"].items()
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        return f"cache.json: {type(error).__name__}"
    for name, digest in files:
        if not (folder / name).is_file():
            return f"{name} is missing"
        if file_digest(folder / name) != digest:
            return f"{name} has other content than was written"
    return None


def _record(clip: dict, ego: np.ndarray) -> ClipRecord:
    rows = ego[clip["offset"] : clip["offset"] + clip["num_frames"]]
    return ClipRecord(
        key=clip["key"], caption=clip["caption"], fps=clip["fps"], num_frames=clip["num_frames"],
        ego=EgoMotion.from_array(rows, clip["fps"]) if clip["has_ego"] else None,
        camera=Camera.from_json(clip["camera"]) if clip["camera"] else None,
        split=clip["split"], drive=clip["drive"],
    )  # fmt: skip
