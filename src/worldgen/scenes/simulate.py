"""From a scenario and a seed to a complete scene."""

from __future__ import annotations

import math

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.ego import MAX_SPEED_MPS, EgoMotion, ego_from_planar_poses, planar_poses
from worldgen.core.errors import InputError
from worldgen.core.scenario import Scenario
from worldgen.core.scene import Scene
from worldgen.core.seeds import numpy_rng
from worldgen.scenes.actors import EGO_FRONT_M, EGO_HALF_WIDTH_M, EGO_REAR_M, LABELS, Track, to_agent
from worldgen.scenes.atmosphere import draw_atmosphere, friction
from worldgen.scenes.conflict import overlapping_pairs
from worldgen.scenes.ego_path import free_plan, nominal_run, plan_ego
from worldgen.scenes.pedestrians import bystanders, cross
from worldgen.scenes.roads import SPEED_RANGE_MPS, RoadNeeds, draw_plan
from worldgen.scenes.roadside import place_statics
from worldgen.scenes.stage import Stage
from worldgen.scenes.surface import build_road
from worldgen.scenes.traffic import Drive, drive, fleet_tracks, populate

WEATHER_SPEED = {"light_rain": 0.93, "heavy_rain": 0.82, "fog": 0.72, "snow": 0.65}


def draw_camera(rng: np.random.Generator) -> Camera:
    """A dashcam as found in cars, now and then in a van."""
    height = rng.uniform(1.2, 1.9) if rng.random() < 0.85 else rng.uniform(1.9, 2.5)
    fov = float(np.clip(rng.normal(66.0, 9.0), 50.0, 90.0))
    return Camera.from_fov(224, 128, fov, height_m=float(height), pitch_rad=math.radians(rng.uniform(0.0, 4.0)))


def draw_speed(rng: np.random.Generator, scenario: Scenario) -> float:
    """Entry speed (m/s) that suits road, weather and manoeuvre."""
    speed = rng.uniform(*SPEED_RANGE_MPS[scenario.road]) * WEATHER_SPEED.get(scenario.weather, 1.0)
    if scenario.manoeuvre == "stop":
        speed = min(speed, max(1.5, 3.2 * (scenario.duration_s - 1.3)))
    if scenario.manoeuvre.startswith("turn"):
        speed = min(speed, rng.uniform(5.0, 7.0))
    if scenario.manoeuvre == "accelerate":
        speed *= rng.uniform(0.5, 0.9)
    return float(speed)


def simulate(
    scenario: Scenario, seed: int, *, fps: float = 8.0, num_frames: int | None = None, camera: Camera | None = None,
    ego: EgoMotion | None = None, speed_mps: float | None = None,
) -> Scene:  # fmt: skip
    """One concrete scene of a scenario; the same arguments always give the same scene."""
    frames = num_frames or round(scenario.duration_s * fps) + 1
    substeps = max(1, math.ceil(10.0 / fps))
    steps, dt = (frames - 1) * substeps + 1, 1.0 / (fps * substeps)
    rng = numpy_rng("scene", scenario.key, seed)
    camera = camera or draw_camera(numpy_rng("camera", scenario.key, seed))
    atmosphere = draw_atmosphere(numpy_rng("atmosphere", scenario.key, seed), scenario)
    stage = build_stage(scenario, rng, steps, dt, speed_mps)
    if stage.plan.crossing_s_m is not None and stage.allowed("pedestrian"):
        section = stage.plan.section
        cross(
            stage,
            "pedestrian",
            stage.plan.crossing_s_m,
            section.right_walk_m,
            section.left_walk_m,
            start_s=rng.uniform(-1.0, 1.0),
            speed_mps=rng.uniform(1.1, 1.6),
        )
    bystanders(stage)
    fleet = populate(stage)
    result = drive(stage, fleet)
    stage.tracks += fleet_tracks(stage, fleet, result)
    motion, poses = ego_motion(stage, result, fps, substeps)
    tracks = without_overlaps(stage.tracks, poses, substeps)
    stage.tracks = tracks
    statics = place_statics(stage)
    road_s = [stage.plan.line.project(t.x_m, t.y_m)[0] for t in tracks]
    agents = tuple(
        to_agent(
            t,
            i + 1,
            pick=slice(None, None, substeps),
            dt_s=dt,
            z_m=stage.plan.line.height(s),
            lights=atmosphere.headlights_on,
        )
        for i, (t, s) in enumerate(zip(tracks, road_s, strict=True))
    )
    ego_s, _ = stage.plan.line.project(poses[:, 0], poses[:, 1])
    return Scene(
        scenario, int(seed), float(fps), camera, motion, poses, stage.plan.line.height(ego_s) - stage.plan.line.height(0.0),
        build_road(stage.plan), statics, agents, atmosphere, (), tuple(stage.notes),
    )  # fmt: skip


