"""Actors in clips: they stand in the world, change nothing else, bring exact labels, and whole sets resume."""

from __future__ import annotations

import dataclasses
from collections import Counter

import cv2
import numpy as np
import pytest

from tests.generation.insert.small_inserts import SIZE, made_ground
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES, Labels
from worldgen.core.samples import Sample
from worldgen.core.scene import Agent
from worldgen.data.dataset.sample_files import decode_sample
from worldgen.data.dataset.shards import ShardWriter, read_members
from worldgen.data.video.encoding import encode_mp4
from worldgen.data.video.reading import decode_mp4
from worldgen.generation.insert.clips.actor_choice import actor_of, clip_wishes
from worldgen.generation.insert.clips.camera_shake import camera_shake
from worldgen.generation.insert.clips.clip_ground import clip_ground, frame_pictures
from worldgen.generation.insert.clips.inserted_clip import InsertedClip, clip_light, insert_into_clip, put_actors
from worldgen.generation.insert.clips.inserted_shards import InsertClipsRun, files_near, psnr_outside
from worldgen.generation.insert.insert_judge import BoxJudge, InsertVerdict
from worldgen.generation.insert.labelled_sets.insert_config import InsertCell, InsertConfig

FRAMES, FPS, SPEED = 4, 4.0, 4.0
CAMERA = made_ground().camera


def one_box(box: tuple[float, float, float, float], name: str = "car") -> Labels:
    """One object that stands still in the picture, labelled in every frame."""
    count = FRAMES
    boxes = np.tile(np.array(box, np.float32), (count, 1))
    return Labels(
        FRAMES, *SIZE, "annotated", np.arange(count), np.full(count, 7), np.full(count, CLASSES.index(name)), boxes,
        boxes, np.ones(count), np.zeros(count), np.zeros(count), np.full((count, 7), np.nan), np.zeros(count, bool),
    )  # fmt: skip


def made_sample(labels: Labels | None = None, *, key: str = "clip", ego: bool = True, grey: bool = False) -> Sample:
    """A car drives straight over a grey road with noise."""
    rng = np.random.default_rng(0)
    frame = np.full((SIZE[1], SIZE[0], 3), 105.0)
    frame[:80] = (170, 170, 170) if grey else (120, 160, 230)
    frames = np.stack([frame + rng.normal(0, 1.5, (*frame.shape[:2], 1)) for _ in range(FRAMES)]).round()
    motion = EgoMotion(np.full(FRAMES, SPEED), np.zeros(FRAMES), FPS) if ego else None
    clip = Clip(frames.clip(0, 255).astype(np.uint8), FPS)
    return Sample(key, clip, ego=motion, camera=CAMERA, labels=labels, provenance={"renderer": "by hand"})


def walker(x_m: float = 16.0, y_m: float = 0.0, *, step_m: float = 0.0) -> Agent:
    """An adult who walks to the left by ``step_m`` a frame."""
    poses = np.stack([np.full(FRAMES, x_m), y_m + step_m * np.arange(FRAMES), np.zeros(FRAMES),
                      np.full(FRAMES, np.pi / 2)], 1)  # fmt: skip
    none = np.zeros(FRAMES)
    return Agent(1, "pedestrian", "pedestrian", "adult", (0.5, 0.55, 1.7), poses, none, np.ones(FRAMES, bool), none,
                 np.zeros(FRAMES, bool), np.zeros(FRAMES, int), none)  # fmt: skip


def put(sample: Sample, *agents: Agent) -> InsertedClip:
    """A clip with given agents."""
    ground = clip_ground(sample, steady=True)
    pictures = frame_pictures(sample, ground)
    light = clip_light(sample, ground, pictures, 0)
    return put_actors(sample, tuple(actor_of(a, ground) for a in agents), ground, pictures, light)


@pytest.fixture(scope="module")
def plain() -> InsertedClip:
    return put(made_sample(), walker(step_m=0.2))


