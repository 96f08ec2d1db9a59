"""Scenario: the content of a scene in a closed, versioned vocabulary."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

from worldgen.core.errors import InputError, Received
from worldgen.core.labels import LAYOUT_CLASSES
from worldgen.core.manoeuvres import MANOEUVRES
from worldgen.core.seeds import stable_key

SCENARIO_VERSION = 1
WEATHERS = ("clear", "overcast", "light_rain", "heavy_rain", "fog", "snow")
LIGHTS = ("dawn", "day", "low_sun", "dusk", "night_lit", "night_unlit")
ROADS = ("highway", "urban", "suburban", "rural", "intersection", "construction")
PLACES = ("anywhere", "ahead", "left", "right", "oncoming", "crossing", "parked", "from_behind_parked")
AGENT_KINDS = (*LAYOUT_CLASSES, "van", "animal", "cargo", "child")
"""Classes of labels, and three more kinds. A van is labelled as car and a child as pedestrian. Cargo is drawn but has
no class, so it is not labelled."""

MAX_AGENTS = 40
MAX_DURATION_S = 120.0


def check_word(what: str, word: str, allowed: tuple[str, ...]) -> None:
    """Raise InputError with the nearest allowed word when ``word`` is not in ``allowed``; ``what`` names the field."""
    if word not in allowed:
        near = difflib.get_close_matches(str(word), allowed, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise InputError(what, word, "one of " + ", ".join(allowed) + hint)


@dataclass(frozen=True)
class AgentRequest:
    """A number of agents of one kind at one place.

    Attributes:
        kind: one of ``AGENT_KINDS``.
        count: 0 to ``MAX_AGENTS``. A count of 0 asks for a scene without agents of this kind.
        place: one of ``PLACES``.

    Raises:
        InputError: for an unknown kind or place, and a count out of range.
    """

    kind: str
    count: int = 1
    place: str = "anywhere"

    def __post_init__(self) -> None:
        check_word("agent kind", self.kind, AGENT_KINDS)
        check_word("agent place", self.place, PLACES)
        if not isinstance(self.count, int) or isinstance(self.count, bool) or not 0 <= self.count <= MAX_AGENTS:
            raise InputError(f"number of agents of kind {self.kind}", self.count, f"0 to {MAX_AGENTS}")


@dataclass(frozen=True)
class Scenario:
    """The content of a scene. Hashable; equal scenarios have equal keys on every machine.

    Attributes:
        weather: one of ``WEATHERS``.
        light: one of ``LIGHTS``.
        road: one of ``ROADS``.
        manoeuvre: of the ego vehicle, one of ``worldgen.core.manoeuvres.MANOEUVRES``.
        agents: requests for agents in any order (they are stored sorted), at most ``MAX_AGENTS`` agents in all.
        events: names of events, in order; the simulator checks them.
        duration_s: length of the clip in seconds, 0.1 to ``MAX_DURATION_S``.

    Raises:
        InputError: for a word outside the vocabulary (with the nearest one), and a number out of range.
    """

    weather: str = "clear"
    light: str = "day"
    road: str = "urban"
    manoeuvre: str = "keep"
    agents: tuple[AgentRequest, ...] = field(default=())
    events: tuple[str, ...] = field(default=())
    duration_s: float = 4.0

    def __post_init__(self) -> None:
        for what, word, allowed in (
            ("weather", self.weather, WEATHERS), ("light", self.light, LIGHTS),
            ("road", self.road, ROADS), ("manoeuvre", self.manoeuvre, MANOEUVRES),
        ):  # fmt: skip
            check_word(what, word, allowed)
        object.__setattr__(self, "agents", tuple(sorted(self.agents, key=lambda a: (a.kind, a.place, a.count))))
        if isinstance(self.events, str) or not all(isinstance(event, str) for event in self.events):
            raise InputError("scenario events", self.events, "a list of event names")
        object.__setattr__(self, "events", tuple(self.events))
        if sum(a.count for a in self.agents) > MAX_AGENTS:
            raise InputError(
                "number of agents in a scenario", sum(a.count for a in self.agents), f"at most {MAX_AGENTS}"
            )
        if not isinstance(self.duration_s, (int, float)) or not 0.1 <= self.duration_s <= MAX_DURATION_S:
            raise InputError("duration_s", self.duration_s, f"0.1 to {MAX_DURATION_S} seconds")
        object.__setattr__(self, "duration_s", float(self.duration_s))

    @property
    def key(self) -> str:
        """A short identifier of the content, safe in file names."""
        return stable_key("scenario", repr(self.to_json()))

    def to_json(self) -> dict:
        """A JSON object with all fields and ``scenario_version``; :meth:`from_json` reads it."""
        return {
            "scenario_version": SCENARIO_VERSION, "weather": self.weather, "light": self.light, "road": self.road,
            "manoeuvre": self.manoeuvre,
            "agents": [{"kind": a.kind, "count": a.count, "place": a.place} for a in self.agents],
            "events": list(self.events), "duration_s": self.duration_s,
        }  # fmt: skip

    @classmethod
    def from_json(cls, record: dict) -> Scenario:
        """The scenario of a JSON object. Fields that are missing, apart from the version, have their defaults.

        Raises:
            InputError: for another version, an unknown field (with the nearest one) and a value out of range.
        """
        if not isinstance(record, dict):
            raise InputError("scenario", Received(type(record).__name__), "an object with the fields of a scenario")
        record = dict(record)
        version = record.pop("scenario_version", None)
        if version != SCENARIO_VERSION:
            raise InputError("scenario_version", version, str(SCENARIO_VERSION))
        unknown = sorted(set(record) - set(cls.__dataclass_fields__))
        if unknown:
            near = difflib.get_close_matches(unknown[0], list(cls.__dataclass_fields__), 1)
            raise InputError(
                "scenario field",
                unknown[0],
                "one of " + ", ".join(cls.__dataclass_fields__) + (f" (did you mean {near[0]}?)" if near else ""),
            )
        try:
            agents = tuple(AgentRequest(**a) for a in record.pop("agents", ()))
        except TypeError as error:
            raise InputError("scenario agents", "an agent", "objects with kind, count, place") from error
        events = record.pop("events", ())
        if not isinstance(events, (list, tuple)):
            raise InputError("scenario events", events, "a list of event names")
        return cls(agents=agents, events=tuple(events), **record)
