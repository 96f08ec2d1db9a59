"""Which agents are in the scene: counts, kinds and places are read from units and joined to agent requests."""

from __future__ import annotations

from dataclasses import dataclass, field

from worldgen.core.errors import InputError
from worldgen.core.scenario import MAX_AGENTS, AgentRequest
from worldgen.prompts.lexicon import LexiconEntry, WordMeaning
from worldgen.prompts.tokens import Unit

PLAIN_TRAFFIC = 4
"""The number of cars of "traffic"; more than this is heavy traffic."""
PLURAL_COUNT = 3
"""What a plural without a number stands for."""
EMPTY_KINDS = ("car", "van", "truck", "bus", "motorcycle")
"""Kinds of which an empty road has none."""
CROSSING_KINDS = ("pedestrian", "child", "animal")
"""Kinds that cross the road when a single one has no place."""
ON_ROAD_KINDS = ("pedestrian", "child", "animal", "cargo", "traffic_cone", "cyclist")
"""Kinds for which "on the road" is a place."""
FOLLOWED = LexiconEntry("p_ahead", (WordMeaning("place", "ahead"),))
"""Reading of "behind" in "we slow down behind a bus"."""
BEFORE_NOUN = frozenset(("p_parked", "p_oncoming", "crossing_verb", "p_crossing"))
"""Names of place units that may stand before their noun, as in "parked cars"."""


@dataclass
class AgentDraft:
    """An agent request while its sentence is read. count: None when the prompt gives no number."""

    kind: str
    count: int | None
    plural: bool
    place: str | None
    negated: bool
    unit: Unit
    segment: int = 0


