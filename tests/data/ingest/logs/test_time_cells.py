from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.errors import InputError
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.logs.time_cells import date_text, epoch_unit, is_time_text, shared_unit, text_times

NOON_S = 1714564800.0  # 2024-05-01T12:00:00Z, by `date -u -d 2024-05-01T12:00:00Z +%s`


def times(*cells, **settings):
    return text_times(cells, lambda row: f"row {row}", **settings)


@pytest.mark.parametrize(
    "cell",
    ["2024-05-01T12:00:00Z", "2024-05-01 12:00:00", "2024-05-01T14:00:00+02:00", "2024-05-01T14:00:00+0200",
     "2024-05-01T17:30:00.000+05:30", "2024/05/01 12:00:00.0", "20240501T120000Z", "2024-05-01 12:00:00 UTC",
     "2024-05-01T10:00:00-02"],
)  # fmt: skip
def test_iso_times_count_from_1970_in_utc(cell):
    assert is_time_text(cell)
    assert times(cell)[0] == NOON_S


def test_fractions_zones_and_formats():
    assert times("2024-05-01T12:00:00.25Z")[0] == NOON_S + 0.25
    assert times("2011-09-26 13:02:25.594360375")[0] == pytest.approx(1317042145.594360375, abs=1e-6)
    assert times("2024-05-01 14:00:00", zone="Europe/Berlin")[0] == NOON_S
    assert times("2024-05-01 14:00:00", zone="+02:00")[0] == NOON_S
    assert times("01.05.2024 12:00:00,5", pattern="%d.%m.%Y %H:%M:%S,%f")[0] == NOON_S + 0.5


def test_times_of_day_go_on_after_midnight():
    np.testing.assert_allclose(times("23:59:59.5", "0:00:00.5", "00:00:01"), [86399.5, 86400.5, 86401])


@pytest.mark.parametrize("cell", ["20240501120000", "05/01/2024 12:00:00", "12.5", "", "2024-05-01", None, 3.0])
def test_what_is_not_certainly_a_time(cell):
    assert not is_time_text(cell)


@pytest.mark.parametrize("cell", ["2024-13-01T00:00:00Z", "25:00:00", "soon"])
def test_bad_times_name_the_row_and_the_setting(cell):
    with pytest.raises(InputError, match=r"row 1: received .*ego\.time_format"):
        times("2024-05-01T12:00:00Z" if "T" in cell else "1:00:00", cell)


def test_bad_zones():
    with pytest.raises(InputError, match=r"ego\.time_zone.*'Mars/Olympus'"):
        EgoLogConfig(time_zone="Mars/Olympus")


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)])
def test_epochs_have_a_certain_unit(unit, factor):
    clock = NOON_S + np.arange(20) / 10
    assert epoch_unit(clock * factor) == unit
    assert shared_unit((46408.5 + np.arange(20)) * factor, 46400.0, 46500.0) == unit


@pytest.mark.parametrize(
    "values",
    [np.arange(20.0), 46408.5 + np.arange(20), 1.5e6 + np.arange(20), np.array([NOON_S]), NOON_S + 1e-7 * np.arange(9),
     np.array([np.nan, NOON_S])],
)  # fmt: skip
def test_other_numbers_have_none(values):
    assert epoch_unit(values) is None


def test_a_unit_is_shared_only_when_one_alone_fits():
    assert shared_unit(np.arange(20.0), 0.001, 30.0) is None  # seconds, milliseconds and others all meet
    assert shared_unit(np.arange(20.0) + 1e7, 5.0, 6.0) is None


def test_dates_in_messages():
    assert date_text(NOON_S) == "2024-05-01T12:00:00Z"
    assert date_text(46408.5) == "46408.500 s"
