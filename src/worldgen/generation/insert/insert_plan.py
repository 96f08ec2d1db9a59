"""What an insert is: the plan of one, its pixels, and the picture that it is put into."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.core.labels import CLASSES

MASK_CODES = {
    "unknown": 0, "road": 1, "sidewalk": 2, "sky": 3, "upright": 4,
    **{name: 5 + number for number, name in enumerate(CLASSES)},
}  # fmt: skip
"""What a pixel of a map of classes shows -> its code. "upright" is what stands on the ground and has no class."""


@dataclass(frozen=True)
class JpegHistory:
    """How a JPEG was encoded: quality of the IJG scale, 1 to 100, and whether colour has half the resolution."""

    quality: int
    half_colour: bool


@dataclass(frozen=True, eq=False)
class LabelledPicture:
    """A real picture with its labels.

    frame: ``(H, W, 3)`` uint8 RGB. class_id: ``(N,)`` int64 into ``CLASSES``. box_px: ``(N, 4)`` float64 x0 y0 x1 y1.
    ignore: ``(N,)`` bool. name: for seeds and messages. masks: ``(H, W)`` uint8 codes of ``MASK_CODES``, None without.
    jpeg: how the file was encoded, None for other formats. contact_px: ``(N,)`` rows where the objects meet the ground,
    None for the lower ends of their boxes. weather: "rain", "wet" or "fog" where something says so, else "".
    """

    frame: np.ndarray
    class_id: np.ndarray
    box_px: np.ndarray
    ignore: np.ndarray
    name: str
    masks: np.ndarray | None = None
    jpeg: JpegHistory | None = None
    contact_px: np.ndarray | None = None
    weather: str = ""

    @property
    def contacts(self) -> np.ndarray:
        """Rows ``(N,)`` where the labelled objects meet the ground; what is lower in the picture is nearer."""
        return self.box_px[:, 3] if self.contact_px is None else self.contact_px

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        return self.frame.shape[1], self.frame.shape[0]


@dataclass(frozen=True)
class InsertPlan:
    """One road user to put into a picture, in metres of the ego frame (x forward, y left, on flat ground).

    kind: of ``AGENT_KINDS``. class_name: its label. variant: shape. size_m: length, width, height. x_m, y_m: foot.
    yaw_rad: heading, 0 away from the camera, positive left. style: integer from which its looks follow. phase_rad: of
    the gait. speed_mps: how fast it seems to move. lights_on: of a vehicle.
    """

    kind: str
    class_name: str
    variant: str
    size_m: tuple[float, float, float]
    x_m: float
    y_m: float
    yaw_rad: float
    style: int = 0
    phase_rad: float = 0.0
    speed_mps: float = 0.0
    lights_on: bool = False
    z_m: float = 0.0
    lean_rad: float | None = None
    braking: bool = False
    indicator: int = 0
    door_open: float = 0.0
    reflective: bool = True

    @property
    def distance_m(self) -> float:
        """Along the ground from the point under the camera."""
        return float(np.hypot(self.x_m, self.y_m))


@dataclass(frozen=True, eq=False)
class InsertPatch:
    """The pixels of one insert before they are fitted to a picture.

    left_px, top_px: place of the patch in the picture; it may reach over the border. colour: ``(h, w, 3)`` float32
    linear light, times alpha. alpha: ``(h, w)`` float32 share of the pixel that the object covers. shade: ``(h, w, 3)``
    float32 factor on the light of the ground: contact and cast shadow, 1 where there is none. mirror: ``(h, w, 4)``
    float32 mirror image in level ground, linear light times alpha, and alpha; None without one. ground_light: ``(3,)``
    linear radiance of open ground under the light that the colour was made with. class_name: of ``CLASSES``.
    contact_px: row of its contact with the ground; what is lower in the picture is nearer. distance_m: from the camera.
    plan: how it was made, for the record.

    Raises:
        InputError: for arrays of other shapes, and an unknown class.
    """

    left_px: int
    top_px: int
    colour: np.ndarray
    alpha: np.ndarray
    shade: np.ndarray
    ground_light: np.ndarray
    class_name: str
    contact_px: float
    distance_m: float
    mirror: np.ndarray | None = None
    plan: InsertPlan | None = None

    def __post_init__(self) -> None:
        shape = self.alpha.shape
        if self.colour.shape != (*shape, 3) or self.shade.shape != (*shape, 3):
            raise InputError("insert", Received(f"{self.colour.shape}, {self.shade.shape}"), f"({shape}, 3) each")
        if self.class_name not in CLASSES:
            raise InputError("class of an insert", self.class_name, "one of " + ", ".join(CLASSES))

    @property
    def silhouette(self) -> np.ndarray:
        """``(h, w)`` bool, pixels of which the object covers at least half."""
        return self.alpha >= 0.5

    @property
    def whole_box_px(self) -> tuple[float, float, float, float]:
        """x0 y0 x1 y1 of the silhouette in the picture, not cut by its border. It must not be empty."""
        return box_of(self.silhouette, self.left_px, self.top_px)


def box_of(mask: np.ndarray, left_px: int = 0, top_px: int = 0) -> tuple[float, float, float, float]:
    """x0 y0 x1 y1 of the pixels of a mask ``(h, w)`` bool whose corner lies at (left, top); zeros for an empty one."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return (0.0, 0.0, 0.0, 0.0)
    x0, x1 = left_px + columns[0], left_px + columns[-1] + 1
    return (float(x0), float(top_px + rows[0]), float(x1), float(top_px + rows[-1] + 1))
