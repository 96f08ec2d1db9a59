"""Labels as KITTI text files, for object detection and for tracking, with 3-D boxes in camera coordinates."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.labels import Labels
from worldgen.core.samples import SPLITS, Sample
from worldgen.data.export.class_maps import CLASS_MAPS, IGNORE, ClassMap
from worldgen.data.export.sample_labels import sample_labels
from worldgen.data.video.image_files import write_image

UNKNOWN_3D = (-10.0, (-1.0, -1.0, -1.0), (-1000.0, -1000.0, -1000.0), -10.0)
"""alpha, dimensions, location, rotation_y of an object whose 3-D box is not known, as in KITTI's DontCare rows."""

OCCLUSION_LEVELS = (0.1, 0.5)
"""Hidden share from which an object counts as partly (1) and largely (2) occluded; KITTI states no numbers."""

TRUNCATION_LEVELS = (0.15, 0.5)
"""Truncated share from which the integer level of the tracking files is 1 and 2: KITTI's easy and hard limits."""


def kitti_fields(
    labels: Labels, row: int, camera: Camera | None, classes: ClassMap = CLASS_MAPS["kitti"]
) -> tuple[str, float, int, str]:
    """One object as type, truncation (share), occlusion (0 to 3) and the rest of its line from ``alpha`` on.

    The rest is: alpha (rad), box (left top right bottom, px), dimensions (height width length, m), location (centre of
    the bottom of the box in the camera frame, m), rotation_y (rad about the camera's y axis, 0 along its x axis). The
    camera frame includes the pitch of the camera, and rotation_y is the angle of the heading in its x-z plane, so the
    box is tilted against the ground by the pitch. Its exact pose in the ego frame follows from ``Tr_velo_to_cam`` of
    the calibration. Objects flagged ``ignore`` are ``DontCare`` regions; camera None leaves the 3-D values unknown.
    The type is the category that ``classes`` gives, with ``_`` for spaces.

    Source: KITTI object development kit, readme, "Data Format Description"
    (https://www.cvlibs.net/datasets/kitti/eval_object.php).
    """
    target = classes.targets[int(labels.class_id[row])] or IGNORE
    kind = IGNORE if labels.ignore[row] else target.replace(" ", "_")
    alpha, dimensions, location, rotation = UNKNOWN_3D
    box3d = labels.box3d[row].astype(float)
    if camera is not None and kind != IGNORE and np.isfinite(box3d).all():
        alpha, dimensions, location, rotation = _in_camera(box3d, camera)
    numbers = (alpha, *labels.box_px[row].tolist(), *dimensions, *location, rotation)
    rest = " ".join(f"{number:.2f}" for number in numbers)
    if kind == IGNORE:
        return kind, -1.0, -1, rest
    hidden = float(labels.occlusion[row])
    occlusion = 3 if math.isnan(hidden) else sum(hidden >= level for level in OCCLUSION_LEVELS)
    truncation = float(labels.truncation[row])
    return kind, 0.0 if math.isnan(truncation) else truncation, occlusion, rest


def _in_camera(
    box3d: np.ndarray, camera: Camera
) -> tuple[float, tuple[float, float, float], tuple[float, float, float], float]:
    """alpha, dimensions, location and rotation_y of a 3-D box ``(7,)`` given in ego axes."""
    x, y, z, length, width, height, yaw = box3d
    transform = camera.camera_from_ego()
    foot = transform[:3, :3] @ np.array([x, y, z - height / 2]) + transform[:3, 3]
    forward = transform[:3, :3] @ np.array([math.cos(yaw), math.sin(yaw), 0.0])
    rotation = math.atan2(-forward[2], forward[0])
    alpha = math.remainder(rotation - math.atan2(foot[0], foot[2]), 2 * math.pi)
    return alpha, (height, width, length), (float(foot[0]), float(foot[1]), float(foot[2])), rotation


def object_lines(labels: Labels, camera: Camera | None, classes: ClassMap = CLASS_MAPS["kitti"]) -> list[str]:
    """The label lines of one image of the object benchmark; objects without a visible pixel are left out."""
    lines = []
    for row in _visible(labels):
        kind, truncation, occlusion, rest = kitti_fields(labels, row, camera, classes)
        lines.append(f"{kind} {truncation:.2f} {occlusion} {rest}")
    return lines


def tracking_lines(labels: Labels, camera: Camera | None, classes: ClassMap = CLASS_MAPS["kitti"]) -> list[str]:
    """The label lines of one sequence of the tracking benchmark: frame and track first, truncation a level 0 to 2."""
    lines = []
    for row in _visible(labels):
        kind, truncation, occlusion, rest = kitti_fields(labels, row, camera, classes)
        level = -1 if kind == IGNORE else sum(truncation >= level for level in TRUNCATION_LEVELS)
        track = -1 if kind == IGNORE else labels.track_id[row]
        lines.append(f"{labels.frame_index[row]} {track} {kind} {level} {occlusion} {rest}")
    return lines


