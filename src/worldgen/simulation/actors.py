"""Road users: their sizes and variants, and their motion over the simulation as tracks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from worldgen.core.scene import Agent

SIZE_M = {
    "sedan": (4.6, 1.82, 1.45), "hatchback": (4.1, 1.77, 1.48), "suv": (4.6, 1.88, 1.68), "estate": (4.7, 1.83, 1.48),
    "van": (5.3, 1.98, 2.1), "pickup": (5.3, 1.9, 1.85), "box_truck": (7.6, 2.35, 3.2), "semi_truck": (15.5, 2.5, 3.9),
    "city_bus": (12.0, 2.5, 3.1), "motorbike": (2.15, 0.8, 1.68), "bicycle": (1.8, 0.6, 1.72),
    "adult": (0.5, 0.55, 1.74),
    "child": (0.38, 0.42, 1.2), "elder": (0.5, 0.55, 1.66), "cone": (0.38, 0.38, 0.75), "signal": (0.3, 0.35, 0.95),
    "deer": (1.7, 0.5, 1.35), "dog": (0.85, 0.28, 0.6), "cargo_box": (0.9, 0.8, 0.8), "tyre": (0.7, 0.7, 0.25),
}  # fmt: skip
"""Length, width, height in metres, typical of European streets; riders included for two-wheelers."""

PARKED_BICYCLE_M = (1.75, 0.45, 1.05)
"""Length, width, height of a bicycle without a rider."""

KIND_VARIANTS = {
    "car": (("sedan", 0.28), ("hatchback", 0.3), ("suv", 0.24), ("estate", 0.12), ("pickup", 0.06)),
    "van": (("van", 1.0),), "truck": (("box_truck", 0.6), ("semi_truck", 0.4)), "bus": (("city_bus", 1.0),),
    "motorcycle": (("motorbike", 1.0),), "bicycle": (("bicycle", 1.0),), "cyclist": (("bicycle", 1.0),),
    "pedestrian": (("adult", 0.85), ("elder", 0.15)), "child": (("child", 1.0),), "traffic_light": (("signal", 1.0),),
    "traffic_cone": (("cone", 1.0),), "animal": (("deer", 0.6), ("dog", 0.4)),
    "cargo": (("cargo_box", 0.6), ("tyre", 0.4)),
}  # fmt: skip
"""Agent kind -> (variant, share on the road)."""

LABELS = {
    "car": "car", "van": "car", "truck": "truck", "bus": "bus", "motorcycle": "motorcycle", "bicycle": "bicycle",
    "cyclist": "cyclist", "pedestrian": "pedestrian", "child": "pedestrian", "traffic_light": "traffic_light",
    "traffic_cone": "traffic_cone", "animal": "animal", "cargo": None,
}  # fmt: skip
"""Agent kind -> class of its label, None for kinds without a class."""

MOTOR_KINDS = ("car", "van", "truck", "bus", "motorcycle")
WALKING_KINDS = ("pedestrian", "child")

EGO_FRONT_M, EGO_REAR_M, EGO_HALF_WIDTH_M = 1.9, 2.7, 0.93
"""Body of the ego car around the camera, which sits behind the windscreen."""

DOOR_M = 0.9
"""Distance from the side of the body to the edge of an open door."""

STRIDE_M = {"adult": 1.45, "elder": 1.15, "child": 1.0, "bicycle": 5.2, "deer": 2.2, "dog": 0.9}
"""Ground covered in one gait cycle: two steps when walking, one turn of the pedals on a bicycle."""


def draw_variant(rng: np.random.Generator, kind: str) -> str:
    """A variant of a kind, drawn by its share on the road."""
    names, weights = zip(*KIND_VARIANTS[kind], strict=True)
    return names[int(np.searchsorted(np.cumsum(weights), rng.random() * sum(weights)).clip(0, len(names) - 1))]


def compact_variant(kind: str) -> str | None:
    """The short variant of a truck, for places where a long one does not fit; None leaves the variant to chance."""
    return "box_truck" if kind == "truck" else None


def draw_size(rng: np.random.Generator, kind: str, variant: str) -> tuple[float, float, float]:
    """Length, width and height (m) of one individual, each within 5 % of the typical value."""
    base = PARKED_BICYCLE_M if kind == "bicycle" else SIZE_M[variant]
    factor = 1 + rng.uniform(-0.05, 0.05, 3)
    return tuple(float(b * f) for b, f in zip(base, factor, strict=True))  # type: ignore[return-value]


@dataclass(eq=False)
class Track:
    """One agent over the N steps of the simulation: x_m, y_m, yaw_rad, speed_mps ``(N,)``, world frame.

    Optional arrays ``(N,)``: braking (bool), indicator (1 left, -1 right, 2 hazard lights), door_open (0 to 1),
    signal_state (index into ``SIGNAL_STATES``), lean_rad. lift_m: height of its lowest point above the ground, a number
    or ``(N,)``. essential: it was requested or belongs to an event, so the scene is wrong without it. is_obstacle:
    drivers brake for it, from step ``noticed_from_step`` on.
    """

    kind: str
    variant: str
    size_m: tuple[float, float, float]
    x_m: np.ndarray
    y_m: np.ndarray
    yaw_rad: np.ndarray
    speed_mps: np.ndarray
    braking: np.ndarray | None = None
    indicator: np.ndarray | None = None
    door_open: np.ndarray | None = None
    signal_state: np.ndarray | None = None
    lean_rad: np.ndarray | None = None
    lift_m: np.ndarray | float = 0.0
    lights_on: bool | None = None
    reflective: bool = True
    role: str = ""
    style: int = 0
    essential: bool = False
    is_obstacle: bool = True
    noticed_from_step: int = 0

    @property
    def half_length_m(self) -> float:
        return self.size_m[0] / 2

    @property
    def half_width_m(self) -> float:
        return self.size_m[1] / 2

    @property
    def swept_half_width_m(self) -> np.ndarray:
        """Half width ``(N,)`` including the open part of a door."""
        door = np.zeros(len(self.x_m)) if self.door_open is None else self.door_open
        return self.half_width_m + DOOR_M * door

    @property
    def label(self) -> str | None:
        return LABELS[self.kind]


def gait(variant: str, speed_mps: np.ndarray, dt_s: float, start_rad: float) -> np.ndarray:
    """Phase (rad) ``(N,)`` of the walking or pedalling cycle: 2 pi for each stride length covered."""
    stride = STRIDE_M.get(variant)
    if stride is None:
        return np.zeros(len(speed_mps))
    covered = np.concatenate([[0.0], np.cumsum(0.5 * (speed_mps[1:] + speed_mps[:-1]) * dt_s)])
    return start_rad + 2 * math.pi * covered / stride


def to_agent(track: Track, track_id: int, *, pick: slice, dt_s: float, z_m: np.ndarray | float, lights: bool) -> Agent:
    """The track at the frames of the clip.

    pick: selects the steps that are frames. z_m: height of the ground at each step. lights: whether headlights are on
    unless the track says otherwise; those of motorcycles always are (Regulation (EU) No 168/2013, Annex II).
    """
    count = len(track.x_m)
    z = np.broadcast_to(np.asarray(z_m, float) + track.lift_m, (count,))
    poses = np.stack([track.x_m, track.y_m, z, track.yaw_rad], 1)[pick]
    frames = len(poses)
    phase = gait(track.variant, track.speed_mps, dt_s, (track.style % 628) / 100.0)[pick]

    def at_frames(values: np.ndarray | None, dtype: type) -> np.ndarray:
        return np.zeros(frames, dtype) if values is None else np.asarray(values)[pick].astype(dtype)

    return Agent(
        track_id=track_id,
        kind=track.kind,
        label=track.label,
        variant=track.variant,
        size_m=track.size_m,
        poses=poses,
        speed_mps=np.asarray(track.speed_mps, float)[pick],
        present=np.ones(frames, bool),
        gait_phase=phase,
        braking=at_frames(track.braking, bool),
        indicator=at_frames(track.indicator, int),
        door_open=at_frames(track.door_open, float),
        lights_on=(lights or track.kind == "motorcycle") if track.lights_on is None else track.lights_on,
        role=track.role,
        style=track.style,
        signal_state=None if track.signal_state is None else np.asarray(track.signal_state)[pick].astype(int),
        lean_rad=None if track.lean_rad is None else np.asarray(track.lean_rad, float)[pick],
        reflective=track.reflective,
    )
