"""Scene: one concrete road, ego path and set of agents in metres and seconds; the source of conditions and labels.

World frame: z up; the pose of the ego vehicle at frame 0 is the origin, with its heading along x and y to the left.
A scene is complete: rendering and labelling draw no random numbers. Variations of appearance follow from the ``style``
integers through the stable hash.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError, Received
from worldgen.core.scenario import Scenario

LINE_STYLES = ("solid", "dashed", "double", "none")
"""Styles of road markings."""
SURFACES = ("asphalt", "concrete", "sidewalk", "grass", "dirt", "crossing", "stop_line", "arrow", "gravel")
"""Surfaces of the ground."""
STATIC_KINDS = (
    "building", "tree", "bush", "pole", "street_lamp", "traffic_light", "sign", "barrier", "guard_rail", "fence",
    "hedge", "bus_stop", "bollard", "bin", "construction_sign",
)  # fmt: skip
"""Kinds of static objects."""
VARIANTS = (
    "sedan", "hatchback", "suv", "estate", "van", "pickup", "box_truck", "semi_truck", "city_bus", "motorbike",
    "bicycle", "adult", "child", "elder", "cone", "signal", "deer", "dog", "cargo_box", "tyre",
)  # fmt: skip
"""Shapes of agents, each with a mesh."""
SIGNAL_STATES = ("off", "green", "amber", "red")
"""States of a traffic light."""


@dataclass(frozen=True, eq=False)
class Line:
    """A painted line on the road.

    Attributes:
        points_m: ``(M, 3)`` float64 points of its middle in the world frame.
        width_m: width of the paint.
        style: one of ``LINE_STYLES``.
        yellow: whether the paint is yellow; otherwise it is white.
    """

    points_m: np.ndarray
    width_m: float = 0.15
    style: str = "solid"
    yellow: bool = False


@dataclass(frozen=True, eq=False)
class Patch:
    """A flat polygon on the ground. Later patches of a road lie over earlier ones.

    Attributes:
        points_m: ``(M, 3)`` float64 corners in the world frame, in order.
        surface: one of ``SURFACES``.
        drivable: whether it counts as drivable area in the layout.
    """

    points_m: np.ndarray
    surface: str
    drivable: bool = False


@dataclass(frozen=True)
class Static:
    """A static object.

    Attributes:
        kind: one of ``STATIC_KINDS``.
        position_m: x, y, z of the centre of its base in the world frame.
        yaw_rad: heading in the world frame, positive to the left.
        size_m: length, width, height.
        style: integer from which its appearance follows.
    """

    kind: str
    position_m: tuple[float, float, float]
    yaw_rad: float
    size_m: tuple[float, float, float]
    style: int = 0


@dataclass(frozen=True, eq=False)
class Road:
    """The ground of a scene.

    Attributes:
        kind: one of ``worldgen.core.scenario.ROADS``.
        centre_m: ``(M, 3)`` float64 reference line of the ego's carriageway in the world frame.
        lane_width_m: width of a lane.
        lanes: per lane the lateral offset of its centre from ``centre_m`` (metres, positive to the left) and its
            direction: +1 with the ego vehicle, -1 against it.
        patches: surfaces in drawing order.
        lines: markings in drawing order.
    """

    kind: str
    centre_m: np.ndarray
    lane_width_m: float
    lanes: tuple[tuple[float, int], ...]
    patches: tuple[Patch, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, eq=False)
class Agent:
    """A moving or movable object over the whole clip of T frames.

    Attributes:
        track_id: identifier, >= 1, unique in the scene.
        kind: one of ``worldgen.core.scenario.AGENT_KINDS``.
        label: class of ``worldgen.core.labels.CLASSES``, None for objects that are drawn but not labelled.
        variant: shape, one of ``VARIANTS``.
        size_m: length, width, height.
        poses: ``(T, 4)`` float64 x, y, z (m) and yaw (rad) of the centre of its base in the world frame.
        speed_mps: ``(T,)`` speed.
        present: ``(T,)`` bool, whether it is in the scene.
        gait_phase: ``(T,)`` phase of the walking or pedalling cycle in radians.
        braking: ``(T,)`` bool, whether the brake lamps are lit.
        indicator: ``(T,)`` turn indicator: -1 right, 0 off, 1 left, 2 both.
        door_open: ``(T,)`` opening of a door, 0 to 1.
        lights_on: whether the lamps are lit.
        role: "", or the event and the part that the agent has in it, e.g. "jaywalker:pedestrian".
        style: integer from which its appearance follows.
        signal_state: ``(T,)`` index into ``SIGNAL_STATES`` of a traffic light, which faces along its yaw; else None.
        lean_rad: ``(T,)`` angle by which a person leans forward, pi/2 when lying; None for upright.
        reflective: whether clothes or a bicycle carry reflectors.
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

    Attributes:
        sun_azimuth_rad: direction of the sun in the world frame, 0 along x, positive to the left.
        sun_elevation_rad: height of the sun, negative at night.
        cloud_cover: share of the sky that is covered, 0 to 1.
        rain_mmph: rain in mm per hour.
        snow_mmph: snow in mm of water per hour.
        wetness: of the road, 0 (dry) to 1.
        snow_cover: share of the ground that is covered, 0 to 1.
        visibility_m: meteorological optical range.
        street_lamps_on: whether street lamps are lit.
        headlights_on: whether vehicles have their headlights on.
        ambient: share of daylight, 0 to 1.
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
    """An event as it happened in a scene.

    Attributes:
        name: name of the event.
        track_ids: tracks of the agents that take part.
        start_s: begin in seconds from frame 0.
        end_s: end in seconds from frame 0.
        min_ttc_s: smallest time to collision during the event in seconds, None when no courses conflict.
    """

    name: str
    track_ids: tuple[int, ...]
    start_s: float
    end_s: float
    min_ttc_s: float | None = None


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything needed to render and label a clip of T frames.

    Attributes:
        scenario: the content that was asked for.
        seed: seed of the simulation.
        fps: frames per second.
        camera: camera on the ego vehicle.
        ego: motion of the ego vehicle, T rows.
        ego_poses: ``(T, 3)`` float64 x, y (m) and yaw (rad) of the ego vehicle in the world frame; row 0 is zero. They
            agree with ``ego`` (see :func:`worldgen.core.ego.planar_poses`).
        ego_z_m: ``(T,)`` height of the ground under the ego vehicle.
        road: the ground.
        statics: static objects.
        agents: moving or movable objects.
        atmosphere: weather and light.
        events: events that took place.
        notes: remarks of the simulator for the user, such as agents that found no place.

    Raises:
        InputError: for arrays of another length than T, and for track ids that are not unique.
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
        """Number of frames T."""
        return len(self.ego)
