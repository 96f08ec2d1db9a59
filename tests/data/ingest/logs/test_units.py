from __future__ import annotations

import math

import pytest

from worldgen.core.errors import InputError
from worldgen.data.ingest.logs.units import UNITS, parse_name, read_meanings


@pytest.mark.parametrize(
    ("name", "quantity", "one"),
    [
        ("speed_mps", "speed", 1.0),
        ("Speed_KMH", "speed", 1 / 3.6),
        ("velocity_mph", "speed", 0.44704),
        ("speed_kn", "speed", 1852 / 3600),
        ("t_s", "time", 1.0),
        ("timestamp_ns", "time", 1e-9),
        ("time_us", "time", 1e-6),
        ("yaw_rate_degps", "yaw_rate", math.pi / 180),
        ("yawrate_radps", "yaw_rate", 1.0),
        ("steering_angle_deg", "steering", math.pi / 180),
        ("steering_wheel_angle_rad", "steering_wheel", 1.0),
        ("x_m", "x", 1.0),
        ("latitude_deg", "lat", 1.0),
        ("qw", "qw", 1.0),
        ("frame_index", "frame", 1.0),
    ],
)
def test_names_state_quantity_and_unit(name, quantity, one):
    meaning = parse_name(name)
    assert (meaning.quantity, meaning.factor) == (quantity, pytest.approx(one, rel=1e-12))


@pytest.mark.parametrize(
    "name", ["throttle", "speed_limit_mps_posted", "comment", "_s", "s", "brake_unit", "speed_furlongs"]
)
def test_other_columns_are_left_alone(name):
    assert parse_name(name) is None


@pytest.mark.parametrize(
    "name", ["speed", "time", "t", "timestamp", "steering", "yaw", "x", "lat", "heading", "yaw_rate"]
)
def test_a_quantity_without_unit_is_refused_with_the_way_out(name):
    with pytest.raises(InputError, match=r"no unit; expected one of .*_.*ego\.columns: \{" + name):
        parse_name(name)


def test_every_unit_listed_parses_as_itself():
    for quantity, units in UNITS.items():
        for unit, factor in units.items():
            assert parse_name(f"{quantity}_{unit}").factor == factor


def test_mapping_renames_ignores_and_is_checked():
    meanings = read_meanings(("clock", "v", "speed"), {"clock": "time_ms", "v": "speed_kmh", "speed": "ignore"})
    assert {name: m.quantity for name, m in meanings.items()} == {"clock": "time", "v": "speed"}
    with pytest.raises(InputError, match=r"ego.columns.*'w'.*a column of the log"):
        read_meanings(("v",), {"w": "speed_mps"})
    with pytest.raises(InputError, match=r"ego\.columns\.v.*'quickness'"):
        read_meanings(("v",), {"v": "quickness"})


def test_repeated_and_rival_columns_are_refused():
    with pytest.raises(InputError, match="twice in the header"):
        read_meanings(("time_s", "time_s"), {})
    with pytest.raises(InputError, match="both give speed"):
        read_meanings(("speed_mps", "speed_kmh"), {})


def test_all_columns_without_unit_are_named_with_what_they_may_be():
    with pytest.raises(InputError) as refused:
        read_meanings(("time_s", "latitude", "v", "note"), {"v": "speed"})
    said = str(refused.value)
    assert "columns 'latitude', 'v': received no units" in said
    assert "latitude: lat_deg; v: speed_mps or speed_kmh" in said and "note" not in said


def test_a_mapped_column_keeps_the_unit_in_its_brackets():
    names = ("Geschwindigkeit [km/h]", "Gierrate [°/s]", "GPS5 (Lat.) [deg]")
    meanings = read_meanings(names, dict(zip(names, ("speed", "yaw_rate", "lat"), strict=True)))
    assert [(m.quantity, m.unit) for m in meanings.values()] == [
        ("speed", "kmh"),
        ("yaw_rate", "degps"),
        ("lat", "deg"),
    ]
    with pytest.raises(InputError, match="no unit; expected one of yaw_rate_radps"):
        read_meanings(("v [km/h]",), {"v [km/h]": "yaw_rate"})