@dataclass
class AgentReader:
    """Reads the units of a prompt one by one and drafts agent requests.

    leftover: units that belong to no agent. notes: assumptions, each as "text: reading". understood: (unit, field,
    value). empty: the prompt says that the road is empty. count, place: units that wait for their noun.
    segment: number of the current part of the text; commas and full stops end a part.
    """

    drafts: list[AgentDraft] = field(default_factory=list)
    leftover: list[Unit] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    understood: list[tuple[Unit, str, str]] = field(default_factory=list)
    empty: bool = False
    count: Unit | None = None
    place: Unit | None = None
    segment: int = 0

    def read(self, units: list[Unit], negated: set[int]) -> None:
        for i, unit in enumerate(units):
            if unit.name in (".", ","):
                self._break(hard=unit.name == ".")
            elif unit.meaning("weather") and self.count is not None and self.count.meaning("count"):
                self.understood.append((self.count, "weather", "some"))  # "a few showers"
                self.count = None
            elif unit.name in ("behind_us", "behind_ego") and self._last_unplaced() is not None:
                self.leftover += [self.drafts.pop().unit, unit]  # out of the camera's sight
            elif unit.name == "behind" and self._ego_follows(units[i + 1 :]):
                self.place = Unit(FOLLOWED, unit.start, unit.end, unit.text)
                unit.used = True
            elif unit.used:
                self._drop_count()
                if self.place is not None and self.place.value("place") == "ahead":
                    self.understood.append((self.place, "place", "ahead"))  # "ahead of us, a cyclist swerves"
                    self.place = None
            elif unit.meaning("kind"):
                self._kind(unit, id(unit) in negated)
            elif unit.meaning("traffic"):
                self._traffic(unit, id(unit) in negated)
            elif unit.meaning("empty"):
                self.empty = True
                self.understood.append((unit, "agents", "none on the road"))
            elif unit.meaning("place"):
                self._place(unit, units, i)
            elif unit.name == "#" or unit.meaning("count") or unit.meaning("number"):
                self._drop_count()
                self.count = unit
        self._break(hard=True)

    def _last_unplaced(self) -> AgentDraft | None:
        last = self.drafts[-1] if self.drafts else None
        return last if last is not None and last.segment == self.segment and last.place is None else None

    def _ego_follows(self, rest: list[Unit]) -> bool:
        """Whether "behind" says where the ego vehicle is ("we slow down behind a bus"): what follows is ahead of it."""
        following = next((u for u in rest if not u.entry.neutral), None)
        alone = not any(d.segment == self.segment for d in self.drafts)
        wanted = following is not None and following.meaning("kind") is not None and not following.used
        return self.place is None and alone and wanted

    def _break(self, *, hard: bool) -> None:
        self.segment += 1
        self._drop_count()
        if hard and self.place is not None:
            self._unused(self.place)
            self.place = None

    def _drop_count(self) -> None:
        if self.count is not None:
            self._unused(self.count)
            self.count = None

    def _unused(self, unit: Unit) -> None:
        if not unit.entry.neutral:
            self.leftover.append(unit)

    def _kind(self, unit: Unit, negated: bool) -> None:
        kind = unit.value("kind")
        count = None
        if self.count is not None:
            number = self.count.number
            if number is None or number != int(number) or number < 0 or "." in self.count.text:
                raise InputError(
                    f"number of agents of kind {kind}", self.count.text, f"a whole number from 0 to {MAX_AGENTS}"
                )
            count = int(number)
            self.understood.append((self.count, "count", str(count)))
            self.count = None
        place = None
        if self.place is not None:
            place = self.place.value("place")
            self.understood.append((self.place, "place", place))
            self.place = None
        self.understood.append((unit, "agents", ("no " if negated else "") + kind))
        self.drafts.append(AgentDraft(kind, count, unit.entry.plural, place, negated, unit, self.segment))

    def _traffic(self, unit: Unit, negated: bool) -> None:
        number = int(unit.value("traffic"))
        if negated:  # "no oncoming traffic" is none, "no heavy traffic" is little
            number = 2 if number > PLAIN_TRAFFIC else 0
        place = "anywhere"
        if self.place is not None:
            place = self.place.value("place")
            self.understood.append((self.place, "place", place))
            self.place = None
        self._drop_count()
        self.drafts.append(AgentDraft("car", number, True, place, False, unit, self.segment))
        self.understood.append((unit, "agents", f"{number} cars"))
        self.notes.append(f"{unit.text}: read as {number} cars")

    def _place(self, unit: Unit, units: list[Unit], i: int) -> None:
        place = unit.meaning("place")
        assert place is not None, unit.text
        here = [d for d in self.drafts if d.segment == self.segment and d.place is None]
        following = next(
            (u for u in units[i + 1 :] if u.meaning("kind") or u.entry.neutral or u.meaning("place")), None
        )
        noun = (
            following is not None and not following.used and (following.meaning("kind") or following.meaning("traffic"))
        )
        before_noun = unit.name in BEFORE_NOUN and noun
        if place.hint:  # "on the road" is a place only for kinds that do not belong on a road
            for draft in here[-1:]:
                if draft.kind in ON_ROAD_KINDS and not draft.negated:
                    draft.place = "ahead"
                    self.understood.append((unit, "place", "ahead"))
        elif here and not before_noun:
            for draft in self._backwards(here):
                draft.place = place.value
            self.understood.append((unit, "place", place.value))
        elif self.place is None and (before_noun or not any(d.segment == self.segment for d in self.drafts)):
            self.place = unit
        elif place.value != next((d.place for d in reversed(self.drafts) if d.segment == self.segment), None):
            self._unused(unit)
        else:
            self.understood.append((unit, "place", place.value))

    @staticmethod
    def _backwards(here: list[AgentDraft]) -> list[AgentDraft]:
        """The last request and those joined to it ("two cars and a truck ahead"), up to the last negated one."""
        out = [here[-1]]
        for draft in reversed(here[:-1]):
            if draft.negated != here[-1].negated:
                break
            out.append(draft)
        return out

    def requests(self) -> tuple[AgentRequest, ...]:
        """The finished requests, equal kinds and places summed.

        Raises InputError when a kind is both wanted and forbidden, or there are more than MAX_AGENTS.
        """
        counts: dict[tuple[str, str], int] = {}
        zeros: set[tuple[str, str]] = set()
        for draft in self.drafts:
            if draft.place == "parked" and "bike" in draft.unit.text.lower():
                draft.kind = "bicycle"
            if draft.negated or draft.count == 0:
                zeros.add((draft.kind, draft.place or "anywhere"))
                continue
            for place, number in self._placed(draft):
                counts[draft.kind, place] = counts.get((draft.kind, place), 0) + number
        wanted = {kind for kind, _ in counts}
        for kind, place in sorted(zeros):
            clash = (kind, place) in counts or (place == "anywhere" and kind in wanted)
            if clash:
                raise InputError(
                    f"contradiction in the prompt: {kind} is both asked for and ruled out", expected="one of the two"
                )
        if self.empty:
            zeros |= {(kind, "anywhere") for kind in EMPTY_KINDS if kind not in wanted}
        rows = [AgentRequest(k, n, p) for (k, p), n in counts.items()] + [AgentRequest(k, 0, p) for k, p in zeros]
        return tuple(rows)

    def _placed(self, draft: AgentDraft) -> list[tuple[str, int]]:
        number, name = draft.count, draft.kind.replace("_", " ")
        if number is None:
            number = PLURAL_COUNT if draft.plural else 1
            if draft.plural:
                number = 4 if draft.place == "both" else number
                self.notes.append(f"{draft.unit.text}: no number given, {number} taken")
        if draft.place == "both":
            return [(place, n) for place, n in (("left", (number + 1) // 2), ("right", number // 2)) if n]
        if draft.place is not None:
            return [(draft.place, number)]
        if number != 1:
            return [("anywhere", number)]
        place = "crossing" if draft.kind in CROSSING_KINDS else "parked" if draft.kind == "bicycle" else "ahead"
        self.notes.append(f"{name}: no place given, {place} taken so that it is seen")
        return [(place, number)]
