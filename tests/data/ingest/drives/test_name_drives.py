"""Drives by the names of files: the layouts of fleets, dashcams and public sets."""

from __future__ import annotations

import pytest

from worldgen.data.ingest.drives.name_drives import looks_elsewhere, name_drives, numbered, recorded_at_s


def groups(*names: str, root: str = "fleet") -> list[set[str]]:
    """The sources of each drive, in order."""
    drives = name_drives([(root, name) for name in names])
    out: dict[str, set[str]] = {}
    for (_, name), drive in drives.items():
        out.setdefault(drive, set()).add(name)
    return list(out.values())


ROUTE = "b0c9d2329ad1606b|2018-08-02--08-34-47"


@pytest.mark.parametrize(
    "layout",
    [
        [["drive_001/front", "drive_001/rear"], ["drive_002/front", "drive_002/rear"]],
        [["a_front", "a_left", "a_right"], ["b_front", "b_left", "b_right"]],
        [["s1/CAM_FRONT", "s1/CAM_FRONT_LEFT", "s1/CAM_BACK"], ["s2/CAM_FRONT", "s2/CAM_BACK"]],
        [["d1/cam0", "d1/cam1"], ["d2/camera_0", "d2/camera_1"]],
        [["d1/image_02/data", "d1/image_03/data"], ["d2/image_02/data", "d2/image_03/data"]],
        [["sequences/00/image_2", "sequences/00/image_3"], ["sequences/01/image_2", "sequences/01/image_3"]],
        [["20240131_120000_NF", "20240131_120000_NR"], ["20240201_080000_NF", "20240201_080000_NR"]],
        [["2024_0131_120000_0001F", "2024_0131_120000_0001R"], ["2024_0131_130000_0002F", "2024_0131_130000_0002R"]],
        [["tour_part1", "tour_part2"], ["other"]],
        [["route_a/segment_3", "route_a/segment_4"], ["route_b/segment_3"]],
        [["00aa--3b--0/qcamera", "00aa--3b--1/qcamera"], ["00bb--3b--0/qcamera", "00bb--3b--1/fcamera"]],
        [[f"Chunk_1/{ROUTE}/40/video", f"Chunk_1/{ROUTE}/41/video"], ["Chunk_1/c|2018-08-03--08-34-47/3/video"]],
        [["GX010042", "GX020042"], ["GX010043"]],
        [["a_0", "a_1", "a_2"], ["b_0", "b_1"]],
        [["a/0001", "a/0002"], ["b/0001"]],
        [["route_a/0/video", "route_a/1/video"], ["route_b/0/video", "route_b/1/video"]],
        [
            [f"videos/chunk-000/observation.images.{c}/episode_000000" for c in ("front", "cam_high")],
            [f"videos/chunk-000/observation.images.{c}/episode_000001" for c in ("front", "cam_high")],
        ],
        [["videos/observation.images.a/chunk-000/file-000", "videos/observation.images.b/chunk-000/file-000"]],
        # Numbers in one row, and words that are no cameras, name drives.
        [["drive_001"], ["drive_002"], ["drive_003"]],
        [["calgary"], ["carnd_vehicle"], ["carnd_white_right"], ["track_a"], ["track_b"], ["clip2"], ["clip10"]],
        [["main_road"], ["side_road"]],
        [["car_1/clip_1"], ["car_1/clip_2"], ["car_2/clip_1"]],
    ],
    ids=lambda layout: layout[0][0],
)
def test_layouts(layout):
    assert groups(*[name for drive in layout for name in drive]) == [set(drive) for drive in layout]


def test_names_of_drives():
    drives = name_drives([("trip", "front"), ("trip", "rear"), ("trip", "old/clip"), ("x", "day 1/a_0"), ("x", "b")])
    assert list(drives.values()) == ["trip", "trip", "old_clip", "day_1_a_0", "b"]


def test_dates_in_names():
    noon = 1706702400.0  # 2024-01-31 12:00:00 UTC
    for name in ("20240131_120000", "a/2024-01-31T12-00-00", "NO20240131-120000-000123F", "2024-01-31/12.00.00"):
        assert recorded_at_s(name) == noon
    assert recorded_at_s("20241399_996161") is None and recorded_at_s("drive_001") is None


def test_numbers_and_cameras_that_look_elsewhere():
    assert numbered("a/clip_07") == ("a/clip", 7) and numbered("clip") is None
    assert [looks_elsewhere(n) for n in ("d/rear", "d/left", "trip_rear", "s/CAM_BACK_LEFT")] == [True] * 4
    assert [looks_elsewhere(n) for n in ("d/front", "turn_left", "s/CAM_FRONT_LEFT", "white_right")] == [False] * 4
