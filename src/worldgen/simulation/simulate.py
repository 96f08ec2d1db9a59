"""Simulates a complete scene from a scenario and a seed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion, ego_from_planar_poses, planar_poses
from worldgen.core.errors import InputError
from worldgen.core.scenario import Scenario
from worldgen.core.scene import Scene
from worldgen.core.seeds import numpy_rng
from worldgen.simulation.actors import Track, to_agent
from worldgen.simulation.atmosphere import draw_atmosphere, friction
from worldgen.simulation.checks.audit import SimulatedBodies, event_faults, record, request_faults, without_overlaps
from worldgen.simulation.events import Event, PlayedEvent
from worldgen.simulation.requested_agents import place_requests, requested_kinds, requested_road_features
from worldgen.simulation.road.road_needs import RoadNeeds
from worldgen.simulation.road.roads import SPEED_RANGE_MPS, draw_plan
from worldgen.simulation.road.surface import build_road
from worldgen.simulation.scene_builder import SceneBuilder
from worldgen.simulation.scene_request import GivenMotion, SceneRequest, check_events, checked_request, draw_camera
from worldgen.simulation.street.furnishing import furnish_street
from worldgen.simulation.street.roadside import place_statics
from worldgen.simulation.traffic.background_traffic import no_traffic, populate
from worldgen.simulation.traffic.driving import TrafficRun, drive, traffic_tracks
from worldgen.simulation.traffic.ego_path import free_plan, nominal_run, plan_ego, plan_given

WEATHER_SPEED = {"light_rain": 0.93, "heavy_rain": 0.82, "fog": 0.72, "snow": 0.65}
"""Factor on the entry speed."""
ON_FOOT, BUILT_UP = ("pedestrian", "child"), ("urban", "suburban", "intersection", "construction")
NEAR_PEOPLE_MPS = (2.0, 6.0)
"""Entry speeds in built-up streets where people on foot are asked for: 7 to 22 km/h, as of drivers who expect them to
cross. At higher ones a person is near enough to be noticed for one second of three."""
NEAR_PEOPLE_AT_NIGHT_MPS = (1.2, 3.0)
"""The same at night: low beams show a person at walking distance only, so drivers creep towards a crossing."""


def draw_speed(rng: np.random.Generator, scenario: Scenario, events: list[Event]) -> float:
    """Entry speed (m/s) that suits road, weather, manoeuvre and events."""
    low, high = SPEED_RANGE_MPS[scenario.road]
    if scenario.road in BUILT_UP and any(request.kind in ON_FOOT and request.count for request in scenario.agents):
        low, high = NEAR_PEOPLE_AT_NIGHT_MPS if scenario.light.startswith("night") else NEAR_PEOPLE_MPS
    for event in events:
        low, high = event.speed_mps or (low, high)
    speed = rng.uniform(low, high) * WEATHER_SPEED.get(scenario.weather, 1.0)
    if scenario.manoeuvre == "stop":
        speed = min(speed, max(1.5, 3.2 * (scenario.duration_s - 1.3)))
    if scenario.manoeuvre.startswith("turn"):
        speed = min(speed, rng.uniform(4.8, 6.2))
    if scenario.manoeuvre == "accelerate":
        speed *= rng.uniform(0.75, 1.0) if events else rng.uniform(0.5, 0.9)
    return float(speed)


MAX_ATTEMPTS, MAX_EVENT_FREE_ATTEMPTS = 60, 12
"""Attempts at a scene, with and without events."""
MIN_EVENT_CLIP_S = 2.0
"""Shortest clip in which an event can play."""


@dataclass(eq=False)
class SceneAttempt:
    """One attempt at a scene: the scene built, the events played, and its faults."""

    request: SceneRequest
    builder: SceneBuilder
    bodies: SimulatedBodies
    played: list[tuple[Event, PlayedEvent]]
    faults: list[str]


def simulate(
    scenario: Scenario,
    seed: int,
    *,
    fps: float = 8.0,
    num_frames: int | None = None,
    camera: Camera | None = None,
    ego: EgoMotion | None = None,
    speed_mps: float | None = None,
) -> Scene:
    """One scene of a scenario. Deterministic in its arguments.

    num_frames: by default ``duration_s * fps + 1``. camera: by default a random dashcam of 224x128 pixels. ego: a
    motion that the ego follows exactly; the road is laid along it. speed_mps: entry speed, by default drawn.

    Raises InputError for unknown events, for events and manoeuvres that contradict the scenario, for numbers out of
    range, and for an event that failed in every attempt.
    """
    request = checked_request(scenario, seed, GivenMotion(fps, num_frames, camera, ego, speed_mps))
    events = check_events(scenario, given=ego is not None)
    if events and request.steps * request.dt_s < MIN_EVENT_CLIP_S:
        raise InputError(
            "length of a clip with events in seconds",
            round(request.steps * request.dt_s, 2),
            f"at least {MIN_EVENT_CLIP_S}",
        )
    best: SceneAttempt | None = None
    for number in range(MAX_ATTEMPTS):
        attempt = _attempt(request, events, number)
        if best is None or len(attempt.faults) < len(best.faults):
            best = attempt
        if not best.faults or (number + 1 >= MAX_EVENT_FREE_ATTEMPTS and not events):
            break
    assert best is not None
    wrong = [fault for fault in best.faults if fault.split(":")[0] in scenario.events]
    if wrong and ego is None:
        raise InputError("event that fits no drawn scene", wrong[0], "another road, manoeuvre, speed or a longer clip")
    best.builder.notes += best.faults
    return _scene(best)


def _attempt(request: SceneRequest, events: list[Event], number: int) -> SceneAttempt:
    """One attempt: the events are simulated alone first, then together with everything else."""
    rng = numpy_rng("scene", request.scenario.key, request.seed, number)
    if request.draws_camera and number:
        # A wider view may show what was outside a narrow one.
        request = replace(request, camera=draw_camera(rng, wide=number >= 8))
    builder = begin_scene(rng, request, events)
    played = []
    for event in events:
        builder.role = event.name
        played.append((event, event.play(builder)))
    builder.role = ""
    if events:
        trial = _finish(builder, request, drive(builder, no_traffic()), played, [])
        if trial.faults:
            return trial
    asked = [t for _, tracks in place_requests(builder) for t in tracks]
    furnish_street(builder)
    traffic = populate(builder)
    result = drive(builder, traffic)
    builder.tracks += traffic_tracks(builder, traffic, result)
    return _finish(builder, request, result, played, asked)


def _finish(
    builder: SceneBuilder,
    request: SceneRequest,
    result: TrafficRun,
    played: list[tuple[Event, PlayedEvent]],
    asked: list[Track],
) -> SceneAttempt:
    """The attempt with its ego motion, without overlapping tracks, and with its faults."""
    motion, poses = ego_motion(builder, result, request)
    tracks, lost = without_overlaps(builder.tracks, motion, poses, request.substeps)
    bodies = SimulatedBodies.of(tracks, motion, poses, request.substeps)
    faults = [f for event, p in played for f in event_faults(bodies, event, p, request.camera, request.substeps)]
    faults += request_faults(bodies, asked, request.camera)
    if lost and not faults:
        faults.append(f"cast: {lost} agents had no room")
    return SceneAttempt(request, builder, bodies, played, faults)


def begin_scene(rng: np.random.Generator, request: SceneRequest, events: list[Event]) -> SceneBuilder:
    """A scene with road and ego path, and without actors."""
    scenario, course = request.scenario, request.course
    duration, grip = (request.steps - 1) * request.dt_s, friction(request.scenario.weather)
    manoeuvre = scenario.manoeuvre if course is None else course.manoeuvre
    road_features = frozenset(requested_road_features(scenario)).union(*(event.road_features for event in events))
    if course is not None:
        speed, distance = float(course.speed_mps[0]), max(float(course.travelled_m[-1]), 0.0)
    else:
        speed = request.speed_mps if request.speed_mps is not None else draw_speed(rng, scenario, events)
        distance = float(nominal_run(free_plan(manoeuvre, speed, duration, grip), request.steps, request.dt_s)[0][-1])
    plan = draw_plan(rng, RoadNeeds(scenario.road, manoeuvre, speed, distance, road_features, course))
    ego_plan = plan_given(course, grip) if course is not None else plan_ego(manoeuvre, plan, speed, duration, grip)
    night = scenario.light.startswith("night")
    half_view_tan = request.camera.width_px / (2 * request.camera.fx_px)
    return SceneBuilder(
        scenario, rng, plan, ego_plan, request.steps, request.dt_s, night, requested_kinds(scenario), half_view_tan
    )


def ego_motion(builder: SceneBuilder, result: TrafficRun, request: SceneRequest) -> tuple[EgoMotion, np.ndarray]:
    """Ego motion at the frames, and the poses ``(T, 3)`` that it integrates to."""
    if request.motion is not None:
        return request.motion, planar_poses(request.motion)
    x, y, yaw = builder.ego.path.world(result.ego_s_m[:: request.substeps])
    path = np.stack([x - x[0], y - y[0], yaw - yaw[0]], 1)
    rate = float(np.interp(0.0, builder.ego.path.s_m, builder.ego.path.curvature)) * result.ego_v_mps[0]
    motion = ego_from_planar_poses(path, request.fps, first=(float(result.ego_v_mps[0]), rate))
    return motion, planar_poses(motion)


def _scene(attempt: SceneAttempt) -> Scene:
    """The finished scene: static objects, agents at the frames, ground, atmosphere and event records."""
    request, builder, bodies = attempt.request, attempt.builder, attempt.bodies
    scenario = request.scenario
    atmosphere = draw_atmosphere(numpy_rng("atmosphere", scenario.key, request.seed), scenario)
    builder.tracks = bodies.tracks
    statics = place_statics(builder)
    line, flat = builder.plan.line, not builder.plan.line.z_m.any()
    base = float(line.height(np.zeros(1))[0])
    agents = tuple(
        to_agent(
            track,
            i,
            pick=slice(None, None, request.substeps),
            dt_s=request.dt_s,
            z_m=0.0 if flat else line.height(line.project(track.x_m, track.y_m)[0]),
            lights=atmosphere.headlights_on,
        )
        for i, track in enumerate(bodies.tracks, 1)
    )
    ego_s, _ = line.project(bodies.poses[:, 0], bodies.poses[:, 1])
    records = tuple(record(event, played, bodies, request.substeps) for event, played in attempt.played)
    return Scene(
        scenario,
        request.seed,
        request.fps,
        request.camera,
        bodies.motion,
        bodies.poses,
        line.height(ego_s) - base,
        build_road(builder.plan),
        statics,
        agents,
        atmosphere,
        records,
        tuple(builder.notes),
    )