def test_an_actor_stands_in_the_world_while_the_camera_drives(plain: InsertedClip) -> None:
    places = [plan.x_m for plan in plain.actors[0].plans if plan is not None]
    assert np.allclose(np.diff(places), -SPEED / FPS)
    assert [plan.y_m for plan in plain.actors[0].plans if plan is not None] == pytest.approx(
        [0.2 * k for k in range(FRAMES)]
    )
    feet = plain.sample.labels.box_px[:, 3]  # type: ignore[union-attr]
    wanted = [CAMERA.project(np.array([x, 0.2 * k, 0.0]))[0][1] for k, x in enumerate(places)]
    assert np.abs(feet - wanted).max() < 2.5


def test_nothing_else_changes_and_labels_are_those_of_the_silhouette(plain: InsertedClip) -> None:
    old, new = made_sample().clip.frames, plain.sample.clip.frames
    assert (old[~plain.changed] == new[~plain.changed]).all()
    assert plain.changed.any((1, 2)).all()
    labels = plain.sample.labels
    assert labels is not None and len(labels) == FRAMES and set(labels.track_id) == {1}
    for frame in range(FRAMES):
        rows, columns = np.nonzero(plain.silhouettes[0][frame])
        box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert tuple(labels.at(frame).box_px[0]) == box
    assert labels.visible_fraction.min() == 1.0
    assert plain.sample.provenance["inserted"][0]["track_id"] == 1


@pytest.mark.slow
def test_grey_films_get_grey_actors() -> None:
    made = put(made_sample(grey=True), walker())
    new = made.sample.clip.frames[0][made.silhouettes[0][0]].astype(int)
    assert np.ptp(new, axis=1).max() <= 12  # noise has some colour
    lively = put(made_sample(), walker()).sample.clip.frames[0][made.silhouettes[0][0]].astype(int)
    assert np.ptp(lively, axis=1).max() > 12


def test_nearer_labels_hide_actors_and_actors_hide_farther_labels() -> None:
    x0 = SIZE[0] / 2
    near = put(made_sample(one_box((x0 - 12, 90, x0 + 12, 140))), walker(x_m=20.0))
    labels = near.sample.labels
    assert labels is not None
    mine = labels.where(labels.track_id == 8)
    assert mine.visible_fraction.min() < 1
    assert (labels.where(labels.track_id == 7).visible_fraction == 1).all()
    far = put(made_sample(one_box((x0 - 20, 78, x0 + 20, 88))), walker(x_m=14.0))
    assert far.sample.labels is not None
    old = far.sample.labels.where(far.sample.labels.track_id == 7)
    assert old.visible_fraction.max() < 1 and old.occlusion.min() > 0
    assert (old.box_px == one_box((x0 - 20, 78, x0 + 20, 88)).box_px).all()


@pytest.mark.slow
def test_a_nearer_actor_hides_a_farther_one() -> None:
    made = put(made_sample(), walker(x_m=22.0), walker(x_m=12.0, y_m=0.1))
    far, near = made.silhouettes
    assert not (far & near).any()
    labels = made.sample.labels
    assert labels is not None
    assert labels.where(labels.track_id == 1).visible_fraction.max() < 1
    assert labels.where(labels.track_id == 2).visible_fraction.min() == 1


def test_nodding_is_read_from_the_frames() -> None:
    rng = np.random.default_rng(1)
    texture = cv2.GaussianBlur(rng.uniform(0, 255, (SIZE[1], SIZE[0])).astype(np.float32), (0, 0), 2.0)
    texture = (255 * (texture - texture.min()) / np.ptp(texture)).astype(np.float32)
    nod = 0.004 * np.sin(2 * np.pi * np.arange(20) / 5.0)
    k = CAMERA.intrinsics()
    frames = []
    for pitch in nod:
        c, s = np.cos(pitch), np.sin(pitch)
        # A camera that looks down by the pitch sees everything higher: y' = c y - s z.
        turn = k @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ np.linalg.inv(k)
        grey = cv2.warpPerspective(texture, turn, SIZE, borderMode=cv2.BORDER_REFLECT)
        frames.append(np.repeat(grey[..., None], 3, -1).clip(0, 255).astype(np.uint8))
    read = camera_shake(np.stack(frames), CAMERA, 10.0)
    assert np.corrcoef(read, nod)[0, 1] > 0.95
    assert np.abs(read - nod).max() < 0.003
    assert np.abs(camera_shake(np.zeros((4, *SIZE[::-1], 3), np.uint8), CAMERA, 10.0)).max() == 0


