from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from tests.data.drives import frame_number, make_video, write_log
from worldgen.core.errors import InputError
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.dataset.shards import read_shard
from worldgen.data.dataset.splits import SplitConfig
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.ingest_plan import plan_ingest
from worldgen.data.ingest.ingest_report import ingest_report
from worldgen.data.ingest.ingest_writing import write_ingest
from worldgen.data.ingest.source_config import SourceConfig

CONFIG = IngestConfig(
    fps=10.0, width_px=48, height_px=32, num_frames=8, stride_frames=4, samples_per_shard=4, crf=10,
    defaults=SourceConfig(licence="MIT", tags=("highway", "fog")), split=SplitConfig(val=("b",), rest="train"),
)  # fmt: skip


@pytest.fixture
def fleet(tmp_path):
    root = tmp_path / "fleet"
    make_video(root / "a.mp4", 60)
    make_video(root / "b.mp4", 40)
    write_log(root / "a.csv")
    return root


def ingest(root, out, config=CONFIG):
    return list(write_ingest(plan_ingest([str(root)], config), str(out)))


def tars(out):
    return {path.name: path.read_bytes() for path in sorted(out.glob("*.tar"))}


def test_samples_hold_pixels_motion_words_and_their_origin(fleet, tmp_path):
    out = tmp_path / "out"
    done = ingest(fleet, out)
    assert sum(count for _, count in done) == 6 + 4
    build_index(str(out))
    data = DataSet(str(out))
    assert {row["key"]: row["split"] for row in data.rows}.keys() == {row["key"] for row in data.rows}
    assert [len(data.select(split)) for split in ("train", "val")] == [6, 4]
    first = data.load(0)
    assert first.key.startswith("a-00000000-")
    assert first.clip.frames.shape == (8, 32, 48, 3)
    assert [frame_number(frame) for frame in first.clip.frames] == list(range(0, 16, 2))
    np.testing.assert_allclose(first.ego.speed_mps, 10.0)
    np.testing.assert_allclose(first.ego.yaw_rate_radps, np.radians(5.0), rtol=1e-6)
    assert first.caption.endswith("on a highway in fog, the car keeps its lane and speed")
    assert first.tags == ("highway", "fog", "keep")
    assert (first.drive, first.licence, first.camera.width_px) == ("a", "MIT", 48)
    origin = first.provenance
    assert (origin["source"], origin["start_s"], origin["frame_indices"][:3]) == ("a.mp4", 0.0, [0, 2, 4])
    assert (origin["speed"], origin["camera"]) == ("column speed_kmh", "assumed")
    last = data.load(len(data) - 1)
    assert (last.drive, last.split, last.ego, last.provenance["speed"]) == ("b", "val", None, "unknown")


def test_a_rerun_skips_and_changes_nothing(fleet, tmp_path):
    out = tmp_path / "out"
    ingest(fleet, out)
    before, stamps = tars(out), {p: p.stat().st_mtime_ns for p in out.glob("*.tar")}
    assert list(before) == ["a-0000.tar", "a-0001.tar", "b-0000.tar"]
    done = ingest(fleet, out)
    assert done == [("a-0000", 4), ("a-0001", 2), ("b-0000", 4)]
    assert {p: p.stat().st_mtime_ns for p in out.glob("*.tar")} == stamps
    (out / "a-0001.tar").unlink()
    assert ("a-0001", 1) in ingest(fleet, out)
    assert tars(out) == before  # written again to the same bytes


def test_changed_settings_rewrite_changed_drives_and_remove_what_they_no_longer_hold(fleet, tmp_path):
    out = tmp_path / "out"
    ingest(fleet, out)
    ingest(fleet, out, replace(CONFIG, stride_frames=8))
    assert list(tars(out)) == ["a-0000.tar", "b-0000.tar"]
    assert sum(1 for name in tars(out) for _ in read_shard(str(out / name))) == 3 + 2
    stamp = (out / "b-0000.tar").stat().st_mtime_ns
    write_log(fleet / "a.csv", speed_kmh=18)  # new content beside one source
    ingest(fleet, out, replace(CONFIG, stride_frames=8))
    assert next(read_shard(str(out / "a-0000.tar"))).ego.speed_mps[0] == pytest.approx(5.0)
    assert (out / "b-0000.tar").stat().st_mtime_ns == stamp
    (fleet / "b.mp4").unlink()
    ingest(fleet, out, replace(CONFIG, stride_frames=8, split=SplitConfig(rest="train")))
    assert "b-0000.tar" in tars(out)  # other drives stay