def _visible(labels: Labels) -> np.ndarray:
    box = labels.box_px
    return np.flatnonzero((box[:, 2] > box[:, 0]) & (box[:, 3] > box[:, 1]))


def calibration(camera: Camera) -> str:
    """The content of a calibration file. All four cameras are this one, and the lidar frame is the ego frame.

    ``P2 = [K | 0]``; ``R0_rect`` is the identity; ``Tr_velo_to_cam`` takes points of the ego frame (x forward, y left,
    z up, origin on the ground) to the camera frame.
    """
    projection = np.hstack([camera.intrinsics(), np.zeros((3, 1))])
    rows = [(f"P{number}", projection) for number in range(4)]
    rows += [
        ("R0_rect", np.eye(3)),
        ("Tr_velo_to_cam", camera.camera_from_ego()[:3]),
        ("Tr_imu_to_velo", np.eye(4)[:3]),
    ]
    return "".join(f"{name}: " + " ".join(f"{value:.12e}" for value in matrix.ravel()) + "\n" for name, matrix in rows)


@dataclass
class _Report:
    """Counts and split lists of an export."""

    counts: dict[str, int] = field(default_factory=lambda: {"images": 0, "boxes": 0, "ignored": 0, "without_camera": 0})
    splits: dict[str, list[str]] = field(default_factory=dict)

    def add(self, sample: Sample, lines: list[str], names: list[str]) -> None:
        self.splits.setdefault(sample.split, []).extend(names)
        dont_care = sum(f" {IGNORE} " in f" {line} " for line in lines)
        self.counts["images"] += len(sample.clip)
        self.counts["boxes"] += len(lines) - dont_care
        self.counts["ignored"] += len(sample_labels(sample)) - len(lines) + dont_care
        self.counts["without_camera"] += sample.camera is None

    def write_splits(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for split in SPLITS:
            if split in self.splits:
                (folder / f"{split}.txt").write_text("".join(f"{name}\n" for name in self.splits[split]), "ascii")


def write_kitti(samples: Iterable[Sample], folder: Path, suffix: str, classes: ClassMap) -> dict[str, int]:
    """Write the folders of the object benchmark; returns counts.

    ``training/{image_2,label_2,calib}/NNNNNN`` hold the images, labels and calibrations, ``ImageSets/SPLIT.txt`` the
    splits. Images are numbered through all samples; a line of ``frames.txt`` holds number, sample key and frame. A
    sample without a camera has no calibration files and no 3-D fields. samples: with the labels to export.
    suffix: of the images. classes: types of the objects.

    Raises:
        InputError: a sample without labels.
    """
    report, number, origins = _Report(), 0, []
    for name in ("image_2", "label_2", "calib"):
        (folder / "training" / name).mkdir(parents=True, exist_ok=True)
    for sample in samples:
        written, names = [], []
        for frame, picture in enumerate(sample.clip.frames):
            name = f"{number:06d}"
            lines = object_lines(sample_labels(sample).at(frame), sample.camera, classes)
            write_image(folder / "training" / "image_2" / f"{name}{suffix}", picture)
            (folder / "training" / "label_2" / f"{name}.txt").write_text(
                "".join(f"{line}\n" for line in lines), "ascii"
            )
            if sample.camera is not None:
                (folder / "training" / "calib" / f"{name}.txt").write_text(calibration(sample.camera), "ascii")
            origins.append(f"{name} {sample.key} {frame}\n")
            written += lines
            names.append(name)
            number += 1
        report.add(sample, written, names)
    report.write_splits(folder / "ImageSets")
    (folder / "frames.txt").write_text("".join(origins), "ascii")
    return report.counts


def write_kitti_tracking(samples: Iterable[Sample], folder: Path, suffix: str, classes: ClassMap) -> dict[str, int]:
    """Write the folders of the tracking benchmark, one sequence per sample; returns counts.

    ``training/image_02/SSSS/NNNNNN``, ``training/label_02/SSSS.txt`` and ``training/calib/SSSS.txt`` hold the images,
    labels and calibrations, ``ImageSets/SPLIT.txt`` the splits; a line of ``sequences.txt`` holds sequence and sample
    key. samples: with the labels to export.
    suffix: of the images. classes: types of the objects.

    Raises:
        InputError: a sample without labels.
    """
    report, origins = _Report(), []
    for name in ("image_02", "label_02", "calib"):
        (folder / "training" / name).mkdir(parents=True, exist_ok=True)
    for number, sample in enumerate(samples):
        name = f"{number:04d}"
        for frame, picture in enumerate(sample.clip.frames):
            write_image(folder / "training" / "image_02" / name / f"{frame:06d}{suffix}", picture)
        lines = tracking_lines(sample_labels(sample), sample.camera, classes)
        (folder / "training" / "label_02" / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines), "ascii")
        if sample.camera is not None:
            (folder / "training" / "calib" / f"{name}.txt").write_text(calibration(sample.camera), "ascii")
        origins.append(f"{name} {sample.key}\n")
        report.add(sample, lines, [name])
    report.write_splits(folder / "ImageSets")
    (folder / "sequences.txt").write_text("".join(origins), "ascii")
    return report.counts
