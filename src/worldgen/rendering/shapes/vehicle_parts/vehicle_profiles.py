"""Profiles of vehicles: the data of ``vehicle_profiles.json`` as typed records."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from worldgen.rendering.shapes.vehicle_parts.body_loft import BodyLines, Rounding

Span = tuple[float, float]
Pairs = tuple[tuple[float, float], ...]
Rectangle = tuple[float, float, float, float]


@dataclass(frozen=True)
class Wheels:
    """Wheels. axles: x of each. spokes: 0 for steel rims. twin: numbers of the axles with two tyres a side."""

    axles: tuple[float, ...]
    radius_m: float
    width_m: float
    spokes: int = 5
    arch_m: float = 0.045
    twin: tuple[int, ...] = ()


@dataclass(frozen=True)
class Glazing:
    """Windows.

    windscreen: x of its upper and lower edge. side_front: x of the front corner of the side windows. rear_edge: x of
    their rear edge at the belt and at the roof. pillars: x of the black pillars between them. rear_window: x of its
    lower and upper edge along the roof line. rear_pane: corners (y, z) of the left half of one on an upright tail.
    glazed_from: panes behind this x are sheet metal. dark_behind: panes behind this x are tinted black.
    """

    windscreen: Span
    side_front: float
    rear_edge: Span
    pillars: tuple[float, ...] = ()
    rear_window: Span | None = None
    rear_pane: Pairs = ()
    glazed_from: float = -99.0
    dark_behind: float = -99.0


@dataclass(frozen=True)
class Panels:
    """What is painted on the ends of a body; rectangles are y from, to, z from, to of the left half, and
    may cross the middle.

    head, tail: lamps; tail_bar: a strip of light between the tail lamps. plate_front, plate_rear: z of the middle of
    the number plates. doors: x of the gaps of the side doors. lid: half width and lower edge of the tailgate.
    grille_bars: number of chrome bars. cladding_m: height of black plastic above the underside. arch_cladding: black
    plastic around the arches. bumper: z from and to of the rear bumper. handle_z: height of the door handles; below
    the belt if not given.
    """

    head: Rectangle
    tail: Rectangle
    plate_front: float
    plate_rear: float
    grille: Rectangle
    intake: Rectangle
    doors: tuple[float, ...] = ()
    tail_bar: Rectangle | None = None
    lid: Span | None = None
    grille_bars: int = 0
    cladding_m: float = 0.09
    arch_cladding: bool = False
    bumper: Span | None = None
    handle_z: float | None = None


@dataclass(frozen=True)
class VehicleProfile:
    """One body of a variant. size_m: length, width without mirrors, height. kind: builder that it is for."""

    name: str
    size_m: tuple[float, float, float]
    lines: BodyLines
    wheels: Wheels
    glazing: Glazing
    panels: Panels
    seats: tuple[float, ...] = ()
    extras: tuple[str, ...] = ()


def _frozen(value: object) -> object:
    """Lists as tuples."""
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value


def _fields(record: dict) -> dict:
    return {key: _frozen(value) for key, value in record.items()}


def _profile(record: dict) -> VehicleProfile:
    """The profile of one entry of the file."""
    lines = _fields(record["lines"])
    for end in ("rear", "front"):
        lines[end] = Rounding(**_fields(lines[end]))
    return VehicleProfile(
        name=record["name"],
        size_m=_frozen(record["size_m"]),  # type: ignore[arg-type]
        lines=BodyLines(**lines),
        wheels=Wheels(**_fields(record["wheels"])),
        glazing=Glazing(**_fields(record["glazing"])),
        panels=Panels(**_fields(record["panels"])),
        seats=_frozen(record.get("seats", [])),  # type: ignore[arg-type]
        extras=_frozen(record.get("extras", [])),  # type: ignore[arg-type]
    )


@cache
def profiles(variant: str) -> tuple[VehicleProfile, ...]:
    """The bodies of a variant. Raises: KeyError for a variant without profiles."""
    table = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
    return tuple(_profile(record) for record in table[variant])