def test_keys_do_not_depend_on_where_the_folder_is(fleet, tmp_path):
    ingest(fleet, tmp_path / "one")
    fleet.rename(tmp_path / "moved")
    ingest(tmp_path / "moved", tmp_path / "two")
    assert tars(tmp_path / "one") == tars(tmp_path / "two")


@pytest.mark.parametrize("content", [b"", b"not a video", None])
def test_a_bad_video_stops_everything_before_a_byte_is_written(fleet, tmp_path, content):
    if content is None:  # cut short in the middle
        content = (fleet / "b.mp4").read_bytes()
        content = content[: len(content) // 2]
    (fleet / "b.mp4").write_bytes(content)
    out = tmp_path / "out"
    with pytest.raises(InputError, match=r"source b\.mp4: .*on_bad_source=skip") as error:
        ingest(fleet, out, replace(CONFIG, on_bad_source="stop"))
    assert "\n" not in str(error.value)
    assert not out.exists()
    plan = plan_ingest([str(fleet)], CONFIG)
    assert sum(count for _, count in write_ingest(plan, str(out))) == 6
    assert [bad["source"] for bad in ingest_report(plan)["bad_sources"]] == ["b.mp4"]


def test_damage_in_the_middle_is_found_by_decoding(fleet, tmp_path):
    video = fleet / "b.mp4"
    data = bytearray(video.read_bytes())
    at = data.index(b"mdat") + 200
    data[at : at + 1200] = bytes(1200)
    video.write_bytes(data)
    plan = plan_ingest([str(fleet)], CONFIG)
    assert [name for name, _ in plan.bad] == ["b.mp4"]


def test_a_wrong_log_stops_everything_too(fleet, tmp_path):
    write_log(fleet / "a.csv", speed_kmh=500)
    with pytest.raises(InputError, match=r"source a\.mp4: ego log a\.csv, line 2, column speed_kmh: .*138\.889 m/s"):
        ingest(fleet, tmp_path / "out", replace(CONFIG, on_bad_source="stop"))
    assert not (tmp_path / "out").exists()


def test_nothing_to_write_is_an_error(fleet, tmp_path):
    with pytest.raises(InputError, match="no window to write"):
        ingest(fleet, tmp_path / "out", replace(CONFIG, num_frames=500))


def test_two_videos_of_one_drive_share_its_shards_and_split(fleet, tmp_path):
    config = replace(CONFIG, sources={"*.mp4": SourceConfig(drive="tour")}, split=SplitConfig(test=("tour",)))
    plan = plan_ingest([str(fleet)], config)
    assert [(shard.name, shard.split, len(shard.windows)) for shard in plan.shards] == [
        ("tour-0000", "test", 4),
        ("tour-0001", "test", 4),
        ("tour-0002", "test", 2),
    ]
    assert sum(count for _, count in write_ingest(plan, str(tmp_path / "out"))) == 10


def test_an_abandoned_run_leaves_only_whole_shards(fleet, tmp_path):
    out = tmp_path / "out"
    steps = write_ingest(plan_ingest([str(fleet)], CONFIG), str(out))
    for _ in range(5):  # one sample into the second shard
        next(steps)
    steps.close()
    assert [path.name for path in out.iterdir()] == ["a-0000.tar"]


def test_kill_9_loses_at_most_the_shard_in_flight(fleet, tmp_path):
    whole = tmp_path / "whole"
    ingest(fleet, whole)
    out = tmp_path / "out"
    script = (
        "import sys, time; from tests.data.ingest.test_ingest import CONFIG, plan_ingest, write_ingest\n"
        "for _ in write_ingest(plan_ingest([sys.argv[1]], CONFIG), sys.argv[2]): time.sleep(0.05)"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(fleet), str(out)], cwd=os.getcwd())
    deadline = time.monotonic() + 60
    while not (out / "a-0000.tar").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert "b-0000.tar" not in tars(out)
    for name in tars(out):
        list(read_shard(str(out / name)))  # whole and readable
    ingest(fleet, out)
    assert tars(out) == tars(whole)


