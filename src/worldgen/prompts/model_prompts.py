"""Prompts as world models like them: the user's words verbatim, then what the scene shows, in a family's own length.

A pretrained model was trained on captions that describe a whole clip. The words of a request seldom say what the
weather and the light are like; a scene knows. So weather and light are always said, and the user's words are never
changed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

from worldgen.core.scenario import Scenario
from worldgen.core.scene import Scene
from worldgen.prompts.json_captions import scene_fields

WEATHER = {
    "clear": "clear dry weather",
    "overcast": "an overcast grey sky, dry road",
    "light_rain": "light rain, wet road",
    "heavy_rain": "heavy rain, wet road with reflections, spray",
    "fog": "dense fog, low visibility",
    "snow": "falling snow, snow on the ground",
}
"""Word of ``core.scenario.WEATHERS`` -> how a caption says it."""
LIGHT = {
    "dawn": "at dawn, before sunrise",
    "day": "in daylight",
    "low_sun": "with a low sun and long shadows",
    "dusk": "at dusk, after sunset",
    "night_lit": "at night, lit by street lamps and headlights",
    "night_unlit": "at night on an unlit road, lit by headlights only",
}
ROAD = {
    "highway": "a highway", "urban": "a city street", "suburban": "a suburban street", "rural": "a country road",
    "intersection": "a street with an intersection", "construction": "a road with a construction site",
}  # fmt: skip
MANOEUVRE = {
    "keep": "drives on", "accelerate": "speeds up", "brake": "brakes", "stop": "stops", "turn_left": "turns left",
    "turn_right": "turns right", "lane_left": "changes to the left lane", "lane_right": "changes to the right lane",
}  # fmt: skip
COUNTS = ("no", "a", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
PLURALS = {"bus": "buses", "pedestrian": "pedestrians", "child": "children", "cargo": "pieces of cargo"}
LIGHT_OPPOSITES = {
    "night_lit": "daylight, blue sky", "night_unlit": "daylight, blue sky, street lamps", "day": "night, darkness",
    "low_sun": "night, darkness", "dawn": "bright noon", "dusk": "bright noon",
}  # fmt: skip
WEATHER_OPPOSITES = {
    "clear": "rain, snow, fog", "overcast": "rain, snow, sunshine", "light_rain": "dry road, sunshine",
    "heavy_rain": "dry road, sunshine", "fog": "clear distant view, sunshine", "snow": "bare dry road, sunshine",
}  # fmt: skip


def words_prompt(words: str, scenario: Scenario, scene: Scene | None = None) -> str:
    """The words alone, for models that were trained on them."""
    return words


def short_prompt(words: str, scenario: Scenario, scene: Scene | None = None) -> str:
    """The words, then weather and light in one sentence."""
    return f"{_sentence(words)} {_sky(scenario)}".strip()


def long_prompt(words: str, scenario: Scenario, scene: Scene | None = None) -> str:
    """The words, then a paragraph: camera, road, weather and light, what the ego car does, who else is there, look."""
    parts = [_sentence(words), f"Video of a car's front camera on {ROAD.get(scenario.road, 'a road')}.", _sky(scenario)]
    parts.append(
        f"The camera car {MANOEUVRE.get(scenario.manoeuvre, scenario.manoeuvre.replace('_', ' '))}{_speed(scene)}."
    )
    others = _others(scene)
    if others:
        parts.append(f"On and beside the road: {others}.")
    parts.append("Realistic video, natural colours, sharp details, steady exposure.")
    return " ".join(part for part in parts if part)


def json_prompt(words: str, scenario: Scenario, scene: Scene | None = None) -> str:
    """A JSON caption in the fields of Cosmos 3: the words open the running text and are the context; the rest is what
    the scene knows. Without a scene, as for recorded clips, subjects and camera are left out."""
    known = {} if scene is None else scene_fields(scene)
    light, weather = LIGHT[scenario.light], WEATHER[scenario.weather]
    setting = _capital(f"{ROAD.get(scenario.road, 'a road')}, {weather}")
    caption = {
        "subjects": known.pop("subjects", []),
        "background_setting": f"{setting}.",
        "lighting": {"conditions": _capital(f"{light}, {weather}"), **known.pop("lighting", {})},
        "aesthetics": {"mood_atmosphere": "Everyday traffic, recorded as it is", "color_scheme": "Natural colours"},
        "cinematography": known.pop("cinematography", {"framing": "View from the front camera of a car"}),
        "style_medium": "Live-action video",
        "artistic_style": "Realistic",
        "context": words.strip() or "A drive recorded by the front camera of a car.",
        "actions": known.pop("actions", []),
        "text_and_signage_elements": [],
        "transitions": [],
        "temporal_caption": long_prompt(words, scenario, scene),
        **known,
    }
    return json.dumps(caption, ensure_ascii=False)


PROMPT_STYLES: dict[str, Callable[[str, Scenario, Scene | None], str]] = {
    "words": words_prompt, "short": short_prompt, "long": long_prompt, "json": json_prompt,
}  # fmt: skip
"""Style of ``models.promise.PromptStyle`` -> from words, scenario and scene to the prompt."""


def negative_prompt(base: str, scenario: Scenario) -> str:
    """Faults that no clip should show, and the weather and light that this one should not."""
    parts = (base, LIGHT_OPPOSITES.get(scenario.light, ""), WEATHER_OPPOSITES.get(scenario.weather, ""))
    return ", ".join(part for part in parts if part)


def _sentence(words: str) -> str:
    words = words.strip()
    return words if not words or words[-1] in ".!?" else words + "."


def _sky(scenario: Scenario) -> str:
    weather, light = WEATHER[scenario.weather], LIGHT[scenario.light]
    return f"It is filmed {light}: {weather}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _speed(scene: Scene | None) -> str:
    """The mean speed of the ego car, to 5 km/h; "" without a scene."""
    if scene is None:
        return ""
    kmh = 5 * round(float(scene.ego.speed_mps.mean()) * 3.6 / 5)
    return f" at about {kmh} km/h" if kmh else ", almost standing"


def _others(scene: Scene | None) -> str:
    """Agents of a scene in words, the most frequent kinds first."""
    if scene is None:
        return ""
    kinds = Counter(agent.kind for agent in scene.agents if agent.present.any())
    return ", ".join(_counted(kind, count) for kind, count in kinds.most_common())


def _counted(kind: str, count: int) -> str:
    name = kind.replace("_", " ")
    if count == 1:
        return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
    number = COUNTS[count] if count < len(COUNTS) else str(count)
    return f"{number} {PLURALS.get(name, name + 's')}"
