"""What a prompt says about weather, light, road and manoeuvre, and the choice of one value for each of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn

from worldgen.core.english import with_article
from worldgen.core.errors import InputError

FIELDS = ("weather", "light", "road", "manoeuvre")
LIGHT_GROUPS = {
    "dawn": "dawn", "day": "day", "dusk": "dusk", "night": "night", "night_lit": "night", "night_unlit": "night",
}  # fmt: skip
"""Light -> time of day. Two times of day contradict each other."""
WEATHER_ORDER = ("heavy_rain", "snow", "fog", "light_rain", "overcast", "clear")
"""Of several weathers the first of this list is kept: the one that changes the picture most."""
ROAD_ORDER = ("construction", "intersection", "highway", "suburban", "rural", "urban")
"""Of several roads the first of this list is kept."""
MANOEUVRE_ORDER = ("turn_left", "turn_right", "lane_left", "lane_right", "stop", "brake", "accelerate", "keep")
"""Of several manoeuvres the first of this list is kept."""
OPPOSITES: dict[str, tuple[set[str], ...]] = {
    "manoeuvre": (
        {"turn_left", "turn_right"}, {"lane_left", "lane_right"}, {"accelerate", "brake"}, {"accelerate", "stop"},
    ),
    "road": ({"urban", "rural"},),
}  # fmt: skip
"""Field -> values that contradict each other."""
RULED_OUT_TOGETHER = {"rain": {"light_rain", "heavy_rain", "rain"}, "night": {"night", "night_lit", "night_unlit"}}
"""Value that is ruled out -> all values that are ruled out with it."""

Context = dict[str, tuple[str, str]]
"""Field -> the value that events and the manoeuvre bring with them when the prompt does not say one, and why."""


@dataclass(frozen=True)
class Assumption:
    """A value that the prompt does not say, and why it was taken."""

    field: str
    value: str
    why: str


@dataclass(frozen=True)
class Statement:
    """A value that the prompt names.

    hint: it gives way to a plain statement. weather_word: the phrase also names a weather, as "sunny" does.
    """

    value: str
    hint: bool = False
    weather_word: bool = False


@dataclass
class Statements:
    """Collects what the prompt says and rules out; then each field is chosen once.

    said, ruled_out: by field. assumed: values that the prompt does not say, in the order in which they were chosen.
    Choosing raises InputError when the statements contradict each other.
    """

    said: dict[str, list[Statement]] = field(default_factory=lambda: {name: [] for name in FIELDS})
    ruled_out: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in FIELDS})
    assumed: list[Assumption] = field(default_factory=list)

    def rule_out(self, name: str, value: str) -> None:
        self.ruled_out[name] |= RULED_OUT_TOGETHER.get(value, {value})

    def assume(self, name: str, value: str, why: str) -> None:
        self.assumed.append(Assumption(name, value, why))

    def manoeuvre(self) -> str:
        return self._choose("manoeuvre", MANOEUVRE_ORDER, "keep", {})

    def road(self, context: Context) -> str:
        if context.get("road", ("",))[0] == "construction" and self.said["road"]:
            # Cones and lane closures make any road a work zone, as in "highway construction".
            self.said["road"].append(Statement("construction"))
        return self._choose("road", ROAD_ORDER, "urban", context)

    def weather(self, context: Context) -> str:
        """One of WEATHERS. Rain of unsaid strength is heavy rain; clear weather beside another is a contradiction."""
        said = self.said["weather"]
        plain = {s.value for s in said if not s.hint}
        if "rain" in plain:
            plain.discard("rain")
            if not plain & {"light_rain", "heavy_rain"}:
                plain.add("heavy_rain")
                self.assume("weather", "heavy_rain", "rain of unsaid strength; heavy rain is seen at a glance")
        if "clear" in plain and len(plain) > 1:
            _contradiction("weather", "clear", min(plain - {"clear"}))
        if plain:
            self.said["weather"] = [Statement(value) for value in sorted(plain)]
        elif any(s.value == "rain" for s in said):
            self.said["weather"] = [Statement("heavy_rain", hint=True)]
        default = "clear" if "clear" not in self.ruled_out["weather"] else "overcast"
        return self._choose("weather", WEATHER_ORDER, default, context)

    def light(self, context: Context, road: str) -> str:
        """One of LIGHTS. road: decides whether a night has street lamps when the prompt does not say."""
        said = self.said["light"]
        plain = [s.value for s in said if not s.hint]
        self._check_light(plain)
        values = plain or [s.value for s in said]
        if set(values) & self.ruled_out["light"]:
            _contradiction("light", values[0], "not " + values[0])
        hints = {s.value for s in said if s.hint} - set(values) - {"day", "night"}
        if values:
            chosen = next((v for v in ("night_unlit", "night_lit", "low_sun") if v in values), values[0])
            if hints and plain:
                self._note_left_out("light", chosen, hints | {chosen})
            return self._night(road) if chosen == "night" else chosen
        value, why = context.get("light", ("day", "not said"))
        if value in self.ruled_out["light"]:
            value, why = ("night", "day is ruled out") if value == "day" else ("day", "night is ruled out")
        if value == "night":
            return self._night(road, why)
        self.assume("light", value, why)
        return value

    def _check_light(self, plain: list[str]) -> None:
        groups = sorted({LIGHT_GROUPS[value] for value in plain if value in LIGHT_GROUPS})
        if len(groups) > 1:
            _contradiction("light", groups[0], groups[1])
        sunny = "low_sun" in plain or any(s.value == "day" and s.weather_word for s in self.said["light"])
        if groups == ["night"] and sunny:
            _contradiction("light", "day", "night")
        if {"night_lit", "night_unlit"} <= set(plain):
            _contradiction("light", "night_lit", "night_unlit")

    def _night(self, road: str, why: str = "") -> str:
        lit = "night_unlit" if road in ("rural", "highway") else "night_lit"
        if lit in self.ruled_out["light"]:
            lit = "night_lit" if lit == "night_unlit" else "night_unlit"
        lamps = "has no street lamps" if lit == "night_unlit" else "has street lamps"
        reason = f"at night {with_article(road)} scene {lamps} unless said"
        self.assume("light", lit, f"{why}; {reason}" if why else reason)
        return lit

    def _choose(self, name: str, order: tuple[str, ...], default: str, context: Context) -> str:
        said = self.said[name]
        values = {s.value for s in said if not s.hint} or {s.value for s in said}
        for pair in OPPOSITES.get(name, ()):
            if pair <= values:
                _contradiction(name, *sorted(pair))
        clash = values & self.ruled_out[name]
        if clash:
            first, second, *_ = [*sorted(clash), "not " + min(clash)]
            _contradiction(name, first, second)
        if values:
            chosen = min(values, key=order.index)
            self._note_left_out(name, chosen, values)
            return chosen
        value, why = context.get(name, (default, "not said"))
        if value in self.ruled_out[name]:
            value = next(v for v in (default, *reversed(order)) if v not in self.ruled_out[name])
            why = "the usual one is ruled out"
        self.assume(name, value, why)
        return value

    def _note_left_out(self, name: str, chosen: str, values: set[str]) -> None:
        others = sorted(values - {chosen})
        if others:
            self.assume(name, chosen, f"a scene has one {name}; left out: {', '.join(others)}")


def _contradiction(name: str, first: str, second: str) -> NoReturn:
    raise InputError(f"contradiction in the prompt: {name} is both {first} and {second}", expected=f"one {name}")
