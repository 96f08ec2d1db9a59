"""nuScenes: the front camera of every scene with ego poses, calibration and boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from worldgen.core.english import counted
from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.datasets.cuboids.cuboid_outlines import rotation
from worldgen.data.ingest.datasets.cuboids.nuscenes_boxes import box_rows
from worldgen.data.ingest.datasets.nuscenes_splits import published_split
from worldgen.data.ingest.datasets.nuscenes_tables import NuscenesTables, Record, frames_of_scenes, read_tables
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.ego_log import EgoLog
from worldgen.data.ingest.recording import Recording
from worldgen.data.ingest.source_config import CameraConfig, SourceConfig
from worldgen.data.ingest.sources import ClipSource, FoundSources

LICENCE = "CC-BY-NC-SA-4.0"
CHANNEL = "CAM_FRONT"
MICROSECOND_S = 1e-6


def nuscenes_sources(root: Path, defaults: SourceConfig) -> FoundSources:
    """A source per scene: the pictures of the front camera (12 a second), on the clock of the data set.

    The log is the ego pose of every picture. Boxes are the outlines of the annotated cuboids, placed between key frames
    as the devkit does; a version without annotations (``v1.0-test``) has none. Splits are those published. Source:
    Caesar et al., nuScenes: A multimodal dataset for autonomous driving, 2020.

    Raises:
        InputError: tables that are missing or damaged.
    """
    tables = read_tables(root)
    tracks = _tracks(tables)
    by_sample: dict[str, list[Record]] = {}
    for annotation in tables.rows["sample_annotation"].values():
        by_sample.setdefault(annotation["sample_token"], []).append(annotation)
    out: list[ClipSource] = []
    bad: list[tuple[str, str]] = []
    for token, frames in frames_of_scenes(tables, CHANNEL).items():
        scene = tables.rows["scene"][token]
        there = [data for data in frames if (root / data["filename"]).is_file()]
        if len(there) < 2:
            continue
        lacking = len(frames) - len(there)
        notes = [f"{lacking} of {counted(len(frames), 'picture')} not there"] * (lacking > 0)
        name = str(scene["name"])
        try:
            recording = Recording(
                np.array([data["timestamp"] for data in there]) * MICROSECOND_S, _poses(tables, scene, there),
                tuple(box_rows(tables, there, by_sample, tracks)) if by_sample else None, tuple(notes),
            )  # fmt: skip
            config = SourceConfig(licence=LICENCE, ego=EgoLogConfig(axes="nuscenes"), camera=_camera(tables, there[0]))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            bad.append((name, f"tables of nuScenes: received {type(error).__name__} {error}; expected whole records"))
            continue
        files = tuple(root / data["filename"] for data in there)
        out.append(ClipSource(
            name, "folder", root, root, name, config.over(defaults), True, files,
            split=published_split(tables.version, name), recording=recording,
        ))  # fmt: skip
    if not out and not bad:
        expected = "samples/ and sweeps/ beside the tables"
        raise InputError("nuscenes", Received(f"no pictures of {CHANNEL} in {root}"), expected)
    return FoundSources(tuple(sorted(out, key=lambda source: source.name)), tuple(bad))


def _tracks(tables: NuscenesTables) -> dict[str, int]:
    """Instance token -> track id from 1, in the order of the table."""
    return {token: number for number, token in enumerate(tables.rows["instance"], 1)}


def _poses(tables: NuscenesTables, scene: Record, frames: list[Record]) -> EgoLog:
    """The ego poses of the frames as a log: x forward, y left, z up, in a fixed world."""
    poses = [tables.rows["ego_pose"][data["ego_pose_token"]] for data in frames]
    position = np.array([pose["translation"] for pose in poses], np.float64)
    quaternion = np.array([pose["rotation"] for pose in poses], np.float64)
    times_s = np.array([pose["timestamp"] for pose in poses]) * MICROSECOND_S
    series = {name: position[:, i] for i, name in enumerate("xyz")}
    series |= {f"q{name}": quaternion[:, i] for i, name in enumerate("wxyz")}
    columns = {"time": "timestamp", "x": "translation", "qw": "rotation"}
    return EgoLog(f"ego_pose of {scene['name']}", times_s, series, columns, row_times_s=times_s)


def _camera(tables: NuscenesTables, data: Record) -> CameraConfig:
    """The camera of a picture. Intrinsics count pixel centres in whole numbers; ours are at +0.5.

    The pitch is the angle of the optical axis below the horizon of the car.
    """
    sensor = tables.rows["calibrated_sensor"][data["calibrated_sensor_token"]]
    matrix = np.array(sensor["camera_intrinsic"], float)
    forward = rotation(sensor["rotation"]).apply([0.0, 0.0, 1.0])
    return CameraConfig(
        fx_px=float(matrix[0, 0]), fy_px=float(matrix[1, 1]), cx_px=float(matrix[0, 2] + 0.5),
        cy_px=float(matrix[1, 2] + 0.5), height_m=float(sensor["translation"][2]),
        pitch_rad=float(-np.arcsin(np.clip(forward[2], -1, 1))),
    )  # fmt: skip
