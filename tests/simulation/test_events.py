"""Every event plays where it may, within its range, in view, and touches nobody."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from worldgen.core.errors import InputError
from worldgen.core.scenario import AgentRequest, Scenario
from worldgen.core.scene import Agent, Scene
from worldgen.simulation.actors import DOOR_M, EGO_FRONT_M, EGO_HALF_WIDTH_M, EGO_REAR_M
from worldgen.simulation.events import EVENTS, Event
from worldgen.simulation.simulate import simulate

SEEDS = 3


def scenario_of(event: Event, k: int) -> Scenario:
    pick = lambda words: words[k % len(words)]  # noqa: E731
    return Scenario(
        pick(event.weathers), pick(event.lights), pick(event.roads), pick(event.manoeuvres), (), (event.name,)
    )


@functools.cache
def played(name: str, seed: int) -> Scene:
    return simulate(scenario_of(EVENTS[name], seed), seed)


def least_ttc_s(scene: Scene, agent: Agent) -> float:
    """Time to collision by brute force: both move on as they do, sampled every 0.01 s, sides within 0.5 m count."""
    lookahead = np.arange(0.0, 10.0, 0.01)
    velocity = np.gradient(agent.poses[:, :2], 1 / scene.fps, axis=0)
    least = math.inf
    for i in range(scene.num_frames):
        x, y, yaw = scene.ego_poses[i]
        heading = np.array([math.cos(yaw), math.sin(yaw)])
        centre = np.array([x, y]) + 0.5 * (EGO_FRONT_M - EGO_REAR_M) * heading
        relative = velocity[i] - scene.ego.speed_mps[i] * heading
        path = agent.poses[i, :2] - centre + lookahead[:, None] * relative
        turn = agent.poses[i, 3] - yaw
        half = np.array([agent.size_m[0] / 2, agent.size_m[1] / 2 + DOOR_M * agent.door_open[i]])
        c, s = abs(math.cos(turn)), abs(math.sin(turn))
        along = np.abs(path @ heading) < 0.5 * (EGO_FRONT_M + EGO_REAR_M) + half @ (c, s)
        across = np.abs(path @ np.array([-heading[1], heading[0]])) < EGO_HALF_WIDTH_M + 0.5 + half @ (s, c)
        hit = np.flatnonzero(along & across)
        if len(hit):
            least = min(least, float(lookahead[hit[0]]))
    return least


def test_the_library_is_whole():
    assert len(EVENTS) == 36
    for name, event in EVENTS.items():
        low, high = event.ttc_range_s
        assert event.name == name and 0.0 < low < high < 10.0
        assert event.definition.endswith(".") and "\n" not in event.definition and len(event.definition) < 110
        assert event.play.__doc__ and event.roads and event.manoeuvres


@pytest.mark.parametrize("name", EVENTS)
def test_event_happens_in_range_and_in_view(name):
    low, high = EVENTS[name].ttc_range_s
    for seed in range(SEEDS):
        scene = played(name, seed)
        (event,) = scene.events
        assert event.name == name and 0.0 <= event.start_s < event.end_s <= scene.scenario.duration_s + 1e-6
        agents = {a.track_id: a for a in scene.agents}
        actors = [agents[i] for i in event.track_ids]
        assert all(a.role.startswith(name + ":") for a in actors)
        assert event.min_ttc_s is not None and low <= event.min_ttc_s <= high
        least = min(least_ttc_s(scene, a) for a in actors)
        # Props such as parked cars may be nearer than the actors in conflict, never farther.
        assert least <= event.min_ttc_s + 0.25  # the samples may miss a grazing contact for a frame or two
        main = agents[event.track_ids[0]]
        assert tallest_px(scene, main) >= 8.0


def tallest_px(scene: Scene, agent: Agent) -> float:
    """Height of the projected body (pixels of a picture 224 wide) at its closest while its middle is in the picture."""
    best = 0.0
    for (x, y, yaw), pose in zip(scene.ego_poses, agent.poses, strict=True):
        dx, dy = pose[0] - x, pose[1] - y
        forward, left = dx * math.cos(yaw) + dy * math.sin(yaw), dy * math.cos(yaw) - dx * math.sin(yaw)
        points = np.array([[forward, left, z] for z in (0.0, agent.size_m[2] / 2, agent.size_m[2])])
        pixels, depth = scene.camera.project(points)
        if depth[0] > 1.0 and 0 < pixels[1, 0] < scene.camera.width_px:
            best = max(best, float(pixels[0, 1] - pixels[2, 1]) * 224 / scene.camera.width_px)
    return best


def test_contradictions_are_refused_in_one_line():
    for scenario, words in (
        (Scenario(road="highway", events=("red_light_runner",)), "red_light_runner"),
        (Scenario(road="rural", light="day", events=("pedestrian_at_night_without_reflectors",)), "night_unlit"),
        (Scenario(road="rural", weather="clear", events=("stalled_truck_in_fog",)), "fog"),
        (Scenario(road="urban", manoeuvre="turn_left", events=("hard_braking_leader",)), "turn_left"),
        (Scenario(road="urban", agents=(AgentRequest("pedestrian", 0),), events=("jaywalker",)), "pedestrian"),
        (Scenario(road="urban", events=("jaywalker", "jaywalker")), "once"),
        (Scenario(road="urban", events=("jaywalkr",)), "did you mean jaywalker"),
        (Scenario(road="urban", events=("dooring", "cut_in")), "single lane"),
        (Scenario(road="urban", events=("jaywalker",), duration_s=0.5), "at least 2"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            simulate(scenario, 0)
        assert "\n" not in str(caught.value)


def test_two_events_play_in_one_clip():
    scene = simulate(Scenario(road="suburban", duration_s=6.0, events=("cyclist_crossing", "dog_runs_out")), 5)
    assert [e.name for e in scene.events] == ["cyclist_crossing", "dog_runs_out"]


def test_special_looks():
    dark = played("pedestrian_at_night_without_reflectors", 0)
    assert not next(a for a in dark.agents if a.track_id == dark.events[0].track_ids[0]).reflective
    rider = played("cyclist_at_night_without_light", 0)
    assert not next(a for a in rider.agents if a.track_id == rider.events[0].track_ids[0]).lights_on
    door = played("dooring", 0)
    assert next(a for a in door.agents if a.track_id == door.events[0].track_ids[0]).door_open.max() > 0.9
    fall = played("pedestrian_stumbles", 0)
    assert next(a for a in fall.agents if a.track_id == fall.events[0].track_ids[0]).lean_rad.max() == pytest.approx(
        math.pi / 2
    )
    hill = played("queue_end_behind_crest", 0)
    assert hill.road.centre_m[:, 2].max() > 1.0 and hill.ego_z_m[0] == 0.0 and hill.ego_z_m.max() > 0.2
