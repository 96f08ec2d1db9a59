"""JSON captions say what the scene shows: known answers for where, how large, from which side, and when."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from worldgen.core.camera import Camera
from worldgen.core.ego import EgoMotion
from worldgen.core.scenario import LIGHTS, ROADS, WEATHERS, AgentRequest, Scenario
from worldgen.core.scene import EventRecord, Scene
from worldgen.prompts.json_captions import MOST_SUBJECTS, scene_fields, sight_of
from worldgen.prompts.model_prompts import LIGHT, PROMPT_STYLES, WEATHER, json_prompt
from worldgen.simulation.simulate import simulate

FRAMES = 21


@pytest.fixture(scope="module")
def scene() -> Scene:
    scenario = Scenario(weather="heavy_rain", light="night_lit", agents=(AgentRequest("pedestrian", 1, "crossing"),))
    ego = EgoMotion(np.full(FRAMES, 10.0), np.zeros(FRAMES), 10.0)
    return simulate(scenario, 3, fps=10.0, num_frames=FRAMES, camera=Camera.from_fov(1280, 720), ego=ego)


def placed(scene: Scene, x: float, y: float, yaw: float = 0.0, **changes):
    """An agent of the scene that stands at x ahead and y to the left of the ego vehicle of frame 0."""
    agent = next(a for a in scene.agents if a.kind == "pedestrian")
    poses = np.tile([x, y, 0.0, yaw], (FRAMES, 1))
    still = {"speed_mps": np.zeros(FRAMES), "present": np.ones(FRAMES, bool), "poses": poses}
    return dataclasses.replace(agent, **still | changes)


def with_agents(scene: Scene, *agents, **changes) -> Scene:
    numbered = tuple(dataclasses.replace(agent, track_id=n) for n, agent in enumerate(agents, 1))
    return dataclasses.replace(scene, agents=numbered, **changes)


def test_sight_is_of_the_frame_where_the_agent_is_largest(scene):
    agent = placed(scene, 25.0, 2.0)  # the ego vehicle goes 1 m a frame: it is 5 m ahead in the last one
    sight = sight_of(agent, scene)
    assert sight is not None and sight.frame == 20
    assert sight.distance_m == pytest.approx(math.hypot(5, 2))
    assert sight.side == pytest.approx(2 / 5 / math.tan(math.radians(scene.camera.fov_deg) / 2))
    assert sight.share == pytest.approx(agent.size_m[2] * scene.camera.fy_px / 5 / 720)


def test_who_is_never_in_the_picture_is_no_subject(scene):
    behind, beside, gone = placed(scene, -5.0, 0.0), placed(scene, 10.0, 40.0), placed(scene, 30.0, 0.0)
    gone = dataclasses.replace(gone, present=np.zeros(FRAMES, bool))
    assert all(sight_of(agent, scene) is None for agent in (behind, beside, gone))
    assert scene_fields(with_agents(scene, behind, beside, gone))["subjects"] == []


@pytest.mark.parametrize(
    ("yaw", "words"),
    [
        (0.0, "Seen from behind"), (math.pi, "Facing the camera"), (math.pi / 2, "Seen from the side, heading left"),
        (-math.pi / 2, "Seen from the side, heading right"),
    ],
)  # fmt: skip
def test_orientation(scene, yaw, words):
    assert scene_fields(with_agents(scene, placed(scene, 40.0, 0.0, yaw)))["subjects"][0]["orientation"] == words


def test_place_and_size(scene):
    near, far = placed(scene, 30.0, 3.0), placed(scene, 120.0, -40.0)
    one, other = scene_fields(with_agents(scene, near, far))["subjects"]
    assert one["location"].startswith("Left of frame, foreground") and one["relative_size"].startswith("Medium")
    assert other["location"].startswith("Right of frame, background") and other["relative_size"].startswith("Small")


def test_what_people_do_and_wear(scene):
    walking = placed(scene, 30.0, 0.0, speed_mps=np.full(FRAMES, 1.3), reflective=False, lights_on=True)
    running = placed(scene, 31.0, 0.0, speed_mps=np.full(FRAMES, 4.0))
    lying = placed(scene, 32.0, 0.0, lean_rad=np.full(FRAMES, 1.57))
    subjects = scene_fields(with_agents(scene, walking, running, lying))["subjects"]
    assert {each["action"] for each in subjects} == {"Walks", "Runs", "Lying on the road"}
    dark = next(each for each in subjects if each["action"] == "Walks")
    assert dark["appearance_details"] == "Dark clothes without reflectors."  # and a person has no lamps


def test_changes_of_vehicles(scene):
    car = next(a for a in scene.agents if a.kind == "car")
    half = np.arange(FRAMES) > 10
    car = dataclasses.replace(
        car, poses=np.tile([30.0, 0, 0, 0], (FRAMES, 1)), present=np.ones(FRAMES, bool), braking=half,
        indicator=np.where(half, 1, 0), door_open=np.where(half, 1.0, 0.0),
    )  # fmt: skip
    said = scene_fields(with_agents(scene, car))["subjects"][0]["state_changes"]
    assert said == "Brake lights come on, the left turn signal flashes, a door opens."


def test_actors_of_an_event_come_first_and_far_cars_do_not_drown_them(scene):
    crowd = [placed(scene, 26.0 + i, 0.0) for i in range(15)]
    actor = placed(scene, 110.0, 0.0, role="jaywalker:pedestrian", lights_on=False)
    event = EventRecord("jaywalker", (1,), 0.5, 9.0)
    fields = scene_fields(with_agents(scene, *crowd, actor, events=(event,)))
    assert len(fields["subjects"]) == MOST_SUBJECTS and "about 90 m" in fields["subjects"][0]["location"]
    assert fields["actions"] == [{"time": "0:00-0:02", "description": "A jaywalker steps into the road."}]


def test_camera(scene):
    fields = scene_fields(scene)
    assert fields["resolution"] == {"H": 720, "W": 1280} and fields["aspect_ratio"] == "16,9"
    assert (fields["duration"], fields["fps"]) == ("2s", 10.0)
    assert fields["cinematography"]["lens_focal_length"] == "26mm equivalent"  # 18 mm / tan(35 degrees)
    assert fields["cinematography"]["camera_motion"] == "The camera moves forward smoothly at about 35 km/h"
    turn = EgoMotion(np.linspace(10, 5, FRAMES), np.full(FRAMES, -0.2), 10.0)
    poses = scene.ego_poses.copy()
    poses[:, 2] = np.linspace(0, -0.4, FRAMES)
    moved = dataclasses.replace(scene, ego=turn, ego_poses=poses)
    expected = "at about 35 km/h, down to 20 km/h, and turns 23 degrees to the right"
    assert scene_fields(moved)["cinematography"]["camera_motion"].endswith(expected)


@pytest.mark.parametrize(
    ("azimuth", "side"), [(0.0, "ahead"), (math.pi / 2, "the left"), (-3.0, "behind"), (-math.pi / 2, "the right")]
)
def test_where_the_sun_is(scene, azimuth, side):
    air = dataclasses.replace(
        scene.atmosphere, sun_azimuth_rad=azimuth, sun_elevation_rad=0.2, cloud_cover=0.1, ambient=0.8
    )
    lighting = scene_fields(dataclasses.replace(scene, atmosphere=air))["lighting"]
    assert lighting == {"direction": f"Sun from {side}, 11 degrees above the horizon", "shadows": "Long and clear"}
    assert scene_fields(scene)["lighting"]["direction"].startswith("Headlights of the camera car")


WORDS = 'a "quoted" père crosses, 3 m ahead: {not json}'


@pytest.mark.parametrize("with_scene", [True, False])
def test_words_stay_verbatim_and_weather_and_light_are_said(scene, with_scene):
    caption = json.loads(json_prompt(WORDS, scene.scenario, scene if with_scene else None))
    assert caption["context"] == WORDS and caption["temporal_caption"].startswith(WORDS)
    text = json.dumps(caption)
    assert WEATHER["heavy_rain"] in text and LIGHT["night_lit"] in text.replace("At night", "at night")
    assert bool(caption["subjects"]) == with_scene and ("resolution" in caption) == with_scene


@pytest.mark.parametrize("style", list(PROMPT_STYLES))
def test_every_style_keeps_the_words_for_every_scenario(style):
    for weather, light, road in zip(WEATHERS * 2, LIGHTS * 2, ROADS * 2, strict=True):
        prompt = PROMPT_STYLES[style](WORDS, Scenario(weather=weather, light=light, road=road), None)
        said = json.loads(prompt)["temporal_caption"] if style == "json" else prompt
        assert said.startswith(WORDS)
        assert style == "words" or (WEATHER[weather] in said and LIGHT[light] in said)
