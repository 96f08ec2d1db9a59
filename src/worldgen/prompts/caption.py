"""A scenario in plain words: varied captions that `parse` reads back as the same scenario."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np

from worldgen.core.errors import InputError
from worldgen.core.scenario import AgentRequest, Scenario
from worldgen.prompts import lexicon, phrases
from worldgen.prompts.parser import parse
from worldgen.prompts.tokens import phrase_table, plural

FIELDS = ("weather", "light", "road", "manoeuvre")
TRIES = 12
NUMBERS = lexicon.NUMBER_WORDS


def describe(scenario: Scenario, rng: np.random.Generator) -> str:
    """A caption of the scenario, drawn from templates of several registers: tags, sentences, reports, logs.

    Whatever differs from what `parse` assumes is said; the rest is said now and then. ``parse`` of the caption gives
    the scenario back (requests of equal kind and place summed).

    Raises InputError when the scenario contradicts itself (no cars and two cars, a lane closure that is not on a
    ``construction`` road), so that no words can say it.
    """
    wanted = _merged(scenario)
    needed = {f for f in FIELDS if getattr(wanted, f) != getattr(Scenario, f)}
    for _ in range(TRIES):
        said = needed | {f for f in FIELDS if rng.random() < 0.45}
        template = phrases.TEMPLATES[int(rng.integers(len(phrases.TEMPLATES)))]
        text = _Writer(wanted, rng, said).write(template)
        missing = _difference(text, wanted)
        if missing is None:
            return text
        needed |= missing & set(FIELDS)
    text = _Writer(wanted, rng, set(FIELDS)).plain()
    if _difference(text, wanted) is not None:
        raise InputError("scenario", text, "requests that do not contradict each other")
    return text


def vocabulary() -> list[str]:
    """All words that `parse` knows and `describe` writes, in lower case and sorted (for building a tokenizer)."""
    words = {word for phrase in phrase_table() for word in phrase} | set(lexicon.DETERMINERS)
    for value in vars(phrases).values():
        texts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
        for text in texts:
            words |= set(re.findall(r"[a-z]+", re.sub(r"\{\w+\}|@\w+", " ", str(text).lower())))
    words |= {str(n) for n in range(41)} | set(NUMBERS)
    return sorted({part for word in words for part in (word, *word.split("'")) if part})


@lru_cache(maxsize=4096)
def _options(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


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


def _difference(text: str, wanted: Scenario) -> set[str] | None:
    """Fields in which the text is read differently, or None when it is read as wanted without a word left over."""
    try:
        parsed = parse(text)
    except InputError:
        return set()
    if parsed.scenario == wanted and not parsed.not_understood:
        return None
    return {f for f in Scenario.__dataclass_fields__ if getattr(parsed.scenario, f) != getattr(wanted, f)}


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def _article(phrase: str) -> str:
    sounds_like_vowel = phrase[0].lower() in "aeiou" and not phrase.lower().startswith(("unicorn", "unique", "one"))
    return ("an " if sounds_like_vowel or (phrase.startswith(("SUV", "HGV")) and phrase[0] in "HS") else "a ") + phrase


class _Writer:
    """Writes one caption."""

    def __init__(self, scenario: Scenario, rng: np.random.Generator, said: set[str]):
        self.scenario, self.rng, self.said = scenario, rng, said
        self.duration_said = scenario.duration_s != Scenario.duration_s or rng.random() < 0.15

    def pick(self, text: str) -> str:
        choices = _options(text)
        return choices[int(self.rng.integers(len(choices)))]

    def value(self, table: dict[str, str], field: str) -> str:
        return self.pick(table[getattr(self.scenario, field)]) if field in self.said else ""

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
        first = {
            f: t[getattr(s, f)].split("|")[0]
            for f, t in zip(
                FIELDS, (phrases.WEATHER_TAG, phrases.LIGHT_TAG, phrases.ROAD_TAG, phrases.EGO_TAG), strict=True
            )
        }
        rows = [first["weather"], first["light"], first["road"], first["manoeuvre"]]
        rows += [self._agent(a, literal=True) for a in s.agents]
        rows += [phrases.EVENT_TAG[e].split("|")[0] for e in s.events]
        return "; ".join([*rows, self._seconds()])

    def _seconds(self) -> str:
        seconds = self.scenario.duration_s
        number = str(int(seconds)) if seconds == int(seconds) else repr(seconds)
        if seconds == int(seconds) and 1 < seconds <= 12 and self.rng.random() < 0.4:
            number = NUMBERS[int(seconds)]
        return f"{number} second" + ("" if seconds == 1 else "s")

    def _duration(self) -> str:
        return self._seconds() if self.duration_said else ""

    def _agent(self, agent: AgentRequest, *, literal: bool = False) -> str:
        # "No girls" would say less than "no children".
        nouns = _options(phrases.KIND_NOUNS[agent.kind])
        noun = nouns[0] if literal or agent.count == 0 else nouns[int(self.rng.integers(len(nouns)))]
        many = agent.count != 1
        head = plural(noun) if many else noun
        after = (
            _options(phrases.PLACE_AFTER[agent.place])[0] if literal else self.pick(phrases.PLACE_AFTER[agent.place])
        )
        after = after.format(its="their" if many else "its")
        if agent.place in phrases.PLACE_BEFORE and not literal and self.rng.random() < 0.5:
            head, after = f"{phrases.PLACE_BEFORE[agent.place]} {head}", ""
        if agent.place == "anywhere" and many and self.rng.random() < 0.7 and not literal:
            after = ""
        if agent.count == 0:
            return f"no {head} {after if agent.place != 'anywhere' else ''}".strip()
        if agent.count == 1:
            return f"{_article(head)} {after}".strip()
        number = NUMBERS[agent.count] if agent.count <= 12 and self.rng.random() < 0.7 else str(agent.count)
        return f"{number} {head} {after}".strip()

    def _agents(self) -> list[str]:
        agents = list(self.scenario.agents)
        empty = [a for a in agents if a.count == 0 and a.place == "anywhere" and a.kind in lexicon.EMPTY_KINDS]
        phrases = []
        if len(empty) == len(lexicon.EMPTY_KINDS):
            agents = [a for a in agents if a not in empty]
            phrases = [self.pick("no other traffic|no other vehicles|no traffic")]
        order = self.rng.permutation(len(agents))
        return [self._agent(agents[i]) for i in order] + phrases

    def _tags(self, separator: str) -> str:
        tags = [self.value(phrases.WEATHER_TAG, "weather"), self.value(phrases.LIGHT_TAG, "light")]
        tags += [self.value(phrases.ROAD_TAG, "road"), self.value(phrases.EGO_TAG, "manoeuvre")]
        tags += [*self._agents(), self._duration()]
        order = self.rng.permutation(len(tags))
        shuffled = [tags[i] for i in order if tags[i]]
        events = [self.pick(phrases.EVENT_TAG[e]) for e in self.scenario.events]
        shuffled = events + shuffled if self.rng.random() < 0.5 else shuffled + events
        return separator.join(shuffled) or "road scene"

    def _report(self) -> str:
        rows = [
            ("weather", self.value(phrases.WEATHER_TAG, "weather")),
            ("light", self.value(phrases.LIGHT_TAG, "light")),
        ]
        rows += [("road", self.value(phrases.ROAD_TAG, "road")), ("ego", self.value(phrases.EGO_CLAUSE, "manoeuvre"))]
        rows += [
            ("agents", ", ".join(self._agents())),
            ("event", ", then ".join(self.pick(phrases.EVENT_TAG[e]) for e in self.scenario.events)),
        ]
        rows += [("duration", self._duration())]
        separator = self.pick(". |; ")
        text = separator.join(f"{name}: {value}" for name, value in rows if value)
        return _sentence_case(text) if separator == ". " else text or "road scene"

    def _log(self) -> str:
        conditions = [
            self.value(phrases.WEATHER_TAG, "weather"),
            self.value(phrases.LIGHT_TAG, "light"),
            self.value(phrases.ROAD_TAG, "road"),
        ]
        events = [self.pick(phrases.EVENT_CLAUSE[e]) for e in self.scenario.events]
        rows = [
            ", ".join(c for c in conditions if c),
            *events,
            self.value(phrases.EGO_CLAUSE, "manoeuvre"),
            *self._agents(),
            self._duration(),
        ]
        return _sentence_case(". ".join(row for row in rows if row) + ".") if any(rows) else "Road scene."

    def _sentences(self, template: str) -> str:
        light, weather = self.value(phrases.LIGHT_PLACED, "light"), self.value(phrases.WEATHER_PLACED, "weather")
        where = self.value(phrases.ROAD_PLACED, "road") or self.pick("on the road|on the street")
        road_tag = self.value(phrases.ROAD_TAG, "road") or "street"
        acts = [self.pick(phrases.EVENT_CLAUSE[e]) for e in self.scenario.events]
        acts += [a for a in [self.value(phrases.EGO_CLAUSE, "manoeuvre")] if a]
        if self.rng.random() < 0.4:
            acts = acts[-1:] + acts[:-1] if "manoeuvre" in self.said else acts
        slots = {
            "where": where, "light": light, "weather": weather, "road_tag": road_tag, "acts": self._told(acts),
            "sky": self.value(phrases.WEATHER_SENTENCE, "weather"), "dur": self._duration(),
            "light_tag": self.value(phrases.LIGHT_TAG, "light"), "weather_tag": self.value(phrases.WEATHER_TAG, "weather"),
            "dur_adj": "", "rest": "",
        }  # fmt: skip
        if self.duration_said and "{dur_adj}" in template:
            seconds = self.scenario.duration_s
            slots["dur_adj"] = f"{int(seconds) if seconds == int(seconds) else repr(seconds)}-second "
        slots["rest"] = self._rest("{dur" in template)
        if slots["dur_adj"].startswith(("8", "11-", "18-")):
            template = template.replace("a {dur_adj}", "an {dur_adj}")
        return _sentence_case(_fill(template, slots))

    def _told(self, acts: list[str]) -> str:
        """What happens, as one sentence."""
        if len(acts) == 2 and self.rng.random() < 0.4:
            answer = acts[1].startswith(("we ", "our ", "the ego ")) and self.scenario.manoeuvre != "keep"
            return acts[0] + (", then " if answer else " while ") + acts[1]
        return _listed(acts) if acts else ""

    def _rest(self, duration_done: bool) -> str:
        """The sentence about the other road users, and the duration where the template has no place for it."""
        phrases = self._agents()
        present = [p for p in phrases if not p.startswith("no ")]
        absent = [p for p in phrases if p.startswith("no ")]
        parts = []
        if present:
            verb = "is" if present[0].startswith(("a ", "an ")) else "are"
            options = [f"there {verb} {_listed(present)}", f"we see {_listed(present)}"]
            if len(present) == 1 and not present[0][0].isdigit():
                options += [f"{present[0]} can be seen", f"{present[0]} {verb} visible"]
            parts.append(options[int(self.rng.integers(len(options)))])
        if absent:
            parts.append(
                "there "
                + ("is " if absent[0].endswith("traffic") else "are ")
                + _listed(absent).replace(" and no ", " and no ")
            )
        duration = self._duration() if not duration_done else ""
        if duration:
            parts.append(self.pick(f"duration {duration}|the clip lasts {duration}|it lasts {duration}"))
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
