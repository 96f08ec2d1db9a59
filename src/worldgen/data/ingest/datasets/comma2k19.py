"""comma2k19: minutes of highway drives with speed, gyroscope and frame times on the device's clock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.data.dataset.splits import drive_name
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.ego_log import EgoLog
from worldgen.data.ingest.recording import Recording
from worldgen.data.ingest.source_config import CameraConfig, SourceConfig
from worldgen.data.ingest.sources import ClipSource, FoundSources

LICENCE = "MIT"
VIDEO, FPS = "video.hevc", 20.0
"""The video of a segment: a raw stream, whose frame times are in ``global_pose/frame_times``."""
CAMERA = CameraConfig(fx_px=910.0, fy_px=910.0, cx_px=582.0, cy_px=437.0, height_m=1.22)
"""The EON's camera at 1164x874: intrinsics of the set's own tools, and the height that openpilot assumes for it."""
DOWN = 2
"""Axis of the gyroscope: its values are about forward, right and down."""


def comma2k19_sources(root: Path, defaults: SourceConfig) -> FoundSources:
    """The segments (minutes) below ``root``; those of one route are one drive.

    Speed is that of the CAN bus, yaw rate the gyroscope's about the upward axis, both at the times of the speed. The
    set publishes no split. Source: Schafer et al., A Commute in Data: The comma2k19 Dataset, 2018, and its readme.

    Raises:
        InputError: no segment below ``root``.
    """
    segments = sorted(path.parent for path in root.rglob(VIDEO))
    if not segments:
        raise InputError("comma2k19", Received(f"{root} without {VIDEO}"), "Chunk_N/ROUTE/SEGMENT/video.hevc")
    out: list[ClipSource] = []
    bad: list[tuple[str, str]] = []
    for segment in segments:
        name = (segment / VIDEO).relative_to(root).as_posix()
        try:
            times_s = _array(segment, "global_pose/frame_times", 1)
            recording = Recording(times_s, _log(segment))
        except InputError as error:
            bad.append((name, str(error)))
            continue
        config = SourceConfig(licence=LICENCE, native_fps=FPS, ego=EgoLogConfig(axes="comma"), camera=CAMERA)
        drive = drive_name(segment.parent.name)
        source = ClipSource(name, "video", root, segment / VIDEO, drive, config.over(defaults), True)
        out.append(replace(source, recording=recording))
    return FoundSources(tuple(out), tuple(bad))


def _log(segment: Path) -> EgoLog:
    """Speed and yaw rate (left positive) at the times of the speed."""
    speed_s = _array(segment, "processed_log/CAN/speed/t", 1)
    speed_mps = _array(segment, "processed_log/CAN/speed/value", 1)
    gyro_s = _array(segment, "processed_log/IMU/gyro/t", 1)
    gyro_radps = _array(segment, "processed_log/IMU/gyro/value", 3)
    for what, times_s, values in (("CAN/speed", speed_s, speed_mps), ("IMU/gyro", gyro_s, gyro_radps)):
        if len(times_s) != len(values) or len(times_s) < 2 or (np.diff(times_s) < 0).any():
            received = Received(f"{len(times_s)} times and {len(values)} values")
            raise InputError(f"processed_log/{what}", received, "at least two, one value per time, in order")
    keep = np.concatenate([[True], np.diff(speed_s) > 0]) & (speed_s >= gyro_s[0]) & (speed_s <= gyro_s[-1])
    if keep.sum() < 2:
        raise InputError("processed_log", Received("speed and gyroscope that share no time"), "one clock")
    times_s = speed_s[keep]
    yaw_rate_radps = -np.interp(times_s, gyro_s, gyro_radps[:, DOWN])
    series = {"speed": speed_mps[keep], "yaw_rate": yaw_rate_radps}
    columns = {"time": "t", "speed": "CAN/speed", "yaw_rate": "IMU/gyro, about down"}
    return EgoLog(str(segment / "processed_log"), times_s, series, columns, row_times_s=times_s)


def _array(segment: Path, name: str, width: int) -> np.ndarray:
    """An array of the set (a ``.npy`` without suffix), ``(N,)``, or ``(N, width)`` for a width above 1, float64."""
    path = segment / name
    if not path.is_file():
        raise InputError("comma2k19", Received(f"no {name} in {segment.name}"), "the files of a segment")
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"array {name} of {segment.name}", Received("no .npy content"), "a NumPy array") from error
    flat = values.reshape(len(values), -1) if values.ndim else values.reshape(0, width)
    numeric = np.issubdtype(values.dtype, np.number)
    if not numeric or flat.shape[1] != width or not np.isfinite(flat.astype(np.float64)).all():
        received = Received(f"{values.dtype} {values.shape}")
        raise InputError(f"array {name} of {segment.name}", received, f"finite numbers, (N, {width})")
    return flat[:, 0].astype(np.float64) if width == 1 else flat.astype(np.float64)
