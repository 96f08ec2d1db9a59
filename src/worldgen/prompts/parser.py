"""A prompt in plain words to a scenario, with what was understood, what was assumed and what was not understood."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from worldgen.core.errors import InputError, Received
from worldgen.core.scenario import Scenario
from worldgen.prompts.agents import AgentReader
from worldgen.prompts.grammar import EVENT_CONTEXT
from worldgen.prompts.negation import find_negated
from worldgen.prompts.numbers import join_numbers
from worldgen.prompts.patterns import PatternMatch, find_patterns
from worldgen.prompts.tokens import BREAKS, Unit, read_units, tokenize

MAX_PROMPT_CHARACTERS = 2000


@dataclass(frozen=True)
class Understood:
    """A piece of the prompt, characters ``start`` to ``end``, and the field and value it stands for."""

    start: int
    end: int
    text: str
    field: str
    value: str


@dataclass(frozen=True)
class Assumption:
    """A value that the prompt does not say, and why it was taken."""

    field: str
    value: str
    why: str


@dataclass(frozen=True)
class ParsedPrompt:
    """What a prompt means. understood in text order; not_understood: words without effect that should have had one."""

    prompt: str
    scenario: Scenario
    understood: tuple[Understood, ...]
    assumed: tuple[Assumption, ...]
    not_understood: tuple[str, ...]

    def to_json(self) -> dict:
        return {
            "prompt": self.prompt, "scenario": self.scenario.to_json(), "understood": [asdict(u) for u in self.understood],
            "assumed": [asdict(a) for a in self.assumed], "not_understood": list(self.not_understood),
        }  # fmt: skip


LIGHT_GROUPS = {
    "dawn": "dawn",
    "day": "day",
    "dusk": "dusk",
    "night": "night",
    "night_lit": "night",
    "night_unlit": "night",
}
LABEL_WORDS = frozenset(
    [
        "weather",
        "light",
        "lighting",
        "road",
        "manoeuvre",
        "maneuver",
        "agents",
        "events",
        "event",
        "ego",
        "duration",
        "place",
        "kind",
        "camera",
        "actors",
        "time",
    ]
)
WEATHER_ORDER = ("heavy_rain", "snow", "fog", "light_rain", "overcast", "clear")
"""The weather that is kept when several are named: the one that changes the picture most."""
ROAD_ORDER = ("construction", "intersection", "highway", "suburban", "rural", "urban")
MANOEUVRE_ORDER = ("turn_left", "turn_right", "lane_left", "lane_right", "stop", "brake", "accelerate", "keep")
OPPOSITES = (
    ("manoeuvre", {"turn_left", "turn_right"}), ("manoeuvre", {"lane_left", "lane_right"}), ("manoeuvre", {"accelerate", "brake"}),
    ("manoeuvre", {"accelerate", "stop"}), ("road", {"urban", "rural"}),
)  # fmt: skip


def parse(prompt: str) -> ParsedPrompt:
    """Reads a prompt. Deterministic; never drops a word without saying so.

    Raises InputError for an empty or overlong prompt, for contradictions (day and night, sunny and snow, no cars and
    two cars) and for numbers out of range.
    """
    _check(prompt)
    units = read_units(prompt, tokenize(prompt))
    units, notes = join_numbers(units)
    found = find_patterns(units)
    reading = _Reading(prompt, units, found)
    reading.negated, denials = find_negated(units, reading.found_at)
    reading.understood += denials
    return reading.finish(notes)


def _check(prompt: str) -> None:
    if not isinstance(prompt, str):
        raise InputError("prompt", Received(f"a {type(prompt).__name__}"), "text")
    if not prompt.strip():
        raise InputError("prompt", prompt[:20], "words that describe a driving scene")
    if len(prompt) > MAX_PROMPT_CHARACTERS:
        raise InputError("prompt", Received(f"{len(prompt)} characters"), f"at most {MAX_PROMPT_CHARACTERS}")
    if not any(letter.isalnum() for letter in prompt):
        raise InputError("prompt", prompt[:40], "words that describe a driving scene")


class _Reading:
    """One pass over one prompt."""

    def __init__(self, prompt: str, units: list[Unit], found: list[PatternMatch]):
        self.prompt, self.units, self.found = prompt, units, found
        self.found_at = {id(hit.units[0]): hit for hit in found}
        self.negated: set[int] = set()
        self.understood: list[tuple[Unit, str, str]] = []
        self.assumed: list[Assumption] = []
        self.said: dict[str, list[tuple[str, bool, Unit]]] = {"weather": [], "light": [], "road": [], "manoeuvre": []}
        self.ruled_out: dict[str, set[str]] = {"weather": set(), "light": set(), "road": set(), "manoeuvre": set()}
        self.events: list[str] = []
        self.no_events: set[str] = set()
        self.duration_s: float | None = None
        self.leftover: list[Unit] = []

    def finish(self, notes: list[str]) -> ParsedPrompt:
        self._read_found()
        self._read_fields()
        agents = AgentReader()
        agents.read(self.units, self.negated)
        self.understood += agents.understood
        self.leftover += agents.leftover
        requests = agents.requests()
        for note in notes + agents.notes:
            what, _, why = note.partition(": ")
            self.assumed.append(Assumption("agents" if note in agents.notes else "numbers", what, why))
        scenario = self._scenario(requests)
        return ParsedPrompt(self.prompt, scenario, self._understood(), tuple(self.assumed), self._not_understood())

    def _read_found(self) -> None:
        for hit in self.found:
            negated = id(hit.units[0]) in self.negated
            for unit in hit.units:
                self.understood.append((unit, hit.field, ("not " if negated else "") + hit.value))
            if hit.field == "manoeuvre":
                if negated:
                    self.ruled_out["manoeuvre"].add(hit.value)
                else:
                    self.said["manoeuvre"].append((hit.value, False, hit.units[0]))
            elif negated:
                self.no_events.add(hit.value)
            elif hit.value not in self.events:
                self.events.append(hit.value)
        self.events = [e for e in self.events if e not in self.no_events]

    def _read_fields(self) -> None:
        for unit in self.units:
            if unit.used and not unit.name.startswith(("w_", "l_", "r_")):
                continue
            for meaning in unit.entry.meanings:
                field, value = meaning.field, meaning.value
                if field in ("weather", "light", "road"):
                    self._field(unit, field, value, meaning.hint)
                elif field == "duration_s":
                    if self.duration_s is not None and self.duration_s != float(value):
                        raise InputError("contradiction in the prompt: two durations", expected="one duration")
                    self.duration_s = float(value)
                    self.understood.append((unit, field, value))
                elif field == "no_event":
                    self.understood.append((unit, "events", "none"))

    def _field(self, unit: Unit, field: str, value: str, hint: bool) -> None:
        if id(unit) in self.negated:
            group = {"rain": {"light_rain", "heavy_rain", "rain"}, "night": {"night", "night_lit", "night_unlit"}}
            self.ruled_out[field] |= group.get(value, {value})
            self.understood.append((unit, field, "not " + value))
        else:
            self.said[field].append((value, hint, unit))
            self.understood.append((unit, field, value))

    def _scenario(self, requests: tuple) -> Scenario:
        context: dict[str, tuple[str, str]] = {}
        manoeuvre = self._choose("manoeuvre", MANOEUVRE_ORDER, "keep", context)
        if manoeuvre.startswith("turn"):
            context["road"] = ("intersection", f"{manoeuvre} needs one")
        for event in self.events:
            for field, value in EVENT_CONTEXT.get(event, {}).items():
                context.setdefault(
                    field, (value, f"where {event} is at home" if field == "road" else f"part of {event}")
                )
        if context.get("road", ("",))[0] == "construction" and self.said["road"]:
            # Cones and lane closures make any road a work zone, as in "highway construction".
            self.said["road"].append(("construction", False, self.said["road"][0][2]))
        weather = self._weather(context)
        road = self._choose("road", ROAD_ORDER, "urban", context)
        light = self._light(context, road)
        duration_s = self.duration_s
        if duration_s is None:
            duration_s = Scenario.duration_s
            self.assumed.append(Assumption("duration_s", f"{duration_s:g}", "not said"))
        return Scenario(weather, light, road, manoeuvre, requests, tuple(self.events), duration_s)

    def _choose(self, field: str, order: tuple[str, ...], default: str, context: dict[str, tuple[str, str]]) -> str:
        plain = [v for v, hint, _ in self.said[field] if not hint] or [v for v, _, _ in self.said[field]]
        values = set(plain)
        for opposite_field, pair in OPPOSITES:
            if field == opposite_field and pair <= values:
                self._contradiction(field, sorted(pair))
        clash = values & self.ruled_out[field]
        if clash:
            self._contradiction(field, [*sorted(clash), "not " + min(clash)])
        if values:
            chosen = min(values, key=order.index)
            self._left_out(field, chosen, values)
            return chosen
        value, why = context.get(field, (default, "not said"))
        if value in self.ruled_out[field]:
            value = next(v for v in (default, *reversed(order)) if v not in self.ruled_out[field])
            why = "the usual one is ruled out"
        self.assumed.append(Assumption(field, value, why))
        return value

    def _left_out(self, field: str, chosen: str, values: set[str]) -> None:
        others = sorted(v.replace("rain", "rain") for v in values - {chosen})
        if others:
            self.assumed.append(Assumption(field, chosen, f"a scene has one {field}; left out: {', '.join(others)}"))

    def _contradiction(self, field: str, values: list[str]) -> None:
        raise InputError(
            f"contradiction in the prompt: {field} is both {values[0]} and {values[1]}", expected=f"one {field}"
        )

    def _weather(self, context: dict[str, tuple[str, str]]) -> str:
        said = self.said["weather"]
        plain = {v for v, hint, _ in said if not hint}
        if "rain" in plain:
            plain.discard("rain")
            if not plain & {"light_rain", "heavy_rain"}:
                plain.add("heavy_rain")
                self.assumed.append(
                    Assumption("weather", "heavy_rain", "rain of unsaid strength; heavy rain is seen at a glance")
                )
        if "clear" in plain and len(plain - {"clear"}) > 0:
            self._contradiction("weather", ["clear", min(plain - {"clear"})])
        self.said["weather"] = [(v, False, None) for v in sorted(plain)] or said
        if not plain and "rain" in {v for v, _, _ in said}:
            self.said["weather"] = [("heavy_rain", True, None)]
        default = "clear" if "clear" not in self.ruled_out["weather"] else "overcast"
        return self._choose("weather", WEATHER_ORDER, default, context)

    def _light(self, context: dict[str, tuple[str, str]], road: str) -> str:
        said = self.said["light"]
        plain = [v for v, hint, _ in said if not hint]
        groups = sorted({LIGHT_GROUPS[v] for v in plain if v in LIGHT_GROUPS})
        if len(groups) > 1:
            self._contradiction("light", groups)
        if groups == ["night"] and (
            "low_sun" in plain or any(v == "day" for v, _, unit in said if unit.meaning("weather"))
        ):
            self._contradiction("light", ["day", "night"])
        if {"night_lit", "night_unlit"} <= set(plain):
            self._contradiction("light", ["night_lit", "night_unlit"])
        values = plain or [v for v, _, _ in said]
        if set(values) & self.ruled_out["light"]:
            self._contradiction("light", [values[0], "not " + values[0]])
        hints = {v for v, hint, _ in said if hint} - set(values) - {"day", "night"}
        if values:
            chosen = next((v for v in ("night_unlit", "night_lit", "low_sun") if v in values), values[0])
            if hints and plain:
                self._left_out("light", chosen, hints | {chosen})
            return self._night(chosen, road) if chosen == "night" else chosen
        value, why = context.get("light", ("day", "not said"))
        if value in self.ruled_out["light"]:
            value, why = ("night", "day is ruled out") if value == "day" else ("day", "night is ruled out")
        if value == "night":
            return self._night(value, road, why)
        self.assumed.append(Assumption("light", value, why))
        return value

    def _night(self, value: str, road: str, why: str = "") -> str:
        lit = "night_unlit" if road in ("rural", "highway") else "night_lit"
        if lit in self.ruled_out["light"]:
            lit = "night_lit" if lit == "night_unlit" else "night_unlit"
        reason = f"at night a {road} scene {'has no' if lit == 'night_unlit' else 'has'} street lamps unless said"
        self.assumed.append(Assumption("light", lit, f"{why}; {reason}" if why else reason))
        return lit

    def _understood(self) -> tuple[Understood, ...]:
        rows = {
            Understood(u.start, u.end, self.prompt[u.start : u.end], field, value)
            for u, field, value in self.understood
        }
        return tuple(sorted(rows, key=lambda r: (r.start, r.field)))

    def _not_understood(self) -> tuple[str, ...]:
        known = {id(unit) for unit, _, _ in self.understood} | {id(u) for hit in self.found for u in hit.units}
        missed = {id(unit) for unit in self.leftover}
        out = []
        for i, unit in enumerate(self.units):
            label = (
                unit.text.lower() in LABEL_WORDS and i + 1 < len(self.units) and self.units[i + 1].text in (":", "=")
            )
            silent = unit.used or unit.entry.neutral or unit.text in BREAKS or id(unit) in known or label
            if (id(unit) in missed or not silent) and unit.text not in out:
                out.append(unit.text)
        return tuple(out)
