"""Recordings that clocks, logs and pixels join, and warnings of what would leak."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.data.video.test_shots import drive
from worldgen.data.ingest.drives.joined_drives import RecordedSource, find_relations, join_drives, leak_notes

BOOT_S, EPOCH_S = 46_000.0, 1.7e9


def source(name: str, **facts) -> RecordedSource:
    facts = {"drive": name.replace("/", "_"), "stated": False, "duration_s": 60.0, **facts}
    return RecordedSource(name, **facts)


def drives(*sources: RecordedSource) -> list[str]:
    return join_drives(sources, list(find_relations(sources)))


@pytest.mark.parametrize("zero_s", [BOOT_S, EPOCH_S])
def test_minutes_of_one_clock_are_one_drive(zero_s):
    minutes = [source(f"m{i}", begin_s=zero_s + 60.05 * i) for i in range(4)]
    assert drives(*minutes) == ["m0"] * 4
    minutes[2] = replace(minutes[2], begin_s=zero_s + 500)
    minutes[3] = replace(minutes[3], begin_s=zero_s + 560)
    assert drives(*minutes) == ["m0", "m0", "m2", "m2"]


def test_cameras_of_one_clock_are_one_drive():
    assert drives(source("x", begin_s=EPOCH_S), source("y", begin_s=EPOCH_S + 0.4)) == ["x", "x"]
    assert drives(source("x", begin_s=0.0), source("y", begin_s=0.4)) == ["x", "y"]  # clocks set to zero for each file
    assert drives(source("car1/x", begin_s=EPOCH_S), source("car2/x", begin_s=EPOCH_S)) == ["car1_x", "car2_x"]


def test_one_log_joins():
    cameras = [source("a/x", log="a/can.csv"), source("b/y"), source("a/z", log="a/can.csv")]
    assert drives(*cameras) == ["a_x", "b_y", "a_x"]


def test_dates_in_names_join():
    cars = [source(f"2024013{i}_120000", named_s=EPOCH_S + 86_400 * i) for i in range(3)]
    assert len(set(drives(*cars))) == 3
    follow = [source(f"20240131_12{i:02d}00", named_s=EPOCH_S + 60 * i) for i in range(3)]
    assert drives(*follow) == [follow[0].drive] * 3
    fleet = [
        source(f"car{car}_20240131_120{minute}00", named_s=EPOCH_S + 60 * minute + 20 * car)
        for minute in range(3)
        for car in (1, 2)
    ]
    assert drives(*fleet) == [fleet[0].drive, fleet[1].drive] * 3
    later = [source("20240131_120000", named_s=EPOCH_S), source("20240131_130000", named_s=EPOCH_S + 3600)]
    assert len(set(drives(*later))) == 2


def test_pixels_that_go_on_join_numbered_files():
    whole = drive(5, 60)
    first = source("clip_1", head=whole[:20], tail=whole[10:30])
    second = source("clip_2", head=whole[30:50], tail=whole[40:])
    other = drive(6, 40)
    third = source("clip_3", head=other[:20], tail=other[20:])
    assert drives(first, second, third) == ["clip_1", "clip_1", "clip_3"]
    assert drives(first, replace(second, name="scene_2")) == ["clip_1", "clip_2"]  # no neighbours by their names


def test_a_stated_drive_stays_and_a_leak_is_named():
    one = source("m0", begin_s=EPOCH_S, drive="first", stated=True)
    two = source("m1", begin_s=EPOCH_S + 60, drive="second", stated=True)
    relations = list(find_relations([one, two]))
    assert join_drives([one, two], relations) == ["first", "second"]
    assert leak_notes([one, two], relations, {"first": "train", "second": "train"}) == []
    (note,) = leak_notes([one, two], relations, {"first": "train", "second": "val"})
    assert note.startswith("leak: m0 (train) and m1 (val) are in different splits, though one goes on where")


def test_copies_and_doubtful_numbers_are_named():
    copies = [source(name, content="same") for name in ("a", "b")]
    (note,) = leak_notes(copies, [], {"a": "train", "b": "test"})
    assert note.startswith("leak: a (train) and b (test) hold the same frames")
    rows = [source(f"clip_{i}") for i in range(4)]
    splits = {"clip_0": "train", "clip_1": "val", "clip_2": "train", "clip_3": "train"}
    (note,) = leak_notes(rows, [], splits)
    assert "clip_0 (train) and clip_1 (val) differ in a number only (2 such pairs)" in note
    assert leak_notes(rows, [], dict.fromkeys(splits, "train")) == []
    many = [source(f"c{chr(97 + i)}", content="same") for i in range(9)]
    notes = leak_notes(many, [], {s.drive: "val" if i else "train" for i, s in enumerate(many)})
    assert len(notes) == 6 and notes[-1] == "3 more leaks of this kind"
