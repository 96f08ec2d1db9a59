"""KITTI raw data: ``DATE/DATE_drive_NNNN_sync`` with two colour cameras, OXTS records and calibration."""

from __future__ import annotations

from pathlib import Path

from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.source_config import CameraConfig, SourceConfig
from worldgen.data.ingest.source_files import TIMESTAMPS
from worldgen.data.ingest.sources import ClipSource, FoundSources
from worldgen.data.video.image_files import image_files

LICENCE = "CC-BY-NC-SA-3.0"
CAMERA_HEIGHT_M = 1.65
"""Height of the cameras above the road, from the sensor setup (https://www.cvlibs.net/datasets/kitti/setup.php)."""
COLOUR, GREY = ("image_02", "image_03"), ("image_00", "image_01")
CALIBRATION = "calib_cam_to_cam.txt"


def kitti_raw_sources(root: Path, defaults: SourceConfig) -> FoundSources:
    """The cameras of every drive below ``root``: colour, or grey where a drive holds no colour.

    Cameras of one drive have its name as drive. The log is OXTS (speed forward, yaw rate about the upward axis), on the
    clock of ``timestamps.txt``. The camera is the rectified one of ``calib_cam_to_cam.txt`` in the folder of the date,
    where it is there. Tracklets are not read. KITTI publishes no split of its raw data.

    Source: Geiger et al., Vision meets Robotics: The KITTI Dataset, 2013, and the readme of its raw data.

    Raises:
        InputError: no drive below ``root``.
    """
    drives = sorted({path.parent.parent for path in root.rglob("image_0[0-3]/data") if path.is_dir()})
    if not drives:
        raise InputError("kitti_raw", Received(f"{root} without a drive"), "DATE/DATE_drive_NNNN_sync/image_02/data")
    out: list[ClipSource] = []
    bad: list[tuple[str, str]] = []
    for drive in drives:
        cameras = [name for name in COLOUR if (drive / name / "data").is_dir()]
        for name in cameras or [name for name in GREY if (drive / name / "data").is_dir()]:
            try:
                out.append(_camera(root, drive, name, defaults))
            except InputError as error:
                bad.append(((drive / name).relative_to(root).as_posix(), str(error)))
    return FoundSources(tuple(out), tuple(bad))


def _camera(root: Path, drive: Path, name: str, defaults: SourceConfig) -> ClipSource:
    folder = drive / name / "data"
    oxts = drive / "oxts"
    ego = EgoLogConfig(format="kitti_oxts", axes="kitti") if oxts.is_dir() else None
    config = SourceConfig(licence=LICENCE, ego=ego, camera=_calibrated(drive.parent / CALIBRATION, name[-2:]))
    label = drive.name if drive != root else root.name
    return ClipSource(
        folder.relative_to(root).as_posix(), "folder", root, folder, label, config.over(defaults), True,
        image_files(folder), ego_path=oxts if ego else None, times_path=drive / name / TIMESTAMPS,
    )  # fmt: skip


def _calibrated(path: Path, number: str) -> CameraConfig | None:
    """The rectified camera ``number`` of a calibration file, or None without the file.

    ``P_rect_NN`` is the 3x4 projection in pixels whose centres are whole numbers; ours are at +0.5.
    """
    if not path.is_file():
        return None
    for line in path.read_text("utf-8", errors="replace").splitlines():
        name, _, text = line.partition(":")
        if name.strip() != f"P_rect_{number}":
            continue
        try:
            values = [float(word) for word in text.split()]
            fx_px, cx_px, fy_px, cy_px = values[0], values[2], values[5], values[6]
        except (ValueError, IndexError) as error:
            raise InputError(f"{path.name}, P_rect_{number}", text.strip(), "12 numbers") from error
        return CameraConfig(fx_px=fx_px, fy_px=fy_px, cx_px=cx_px + 0.5, cy_px=cy_px + 0.5, height_m=CAMERA_HEIGHT_M)
    raise InputError(f"calibration {path.name}", Received(f"no P_rect_{number}"), "the rectified cameras")