def test_written_clips_are_near_outside() -> None:
    sample = made_sample()
    sample = dataclasses.replace(sample, clip=decode_mp4(encode_mp4(sample.clip, crf=20)))  # as clips of shards are
    before = sample.clip.frames
    plain = put(sample, walker())
    files, factor, psnr = files_near(plain.sample, before, plain.changed)
    assert psnr >= 45 and factor <= 18
    assert psnr_outside(decode_mp4(encode_mp4(plain.sample.clip, crf=36)).frames, before, plain.changed) < 45
    assert psnr == psnr_outside(decode_mp4(files["mp4"]).frames, before, plain.changed)


class _Nobody(BoxJudge):
    """A judge that finds nothing."""

    name, hash = "nobody", "0"

    def verdict_of(self, frame: np.ndarray, class_name: str, box_px: np.ndarray) -> InsertVerdict:
        return InsertVerdict(False, "not found")


def _set(folder) -> str:
    with ShardWriter(str(folder), "clips-0") as writer:
        writer.write(made_sample(key="a"))
        writer.write(dataclasses.replace(made_sample(key="b"), split="val"))
    with ShardWriter(str(folder), "clips-1") as writer:
        writer.write(made_sample(key="c", ego=False))
    return str(folder)


@pytest.mark.slow
def test_sets_resume_and_leave_other_clips_as_they_are(tmp_path) -> None:
    source = _set(tmp_path / "old")
    config = InsertConfig((InsertCell("pedestrian crossing", height_px=(8, 200)),), seed=3)
    run = InsertClipsRun(source, config, str(tmp_path / "new"), print)
    assert list(run.steps()) == ["a", "b", "c"]
    assert run.report["clips"] == 3 and run.report["inserts"] == 1, run.report
    assert run.report["no_ground"] == 1 and "ego motion" in next(iter(run.report["notes"]))
    old = {key: members for n in (0, 1) for key, members in read_members(f"{source}/clips-{n}.tar")}
    new = {key: members for n in (0, 1) for key, members in read_members(str(tmp_path / f"new/clips-{n}.tar"))}
    assert {k: new[k] for k in ("b", "c")} == {k: old[k] for k in ("b", "c")}
    sample = decode_sample(new[next(k for k in new if k.startswith("insert_"))])
    assert sample.provenance["inserted_into"] == "a" and sample.labels is not None and len(sample.labels) > 1
    # A kill after the first shard: its line of the journal is there, the rest is not.
    whole = {p.name: p.read_bytes() for p in (tmp_path / "new").glob("*.tar")}
    journal = tmp_path / "new" / "insert.jsonl"
    journal.write_bytes(journal.read_bytes().splitlines(keepends=True)[0] + b'{"shard": "cli')
    (tmp_path / "new" / "clips-1.tar").unlink()
    list(InsertClipsRun(source, config, str(tmp_path / "new"), print).steps())
    assert {p.name: p.read_bytes() for p in (tmp_path / "new").glob("*.tar")} == whole
    with pytest.raises(InputError, match="settings"):
        other = dataclasses.replace(config, seed=4)
        list(InsertClipsRun(source, other, str(tmp_path / "new"), print).steps())
    judged = InsertClipsRun(source, config, str(tmp_path / "judged"), print, judge=_Nobody())
    list(judged.steps())
    assert judged.report["inserts"] == 0 and sum(judged.report["removed"].values()) == 1
    assert dict(read_members(str(tmp_path / "judged/clips-0.tar")))["a"] == old["a"]


def test_wishes_and_bad_input() -> None:
    assert [w.name for w in clip_wishes("cyclist, jaywalker")] == ["jaywalker", clip_wishes("cyclist")[0].name]
    assert Counter(w.wish.kind for w in clip_wishes("two cyclists") if w.wish is not None) == {"cyclist": 2}
    with pytest.raises(InputError, match="--what"):
        clip_wishes("flibbertigibbet")
    with pytest.raises(InputError, match="ego motion"):
        insert_into_clip(made_sample(ego=False), clip_wishes("cyclist"))
    with pytest.raises(InputError, match="camera of clip"):
        insert_into_clip(dataclasses.replace(made_sample(), camera=None), clip_wishes("cyclist"))
