"""Rare events: each is a function that adds its actors to a scene under construction and returns a `PlayedEvent`."""

from __future__ import annotations

from worldgen.simulation.events import hazards, people_events, rider_events, vehicle_events
from worldgen.simulation.events.base import Event, PlayedEvent

EVENTS: dict[str, Event] = {
    event.name: event
    for event in (*people_events.EVENTS, *rider_events.EVENTS, *vehicle_events.EVENTS, *hazards.EVENTS)
}
"""All events by name."""

__all__ = ["EVENTS", "Event", "PlayedEvent"]
