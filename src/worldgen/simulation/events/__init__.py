"""Rare events: each is a function that adds its actors to a scene under construction and returns a `PlayedEvent`."""

from __future__ import annotations

from worldgen.simulation.events import junction_events, obstacle_events, people_events, rider_events, vehicle_events
from worldgen.simulation.events.base import Event, PlayedEvent

EVENTS: dict[str, Event] = {
    event.name: event
    for module in (people_events, rider_events, vehicle_events, junction_events, obstacle_events)
    for event in module.EVENTS
}
"""All events by name."""

__all__ = ["EVENTS", "Event", "PlayedEvent"]
