from __future__ import annotations

import json

import numpy as np
import pytest

from tests.data.drives import frame_number, make_frames, make_video, write_log
from worldgen.core.errors import InputError
from worldgen.data.ingest.logs.ego_log import EgoLogConfig
from worldgen.data.ingest.source_config import CameraConfig, SourceConfig
from worldgen.data.ingest.source_frames import frame_info, iter_source_frames
from worldgen.data.ingest.sources import find_sources


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    root = tmp_path_factory.mktemp("fleet")
    make_video(root / "clip2.mp4", 6)
    make_video(root / "clip10.avi", 6)
    make_video(root / "day" / "clip.mkv", 6)
    make_frames(root / "stills")
    write_log(root / "clip2.ego.csv")
    write_log(root / "day" / "clip.csv")
    write_log(root / "stills.csv")
    (root / "clip10.json").write_text('{"caption": "a grey road"}')
    (root / "day" / "clip.txt").write_text("a foggy road")
    (root / ".hidden.mp4").write_bytes(b"")
    (root / "readme.md").write_text("")
    return root


def found(root, sources=None, defaults=None, exclude=()):
    return find_sources([str(root)], sources or {}, defaults or SourceConfig(), exclude)


def find(root, sources=None, defaults=None, exclude=()):
    return {s.name: s for s in found(root, sources, defaults, exclude).sources}


def test_everything_is_found_with_what_belongs_to_it(fleet):
    found = find(fleet)
    assert list(found) == ["clip2.mp4", "clip10.avi", "day/clip.mkv", "stills"]  # natural order
    assert [s.kind for s in found.values()] == ["video", "video", "video", "folder"]
    assert [s.ego_path and s.ego_path.name for s in found.values()] == ["clip2.ego.csv", None, "clip.csv", "stills.csv"]
    assert [s.caption_path and s.caption_path.name for s in found.values()] == [None, "clip10.json", "clip.txt", None]
    assert [s.drive for s in found.values()] == ["clip2", "clip10", "day_clip", "stills"]


def test_single_files_and_frame_folders_are_places_too(fleet):
    names = [
        s.name for s in find_sources([str(fleet / "clip2.mp4"), str(fleet / "stills")], {}, SourceConfig()).sources
    ]
    assert names == ["clip2.mp4", "stills"]


def test_config_of_a_source_exact_name_before_pattern(fleet):
    sources = {
        "*.mp4": SourceConfig(licence="A", tags=("x",)),
        "clip2.mp4": SourceConfig(licence="B", drive="one drive"),
        "day/*": SourceConfig(ego=EgoLogConfig(path="none")),
    }
    found = find(fleet, sources, SourceConfig(tags=("d",)))
    assert found["clip2.mp4"].config.licence == "B"
    assert found["clip2.mp4"].config.tags == ("d",)
    assert found["clip2.mp4"].drive == "one_drive"
    assert found["day/clip.mkv"].ego_path is None
    assert found["clip10.avi"].config.licence is None


def test_mistakes_name_the_nearest(fleet, tmp_path):
    with pytest.raises(InputError, match=r"sources entry.*did you mean clip2\.mp4"):
        find(fleet, {"clip3.mp4": SourceConfig()})
    with pytest.raises(InputError, match="exclude entry"):
        find(fleet, exclude=("nothing*",))
    assert "stills" not in find(fleet, exclude=("stills",))
    with pytest.raises(InputError, match="file or folder that exists"):
        find(tmp_path / "missing")
    with pytest.raises(InputError, match=r"source: received .*\.mp4"):
        find(tmp_path)
    with pytest.raises(InputError, match="every source once"):
        find_sources([str(fleet), str(fleet / "clip2.mp4")], {}, SourceConfig())


def test_two_logs_are_ambiguous(tmp_path):
    make_video(tmp_path / "a.mp4", 2)
    write_log(tmp_path / "a.csv")
    (tmp_path / "a.json").write_text('{"time_s": [0, 1], "speed_mps": [1, 1]}')
    make_video(tmp_path / "b.mp4", 2)
    both = found(tmp_path)
    assert [source.name for source in both.sources] == ["b.mp4"]  # one bad source does not stop the others
    ((name, reason),) = both.bad
    assert name == "a.mp4"
    assert "a.csv and a.json; expected one; name it with ego.path" in reason
    (tmp_path / "b.mp4").unlink()
    assert find(tmp_path, defaults=SourceConfig(ego=EgoLogConfig(path="a.csv")))["a.mp4"].ego_path.name == "a.csv"
    (_, reason) = found(tmp_path, defaults=SourceConfig(ego=EgoLogConfig(path="b.csv"))).bad[0]
    assert reason.startswith("ego.path: received 'b.csv'")


