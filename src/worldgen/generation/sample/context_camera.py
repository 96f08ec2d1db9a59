"""The camera of a video that is continued: as it was given, as its own record says, or as its frames show."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.data.video.framing import framing
from worldgen.files.json_files import read_object

CLIP_NAME, META_NAME = "clip.mp4", "meta.json"
"""Files of the folder of one sample (``data.export.sample_folder``)."""
DEFAULT_HEIGHT_M = 1.4
ESTIMATE_S = 8.0
"""Seconds of video around the known frames that the camera is estimated from, at most."""


@dataclass(frozen=True)
class GivenCamera:
    """What is known of the camera of a continued clip; None where it shall be found out.

    fov_deg: horizontal field of view of the frames as they are used, 1 to 170. pitch_deg: below the horizon, within 60
    degrees. height_m: above the ground, 0.1 to 20.

    Raises: InputError for values out of range.
    """

    fov_deg: float | None = None
    pitch_deg: float | None = None
    height_m: float | None = None

    def __post_init__(self) -> None:
        for name, low, high in (("fov_deg", 1.0, 170.0), ("pitch_deg", -60.0, 60.0), ("height_m", 0.1, 20.0)):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and low <= value <= high):
                raise InputError(f"camera {name}", value, f"{low:g} to {high:g}")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> GivenCamera:
        """From values by name. Raises: InputError for other names and for what is no number."""
        names = [field.name for field in fields(cls)]
        for name, value in values.items():
            if name not in names:
                raise InputError("value of a camera", name, "one of " + ", ".join(names))
            if isinstance(value, bool) or not (value is None or isinstance(value, (int, float))):
                raise InputError(f"camera {name}", value, "a number")
        return cls(**{name: None if value is None else float(value) for name, value in values.items()})

    @property
    def is_empty(self) -> bool:
        """Whether nothing is given."""
        return self == GivenCamera()


def adapter_camera(folder: str) -> GivenCamera:
    """The camera of the clips that an adapter was trained on, by its record; an empty one where that is silent."""
    record = Path(folder).expanduser() / "adapter.json" if folder else None
    if record is None or not record.is_file():
        return GivenCamera()
    values = read_object(record).get("camera")
    if not isinstance(values, dict):
        return GivenCamera()
    camera = Camera.from_json(values)
    return GivenCamera(camera.fov_deg, math.degrees(camera.pitch_rad), camera.height_m)


def recorded_camera(video: str, size_px: tuple[int, int]) -> Camera | None:
    """The camera in the ``meta.json`` beside a clip that worldgen made, for its frames at ``size_px``; None where there
    is none."""
    path = Path(video)
    meta = path.with_name(META_NAME)
    if path.name != CLIP_NAME or not meta.is_file():
        return None
    try:
        values = read_object(meta)["camera"]
        camera = Camera.from_json(values)
    except (KeyError, TypeError, ValueError):  # a file of another tool, or of a clip without a camera
        return None
    return framing((camera.width_px, camera.height_px), size_px).camera(camera)


def estimated_camera(frames: np.ndarray, given: GivenCamera) -> tuple[Camera, dict[str, Any]]:
    """The camera that took ``frames`` ``(T, H, W, 3)`` uint8, with what is given of it, and a note for the record.

    The note says where the values are from, how sure they are, and why the frames show no camera if they show none.
    """
    height_m = given.height_m or DEFAULT_HEIGHT_M
    if given.pitch_deg is not None and given.fov_deg is not None:
        camera = Camera.from_fov(
            frames.shape[2], frames.shape[1], given.fov_deg, height_m=height_m, pitch_rad=math.radians(given.pitch_deg)
        )
        return camera, {"from": "given"}
    # Imported late: the second process that prepares scenes imports this module too.
    from worldgen.instruments.odometry.camera_estimate import estimate_camera

    found = estimate_camera(frames, fov_deg=given.fov_deg, height_m=height_m)
    camera = found.camera
    note: dict[str, Any] = {"from": "frames" if found.known else "expected", "pairs": found.pairs}
    if given.pitch_deg is not None:
        camera = Camera.from_fov(
            camera.width_px, camera.height_px, camera.fov_deg, height_m=height_m,
            pitch_rad=math.radians(given.pitch_deg),
        )  # fmt: skip
    note |= {
        "fov_deg": round(camera.fov_deg, 1), "fov_sigma_deg": round(found.fov_sigma_deg, 1),
        "pitch_deg": round(math.degrees(camera.pitch_rad), 2),
        "pitch_sigma_deg": round(math.degrees(found.pitch_sigma_rad), 2), "height_m": height_m,
    }  # fmt: skip
    return camera, note | ({"unknown": found.unknown} if found.unknown else {})


def context_camera(clip: Clip, video: str, given: GivenCamera) -> tuple[Camera, dict[str, Any]]:
    """The camera of the frames around the known ones of a continued video, and a note for the record.

    clip: those frames, at the size at which they are used. video: its file, "" for a clip in memory.
    """
    recorded = recorded_camera(video, (clip.width_px, clip.height_px)) if video and given.is_empty else None
    if recorded is not None:
        return recorded, {"from": "record"}
    return estimated_camera(clip.frames, given)
