"""A whole set of clips with actors: shard by shard, with quotas, a journal for resuming, and the report's numbers."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.core.progress import LogLine
from worldgen.core.samples import Sample
from worldgen.core.seeds import numpy_rng, stable_hash, stable_key
from worldgen.data.dataset.index import build_index, shard_urls
from worldgen.data.dataset.sample_files import MEMBERS, decode_sample, encode_sample
from worldgen.data.dataset.shards import ShardWriter, read_members
from worldgen.data.video.reading import decode_mp4
from worldgen.files.journal import Journal, read_journal
from worldgen.files.lock import locked
from worldgen.files.output_guard import INSERTED, refuse_output
from worldgen.files.storage import content_digest, read_bytes, sweep, write_json
from worldgen.generation.insert.clips.actor_choice import ClipWish, clip_wishes
from worldgen.generation.insert.clips.clip_ground import clip_ground, frame_pictures
from worldgen.generation.insert.clips.inserted_clip import InsertedClip, clip_light, insert_into_clip, put_actors
from worldgen.generation.insert.insert_judge import BoxJudge
from worldgen.generation.insert.labelled_sets.insert_config import InsertConfig
from worldgen.generation.insert.labelled_sets.insert_estimate import InsertEstimate, InsertRates, estimate

CONFIG_NAME, JOURNAL_NAME, REPORT_NAME = "insert.json", "insert.jsonl", "insert_report.json"
LEAST_PSNR_DB = 45.0
"""Outside of what changed, every frame of a written clip is this near to the frame that it was."""
RATE_FACTORS = (18, 14, 11, 8, 5, 2, 0)
"""Constant rate factors that are tried for it, the smallest file first."""
JUDGED_FRAMES, JUDGED_HEIGHT_PX, JUDGED_VISIBLE = 5, 16.0, 0.5
"""Frames of an actor that are judged, and what must be seen of it in them."""
LEAST_FOUND = 0.5
"""Share of these frames in which it must be found."""
PLAN_CLIPS = 2


@dataclass(frozen=True)
class ActorVerdict:
    """found: share of judged frames in which an actor was found. judged: their number. reason: why it is refused."""

    kept: bool
    found: float
    judged: int
    reason: str


class InsertClipsRun:
    """Makes a set of shards with actors; the same call continues a run that was stopped.

    A shard of the output has the name of its shard of the input and appears whole. Samples without an actor keep their
    bytes. A kill loses the shard in work.
    """

    def __init__(self, folder: str, config: InsertConfig, out: str, log: LogLine, *, judge: BoxJudge | None = None):
        if config.image != "png" or config.horizon or config.camera_height_m:
            raise InputError("format, horizon or camera height", Received("given"), "none: clips have a camera")
        self.folder, self.config, self.out, self.log, self.judge = folder, config, Path(out), log, judge
        self.wishes = [clip_wishes(cell.what, cell.heights_px) for cell in config.cells]
        self.shards = shard_urls(folder)
        self.report: dict[str, Any] = {}

    def steps(self) -> Iterator[str]:
        """Do the work; yields the key of each clip when it is done.

        Raises: InputError for a set without clips that can get an actor, and an output of another run.
        """
        refuse_output(str(self.out), INSERTED, [self.folder])
        self._open()
        with locked(str(self.out), self.log):
            sweep(str(self.out))
            records, had = [], Counter[int]()
            done = {str(r["shard"]): r for r in read_journal(self.out / JOURNAL_NAME)}
            with Journal(self.out / JOURNAL_NAME) as journal:
                for url in self.shards:
                    name = url.rsplit("/", 1)[-1]
                    record = done.get(name)
                    if record is None or not self._sound(record):
                        clips: list[dict[str, Any]] = []
                        with ShardWriter(str(self.out), name) as writer:
                            for key, members in read_members(url):
                                clips.append(self._one(members, had, writer))
                                yield key
                        record = {"shard": name, "digest": content_digest(str(self.out / name)), "clips": clips}
                        journal.append(record)
                    else:
                        for clip in record["clips"]:
                            had.update(clip["cells"])
                            yield str(clip["source"])
                    records.append(record)
            self._finish(records)

    def plan(self) -> InsertEstimate:
        """What would be done, with time and disk measured on the first clips. Writes nothing."""
        total = in_split = count = tried = found = 0
        seconds = size = 0.0
        for url in self.shards:
            for _, members in read_members(url):
                total += 1
                if json.loads(members["json"])["split"] != self.config.split:
                    continue
                in_split += 1
                if count < PLAN_CLIPS:
                    start_s = time.process_time()
                    told, new = self._made(decode_sample(members), Counter())
                    seconds += time.process_time() - start_s
                    size += sum(map(len, (new or members).values()))
                    tried, found = tried + self.config.per_picture, found + len(told.get("cells", ()))
                    count += 1
        each = max(count, 1)
        rates = InsertRates(tried, found, seconds / each, 0.0, size / each)
        counts = (total, in_split, in_split)
        return estimate("clips", counts, self.config.cells, self.config.per_picture, rates)

    def _open(self) -> None:
        """Make the folder, or check that it is of the same run. Raises: InputError for another one."""
        judge = None if self.judge is None else {"name": self.judge.name, "hash": self.judge.hash}
        source = stable_hash([[url.rsplit("/", 1)[-1], content_digest(url)] for url in self.shards])
        config = json.loads(json.dumps({"config": asdict(self.config), "judge": judge, "clips": source, "version": 1}))
        path = self.out / CONFIG_NAME
        if path.is_file():
            if json.loads(read_bytes(str(path))) != config:
                raise InputError("output folder", str(self.out), "a new one, or the settings and clips it began with")
            return
        self.out.mkdir(parents=True, exist_ok=True)
        write_json(path, config)

    def _sound(self, record: dict[str, Any]) -> bool:
        path = self.out / record["shard"]
        return path.is_file() and content_digest(str(path)) == record["digest"]

    def _one(self, members: dict[str, bytes], had: Counter[int], writer: ShardWriter) -> dict[str, Any]:
        """Write one clip; returns its entry of the journal."""
        key = json.loads(members["json"])["key"]
        record: dict[str, Any] = {
            "source": key, "key": key, "cells": [], "classes": [], "removed": [], "refused": {}, "note": ""
        }  # fmt: skip
        told, new = self._made(decode_sample(members), had)
        record |= told
        had.update(record["cells"])
        writer.write_members(record["key"], members if new is None else new)
        return record

    def _made(self, sample: Sample, had: Counter[int]) -> tuple[dict[str, Any], dict[str, bytes] | None]:
        """What became of a clip, and its new files; None for one that stays as it is."""
        if sample.split != self.config.split:
            return {}, None
        try:
            made, cells, removed = self._inserted(sample, had)
        except InputError as error:
            return {"note": str(error)}, None
        told: dict[str, Any] = {"refused": made.refused, "removed": removed}
        if not made.actors:
            return told, None
        new = replace(
            made.sample, scorecard={},
            key=stable_key("inserted clip", sample.key, self.config.seed, *cells, prefix="insert_"),
            provenance={**made.sample.provenance, "inserted_into": sample.key},
        )  # fmt: skip
        files, factor, psnr = files_near(new, sample.clip.frames, made.changed)
        told |= {
            "key": new.key, "cells": cells, "classes": [a.agent.label for a in made.actors], "crf": factor,
            "psnr_outside_db": round(psnr, 2), "light": made.light.word,
            "shake_deg": round(float(np.degrees(made.ground.shake).std()), 3),
        }  # fmt: skip
        return told, files

    def _inserted(self, sample: Sample, had: Counter[int]) -> tuple[InsertedClip, list[int], list[dict[str, Any]]]:
        """A clip with the actors that stay, the cell of each wish that is fulfilled, and what was taken out."""
        steady = "renderer" in sample.provenance
        night = clip_light(sample, ground := clip_ground(sample, steady=True), frame_pictures(sample, ground), 0).night
        chosen = self._chosen(sample.key, had, night)
        made = insert_into_clip(
            sample, [wish for _, wish in chosen], seed=self.config.seed, steps=self.config.steps, steady=steady
        )
        removed: list[dict[str, Any]] = []
        if self.judge is not None and made.actors:
            verdicts = [self._judged(made, number) for number in range(len(made.actors))]
            lost = {wish for wish, verdict in zip(made.wish, verdicts, strict=True) if not verdict.kept}
            removed = [{"class": str(a.agent.label), **asdict(v)}
                       for a, v, w in zip(made.actors, verdicts, made.wish, strict=True) if w in lost]  # fmt: skip
            if lost:
                stay = [k for k, wish in enumerate(made.wish) if wish not in lost]
                again = put_actors(
                    sample, tuple(made.actors[k] for k in stay), made.ground, frame_pictures(sample, made.ground),
                    made.light, seed=self.config.seed, steps=self.config.steps,
                )  # fmt: skip
                made = replace(again, refused=made.refused, wish=tuple(made.wish[k] for k in stay))
        return made, [chosen[wish][0] for wish in sorted(set(made.wish))], removed

    def _judged(self, made: InsertedClip, number: int) -> ActorVerdict:
        """The verdict on one actor by the frames in which it is seen well."""
        assert self.judge is not None and made.sample.labels is not None
        told = made.sample.provenance["inserted"][number]
        rows = made.sample.labels.where(made.sample.labels.track_id == told["track_id"])
        height = rows.box_px[:, 3] - rows.box_px[:, 1]
        good = np.flatnonzero((height >= JUDGED_HEIGHT_PX) & (rows.visible_fraction >= JUDGED_VISIBLE))
        if not len(good):
            return ActorVerdict(False, 0.0, 0, "never seen well")
        pick = good[np.unique(np.linspace(0, len(good) - 1, JUDGED_FRAMES).round().astype(int))]
        frames = made.sample.clip.frames
        verdicts = [self.judge.verdict_of(frames[rows.frame_index[k]], told["class"], rows.box_px[k]) for k in pick]
        found = float(np.mean([v.kept for v in verdicts]))
        reasons = Counter(v.reason for v in verdicts if not v.kept)
        kept = found >= LEAST_FOUND
        return ActorVerdict(kept, round(found, 3), len(pick), "" if kept else reasons.most_common(1)[0][0])

    def _chosen(self, key: str, had: Counter[int], night: float) -> list[tuple[int, ClipWish]]:
        """(cell, wish) of each insert of a clip: cells of its light that still want some, by what they want."""
        rng = numpy_rng("insert wishes", self.config.seed, key)
        chosen: list[tuple[int, ClipWish]] = []
        for _ in range(self.config.per_picture):
            taken = Counter(cell for cell, _ in chosen)
            left = np.array([_wanted(cell.count, had[k] + taken[k]) if cell.fits(night) else 0.0
                             for k, cell in enumerate(self.config.cells)])  # fmt: skip
            if left.sum() <= 0:
                break
            cell = int(rng.choice(len(left), p=left / left.sum()))
            group = self.wishes[cell]
            chosen.append((cell, group[int(rng.integers(len(group)))]))
        return chosen

    def _finish(self, records: list[dict[str, Any]]) -> None:
        """Write index and report."""
        clips = [clip for record in records for clip in record["clips"]]
        refused: Counter[str] = Counter()
        for clip in clips:
            refused.update(clip["refused"])
        have = Counter(cell for clip in clips for cell in clip["cells"])
        inserted = [clip for clip in clips if clip["classes"]]
        summary = build_index(str(self.out))
        self.report = {
            "clips": len(clips), "with_inserts": len(inserted), "inserts": sum(len(c["classes"]) for c in clips),
            "classes": dict(sorted(Counter(name for c in clips for name in c["classes"]).items())),
            "lights": dict(sorted(Counter(c["light"] for c in inserted).items())),
            "cells": [{"what": c.what, "light": c.light, "height_px": list(c.heights_px), "wanted": c.count,
                       "have": have[k]} for k, c in enumerate(self.config.cells)],
            "removed": dict(sorted(Counter(row["reason"] or "with another actor" for c in clips
                                           for row in c["removed"]).items())),
            "judged": self.judge is not None, "no_ground": sum(bool(c["note"]) for c in clips),
            "notes": dict(Counter(c["note"].replace(c["source"], "KEY") for c in clips if c["note"]).most_common(5)),
            "places_refused": dict(refused.most_common()),
            "least_psnr_outside_db": min((c["psnr_outside_db"] for c in inserted), default=None),
            "data": {"num_samples": summary["num_samples"]},
        }  # fmt: skip
        write_json(self.out / REPORT_NAME, self.report)


def _wanted(count: int, had: int) -> float:
    return 1.0 if count == 0 else float(max(0, count - had))


def files_near(sample: Sample, before: np.ndarray, changed: np.ndarray) -> tuple[dict[str, bytes], int, float]:
    """The files of a sample, its rate factor, and the PSNR (dB) of its worst frame outside of what changed.

    before: ``(T, H, W, 3)`` uint8, the frames that it was. changed: ``(T, H, W)`` bool. The largest of
    ``RATE_FACTORS`` that keeps ``LEAST_PSNR_DB``; the last one where none does.
    """
    for factor in RATE_FACTORS:
        files = encode_sample(sample, crf=factor)
        psnr = psnr_outside(decode_mp4(files["mp4"]).frames, before, changed)
        if psnr >= LEAST_PSNR_DB:
            break
    assert set(files) <= set(MEMBERS)
    return files, factor, psnr


def psnr_outside(frames: np.ndarray, before: np.ndarray, changed: np.ndarray) -> float:
    """Least PSNR (dB) of a frame over its pixels that did not change; 99 for equal ones."""
    worst = 99.0
    for new, old, mask in zip(frames, before, changed, strict=True):
        if mask.all():
            continue
        error = float(((new.astype(np.float32) - old.astype(np.float32))[~mask] ** 2).mean())
        worst = min(worst, 10 * float(np.log10(255**2 / max(error, 1e-5))))
    return worst
