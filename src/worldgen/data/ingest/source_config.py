"""The config of one source: its drive, camera, ego log, labels, licence and tags."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

from worldgen.core.camera import Camera
from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.annotations import LabelsConfig
from worldgen.data.ingest.logs.ego_log import EgoLogConfig
from worldgen.data.ingest.pixels.known_width import KnownWidth


@dataclass(frozen=True)
class CameraConfig:
    """The camera of a source, in pixels of the source.

    Either fov_deg (horizontal, square pixels, centred) or all of fx_px, fy_px, cx_px and cy_px (pixel centres at +0.5);
    without both, the default of ``Camera.from_fov``. height_m: above the ground. pitch_rad: positive looks down. path:
    a JSON file with these names instead, see :class:`SourceConfig` for where it is looked for.

    known_width_m, known_left_px, known_right_px, known_row_px: instead of a height, a width across flat road, such as
    that of a lane, and the columns and the row of the picture at which it is seen while the car drives straight. Motion
    from pixels takes its metre from it.

    Raises:
        InputError: only some of the intrinsics, or intrinsics together with fov_deg; only some of the known width, or
            one that is not positive.
    """

    path: str | None = None
    fov_deg: float | None = None
    fx_px: float | None = None
    fy_px: float | None = None
    cx_px: float | None = None
    cy_px: float | None = None
    height_m: float = 1.4
    pitch_rad: float = 0.0
    known_width_m: float | None = None
    known_left_px: float | None = None
    known_right_px: float | None = None
    known_row_px: float | None = None

    def __post_init__(self) -> None:
        width = (self.known_width_m, self.known_left_px, self.known_right_px, self.known_row_px)
        if any(value is not None for value in width) and self.known_width is None:
            expected = "known_width_m above 0, known_left_px < known_right_px, and known_row_px"
            raise InputError("known width of a camera", width, expected)
        given = [v is not None for v in (self.fx_px, self.fy_px, self.cx_px, self.cy_px)]
        if any(given) and (not all(given) or self.fov_deg is not None):
            raise InputError("camera", Received("some intrinsics"), "fov_deg, or all of fx_px, fy_px, cx_px, cy_px")

    @property
    def states_lens(self) -> bool:
        """Whether the field of view or the intrinsics are stated."""
        return self.fov_deg is not None or self.fx_px is not None

    @property
    def known_width(self) -> KnownWidth | None:
        """The known width, None where it is not stated or not whole."""
        width_m, left_px, right_px, row_px = (
            self.known_width_m, self.known_left_px, self.known_right_px, self.known_row_px,
        )  # fmt: skip
        if width_m is None or left_px is None or right_px is None or row_px is None:
            return None
        return KnownWidth(width_m, left_px, right_px, row_px) if width_m > 0 and left_px < right_px else None

    def camera(self, width_px: int, height_px: int) -> Camera:
        """The camera of images of this size."""
        fx_px, fy_px, cx_px, cy_px = self.fx_px, self.fy_px, self.cx_px, self.cy_px
        if fx_px is not None and fy_px is not None and cx_px is not None and cy_px is not None:
            return Camera(width_px, height_px, fx_px, fy_px, cx_px, cy_px, self.height_m, self.pitch_rad)
        fov_deg = {} if self.fov_deg is None else {"fov_deg": self.fov_deg}
        return Camera.from_fov(width_px, height_px, **fov_deg, height_m=self.height_m, pitch_rad=self.pitch_rad)


@dataclass(frozen=True)
class SourceConfig:
    """The config of a source. None takes the value of ``defaults``; without that the value is unknown.

    drive: recording the source belongs to (default: see ``data/ingest/drives``). drive_pattern: a regular expression
    whose first group in the path of the source below SOURCE, or in the file name of an image of a COCO file, is its
    drive. licence: SPDX identifier. tags: words to select samples by; words of the scenario vocabulary also go into
    template captions. caption: used unchanged. fps: rate of its clips. crop_px: x0, y0, width and height of the part
    that is kept, for instance without a bonnet or an overlay, in pixels of the upright picture with square pixels.
    camera, ego, labels: see their classes; each replaces the default as a whole.

    Files: times_file (a table with a time column and one row per frame), and the path of ego, labels and camera. A
    path is looked for in the folder of the source, then in the folders above it up to SOURCE. It may hold ``{name}``
    (path below SOURCE without suffix), ``{stem}`` (file or folder name without suffix), ``{drive}``, and ``*`` where
    exactly one file matches.

    Frames: native_fps: rate of a frame folder or a raw stream. times_in_names: frames whose file names end in their
    time: its unit (``s``, ``ms``, ``us``, ``ns``), or ``date`` for year, month, day, hour, minute, second and an
    optional fraction. video_track: number of the video track from 0 (default 0). damage: a file that is cut short is
    refused, or its ``intact_part`` is used (default ``refuse``). cuts: windows end at a change of shot inside a file
    (``split``, the default), or cross it (``ignore``). repeats: frames that repeat the one before, as a file has that
    was stored at too high a rate, are left out (``drop``, the default) or used (``keep``).
    """

    drive: str | None = None
    drive_pattern: str | None = None
    licence: str | None = None
    tags: tuple[str, ...] | None = None
    caption: str | None = None
    fps: float | None = None
    native_fps: float | None = None
    times_file: str | None = None
    times_in_names: Literal["s", "ms", "us", "ns", "date"] | None = None
    video_track: int | None = None
    damage: Literal["refuse", "intact_part"] | None = None
    cuts: Literal["split", "ignore"] | None = None
    repeats: Literal["drop", "keep"] | None = None
    crop_px: tuple[int, int, int, int] | None = None
    camera: CameraConfig | None = None
    ego: EgoLogConfig | None = None
    labels: LabelsConfig | None = None

    def over(self, base: SourceConfig) -> SourceConfig:
        """This config, with the values of ``base`` where it has None."""
        stated = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}
        return replace(base, **stated)