def test_report_is_complete_and_json_able(fleet):
    import json

    plan = plan_ingest([str(fleet)], CONFIG)
    record = json.loads(json.dumps(ingest_report(plan)))
    first = record["sources"][0]
    assert (first["source"], first["windows"], first["log"]["speed"]) == ("a.mp4", 6, "column speed_kmh")
    assert record["windows_per_split"] == {"train": 6, "val": 4, "test": 0}
    assert record["notes"] == ["no drive in the test split"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shippable", "simulator", "research", "camvid"])
def test_shared_sources_have_no_fault(shared_dir, repository, name):
    from worldgen.files.config_files import load_config

    config = load_config(IngestConfig, [repository / "configs" / "ingest" / f"{name}.yaml"])
    plan = plan_ingest([str(shared_dir / "data" / name)], config)
    assert plan.bad == ()
    assert plan.num_windows > 100


@pytest.fixture
def breaking(fleet, tmp_path):
    """Plans of a fleet in which the second half of ``a.mp4`` is destroyed after the planning."""

    def plan(**changes):
        made = plan_ingest([str(fleet)], replace(CONFIG, samples_per_shard=2, **changes))
        whole = (fleet / "a.mp4").read_bytes()
        (fleet / "a.mp4").write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
        return made

    return plan


def test_a_source_that_breaks_while_it_is_written_is_listed_and_the_rest_goes_on(breaking, tmp_path):
    plan, out = breaking(), tmp_path / "out"
    assert plan.bad == () and plan.num_windows == 6 + 4
    for _ in range(2):  # every run tries the damaged source again, and says so again
        steps = list(write_ingest(plan, str(out)))
        record = json.loads((out / "ingest.json").read_text())
        [bad] = record["bad_sources"]
        assert bad["source"] == "a.mp4" and "of 6 windows read before" in bad["reason"] and "\n" not in bad["reason"]
        build_index(str(out))
        data = DataSet(str(out))
        kept = [row["key"] for row in data.rows]
        assert sum(key.startswith("b-") for key in kept) == 4 and len(kept) < 10
        assert sum(count for _, count in steps) == len(kept)
        assert not [path for path in out.iterdir() if "tmp" in path.name]
        for number in range(len(data)):
            data.load(number)


def test_shards_of_an_earlier_run_do_not_stay_when_their_source_breaks(breaking, fleet, tmp_path):
    out = tmp_path / "out"
    whole = (fleet / "a.mp4").read_bytes()
    list(write_ingest(plan_ingest([str(fleet)], replace(CONFIG, samples_per_shard=2)), str(out)))
    make_video(fleet / "a.mp4", 58)
    list(write_ingest(breaking(), str(out)))
    names = [path.name for path in sorted(out.glob("a-*.tar"))]
    assert names == [f"a-{i:04d}.tar" for i in range(len(names))] and len(names) < 3
    (fleet / "a.mp4").write_bytes(whole)
    assert sum(count for _, count in ingest(fleet, out, replace(CONFIG, samples_per_shard=2))) == 10
    assert not json.loads((out / "ingest.json").read_text())["bad_sources"]


def test_a_source_that_breaks_stops_the_run_where_that_is_asked_for(breaking, tmp_path):
    with pytest.raises(InputError, match=r"a\.mp4"):
        list(write_ingest(breaking(on_bad_source="stop"), str(tmp_path / "out")))


def test_a_fleet_of_which_nothing_can_be_written_is_an_error(fleet, tmp_path):
    (fleet / "b.mp4").unlink()
    plan = plan_ingest([str(fleet)], replace(CONFIG, split=SplitConfig()))
    (fleet / "a.mp4").write_bytes(b"no longer a video")
    with pytest.raises(InputError, match=r"source a\.mp4: .*no window of any source") as error:
        list(write_ingest(plan, str(tmp_path / "out")))
    assert "\n" not in str(error.value)
