"""What a scenario orders to be in the picture, and the labels of a scene that are of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgen.core.labels import CLASSES, Labels
from worldgen.core.scene import Scene
from worldgen.simulation.actors import LABELS
from worldgen.simulation.events import EVENTS


@dataclass(frozen=True)
class OrderedSubject:
    """Agents of one class that a scenario asks for by number, or as the main actors of an event.

    name: in words. class_name: class of their labels. count: how many are asked for, at least 1. track_ids: their
    tracks, where an event says which they are; None for any of the class.
    """

    name: str
    class_name: str
    count: int
    track_ids: tuple[int, ...] | None = None

    def rows(self, labels: Labels) -> np.ndarray:
        """The rows ``(N,)`` bool of labels that are of the subject."""
        mine = labels.class_id == CLASSES.index(self.class_name)
        return mine if self.track_ids is None else mine & np.isin(labels.track_id, self.track_ids)


def ordered_subjects(scene: Scene) -> tuple[OrderedSubject, ...]:
    """The subjects of a scene: its requested agents by class, in order of their names, then the actors of its events.

    What has no class, such as cargo on the road, is not among them, for labels say nothing about it.
    """
    counts: dict[str, int] = {}
    for request in scene.scenario.agents:
        name = LABELS.get(request.kind, request.kind)
        if name is not None and request.count:
            counts[name] = counts.get(name, 0) + request.count
    subjects = [OrderedSubject(name, name, count) for name, count in sorted(counts.items())]
    classes = {agent.track_id: agent.label for agent in scene.agents}
    for event in scene.events:
        name = main_class(event.name)
        actors = tuple(track for track in event.track_ids if classes.get(track) == name)
        if name is not None:
            subjects.append(OrderedSubject(event.name, name, max(len(actors), 1), actors))
    return tuple(subjects)


def main_class(event: str) -> str | None:
    """Class of the main actors of an event, None where they have no class."""
    kinds = EVENTS[event].needs_kinds
    return LABELS[kinds[0]] if kinds else None
