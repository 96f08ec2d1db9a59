"""The output folder of one sample: clip, contact sheet, labels, ego motion, and the settings that reproduce it."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion, planar_poses
from worldgen.core.labels import Labels
from worldgen.data.export.coco import coco_video
from worldgen.data.video.control_video import write_controls
from worldgen.data.video.encoding import Mp4Writer
from worldgen.data.video.image_files import write_image
from worldgen.data.view.sheet import contact_sheet

SHEET_FRAMES = 8
SHEET_COLUMNS = 4
SHEET_CELL_PX = 448
FILES = ("clip.mp4", "sheet.png", "labels.json", "ego.csv", "meta.json")


class SampleFolder:
    """Writes ``FILES`` into an existing empty folder.

    The clip is written in parts, so memory is independent of its length. ``labels.json`` is a COCO record
    (:class:`worldgen.data.export.coco.CocoVideo`), without annotations when there are no labels. ``ego.csv`` is an ego
    log with one row per frame, only the header when the motion is unknown. ``meta.json`` is written last: a folder that
    has it is complete. Controls, where there are any, lie in ``controls/``.
    """

    def __init__(self, folder: Path, *, num_frames: int, fps: float, size_px: tuple[int, int]):
        self.folder = folder
        self.num_frames, self.fps, self.size_px = num_frames, fps, size_px
        self._writer = Mp4Writer(folder / "clip.mp4", fps, size_px)
        self._shown = sheet_frames(num_frames)
        self._pictures: list[np.ndarray] = []

    def add(self, frames: np.ndarray) -> None:
        """Append frames ``(T, H, W, 3)`` uint8 RGB."""
        start = self._writer.num_frames
        self._writer.write(frames)
        self._pictures += [frames[i - start].copy() for i in self._shown if start <= i < start + len(frames)]

    def add_controls(self, controls: Mapping[str, np.ndarray]) -> None:
        """Write control videos of the whole clip, name -> ``(T, H, W, 3)`` uint8, as ``controls/NAME.mp4``."""
        write_controls(self.folder, controls, self.fps)

    def finish(self, meta: dict, *, caption: str, ego: EgoMotion | None, labels: Labels | None) -> None:
        """Close the clip and write the other files. meta: JSON values (prompt, seed, model, versions, ...)."""
        assert self._writer.num_frames == self.num_frames, (self._writer.num_frames, self.num_frames)
        self._writer.__exit__(None, None, None)
        unlabelled = labels is None
        labels = labels or Labels.empty(self.num_frames, *self.size_px)
        record = coco_video(labels, file_name="clip.mp4", fps=self.fps)
        if unlabelled:  # nobody looked, which is not the same as a scene without objects
            record["info"]["labels_source"] = "none"
        (self.folder / "labels.json").write_text(json.dumps(record) + "\n")
        write_ego_csv(self.folder / "ego.csv", ego)
        sheet = _labelled_sheet(Clip(np.stack(self._pictures), self.fps), self._shown, caption, labels)
        write_image(self.folder / "sheet.png", sheet)
        (self.folder / "meta.json").write_text(json.dumps(meta, indent=2, sort_keys=True) + "\n")


def sheet_frames(num_frames: int) -> np.ndarray:
    """Numbers ``(N,)`` int64 of the frames that a contact sheet shows, spread evenly over a clip."""
    return np.unique(np.linspace(0, num_frames - 1, min(SHEET_FRAMES, num_frames)).round().astype(int))


def clip_sheet(clip: Clip, caption: str, labels: Labels | None) -> np.ndarray:
    """The contact sheet ``(H, W, 3)`` uint8 RGB of a clip in memory, as ``sheet.png`` of its folder shows it."""
    shown = sheet_frames(len(clip))
    labels = labels or Labels.empty(len(clip), clip.width_px, clip.height_px)
    return _labelled_sheet(Clip(clip.frames[shown], clip.fps), shown, caption, labels)


def _labelled_sheet(pictures: Clip, shown: np.ndarray, caption: str, labels: Labels) -> np.ndarray:
    """A sheet of some frames with their labels. pictures: the frames numbered ``shown``; labels: of the whole clip."""
    place = {int(frame): i for i, frame in enumerate(shown)}
    kept = labels.where(np.isin(labels.frame_index, shown))
    frame_index = np.array([place[int(f)] for f in kept.frame_index], np.int64)
    renumbered = replace(kept, num_frames=len(place), frame_index=frame_index)
    return contact_sheet(
        [pictures], [caption], labels=[renumbered], times_s=[(shown / pictures.fps).tolist()],
        frames_per_clip=len(place), columns=SHEET_COLUMNS, cell_width_px=SHEET_CELL_PX,
    )  # fmt: skip


def write_ego_csv(path: Path, ego: EgoMotion | None) -> None:
    """Write ego motion as an ego log, one row per frame, which ``worldgen ingest`` and ``--ego`` can read.

    Columns: time_s, speed_mps, yaw_rate_radps, and the planar pose x_m, y_m, yaw_rad. None writes only the header.
    """
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time_s", "speed_mps", "yaw_rate_radps", "x_m", "y_m", "yaw_rad"])
        if ego is None:
            return
        for i, pose in enumerate(planar_poses(ego)):
            row = [i / ego.fps, ego.speed_mps[i], ego.yaw_rate_radps[i], *pose]
            writer.writerow([f"{value:.6f}" for value in row])
