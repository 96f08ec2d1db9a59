"""PandaSet: sequences of 8 seconds with six cameras at 10 Hz, and the pose of every picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from worldgen.core.errors import InputError, Received
from worldgen.data.dataset.splits import drive_name
from worldgen.data.ingest.logs.axes import CAMERA
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.ego_log import EgoLog
from worldgen.data.ingest.recording import Recording
from worldgen.data.ingest.source_config import CameraConfig, SourceConfig
from worldgen.data.ingest.sources import ClipSource, FoundSources
from worldgen.data.video.image_files import image_files
from worldgen.files.json_files import read_json

LICENCE = "CC-BY-4.0"
FRONT = "camera/front_camera"
HEIGHT_M = 1.8
"""Of the front camera above the origin of the car: ``camera/front_camera/poses.json`` against ``lidar/poses.json``, for
instance in sequence 002. The set does not say how high that origin is above the road."""
ASSUMED = f"the set has no height and pitch of its cameras: {HEIGHT_M} m and 0 are assumed"


def pandaset_sources(root: Path, defaults: SourceConfig) -> FoundSources:
    """The front camera of every sequence ``NNN`` below ``root``, or of ``root`` itself.

    The log is the pose of the camera at every picture, turned into axes of x forward, y left, z up; a camera on the
    middle line of the car has its speed and yaw rate. Sequences that go on from each other by the clock are one drive.
    Cuboids and semantic labels are pickled and so never read. The set publishes no split.

    Source: Xiao et al., PandaSet: Advanced Sensor Suite Dataset for Autonomous Driving, 2021, and its devkit.

    Raises:
        InputError: no sequence below ``root``.
    """
    folders = sorted(path for path in (root / FRONT, *root.glob(f"*/{FRONT}"), *root.glob(f"*/*/{FRONT}"))
                     if path.is_dir())  # fmt: skip
    if not folders:
        raise InputError("pandaset", Received(f"{root} without a sequence"), f"NNN/{FRONT}")
    out: list[ClipSource] = []
    bad: list[tuple[str, str]] = []
    for folder in folders:
        sequence = folder.parent.parent
        name = sequence.relative_to(root).as_posix() if sequence != root else root.name
        try:
            out.append(_sequence(root, folder, name, defaults))
        except InputError as error:
            bad.append((name, str(error)))
    return FoundSources(tuple(out), tuple(bad))


def _sequence(root: Path, folder: Path, name: str, defaults: SourceConfig) -> ClipSource:
    files = image_files(folder)
    where = f"{folder.parent.parent.name}/{FRONT}"
    times_s, poses, intrinsics = (
        _read(folder, where, f"{what}.json") for what in ("timestamps", "poses", "intrinsics")
    )
    try:
        times = np.array([float(time) for time in times_s])
        position = np.array([[float(pose["position"][axis]) for axis in "xyz"] for pose in poses])
        quaternion = np.array([[float(pose["heading"][axis]) for axis in "xyzw"] for pose in poses])
        fx_px, fy_px, cx_px, cy_px = (float(intrinsics[part]) for part in ("fx", "fy", "cx", "cy"))
    except (KeyError, TypeError, ValueError) as error:
        received = Received(f"{type(error).__name__} {error}")
        raise InputError(where, received, "timestamps, poses with position and heading, fx fy cx cy") from error
    if not len(files) == len(times) == len(poses) or len(files) < 2:
        received = Received(f"{len(files)} pictures, {len(times)} times and {len(poses)} poses")
        raise InputError(where, received, "two or more, one time and one pose a picture")
    length = np.linalg.norm(quaternion, axis=1)
    if not (np.isfinite(position).all() and np.isfinite(times).all() and (np.abs(length - 1) < 0.01).all()):
        raise InputError(where, Received("poses or times that are not finite, or no unit quaternions"), "finite poses")
    camera = CameraConfig(fx_px=fx_px, fy_px=fy_px, cx_px=cx_px + 0.5, cy_px=cy_px + 0.5, height_m=HEIGHT_M)
    config = SourceConfig(licence=LICENCE, ego=EgoLogConfig(axes="vehicle"), camera=camera)
    recording = Recording(times, _log(where, times, position, quaternion), notes=(ASSUMED,))
    return ClipSource(
        name, "folder", root, folder, drive_name(name), config.over(defaults), files=files, recording=recording
    )  # fmt: skip


def _log(where: str, times_s: np.ndarray, position_m: np.ndarray, camera_xyzw: np.ndarray) -> EgoLog:
    """The poses of the camera as those of a car: x right, y down, z forward becomes x forward, y left, z up.

    times_s: ``(F,)``. position_m: ``(F, 3)``, camera_xyzw: ``(F, 4)``, camera to a world of z up.
    """
    quaternion = (Rotation.from_quat(camera_xyzw) * Rotation.from_matrix(CAMERA.T)).as_quat()
    series = {axis: position_m[:, i] for i, axis in enumerate("xyz")}
    series |= {f"q{axis}": quaternion[:, i] for i, axis in enumerate("xyzw")}
    columns = {"time": "timestamps.json", "x": "position", "qw": "heading"}
    return EgoLog(f"{where}/poses.json", times_s, series, columns, row_times_s=times_s)


def _read(folder: Path, where: str, name: str) -> Any:
    path = folder / name
    if not path.is_file():
        raise InputError(where, Received(f"no {name}"), "pictures, timestamps.json, poses.json and intrinsics.json")
    return read_json(path, f"{where}/{name}")
