"""Argoverse 2, sensor data: logs of 15 seconds with a front camera at 20 Hz, poses, calibration and cuboids."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from worldgen.core.english import counted
from worldgen.core.errors import InputError, Received
from worldgen.core.samples import SPLITS
from worldgen.data.dataset.splits import drive_name
from worldgen.data.ingest.datasets.argoverse2_tables import CameraPlace, PoseTrail, read_camera, read_poses
from worldgen.data.ingest.datasets.cuboids.argoverse2_boxes import Cuboids, box_rows, read_cuboids
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.ego_log import read_ego_log
from worldgen.data.ingest.recording import Recording
from worldgen.data.ingest.source_config import CameraConfig, SourceConfig
from worldgen.data.ingest.sources import ClipSource, FoundSources
from worldgen.data.video.image_files import image_files

LICENCE = "CC-BY-NC-SA-4.0"
CAMERA = "ring_front_center"
POSES, ANNOTATIONS = "city_SE3_egovehicle.feather", "annotations.feather"
AXLE_M = 0.33
"""Height of the origin of the car, the centre of the rear axle, above the road: the radius of its wheels."""
NANOSECOND_S = 1e-9


def argoverse2_sources(root: Path, defaults: SourceConfig) -> FoundSources:
    """The front camera of every log below ``root``: ``SPLIT/LOG``, ``sensor/SPLIT/LOG``, ``LOG``, or a log itself.

    The log is ``city_SE3_egovehicle``, on the clock of the pictures. Boxes are the outlines of the cuboids, which are
    annotated ten times a second, placed between sweeps in the city; pictures outside the annotated time are left out
    of a log that has annotations. A log is a drive. Splits are the names of the folders.

    Source: Wilson et al., Argoverse 2: Next Generation Datasets for Self-Driving Perception and Forecasting, 2021.

    Raises:
        InputError: no log below ``root``.
    """
    found = [path for depth in ("", "*/", "*/*/", "*/*/*/") for path in sorted(root.glob(f"{depth}{POSES}"))]
    if not found:
        raise InputError("argoverse2", Received(f"{root} without a log"), f"SPLIT/LOG/{POSES}")
    out: list[ClipSource] = []
    bad: list[tuple[str, str]] = []
    for log in (path.parent for path in found):
        name = log.relative_to(root).as_posix() if log != root else log.name
        try:
            out.append(_source(root, log, name, defaults))
        except InputError as error:
            bad.append((name, str(error)))
    return FoundSources(tuple(out), tuple(bad))


def _source(root: Path, log: Path, name: str, defaults: SourceConfig) -> ClipSource:
    files = image_files(log / "sensors" / "cameras" / CAMERA)
    try:
        times_ns = np.array([int(file.stem) for file in files], np.int64)
    except (ValueError, OverflowError) as error:
        raise InputError(f"pictures of {log.name}", Received("a name that is no number"), "nanoseconds") from error
    if len(files) < 2:
        raise InputError(f"log {log.name}", Received(f"{len(files)} pictures"), f"sensors/cameras/{CAMERA}/*.jpg")
    ego = EgoLogConfig(axes="vehicle")
    motion = read_ego_log(log / POSES, ego)
    poses = read_poses(log / POSES)
    camera = read_camera(log / "calibration", CAMERA)
    boxes: tuple[tuple[float, ...], ...] | None = None
    notes: tuple[str, ...] = ()
    if (log / ANNOTATIONS).is_file():
        cuboids = read_cuboids(log / ANNOTATIONS)
        files, times_ns, notes = _annotated(files, times_ns, cuboids, poses)
        boxes = tuple(box_rows(cuboids, poses, camera, times_ns))
    config = SourceConfig(licence=LICENCE, ego=ego, camera=_camera_config(camera))
    recording = Recording(times_ns * NANOSECOND_S, motion, boxes, notes)
    split = log.parent.name if log.parent.name in SPLITS else None
    return ClipSource(
        name, "folder", root, log / "sensors" / "cameras" / CAMERA, drive_name(log.name), config.over(defaults), True,
        files, split=split, recording=recording,
    )  # fmt: skip


def _annotated(
    files: tuple[Path, ...], times_ns: np.ndarray, cuboids: Cuboids, poses: PoseTrail
) -> tuple[tuple[Path, ...], np.ndarray, tuple[str, ...]]:
    """The pictures whose time is annotated and has a pose, and a note on the others."""
    first_ns, last_ns = cuboids.span_ns
    inside = (times_ns >= max(first_ns, poses.times_ns[0])) & (times_ns <= min(last_ns, poses.times_ns[-1]))
    if inside.sum() < 2:
        raise InputError(ANNOTATIONS, Received("annotations and pictures at other times"), "one clock")
    kept = tuple(file for file, keep in zip(files, inside, strict=True) if keep)
    left = len(files) - len(kept)
    notes = (f"{left} of {counted(len(files), 'picture')} outside the annotated time",) if left else ()
    return kept, times_ns[inside], notes


def _camera_config(camera: CameraPlace) -> CameraConfig:
    """The camera in pixels whose centres are at +0.5; those of the set are whole numbers."""
    forward = camera.to_car.apply([0.0, 0.0, 1.0])
    fx_px, fy_px, cx_px, cy_px = (float(camera.intrinsic[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2)))
    return CameraConfig(
        fx_px=fx_px, fy_px=fy_px, cx_px=cx_px + 0.5, cy_px=cy_px + 0.5, height_m=float(camera.position_m[2] + AXLE_M),
        pitch_rad=float(-np.arcsin(np.clip(forward[2], -1, 1))),
    )  # fmt: skip
