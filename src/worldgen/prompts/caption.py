"""Writes captions: varied English texts about a scenario, which `parse` reads back as the same scenario."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

import numpy as np

from worldgen.core.english import with_article
from worldgen.core.errors import InputError
from worldgen.core.scenario import AgentRequest, Scenario
from worldgen.prompts.agents import EMPTY_KINDS
from worldgen.prompts.inflection import plural
from worldgen.prompts.lexicon import phrase_table
from worldgen.prompts.parser import parse
from worldgen.prompts.statements import FIELDS
from worldgen.prompts.tables import load_phrases, load_vocabulary

TRIES = 12
"""Captions drawn before the most literal form is taken."""


def describe(scenario: Scenario, rng: np.random.Generator, *, duration: bool = True) -> str:
    """A caption of the scenario, drawn from templates of several registers: tags, sentences, reports, logs.

    Values that differ from what `parse` assumes are always said; the others with a probability of 0.45. Parsing the
    caption gives the scenario back; agent requests of equal kind and place are summed. duration: whether the caption
    may say how long the scenario lasts. It may not where it belongs to a clip, which can be of any length.

    Raises InputError when the scenario contradicts itself (no cars and two cars, a lane closure that is not on a
    ``construction`` road), so that no words can say it.
    """
    templates = load_phrases().templates
    target = _merged(scenario if duration else replace(scenario, duration_s=Scenario.duration_s))
    needed = {f for f in FIELDS if getattr(target, f) != getattr(Scenario, f)}
    for _ in range(TRIES):
        said = needed | {f for f in FIELDS if rng.random() < 0.45}
        template = templates[int(rng.integers(len(templates)))]
        text = _Writer(target, rng, said, duration=duration).write(template)
        missing = _difference(text, target)
        if missing is None:
            return text
        needed |= missing & set(FIELDS)
    text = _Writer(target, rng, set(FIELDS), duration=duration).plain()
    if _difference(text, target) is not None:
        raise InputError("scenario", text, "requests that do not contradict each other")
    return text


def vocabulary() -> list[str]:
    """All words that `parse` knows and `describe` writes, in lower case and sorted (for building a tokenizer)."""
    words = {word for phrase in phrase_table() for word in phrase} | load_vocabulary().determiner
    phrases = load_phrases()
    for field in fields(phrases):
        value = getattr(phrases, field.name)
        rows = value.values() if isinstance(value, dict) else (value,)
        for text in (text for texts in rows for text in texts):
            words |= set(re.findall(r"[a-z]+", re.sub(r"\{\w+\}|@\w+", " ", text.lower())))
    words |= {str(n) for n in range(41)}
    return sorted({part for word in words for part in (word, *word.split("'")) if part})


def _merged(scenario: Scenario) -> Scenario:
    counts: dict[tuple[str, str], int] = {}
    for agent in scenario.agents:
        counts[agent.kind, agent.place] = counts.get((agent.kind, agent.place), 0) + agent.count
    agents = tuple(AgentRequest(kind, count, place) for (kind, place), count in counts.items())
    return Scenario(
        scenario.weather,
        scenario.light,
        scenario.road,
        scenario.manoeuvre,
        agents,
        scenario.events,
        scenario.duration_s,
    )


def _difference(text: str, target: Scenario) -> set[str] | None:
    """Fields in which the text is read differently; None when it is read as ``target``, with every word understood."""
    try:
        parsed = parse(text)
    except InputError:
        return set()
    if parsed.scenario == target and not parsed.not_understood:
        return None
    return {f for f in Scenario.__dataclass_fields__ if getattr(parsed.scenario, f) != getattr(target, f)}


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


class _Writer:
    """Writes one caption."""

    def __init__(self, scenario: Scenario, rng: np.random.Generator, said: set[str], *, duration: bool):
        self.scenario, self.rng, self.said, self.duration = scenario, rng, said, duration
        self.phrases = phrases = load_phrases()
        self.tags = {
            "weather": phrases.weather_tag, "light": phrases.light_tag, "road": phrases.road_tag,
            "manoeuvre": phrases.ego_tag,
        }  # fmt: skip
        self.numbers = {number: word for word, number in load_vocabulary().number.items()}
        # Drawn in any case, so that most captions are those that clips had when they could say a duration.
        self.duration_said = (scenario.duration_s != Scenario.duration_s or rng.random() < 0.15) and duration

    def pick(self, choices: Sequence[str]) -> str:
        return choices[int(self.rng.integers(len(choices)))]

    def value(self, table: Mapping[str, Sequence[str]], field: str) -> str:
        return self.pick(table[getattr(self.scenario, field)]) if field in self.said else ""

    def tag(self, field: str) -> str:
        return self.value(self.tags[field], field)

    def write(self, template: str) -> str:
        if template.startswith("@tags"):
            return self._tags(template[len("@tags ") :])
        if template == "@report":
            return self._report()
        if template == "@log":
            return self._log()
        text = self._sentences(template)
        # People type in lower case as well.
        return text.lower().rstrip(".") if self.rng.random() < 0.15 else text

    def plain(self) -> str:
        """The most literal form, as a fallback for unusual scenarios."""
        s = self.scenario
        rows = [self.tags[field][getattr(s, field)][0] for field in FIELDS]
        rows += [self._agent(a, literal=True) for a in s.agents]
        rows += [self.phrases.event_tag[e][0] for e in s.events]
        return "; ".join([*rows, *([self._seconds()] if self.duration else [])])

    def _seconds(self) -> str:
        seconds = self.scenario.duration_s
        number = str(int(seconds)) if seconds == int(seconds) else repr(seconds)
        if seconds == int(seconds) and 1 < seconds <= 12 and self.rng.random() < 0.4:
            number = self.numbers[int(seconds)]
        return f"{number} second" + ("" if seconds == 1 else "s")

    def _duration(self) -> str:
        return self._seconds() if self.duration_said else ""

    def _agent(self, agent: AgentRequest, *, literal: bool = False) -> str:
        # "No girls" would say less than "no children".
        nouns = self.phrases.kind_nouns[agent.kind]
        noun = nouns[0] if literal or agent.count == 0 else nouns[int(self.rng.integers(len(nouns)))]
        many = agent.count != 1
        head = plural(noun) if many else noun
        places = self.phrases.place_after[agent.place]
        after = places[0] if literal else self.pick(places)
        after = after.format(its="their" if many else "its")
        if agent.place in self.phrases.place_before and not literal and self.rng.random() < 0.5:
            head, after = f"{self.phrases.place_before[agent.place][0]} {head}", ""
        if agent.place == "anywhere" and many and self.rng.random() < 0.7 and not literal:
            after = ""
        if agent.count == 0:
            return f"no {head} {after if agent.place != 'anywhere' else ''}".strip()
        if agent.count == 1:
            return f"{with_article(head)} {after}".strip()
        number = self.numbers[agent.count] if agent.count <= 12 and self.rng.random() < 0.7 else str(agent.count)
        return f"{number} {head} {after}".strip()

    def _agents(self) -> list[str]:
        agents = list(self.scenario.agents)
        empty = [a for a in agents if a.count == 0 and a.place == "anywhere" and a.kind in EMPTY_KINDS]
        traffic = []
        if len(empty) == len(EMPTY_KINDS):
            agents = [a for a in agents if a not in empty]
            traffic = [self.pick(("no other traffic", "no other vehicles", "no traffic"))]
        order = self.rng.permutation(len(agents))
        return [self._agent(agents[i]) for i in order] + traffic

    def _tags(self, separator: str) -> str:
        tags = [self.tag(field) for field in FIELDS]
        tags += [*self._agents(), self._duration()]
        order = self.rng.permutation(len(tags))
        shuffled = [tags[i] for i in order if tags[i]]
        events = [self.pick(self.phrases.event_tag[e]) for e in self.scenario.events]
        shuffled = events + shuffled if self.rng.random() < 0.5 else shuffled + events
        return separator.join(shuffled) or "road scene"

    def _report(self) -> str:
        rows = [(field, self.tag(field)) for field in ("weather", "light", "road")]
        rows += [("ego", self.value(self.phrases.ego_clause, "manoeuvre"))]
        rows += [
            ("agents", ", ".join(self._agents())),
            ("event", ", then ".join(self.pick(self.phrases.event_tag[e]) for e in self.scenario.events)),
        ]
        rows += [("duration", self._duration())]
        separator = self.pick((". ", "; "))
        text = separator.join(f"{name}: {value}" for name, value in rows if value)
        return _sentence_case(text) if separator == ". " else text or "road scene"

    def _log(self) -> str:
        conditions = [self.tag(field) for field in ("weather", "light", "road")]
        events = [self.pick(self.phrases.event_clause[e]) for e in self.scenario.events]
        rows = [
            ", ".join(c for c in conditions if c),
            *events,
            self.value(self.phrases.ego_clause, "manoeuvre"),
            *self._agents(),
            self._duration(),
        ]
        return _sentence_case(". ".join(row for row in rows if row) + ".") if any(rows) else "Road scene."

    def _sentences(self, template: str) -> str:
        light, weather = (
            self.value(self.phrases.light_placed, "light"),
            self.value(self.phrases.weather_placed, "weather"),
        )
        where = self.value(self.phrases.road_placed, "road") or self.pick(("on the road", "on the street"))
        road_tag = self.tag("road") or "street"
        acts = [self.pick(self.phrases.event_clause[e]) for e in self.scenario.events]
        acts += [a for a in [self.value(self.phrases.ego_clause, "manoeuvre")] if a]
        if self.rng.random() < 0.4:
            acts = acts[-1:] + acts[:-1] if "manoeuvre" in self.said else acts
        slots = {
            "where": where, "light": light, "weather": weather, "road_tag": road_tag, "acts": self._joined(acts),
            "sky": self.value(self.phrases.weather_sentence, "weather"), "dur": self._duration(),
            "light_tag": self.tag("light"), "weather_tag": self.tag("weather"),
            "dur_adj": "", "rest": "",
        }  # fmt: skip
        if self.duration_said and "{dur_adj}" in template:
            seconds = self.scenario.duration_s
            slots["dur_adj"] = f"{int(seconds) if seconds == int(seconds) else repr(seconds)}-second "
        slots["rest"] = self._rest("{dur" in template)
        if slots["dur_adj"].startswith(("8", "11-", "18-")):
            template = template.replace("a {dur_adj}", "an {dur_adj}")
        return _sentence_case(_fill(template, slots))

    def _joined(self, acts: list[str]) -> str:
        """What happens, as one clause."""
        if len(acts) == 2 and self.rng.random() < 0.4:
            answer = acts[1].startswith(("we ", "our ", "the ego ")) and self.scenario.manoeuvre != "keep"
            return acts[0] + (", then " if answer else " while ") + acts[1]
        return _listed(acts) if acts else ""

    def _rest(self, duration_done: bool) -> str:
        """The sentence about the other road users, and the duration where the template has no place for it."""
        agents = self._agents()
        present = [a for a in agents if not a.startswith("no ")]
        absent = [a for a in agents if a.startswith("no ")]
        parts = []
        if present:
            verb = "is" if present[0].startswith(("a ", "an ")) else "are"
            options = [f"there {verb} {_listed(present)}", f"we see {_listed(present)}"]
            if len(present) == 1 and not present[0][0].isdigit():
                options += [f"{present[0]} can be seen", f"{present[0]} {verb} visible"]
            parts.append(options[int(self.rng.integers(len(options)))])
        if absent:
            parts.append("there " + ("is " if absent[0].endswith("traffic") else "are ") + _listed(absent))
        duration = self._duration() if not duration_done else ""
        if duration:
            parts.append(self.pick((f"duration {duration}", f"the clip lasts {duration}", f"it lasts {duration}")))
        return ". ".join(parts)


def _fill(template: str, slots: dict[str, str]) -> str:
    def optional(match: re.Match[str]) -> str:
        inner = match.group(1)
        names = re.findall(r"\{(\w+)\}", inner)
        return "" if any(not slots[name] for name in names) else inner

    text = re.sub(r"\[([^\]]*)\]", optional, template)
    for name, value in slots.items():
        text = text.replace("{" + name + "}", value)
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r" ([.,:;])", r"\1", text)
    text = re.sub(r"[:,;]\.", ".", text)
    return re.sub(r"[:,;]$", ".", text)


def _sentence_case(text: str) -> str:
    return re.sub(r"(^|[.] )([a-z])", lambda m: m.group(1) + m.group(2).upper(), text)
