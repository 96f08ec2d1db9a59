"""Small hand-built scenes for the rasteriser's tests."""

from __future__ import annotations

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion, planar_poses
from worldgen.core.scenario import Scenario
from worldgen.core.scene import Agent, Atmosphere, Line, Patch, Road, Scene, Static

SIZES = {
    "sedan": (4.6, 1.82, 1.45), "box_truck": (7.6, 2.35, 3.2), "adult": (0.5, 0.55, 1.74), "bicycle": (1.8, 0.6, 1.72),
    "cone": (0.38, 0.38, 0.75),
}  # fmt: skip
DAY = dict(
    sun_azimuth_rad=1.0, sun_elevation_rad=0.8, cloud_cover=0.2, rain_mmph=0.0, snow_mmph=0.0, wetness=0.0,
    snow_cover=0.0, visibility_m=2e4, street_lamps_on=False, headlights_on=False, ambient=1.0,
)  # fmt: skip
NIGHT = DAY | dict(sun_elevation_rad=-0.6, street_lamps_on=True, headlights_on=True, ambient=0.04)


def agent(
    track_id: int,
    kind: str,
    variant: str,
    *,
    x: float,
    y: float = 0.0,
    yaw: float = 0.0,
    speed: float = 0.0,
    size: tuple[float, float, float] | None = None,
    label: str | None = "",
    frames: int = 3,
    fps: float = 8.0,
    braking: bool = False,
) -> Agent:
    """An agent in straight motion."""
    t = np.arange(frames) / fps
    poses = np.stack([x + np.cos(yaw) * speed * t, y + np.sin(yaw) * speed * t, 0 * t, yaw + 0 * t], 1)
    return Agent(
        track_id=track_id, kind=kind, label=kind if label == "" else label, variant=variant,
        size_m=size or SIZES[variant], poses=poses, speed_mps=np.full(frames, speed), present=np.ones(frames, bool),
        gait_phase=4.0 * t, braking=np.full(frames, braking), indicator=np.zeros(frames, int),
        door_open=np.zeros(frames), style=track_id * 31,
    )  # fmt: skip


def plain_scene(
    *,
    agents: tuple[Agent, ...] = (),
    statics: tuple[Static, ...] = (),
    frames: int = 3,
    speed: float = 8.0,
    yaw_rate: float = 0.0,
    weather: str = "clear",
    light: str = "day",
    air: dict | None = None,
    camera: Camera | None = None,
) -> Scene:
    """A straight road with an ego that drives along it."""
    ego = EgoMotion(np.full(frames, speed), np.full(frames, yaw_rate), 8.0)
    x = np.linspace(-40, 200, 25)
    strip = lambda a, b: np.array([[-40, a, 0], [200, a, 0], [200, b, 0], [-40, b, 0.0]])  # noqa: E731
    patches = (
        Patch(np.array([[-140, -110, 0], [300, -110, 0], [300, 110, 0], [-140, 110, 0.0]]), "grass"),
        Patch(strip(-5, 5), "asphalt", True),
    )
    lines = (
        Line(np.stack([x, 0 * x + 1.7, 0 * x], 1), 0.15, "dashed"),
        Line(np.stack([x, 0 * x - 4.6, 0 * x], 1), 0.15),
    )
    road = Road("urban", np.stack([x, 0 * x, 0 * x], 1), 3.4, ((0.0, 1),), patches, lines)
    return Scene(
        scenario=Scenario(weather=weather, light=light), seed=5, fps=8.0,
        camera=camera or Camera.from_fov(224, 128, pitch_rad=0.03), ego=ego, ego_poses=planar_poses(ego),
        ego_z_m=np.zeros(frames), road=road, statics=statics, agents=agents,
        atmosphere=Atmosphere(**(air or (NIGHT if light.startswith("night") else DAY))),
    )  # fmt: skip
