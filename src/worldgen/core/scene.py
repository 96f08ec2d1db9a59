"""Scene: one concrete road, ego path and cast in metres and seconds; the source of both conditions and labels.

World frame: z up, the ego's pose at frame 0 is the origin with heading along x, y left. A Scene is complete: the
rasteriser draws it and the labeller measures it without drawing another random number (looks come from ``style``
integers through the stable hash).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError, Received
from worldgen.core.scenario import Scenario

LINE_STYLES = ("solid", "dashed", "double", "none")
SURFACES = ("asphalt", "concrete", "sidewalk", "grass", "dirt", "crossing", "stop_line", "arrow", "gravel")
STATIC_KINDS = (
    "building", "tree", "bush", "pole", "street_lamp", "traffic_light", "sign", "barrier", "guard_rail", "fence",
    "hedge", "bus_stop", "bollard", "bin", "construction_sign",
)  # fmt: skip
VARIANTS = (
    "sedan", "hatchback", "suv", "estate", "van", "pickup", "box_truck", "semi_truck", "city_bus", "motorbike",
    "bicycle", "adult", "child", "elder", "cone", "signal", "deer", "dog", "cargo_box", "tyre",
)  # fmt: skip
SIGNAL_STATES = ("off", "green", "amber", "red")


@dataclass(frozen=True, eq=False)
class Line:
    """A painted line on the road. points_m: ``(M, 3)`` float64 world. width_m. style: one of ``LINE_STYLES``; yellow or white."""

    points_m: np.ndarray
    width_m: float = 0.15
    style: str = "solid"
    yellow: bool = False


@dataclass(frozen=True, eq=False)
class Patch:
    """A flat polygon on the ground. points_m: ``(M, 3)`` float64 world, in order. surface: one of ``SURFACES``.

    drivable: whether it counts as drivable area in the layout. Later patches lie over earlier ones.
    """

    points_m: np.ndarray
    surface: str
    drivable: bool = False


@dataclass(frozen=True)
class Static:
    """A thing that does not move. position_m: world x y z of its foot centre; yaw_rad; size_m: length width height."""

    kind: str
    position_m: tuple[float, float, float]
    yaw_rad: float
    size_m: tuple[float, float, float]
    style: int = 0


@dataclass(frozen=True, eq=False)
class Road:
    """Ground of the scene. centre_m: ``(M, 3)`` float64 reference line of the ego's carriageway. lane_width_m.

    lanes: lateral offsets (m, left positive) of lane centres from ``centre_m`` with direction +1 (with the ego) or -1.
    patches and lines in drawing order.
    """

    kind: str
    centre_m: np.ndarray
    lane_width_m: float
    lanes: tuple[tuple[float, int], ...]
    patches: tuple[Patch, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, eq=False)
class Agent:
    """A moving or movable thing over the whole clip.

    track_id: >= 1, unique. kind: one of ``AGENT_KINDS``; label: class of ``CLASSES`` or None for things that are drawn
    but have no class. variant: one of ``VARIANTS``. size_m: length width height. poses: ``(T, 4)`` float64 world
    x y z yaw of the foot centre. speed_mps: ``(T,)``. present: ``(T,)`` bool. gait_phase: ``(T,)`` radians of the
    walking or pedalling cycle. braking, indicator (-1 right, 0, +1 left, 2 both), door_open (0 to 1): ``(T,)``.
    lights_on. role: "" or the name of the event it plays in, with a part, e.g. "jaywalker:pedestrian". style: seeds
    its looks. signal_state: None, or ``(T,)`` of a traffic light, an index into ``SIGNAL_STATES``; the light faces
    along its yaw. lean_rad: None, or ``(T,)`` how far a person leans forward, pi/2 when lying. reflective: whether
    clothes or a bicycle carry reflectors.
    """

    track_id: int
    kind: str
    label: str | None
    variant: str
    size_m: tuple[float, float, float]
    poses: np.ndarray
    speed_mps: np.ndarray
    present: np.ndarray
    gait_phase: np.ndarray
    braking: np.ndarray
    indicator: np.ndarray
    door_open: np.ndarray
    lights_on: bool = False
    role: str = ""
    style: int = 0
    signal_state: np.ndarray | None = None
    lean_rad: np.ndarray | None = None
    reflective: bool = True


@dataclass(frozen=True)
class Atmosphere:
    """Weather and light as numbers.

    sun_azimuth_rad (world, 0 along x, left positive), sun_elevation_rad (negative at night), cloud_cover 0..1,
    rain_mmph, snow_mmph, wetness 0..1 (of the road), snow_cover 0..1, visibility_m (meteorological optical range),
    street_lamps_on, headlights_on, ambient 0..1 (share of daylight).
    """

    sun_azimuth_rad: float
    sun_elevation_rad: float
    cloud_cover: float
    rain_mmph: float
    snow_mmph: float
    wetness: float
    snow_cover: float
    visibility_m: float
    street_lamps_on: bool
    headlights_on: bool
    ambient: float


@dataclass(frozen=True)
class EventRecord:
    """An event as it happened: name, the tracks in it, when (s), and the least time to collision (s) or None."""

    name: str
    track_ids: tuple[int, ...]
    start_s: float
    end_s: float
    min_ttc_s: float | None = None


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything needed to draw and label a clip. ego_poses: ``(T, 3)`` world x y yaw of the ego; row 0 is zero.

    ego_z_m: ``(T,)`` ground height under the ego. ego agrees with ego_poses (see ``core.ego.planar_poses``).
    """

    scenario: Scenario
    seed: int
    fps: float
    camera: Camera
    ego: EgoMotion
    ego_poses: np.ndarray
    ego_z_m: np.ndarray
    road: Road
    statics: tuple[Static, ...]
    agents: tuple[Agent, ...]
    atmosphere: Atmosphere
    events: tuple[EventRecord, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        frames = len(self.ego)
        if self.ego_poses.shape != (frames, 3) or self.ego_z_m.shape != (frames,):
            raise InputError("scene ego poses", Received(str(self.ego_poses.shape)), f"({frames}, 3)")
        ids = [agent.track_id for agent in self.agents]
        if len(set(ids)) != len(ids) or (ids and min(ids) < 1):
            raise InputError("scene track ids", ids, "unique integers from 1")
        for agent in self.agents:
            if agent.poses.shape != (frames, 4):
                raise InputError(f"poses of track {agent.track_id}", Received(str(agent.poses.shape)), f"({frames}, 4)")

    @property
    def num_frames(self) -> int:
        return len(self.ego)
