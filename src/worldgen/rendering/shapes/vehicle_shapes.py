"""Shapes of motor vehicles: cars, vans, trucks and buses in several bodies each."""

from __future__ import annotations

from functools import cache

from worldgen.rendering.shapes.vehicle_parts.car_bodies import car_body
from worldgen.rendering.shapes.vehicle_parts.car_doors import VehicleShape, door_solid
from worldgen.rendering.shapes.vehicle_parts.heavy_bodies import bus_body, truck_body
from worldgen.rendering.shapes.vehicle_parts.vehicle_profiles import CarProfile, profiles

__all__ = ["door_solid", "num_bodies", "vehicle_shape"]


def num_bodies(variant: str) -> int:
    """How many bodies a variant has."""
    return len(profiles(variant))


def vehicle_shape(variant: str, body: int) -> VehicleShape:
    """The shape of a vehicle. variant: one of the motor vehicles of ``VARIANTS`` of :mod:`worldgen.core.scene`.

    body: which of the bodies of the variant, taken modulo their number. Panels take the colour of the instance; cargo
    has colours of its own. ``size_m`` leaves the mirrors out, as registered sizes do. Raises: KeyError for another
    variant.
    """
    return _shape(variant, body % num_bodies(variant))


@cache
def _shape(variant: str, body: int) -> VehicleShape:
    profile = profiles(variant)[body]
    if isinstance(profile, CarProfile):
        return car_body(profile)
    return bus_body(profile) if profile.cargo is None else truck_body(profile)
