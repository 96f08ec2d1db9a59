"""Whole ingests of fleet layouts: drives, splits and files by name, as a new user has them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.data.drives import frame_number, make_frames, make_video, picture, write_log
from tests.data.ingest.test_ingest import ingest
from worldgen.core.clip import Clip
from worldgen.core.samples import SPLITS
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.ingest_plan import plan_ingest
from worldgen.data.ingest.ingest_report import ingest_report
from worldgen.data.ingest.logs.ego_config import EgoLogConfig
from worldgen.data.ingest.source_config import CameraConfig, SourceConfig
from worldgen.data.video.encoding import write_clip

CONFIG = IngestConfig(fps=10.0, width_px=48, height_px=32, num_frames=8, stride_frames=4, crf=10)


def view(seed: int, count: int, width: int = 96, height: int = 64, start: int = 0) -> np.ndarray:
    """Frames of a drive: a texture of its own that shifts by a pixel a frame."""
    rng = np.random.default_rng(seed)
    wide = cv2.GaussianBlur(rng.normal(size=(height, width + 300)).astype(np.float32), (0, 0), 4)
    wide = np.clip(110 + 45 * wide / wide.std(), 0, 255).astype(np.uint8)
    return np.stack([wide[:, i : i + width] for i in range(start, start + count)])[..., None].repeat(3, -1)


def video(path: Path, seed: int, frames: int = 30, start: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_clip(path, Clip(view(seed, frames, start=start), 20.0))


def drives_of(root: Path, config: IngestConfig = CONFIG) -> dict[str, str]:
    return {plan.source.name: plan.source.drive for plan in plan_ingest([str(root)], config).sources}


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_one_to_five_drives_can_be_trained(tmp_path, count):
    for i in range(count):
        video(tmp_path / f"drive_{i}.mp4", i)
    report = ingest_report(plan_ingest([str(tmp_path)], CONFIG))
    counts = [report["windows_per_split"][split] for split in SPLITS]
    assert all(counts[: min(count, 3)]), counts
    assert sum(counts) == report["windows"]


def test_front_and_rear_share_a_split_and_the_log_of_their_drive(tmp_path):
    for i in range(4):
        for k, camera in enumerate(("front", "rear")):
            video(tmp_path / f"drive_{i}" / f"{camera}.mp4", 10 * i + k)
        write_log(tmp_path / f"drive_{i}" / "can.csv", speed_kmh=36.0 + 3.6 * i)
    config = replace(CONFIG, defaults=SourceConfig(ego=EgoLogConfig(path="can.csv")))
    plan = plan_ingest([str(tmp_path)], config)
    assert {p.source.name: p.source.drive for p in plan.sources} == {
        f"drive_{i}/{camera}.mp4": f"drive_{i}" for i in range(4) for camera in ("front", "rear")
    }
    speeds = [float(p.ego(p.windows[0]).speed_mps[0]) for p in plan.sources]
    np.testing.assert_allclose(speeds, np.repeat([10.0, 11, 12, 13], 2))
    notes = ingest_report(plan)["notes"]
    assert "drive drive_0: 2 sources taken for one recording (drive_0/front.mp4, drive_0/rear.mp4)" in notes
    assert not any(note.startswith("leak") for note in notes)
    rear = next(p for p in plan.sources if p.source.name == "drive_0/rear.mp4")
    assert any("looks backwards" in note for note in rear.notes)


def test_a_file_without_its_log_does_not_stop_the_others(tmp_path):
    for i in range(2):
        video(tmp_path / f"d{i}" / "clip.mp4", i)
    write_log(tmp_path / "d0" / "can.csv")
    config = replace(CONFIG, defaults=SourceConfig(ego=EgoLogConfig(path="can.csv")))
    plan = plan_ingest([str(tmp_path)], config)
    assert [p.source.name for p in plan.sources] == ["d0/clip.mp4"]
    assert plan.splits == {"d0_clip": "train"}
    ((name, reason),) = plan.bad
    assert name == "d1/clip.mp4" and reason.startswith("ego.path: received 'can.csv'; expected a file in the folder")


def test_files_by_pattern_relative_to_the_drive(tmp_path):
    for day in ("mon", "tue"):
        for clip in ("a", "b"):
            video(tmp_path / day / "video" / f"{clip}.mp4", hash((day, clip)) % 97, 20)
            (tmp_path / day / "logs").mkdir(exist_ok=True)
            write_log(tmp_path / day / "logs" / f"log_{clip}_v2.csv", speed_kmh=36 if clip == "a" else 72)
            rows = "\n".join(f"{1000 + 60 * i}" for i in range(20))
            (tmp_path / day / f"{clip}.times.csv").write_text(f"time_ms\n{rows}\n")
        (tmp_path / day / "camera.json").write_text(json.dumps({"fov_deg": 60 if day == "mon" else 90}))
    config = replace(CONFIG, defaults=SourceConfig(
        ego=EgoLogConfig(path="logs/log_{stem}_*.csv", clock="first_frame"), times_file="{stem}.times.csv",
        camera=CameraConfig(path="camera.json"),
    ))  # fmt: skip
    plan = plan_ingest([str(tmp_path)], config)
    assert plan.bad == ()
    assert [p.source.drive for p in plan.sources] == ["mon_video_a", "mon_video_b", "tue_video_a", "tue_video_b"]
    assert [float(p.ego(p.windows[0]).speed_mps[0]) for p in plan.sources] == pytest.approx([10, 20, 10, 20])
    assert [p.source.config.camera.fov_deg for p in plan.sources] == [60, 60, 90, 90]
    np.testing.assert_allclose(plan.sources[0].frame_times_s, np.arange(20) * 0.06)
    (tmp_path / "mon" / "logs" / "log_a_v3.csv").write_text("")
    (bad,) = plan_ingest([str(tmp_path)], config).bad
    assert "log_a_v2.csv and log_a_v3.csv; expected one file that matches" in bad[1]


def test_a_drive_pattern_serves_every_kind_of_source(tmp_path):
    video(tmp_path / "x" / "car7-0001.mp4", 0)
    video(tmp_path / "y" / "car7-0002.mkv", 1)
    make_frames(tmp_path / "z" / "car8-0001", 20)
    config = replace(CONFIG, defaults=SourceConfig(drive_pattern=r"(car\d+)-", native_fps=10.0))
    assert drives_of(tmp_path, config) == {
        "x/car7-0001.mp4": "car7", "y/car7-0002.mkv": "car7", "z/car8-0001": "car8"
    }  # fmt: skip
    video(tmp_path / "other.mp4", 2)
    plan = plan_ingest([str(tmp_path)], config)
    assert [name for name, _ in plan.bad] == ["other.mp4"] and len(plan.sources) == 3


def test_minutes_of_a_dashcam_are_one_drive(tmp_path):
    for minute in range(3):
        video(tmp_path / f"20240131_1200{2 * minute:02d}.mp4", 5, 40, start=41 * minute)  # two seconds each
    video(tmp_path / "20240201_120000.mp4", 6, 40)
    drives = drives_of(tmp_path)
    assert list(drives.values()) == ["20240131_120000"] * 3 + ["20240201_120000"]


def test_numbered_files_join_where_the_pixels_go_on(tmp_path):
    video(tmp_path / "clip_1.mp4", 5, 40)
    video(tmp_path / "clip_2.mp4", 5, 40, start=40)
    video(tmp_path / "clip_3.mp4", 6, 40)
    assert list(drives_of(tmp_path).values()) == ["clip_1", "clip_1", "clip_3"]


def test_windows_end_at_cuts_and_the_report_says_where(tmp_path):
    """Day, night and a bridge in one file."""
    parts = [view(0, 40), view(1, 40) // 4, np.clip(view(2, 40).astype(int) + 60, 0, 255).astype(np.uint8)]
    write_clip(tmp_path / "all.mp4", Clip(np.concatenate(parts), 20.0))
    plan = plan_ingest([str(tmp_path)], CONFIG).sources[0]
    spans = [(plan.frame_indices(w)[0], plan.frame_indices(w)[-1]) for w in plan.windows]
    assert len(spans) == 3 * 4
    assert all(first // 40 == last // 40 for first, last in spans)
    assert any(note.startswith("2 cuts, at 2.00, 4.00 s") for note in plan.notes)
    ignored = plan_ingest([str(tmp_path)], replace(CONFIG, defaults=SourceConfig(cuts="ignore"))).sources[0]
    assert len(ignored.windows) > len(plan.windows) and not any("cuts" in note for note in ignored.notes)


def test_repeated_frames_are_left_out(tmp_path):
    """Ten frames a second stored as twenty: each tick shows the frame itself, never twice the same."""
    write_clip(tmp_path / "a.mp4", Clip(np.repeat(view(3, 30), 2, 0), 20.0), crf=10)
    plan = plan_ingest([str(tmp_path)], CONFIG).sources[0]
    assert plan.look.kept.tolist() == list(range(0, 60, 2))
    np.testing.assert_array_equal(plan.frame_indices(plan.windows[0]), np.arange(0, 16, 2))
    assert any(note.startswith("30 of 60 frames left out as repeats of the one before") for note in plan.notes)
    fast = plan_ingest([str(tmp_path)], replace(CONFIG, fps=20.0)).sources[0]
    assert fast.windows == () and any("10 frames per second are fewer than the 20 wanted" in n for n in fast.notes)
    kept = plan_ingest([str(tmp_path)], replace(CONFIG, fps=20.0, defaults=SourceConfig(repeats="keep"))).sources[0]
    assert len(kept.windows) == 14


def test_the_intact_part_of_a_file_by_option(tmp_path):
    data = tmp_path / "a.mkv"
    write_clip(tmp_path / "b.mp4", Clip(view(1, 30), 20.0))
    import av

    with av.open(str(data), "w") as container:
        stream = container.add_stream("libx264", rate=20)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for pixels in view(0, 60):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")))
        container.mux(stream.encode())
    data.write_bytes(data.read_bytes()[: data.stat().st_size * 7 // 10])
    assert [name for name, _ in plan_ingest([str(tmp_path)], CONFIG).bad] == ["a.mkv"]
    config = replace(CONFIG, sources={"a.mkv": SourceConfig(damage="intact_part")})
    assert sum(count for _, count in ingest(tmp_path, tmp_path / "out", config)) > 2  # two are of b.mp4
    build_index(str(tmp_path / "out"))
    assert {row["drive"] for row in DataSet(str(tmp_path / "out")).rows} == {"a", "b"}


def test_three_cameras_in_one_folder_are_three_clips(tmp_path):
    """The simulator of Udacity: times are in the names, and each row of the table without a header is a frame."""
    (tmp_path / "IMG").mkdir()
    rows = []
    for i in range(24):
        stamp = f"2024_01_31_22_05_{51 + i // 10}_{i % 10 * 100:03d}"
        for camera in ("center", "left", "right"):
            assert cv2.imwrite(str(tmp_path / "IMG" / f"{camera}_{stamp}.png"), picture(i))
        names = ", ".join(f"C:\\data\\IMG\\{camera}_{stamp}.png" for camera in ("center", "left", "right"))
        rows.append(f"{names}, 0.1, 1, 0, 22.369363")
    (tmp_path / "driving_log.csv").write_text("\n".join(rows) + "\n")
    log = EgoLogConfig(
        path="driving_log.csv", clock="frames", steering_max_rad=0.4363, steering_positive="right", wheelbase_m=2.7,
        column_names=("-", "-", "-", "steering_unit", "throttle", "brake", "speed_mph"),
    )  # fmt: skip
    plan = plan_ingest([str(tmp_path)], replace(CONFIG, defaults=SourceConfig(times_in_names="date", ego=log)))
    assert [p.source.name for p in plan.sources] == ["IMG/center", "IMG/left", "IMG/right"]
    assert len({p.source.drive for p in plan.sources}) == 1
    for made in plan.sources:
        assert made.info.num_frames == 24 and made.info.fps == pytest.approx(10)
        ego = made.ego(made.windows[0])
        np.testing.assert_allclose(ego.speed_mps, 10.0, rtol=1e-5)
        np.testing.assert_allclose(ego.yaw_rate_radps, -10 * np.tan(0.04363) / 2.7, rtol=1e-4)  # right is negative
    done = ingest(tmp_path, tmp_path / "out", replace(CONFIG, defaults=SourceConfig(times_in_names="date", ego=log)))
    assert sum(count for _, count in done) == 15
    build_index(str(tmp_path / "out"))
    first = DataSet(str(tmp_path / "out")).load(0)
    assert [frame_number(frame) for frame in first.clip.frames] == list(range(8))
    (bad, *_) = plan_ingest([str(tmp_path)], CONFIG).bad
    assert "center_2024_01_31_22_05_51_000.png holds a time); expected times_in_names: date" in bad[1]


def test_two_cameras_of_a_drive_with_times_beside_them(tmp_path):
    """KITTI raw: ``timestamps.txt`` above the frames is found by itself."""
    for camera in ("image_02", "image_03"):
        make_frames(tmp_path / camera / "data", 20)
        stamps = [f"2011-09-26 13:02:{25 + i // 10}.{i % 10}94360375" for i in range(20)]
        (tmp_path / camera / "timestamps.txt").write_text("\n".join(stamps) + "\n")
    plan = plan_ingest([str(tmp_path)], CONFIG)
    assert [p.source.name for p in plan.sources] == ["image_02/data", "image_03/data"]
    assert {p.source.drive for p in plan.sources} == {tmp_path.name}
    np.testing.assert_allclose(plan.sources[0].frame_times_s, np.arange(20) / 10, atol=1e-6)
    # 2011-09-26 13:02:25.094360375 UTC, by `date -u -d ... +%s.%N`
    assert plan.sources[0].info.begin_s == pytest.approx(1317042145.094360375, abs=1e-6)


def test_masks_beside_a_coco_file_are_no_pictures(tmp_path):
    make_frames(tmp_path / "images", 6, ".png")
    make_frames(tmp_path / "masks", 6, ".png")
    make_frames(tmp_path / "stills", 6, ".jpg")
    for file in sorted((tmp_path / "stills").iterdir()):
        file.rename(file.with_name(f"other_{file.name}"))
    (tmp_path / "deep" / "seg").mkdir(parents=True)
    for i in range(6):
        assert cv2.imwrite(str(tmp_path / "deep" / "seg" / f"f{i}_labelIds.png"), picture(i))
    images = [{"id": i, "file_name": f"images/f{i}.png", "width": 96, "height": 64} for i in range(6)]
    (tmp_path / "a.coco.json").write_text(json.dumps({"images": images, "annotations": [], "categories": []}))
    config = replace(CONFIG, defaults=SourceConfig(native_fps=10.0))
    plan = plan_ingest([str(tmp_path)], config)
    assert [p.source.name for p in plan.sources] == ["a.coco.json:a", "stills"]
    assert [note.split(":")[0] for note in plan.notes if "masks and left out" in note] == ["deep/seg", "masks"]
    assert plan_ingest([str(tmp_path)], replace(config, exclude=("masks",))).num_windows == plan.num_windows


def test_what_is_no_source_is_said(tmp_path):
    make_video(tmp_path / "a.MP4", 20)
    (tmp_path / "b.insv").write_bytes(b"x")
    (tmp_path / "b2.INSV").write_bytes(b"x")
    (tmp_path / "c.zip").write_bytes(b"x")
    (tmp_path / "LICENSE.MIT-1.0").write_bytes(b"x")
    assert cv2.imwrite(str(tmp_path / "cover.jpg"), picture(0))
    plan = plan_ingest([str(tmp_path)], CONFIG)
    assert [p.source.name for p in plan.sources] == ["a.MP4"]
    for said in ("files that are no source, left out: .insv (2), .zip (1)", "cover.jpg: a single picture beside"):
        assert any(note.startswith(said) for note in plan.notes), plan.notes


def test_a_damaged_coco_file_and_a_drive_in_a_list_that_is_lost_with_it(tmp_path):
    video(tmp_path / "a.mp4", 0)
    (tmp_path / "b.coco.json").write_text("{")
    from worldgen.data.dataset.splits import SplitConfig

    plan = plan_ingest([str(tmp_path)], replace(CONFIG, split=SplitConfig(test=("b",), rest="train")))
    assert [name for name, _ in plan.bad] == ["b.coco.json"] and plan.splits == {"a": "train"}


def test_non_square_pixels_and_their_camera(tmp_path):
    """Anamorphic 96x64 with pixels twice as wide shows 192x64; the focal lengths of the assumed camera are equal."""
    from fractions import Fraction

    from tests.data.video.test_video_kinds import write

    write(tmp_path / "a.mp4", list(view(0, 30)), rate=20, context={"sample_aspect_ratio": Fraction(2)})
    plan = plan_ingest([str(tmp_path)], replace(CONFIG, width_px=96, height_px=32)).sources[0]
    assert (plan.info.width_px, plan.info.height_px) == (192, 64)
    assert plan.camera.fx_px == pytest.approx(plan.camera.fy_px)
    assert plan.frame_of.crop_width_px == 192
    assert any(note.startswith("pixels 2 times as wide as high") for note in plan.notes)