def build_stage(scenario: Scenario, rng: np.random.Generator, steps: int, dt: float, speed_mps: float | None) -> Stage:
    """Road, ego line and an empty stage for a scenario."""
    speed = draw_speed(rng, scenario) if speed_mps is None else float(speed_mps)
    if not 0.0 <= speed <= MAX_SPEED_MPS:
        raise InputError("speed_mps", speed_mps, f"0 to {MAX_SPEED_MPS}")
    duration = (steps - 1) * dt
    grip = friction(scenario.weather)
    way, _ = nominal_run(free_plan(scenario.manoeuvre, speed, duration, grip), steps, dt)
    plan = draw_plan(rng, RoadNeeds(scenario.road, scenario.manoeuvre, speed, float(way[-1])))
    ego_plan = plan_ego(scenario.manoeuvre, plan, speed, duration, grip)
    quiet = {LABELS[a.kind] or a.kind for a in scenario.agents}
    return Stage(scenario, rng, plan, ego_plan, steps, dt, scenario.light.startswith("night"), frozenset(quiet))


def ego_motion(stage: Stage, result: Drive, fps: float, substeps: int) -> tuple[EgoMotion, np.ndarray]:
    """Ego motion at the frames and its poses, exactly consistent with each other."""
    x, y, yaw = stage.ego.path.world(result.ego_s_m[::substeps])
    path = np.stack([x - x[0], y - y[0], yaw - yaw[0]], 1)
    if len(path) == 1:
        motion = EgoMotion(result.ego_v_mps[:1], np.zeros(1), fps)
    else:
        motion = ego_from_planar_poses(path, fps)
    return motion, planar_poses(motion)


def track_boxes(tracks: list[Track], substeps: int) -> np.ndarray:
    """Footprints at the frames ``(T, A, 5)``: x, y, yaw, half length, half width."""
    columns = [
        np.stack(
            [t.x_m, t.y_m, t.yaw_rad, np.full(len(t.x_m), t.half_length_m), np.full(len(t.x_m), t.half_width_m)], 1
        )[::substeps]
        for t in tracks
    ]
    return np.stack(columns, 1)


def ego_boxes(poses: np.ndarray) -> np.ndarray:
    """Footprint of the ego car ``(T, 5)``; the camera is not at its middle."""
    shift = 0.5 * (EGO_FRONT_M - EGO_REAR_M)
    half = np.full(len(poses), 0.5 * (EGO_FRONT_M + EGO_REAR_M))
    return np.stack(
        [poses[:, 0] + shift * np.cos(poses[:, 2]), poses[:, 1] + shift * np.sin(poses[:, 2]), poses[:, 2], half, np.full(len(poses), EGO_HALF_WIDTH_M)], 1
    )  # fmt: skip


def without_overlaps(tracks: list[Track], poses: np.ndarray, substeps: int) -> list[Track]:
    """The tracks less those of the background whose bodies would meet another or the ego."""
    if not tracks:
        return tracks
    boxes = np.concatenate([ego_boxes(poses)[:, None], track_boxes(tracks, substeps)], 1)
    dropped: set[int] = set()
    for i, j in overlapping_pairs(boxes):
        if i in dropped or j in dropped:
            continue
        later = j if i == 0 or not tracks[j - 1].essential else i
        dropped.add(int(later))
    return [t for k, t in enumerate(tracks, 1) if k not in dropped]
