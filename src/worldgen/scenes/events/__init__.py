"""Library of rare events: plain functions over a scene under construction."""

from __future__ import annotations

from worldgen.scenes.events import hazards, people, riders, vehicles
from worldgen.scenes.events.base import Event, Played

EVENTS: dict[str, Event] = {
    event.name: event for event in (*people.EVENTS, *riders.EVENTS, *vehicles.EVENTS, *hazards.EVENTS)
}
"""All events by name."""

__all__ = ["EVENTS", "Event", "Played"]