def test_frame_folders_need_a_rate_or_times(fleet, tmp_path):
    source = find(fleet)["stills"]
    with pytest.raises(InputError, match="stills: received no frame rate; expected native_fps, times_in_names"):
        frame_info(source)
    info = frame_info(find(fleet, defaults=SourceConfig(native_fps=4.0))["stills"])
    assert (info.num_frames, info.fps, info.width_px, info.height_px) == (12, 4.0, 96, 64)
    np.testing.assert_allclose(info.times_s, np.arange(12) / 4)
    make_frames(tmp_path / "f", 3)
    (tmp_path / "times.csv").write_text("time_ms\n1000\n1100\n1300\n")
    info = frame_info(find(tmp_path, defaults=SourceConfig(times_file="times.csv"))["f"])
    np.testing.assert_allclose(info.times_s, [0, 0.1, 0.3])
    assert info.variable_rate
    assert info.fps == pytest.approx(2 / 0.3)


def test_frames_come_in_natural_order_and_only_those_wanted(fleet):
    source = find(fleet, defaults=SourceConfig(native_fps=4.0))["stills"]
    assert [frame_number(frame) for _, frame in iter_source_frames(source)] == list(range(12))
    assert [i for i, _ in iter_source_frames(source, {3, 11})] == [3, 11]
    video = find(fleet)["clip2.mp4"]
    assert [(i, frame_number(frame)) for i, frame in iter_source_frames(video, {1, 4})] == [(1, 1), (4, 4)]


def test_damaged_pictures(tmp_path):
    make_frames(tmp_path / "f", 3)
    (tmp_path / "f" / "f1.png").write_bytes(b"not a picture")
    source = find(tmp_path, defaults=SourceConfig(native_fps=4.0))["f"]
    with pytest.raises(InputError, match=r"f1\.png.*decodes"):
        list(iter_source_frames(source))


def test_coco_pictures_are_split_into_drives_and_are_no_frame_folder(tmp_path):
    make_frames(tmp_path / "images", 4, ".jpg")
    images = [{"id": i, "file_name": f"images/f{i}.jpg", "width": 96, "height": 64} for i in range(4)]
    (tmp_path / "a.coco.json").write_text(json.dumps({"images": images, "annotations": [], "categories": []}))
    sources = find(tmp_path, {"a.coco.json": SourceConfig(drive_pattern=r"f([01]|[23])")})
    assert list(sources) == ["a.coco.json:0", "a.coco.json:1", "a.coco.json:2", "a.coco.json:3"]
    assert list(find(tmp_path)) == ["a.coco.json:a"]
    assert "z(.)" in found(tmp_path, {"a.coco.json": SourceConfig(drive_pattern="z(.)")}).bad[0][1]
    for pattern, expected in (("f(", "a regular expression"), ("f", "one group")):
        with pytest.raises(InputError, match=expected):
            find(tmp_path, {"a.coco.json": SourceConfig(drive_pattern=pattern)})
    (tmp_path / "images" / "f2.jpg").unlink()
    assert "a picture that exists" in found(tmp_path).bad[0][1]


def test_digest_follows_content_not_place(tmp_path):
    first = make_video(tmp_path / "a" / "clip.mp4", 4)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "clip.mp4").write_bytes(first.read_bytes())
    a, b = find(tmp_path / "a")["clip.mp4"], find(tmp_path / "b")["clip.mp4"]
    assert a.digest() == b.digest()
    write_log(tmp_path / "b" / "clip.csv")
    assert find(tmp_path / "b")["clip.mp4"].digest() != a.digest()


def test_camera_configs():
    camera = CameraConfig(fov_deg=60, height_m=1.2, pitch_rad=0.05).camera(640, 480)
    assert (camera.fov_deg, camera.height_m, camera.pitch_rad) == (pytest.approx(60), 1.2, 0.05)
    assert CameraConfig(fx_px=500, fy_px=400, cx_px=320, cy_px=240).camera(640, 480).fy_px == 400
    for bad in ({"fx_px": 500.0}, {"fov_deg": 60.0, "fx_px": 1.0, "fy_px": 1.0, "cx_px": 1.0, "cy_px": 1.0}):
        with pytest.raises(InputError, match="all of fx_px"):
            CameraConfig(**bad)


def test_tables_that_nobody_reads_are_named_where_a_log_is_missing(tmp_path):
    make_video(tmp_path / "a" / "front.mp4", 6)
    make_video(tmp_path / "b" / "front.mp4", 6)
    for drive in "ab":
        write_log(tmp_path / drive / "can.csv")
    (tmp_path / "a" / "notes.txt").write_text("sunny")
    note = "2 tables that no source reads (a/can.csv, b/can.csv): ego.path names a log, times_file times"
    assert found(tmp_path).notes == (note,)
    assert found(tmp_path, defaults=SourceConfig(ego=EgoLogConfig(path="can.csv"))).notes == ()
    assert found(tmp_path, defaults=SourceConfig(ego=EgoLogConfig(path="none"))).notes == ()


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("2011_09_26/2011_09_26_drive_0001_sync/oxts/timestamps.txt", "kitti_raw"),
        ("v1.0-mini/scene.json", "nuscenes"), ("meta/info.json", "lerobot"),
        ("log_7/city_SE3_egovehicle.feather", "argoverse2"),
    ],
)  # fmt: skip
def test_the_layout_of_a_public_set_is_named(tmp_path, file, name):
    make_video(tmp_path / "clips" / "front.mp4", 6)
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text("")
    assert f"a layout of {name}, which worldgen ingest --dataset {name} reads as it is" in found(tmp_path).notes
