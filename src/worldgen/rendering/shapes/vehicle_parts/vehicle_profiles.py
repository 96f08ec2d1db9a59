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
class ListedPatch:
    """A patch of a list; see :class:`worldgen.rendering.shapes.vehicle_parts.surface_patches.SurfacePatch`.

    corners: (u, v). finish: a name of ``FINISHES``. count, step_m: how often it is repeated along u.
    """

    view: str
    corners: Pairs
    finish: str
    count: int = 1
    step_m: float = 0.0
    round_m: float = 0.0
    side: int = 0
    facing: float = 0.35
    span: Span = (-99.0, 99.0)
    opacity: float = 1.0


@dataclass(frozen=True)
class Cargo:
    """The body behind a cab. kind: box, curtain, tipper or tanker. x, z: from and to.

    colour: linear albedo. mark: colour of a sign on its sides, none if empty. frame_x: from and to of the chassis.
    guard_x, guard_z: of the side guards. lamps_m: height of the tail lamps. legs_x: where a trailer's legs stand.
    """

    kind: str
    x: Span
    z: Span
    half_width_m: float
    colour: tuple[float, float, float]
    frame_x: Span
    guard_x: Span
    guard_z: tuple[float, ...] = (0.55, 0.75)
    mark: tuple[float, ...] = ()
    lamps_m: float = 0.8
    legs_x: float | None = None


@dataclass(frozen=True)
class CarProfile:
    """A car, van or pickup. size_m: length, width without mirrors, height. seats: x of the rows.

    extras: names of parts that only some have.
    """

    name: str
    size_m: tuple[float, float, float]
    lines: BodyLines
    wheels: Wheels
    glazing: Glazing
    panels: Panels
    seats: tuple[float, ...]
    extras: tuple[str, ...] = ()


@dataclass(frozen=True)
class HeavyProfile:
    """A bus, or a truck: then lines and patches are those of its cab. size_m: length, width without mirrors, height.

    seats: x of the driver's seat and of the rows of a bus. mirrors: x, y, z and half height of the left one. extras:
    names of parts that only some have.
    """

    name: str
    size_m: tuple[float, float, float]
    lines: BodyLines
    wheels: Wheels
    patches: tuple[ListedPatch, ...]
    seats: tuple[float, ...]
    mirrors: tuple[float, float, float, float]
    cargo: Cargo | None = None
    extras: tuple[str, ...] = ()


def _frozen(value: object) -> object:
    """Lists as tuples."""
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value


def _fields(record: dict) -> dict:
    return {key: _frozen(value) for key, value in record.items()}


def _profile(record: dict) -> CarProfile | HeavyProfile:
    """The profile of one entry of the file."""
    record = dict(record)
    lines = _fields(record["lines"])
    for end in ("rear", "front"):
        lines[end] = Rounding(**_fields(lines[end]))
    record["lines"], record["wheels"] = BodyLines(**lines), Wheels(**_fields(record["wheels"]))
    if "glazing" in record:
        record["glazing"] = Glazing(**_fields(record["glazing"]))
        record["panels"] = Panels(**_fields(record["panels"]))
        return CarProfile(**_fields(record))
    record["patches"] = tuple(_patch(entry) for entry in record["patches"])
    if "cargo" in record:
        record["cargo"] = Cargo(**_fields(record["cargo"]))
    return HeavyProfile(**_fields(record))


def _patch(entry: dict) -> ListedPatch:
    """A listed patch: "u" and "v" from and to, or "corners"."""
    entry = dict(entry)
    if "corners" not in entry:
        (u0, u1), (v0, v1) = entry.pop("u"), entry.pop("v")
        entry["corners"] = [[u0, v0], [u1, v0], [u1, v1], [u0, v1]]
    return ListedPatch(**_fields(entry))


@cache
def profiles(variant: str) -> tuple[CarProfile | HeavyProfile, ...]:
    """The bodies of a variant. Raises: KeyError for a variant without profiles."""
    table = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
    return tuple(_profile(record) for record in table[variant])
