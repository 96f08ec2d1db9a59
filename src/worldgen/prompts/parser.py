"""Parses a prompt into a scenario and reports what was understood, what was assumed and what was not understood."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from worldgen.core.english import with_article
from worldgen.core.errors import InputError, Received
from worldgen.core.scenario import AgentRequest, Scenario
from worldgen.prompts.agents import AgentReader
from worldgen.prompts.lexicon import WordMeaning
from worldgen.prompts.negation import find_negated
from worldgen.prompts.numbers import join_numbers
from worldgen.prompts.patterns import PatternMatch, find_patterns
from worldgen.prompts.statements import Assumption, Context, Statement, Statements
from worldgen.prompts.tables import load_grammar, load_vocabulary
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
class ParsedPrompt:
    """What a prompt means.

    understood: in text order. assumed: values that the prompt does not say. not_understood: words that should have had
    an effect and have none.
    """

    prompt: str
    scenario: Scenario
    understood: tuple[Understood, ...]
    assumed: tuple[Assumption, ...]
    not_understood: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "prompt": self.prompt, "scenario": self.scenario.to_json(),
            "understood": [asdict(u) for u in self.understood],
            "assumed": [asdict(a) for a in self.assumed], "not_understood": list(self.not_understood),
        }  # fmt: skip


def parse_request(prompt: str) -> ParsedPrompt:
    """As :func:`parse`, for a scene to make: without a word that is understood, it would be the default street.

    Raises InputError as :func:`parse`, and when nothing is understood.
    """
    parsed = parse(prompt)
    if parsed.not_understood and not parsed.understood:
        raise InputError("prompt", prompt, "words that describe a driving scene; none of these was understood")
    return parsed


def parse(prompt: str) -> ParsedPrompt:
    """The scenario that a prompt describes. Deterministic; every word without effect is reported.

    Raises InputError for an empty or overlong prompt, for contradictions (day
    and night, sunny and snow, no cars and two cars) and for numbers out of range.
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
        raise InputError("prompt", Received(with_article(type(prompt).__name__)), "text")
    if not prompt.strip():
        raise InputError("prompt", prompt[:20], "words that describe a driving scene")
    if len(prompt) > MAX_PROMPT_CHARACTERS:
        raise InputError("prompt", Received(f"{len(prompt)} characters"), f"at most {MAX_PROMPT_CHARACTERS}")
    if not any(letter.isalnum() for letter in prompt):
        raise InputError("prompt", prompt[:40], "words that describe a driving scene")


class _Reading:
    """One pass over the units of one prompt."""

    def __init__(self, prompt: str, units: list[Unit], found: list[PatternMatch]):
        self.prompt, self.units, self.found = prompt, units, found
        self.found_at = {id(hit.units[0]): hit for hit in found}
        self.negated: set[int] = set()
        self.understood: list[tuple[Unit, str, str]] = []
        self.statements = Statements()
        self.events: list[str] = []
        self.duration_s: float | None = None
        self.leftover: list[Unit] = []

    def finish(self, notes: list[str]) -> ParsedPrompt:
        """notes: how ranges and times of day were read, each as "text: reading"."""
        self._read_found()
        self._read_fields()
        agents = AgentReader()
        agents.read(self.units, self.negated)
        self.understood += agents.understood
        self.leftover += agents.leftover
        requests = agents.requests()
        for note in notes + agents.notes:
            what, _, why = note.partition(": ")
            self.statements.assume("agents" if note in agents.notes else "numbers", what, why)
        scenario = self._scenario(requests)
        assumed = tuple(self.statements.assumed)
        understood, missed = self._understood(), self._not_understood()
        return ParsedPrompt(self.prompt, scenario, understood, assumed, missed)

    def _read_found(self) -> None:
        ruled_out: set[str] = set()
        for hit in self.found:
            negated = id(hit.units[0]) in self.negated
            for unit in hit.units:
                self.understood.append((unit, hit.field, ("not " if negated else "") + hit.value))
            if hit.field == "manoeuvre":
                if negated:
                    self.statements.rule_out("manoeuvre", hit.value)
                else:
                    self.statements.said["manoeuvre"].append(Statement(hit.value))
            elif negated:
                ruled_out.add(hit.value)
            elif hit.value not in self.events:
                self.events.append(hit.value)
        self.events = [e for e in self.events if e not in ruled_out]

    def _read_fields(self) -> None:
        for unit in self.units:
            if unit.used and not unit.name.startswith(("w_", "l_", "r_")):
                continue
            for meaning in unit.entry.meanings:
                if meaning.field in ("weather", "light", "road"):
                    self._read_statement(unit, meaning)
                elif meaning.field == "duration_s":
                    if self.duration_s is not None and self.duration_s != float(meaning.value):
                        raise InputError("contradiction in the prompt: two durations", expected="one duration")
                    self.duration_s = float(meaning.value)
                    self.understood.append((unit, meaning.field, meaning.value))
                elif meaning.field == "no_event":
                    self.understood.append((unit, "events", "none"))

    def _read_statement(self, unit: Unit, meaning: WordMeaning) -> None:
        field, value = meaning.field, meaning.value
        if id(unit) in self.negated:
            self.statements.rule_out(field, value)
            self.understood.append((unit, field, "not " + value))
        else:
            weather_word = unit.meaning("weather") is not None
            self.statements.said[field].append(Statement(value, meaning.hint, weather_word))
            self.understood.append((unit, field, value))

    def _scenario(self, requests: tuple[AgentRequest, ...]) -> Scenario:
        context: Context = {}
        manoeuvre = self.statements.manoeuvre()
        if manoeuvre.startswith("turn"):
            context["road"] = ("intersection", f"{manoeuvre} needs one")
        for event in self.events:
            for field, value in load_grammar().events[event].items():
                why = f"where {event} is at home" if field == "road" else f"part of {event}"
                context.setdefault(field, (value, why))
        weather = self.statements.weather(context)
        road = self.statements.road(context)
        light = self.statements.light(context, road)
        duration_s = self.duration_s
        if duration_s is None:
            duration_s = Scenario.duration_s
            self.statements.assume("duration_s", f"{duration_s:g}", "not said")
        return Scenario(weather, light, road, manoeuvre, requests, tuple(self.events), duration_s)

    def _understood(self) -> tuple[Understood, ...]:
        rows = {
            Understood(u.start, u.end, self.prompt[u.start : u.end], field, value)
            for u, field, value in self.understood
        }
        return tuple(sorted(rows, key=lambda r: (r.start, r.field)))

    def _not_understood(self) -> tuple[str, ...]:
        known = {id(unit) for unit, _, _ in self.understood} | {id(u) for hit in self.found for u in hit.units}
        missed = {id(unit) for unit in self.leftover}
        labels = load_vocabulary().label
        out: list[str] = []
        for i, unit in enumerate(self.units):
            label = unit.text.lower() in labels and i + 1 < len(self.units) and self.units[i + 1].text in (":", "=")
            silent = unit.used or unit.entry.neutral or unit.text in BREAKS or id(unit) in known or label
            if (id(unit) in missed or not silent) and unit.text not in out:
                out.append(unit.text)
        return tuple(out)
