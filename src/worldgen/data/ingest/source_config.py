"""The config of one source: its drive, camera, ego log, labels, licence and tags."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from worldgen.core.camera import Camera
from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.annotations import LabelsConfig
from worldgen.data.ingest.logs.ego_log import EgoLogConfig


@dataclass(frozen=True)
class CameraConfig:
    """The camera of a source, in pixels of the source's own picture.

    Either fov_deg (horizontal, square pixels, centred) or all of fx_px fy_px cx_px cy_px (pixel centres at +0.5).
    height_m above the ground; pitch_rad positive when looking down.
    """

    fov_deg: float | None = None
    fx_px: float | None = None
    fy_px: float | None = None
    cx_px: float | None = None
    cy_px: float | None = None
    height_m: float = 1.4
    pitch_rad: float = 0.0

    def __post_init__(self) -> None:
        given = [v is not None for v in (self.fx_px, self.fy_px, self.cx_px, self.cy_px)]
        if any(given) and (not all(given) or self.fov_deg is not None):
            raise InputError("camera", Received("some intrinsics"), "fov_deg, or all of fx_px, fy_px, cx_px, cy_px")

    def camera(self, width_px: int, height_px: int) -> Camera:
        """The camera of a picture of this size."""
        if self.fx_px is not None:
            return Camera(
                width_px, height_px, self.fx_px, self.fy_px, self.cx_px, self.cy_px, self.height_m, self.pitch_rad
            )
        fov_deg = {} if self.fov_deg is None else {"fov_deg": self.fov_deg}
        return Camera.from_fov(width_px, height_px, **fov_deg, height_m=self.height_m, pitch_rad=self.pitch_rad)


@dataclass(frozen=True)
class SourceConfig:
    """What is known about a source. None: take it from ``defaults``, or nothing is known.

    drive: recording it belongs to (default: its name). drive_pattern: for COCO files, a regular expression whose first
    group in an image's file name is its drive. licence: SPDX id. tags: words to slice by; those of the scenario
    vocabulary also make captions. caption: used as it stands. fps: target rate of its clips. native_fps: rate of a
    frame folder or a raw stream. times_file: table with a time column, one row per frame. crop_px: x0, y0, width and
    height kept before anything else (to cut away a bonnet or an overlay). camera, ego, labels: see their classes; each
    replaces the default as a whole.
    """

    drive: str | None = None
    drive_pattern: str | None = None
    licence: str | None = None
    tags: tuple[str, ...] | None = None
    caption: str | None = None
    fps: float | None = None
    native_fps: float | None = None
    times_file: str | None = None
    crop_px: tuple[int, int, int, int] | None = None
    camera: CameraConfig | None = None
    ego: EgoLogConfig | None = None
    labels: LabelsConfig | None = None

    def over(self, base: SourceConfig) -> SourceConfig:
        """This config, with ``base`` where it says nothing."""
        said = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}
        return replace(base, **said)
