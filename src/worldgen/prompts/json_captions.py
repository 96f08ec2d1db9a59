"""What a scene shows, as the fields of the JSON captions that NVIDIA's Cosmos 3 was trained on.

Others let a language model guess these fields from a sentence; a scene knows them: who is where, how large in the
picture, seen from which side, doing what, when; where the light comes from; how the camera moves. Fields that a scene
does not know, such as skin, are left out. Source of the names: the captions in NVIDIA/cosmos, cookbooks/cosmos3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from worldgen.core.ego import wrap_angle
from worldgen.core.english import with_article
from worldgen.core.scene import SIGNAL_STATES, Agent, Scene
from worldgen.prompts.tables import load_phrases

MOST_SUBJECTS = 10
"""Subjects of a caption, the most prominent first: a long list of far cars would drown the one that matters."""
PEOPLE = ("adult", "child", "elder")
RIDDEN = ("cyclist", "motorcycle")
STANDING_MPS, RUNNING_MPS = 0.3, 2.5
ASPECTS = {"16,9": 16 / 9, "4,3": 4 / 3, "1,1": 1.0, "3,4": 3 / 4, "9,16": 9 / 16}
"""Aspect ratios that captions name."""
VARIANT_WORDS = {
    "suv": "SUV", "estate": "estate car", "pickup": "pickup truck", "box_truck": "box truck",
    "semi_truck": "semi-trailer truck", "city_bus": "city bus", "adult": "pedestrian", "elder": "elderly pedestrian",
    "cone": "traffic cone", "signal": "traffic light", "cargo_box": "cardboard box", "tyre": "lost tyre",
}  # fmt: skip
"""Shape of an agent -> its noun, where the name of the shape is not one."""


@dataclass(frozen=True)
class Sight:
    """An agent as the camera sees it best. frame: where it is largest. share: its height over that of the picture.
    side: from -1 (right edge) to 1 (left edge). distance_m: along the ground. view_rad: its heading against the line of
    sight; 0 is seen from behind, positive turns to the left."""

    frame: int
    share: float
    side: float
    distance_m: float
    view_rad: float


def scene_fields(scene: Scene) -> dict:
    """Fields of the caption that follow from the scene alone, in the order of the published captions."""
    camera, seconds = scene.camera, scene.num_frames / scene.fps
    return {
        "subjects": _subjects(scene),
        "lighting": {"direction": _light_direction(scene), "shadows": _shadows(scene)},
        "cinematography": {
            "camera_motion": _camera_motion(scene),
            "framing": "Wide first-person view from behind the windscreen of a car, looking ahead along the road",
            "camera_angle": f"Eye level of a driver, {camera.height_m:.1f} m above the road",
            "depth_of_field": "Deep",
            "focus": "Sharp from the road in front of the car to the distance",
            "lens_focal_length": f"{18 / math.tan(math.radians(camera.fov_deg) / 2):.0f}mm equivalent",
        },
        "actions": _actions(scene),
        "resolution": {"H": camera.height_px, "W": camera.width_px},
        "aspect_ratio": min(ASPECTS, key=lambda name: abs(ASPECTS[name] - camera.width_px / camera.height_px)),
        "duration": f"{round(seconds)}s",
        "fps": round(scene.fps, 3),
    }


def sight_of(agent: Agent, scene: Scene) -> Sight | None:
    """How the camera sees an agent best; None when it is never in the picture. Occlusion is not looked at."""
    ahead = agent.poses[:, :2] - scene.ego_poses[:, :2]
    cos, sin = np.cos(scene.ego_poses[:, 2]), np.sin(scene.ego_poses[:, 2])
    forward, left = cos * ahead[:, 0] + sin * ahead[:, 1], cos * ahead[:, 1] - sin * ahead[:, 0]
    camera = scene.camera
    half = math.tan(math.radians(camera.fov_deg) / 2)
    seen = agent.present & (forward > 0.5)
    side = np.where(seen, left / np.maximum(forward, 0.5) / half, 9.0)
    seen &= np.abs(side) <= 1.0
    if not seen.any():
        return None
    share = np.where(seen, agent.size_m[2] * camera.fy_px / np.maximum(forward, 0.5) / camera.height_px, 0.0)
    frame = int(share.argmax())
    line_of_sight = scene.ego_poses[frame, 2] + math.atan2(left[frame], forward[frame])
    view = float(wrap_angle(agent.poses[frame, 3] - line_of_sight))
    distance = float(np.hypot(forward[frame], left[frame]))
    return Sight(frame, float(share[frame]), float(side[frame]), distance, view)


def _subjects(scene: Scene) -> list[dict]:
    sights = [(agent, sight) for agent in scene.agents if (sight := sight_of(agent, scene)) is not None]
    sights.sort(key=lambda pair: (not pair[0].role, -pair[1].share))  # actors of an event first
    return [
        {
            "description": _sentence(with_article(_noun(agent))),
            "appearance_details": _appearance(agent, scene),
            "location": f"{_place(sight)}, about {max(1, round(sight.distance_m))} m away",
            "relative_size": f"{_size(sight)} within frame",
            "orientation": _orientation(agent, sight),
            "action": _action(agent, sight),
            "state_changes": _changes(agent),
            "number_of_subjects": 1,
        }
        for agent, sight in sights[:MOST_SUBJECTS]
    ]


def _noun(agent: Agent) -> str:
    if agent.kind == "cyclist":
        return "cyclist on a bicycle"
    if agent.kind == "motorcycle":
        return "motorcyclist on a motorbike"
    return VARIANT_WORDS.get(agent.variant, agent.variant.replace("_", " "))


def _appearance(agent: Agent, scene: Scene) -> str:
    said = []
    person = agent.variant in PEOPLE
    if person or agent.kind in RIDDEN:
        said.append("reflectors on the clothes" if agent.reflective else "dark clothes without reflectors")
    if agent.lights_on and not person:
        said.append("lights switched on")
    if scene.atmosphere.wetness > 0.4 and not person and agent.kind not in ("traffic_light", "animal"):
        said.append("wet surfaces")
    return _sentence(", ".join(said)) if said else ""


def _place(sight: Sight) -> str:
    across = "Left" if sight.side > 1 / 3 else "Right" if sight.side < -1 / 3 else "Centre"
    depth = "foreground" if sight.distance_m < 12 else "middle distance" if sight.distance_m < 40 else "background"
    return f"{across} of frame, {depth}"


def _size(sight: Sight) -> str:
    return "Large" if sight.share > 0.35 else "Medium" if sight.share > 0.12 else "Small"


def _orientation(agent: Agent, sight: Sight) -> str:
    if agent.kind in ("traffic_light", "cone", "cargo"):
        return ""
    if abs(sight.view_rad) < math.pi / 4:
        return "Seen from behind"
    if abs(sight.view_rad) > 3 * math.pi / 4:
        return "Facing the camera"
    return f"Seen from the side, heading {'left' if sight.view_rad > 0 else 'right'}"


def _action(agent: Agent, sight: Sight) -> str:
    if agent.signal_state is not None:
        return f"Shows {SIGNAL_STATES[int(agent.signal_state[sight.frame])]}"
    lying = agent.lean_rad is not None and agent.lean_rad[sight.frame] > 1.0
    speed = float(agent.speed_mps[agent.present].max(initial=0.0))
    if speed < STANDING_MPS:
        return "Lying on the road" if lying else "Stands still"
    if agent.variant in PEOPLE or agent.kind == "animal":
        return "Runs" if speed > RUNNING_MPS else "Walks"
    if agent.kind == "cargo":
        return "Falls and slides over the road"
    return f"{'Rides' if agent.kind in RIDDEN else 'Drives'} at up to {5 * max(1, round(speed * 3.6 / 5))} km/h"


def _changes(agent: Agent) -> str:
    said = []
    if agent.braking[agent.present].any():
        said.append("brake lights come on" if not agent.braking[agent.present].all() else "brake lights are on")
    for value, side in ((1, "left"), (-1, "right")):
        if (agent.indicator[agent.present] == value).any():
            said.append(f"the {side} turn signal flashes")
    if (agent.indicator[agent.present] == 2).any():
        said.append("the hazard lights flash")
    if (agent.door_open[agent.present] > 0.3).any():
        said.append("a door opens")
    if agent.signal_state is not None and len(set(agent.signal_state.tolist())) > 1:
        order = dict.fromkeys(SIGNAL_STATES[int(state)] for state in agent.signal_state)
        said.append("changes from " + " to ".join(order))
    return _sentence(", ".join(said)) if said else ""


def _light_direction(scene: Scene) -> str:
    air = scene.atmosphere
    if air.sun_elevation_rad < 0 or air.ambient < 0.05:
        lamps = "street lamps from above" if air.street_lamps_on else "no street lamps"
        return f"Headlights of the camera car from behind the camera, {lamps}"
    if air.cloud_cover > 0.8:
        return "Diffuse from the whole sky"
    angle = float(wrap_angle(np.float64(air.sun_azimuth_rad - scene.ego_poses[0, 2])))
    names = ("ahead", "the left", "behind", "the right")
    side = names[round(angle / (math.pi / 2)) % 4]
    return f"Sun from {side}, {math.degrees(air.sun_elevation_rad):.0f} degrees above the horizon"


def _shadows(scene: Scene) -> str:
    air = scene.atmosphere
    if air.sun_elevation_rad < 0 or air.ambient < 0.05:
        return "Deep shadows outside the light of lamps and headlights"
    if air.cloud_cover > 0.8:
        return "Soft, almost none"
    return "Long and clear" if air.sun_elevation_rad < math.radians(20) else "Clear"


def _camera_motion(scene: Scene) -> str:
    speed = scene.ego.speed_mps * 3.6
    first, last = (5 * round(float(value) / 5) for value in (speed[0], speed[-1]))
    if speed.max() < 1:
        return "The camera stands still"
    turn = math.degrees(float(scene.ego_poses[-1, 2] - scene.ego_poses[0, 2]))
    moves = f"The camera moves forward smoothly at about {first} km/h"
    if abs(last - first) >= 5:
        moves += f", {'up' if last > first else 'down'} to {last} km/h"
    if abs(turn) >= 5:
        moves += f", and turns {abs(turn):.0f} degrees to the {'left' if turn > 0 else 'right'}"
    return moves


def _actions(scene: Scene) -> list[dict]:
    clauses = load_phrases().event_clause
    end = scene.num_frames / scene.fps
    return [
        {
            "time": f"{_clock(max(0.0, event.start_s))}-{_clock(min(end, event.end_s))}",
            "description": _sentence(clauses[event.name][0]),
        }
        for event in scene.events
        if event.name in clauses and event.start_s < end
    ]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
