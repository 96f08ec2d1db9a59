"""A whole labelled set with inserts: quotas, files, a journal for resuming, and the report's numbers."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.core.progress import LogLine
from worldgen.core.seeds import numpy_rng, stable_hash
from worldgen.data.video.image_files import encode_image
from worldgen.files.journal import Journal, read_journal
from worldgen.files.lock import locked
from worldgen.files.output_guard import refuse_inputs
from worldgen.files.storage import read_bytes, sweep, write_bytes, write_json
from worldgen.generation.insert.compositing import PutInsert
from worldgen.generation.insert.fitting import jpeg_bytes
from worldgen.generation.insert.insert_judge import BoxJudge, InsertVerdict, verdict_json
from worldgen.generation.insert.inserted_picture import insert_into, provenance
from worldgen.generation.insert.labelled_sets.insert_config import InsertConfig, SetGrounds
from worldgen.generation.insert.labelled_sets.insert_estimate import InsertEstimate, InsertRates, estimate
from worldgen.generation.insert.labelled_sets.insert_report import save_refused
from worldgen.generation.insert.labelled_sets.inserted_labels import (
    LabelledFile,
    NewLabel,
    refuse_unknown_classes,
    write_labels,
)  # fmt: skip
from worldgen.generation.insert.labelled_sets.still_files import MaskReader, StillFile, StillSet
from worldgen.generation.insert.picture_ground import MOST_SIGMA
from worldgen.generation.insert.picture_light import night_of
from worldgen.generation.insert.picture_look import jpeg_history
from worldgen.generation.insert.placing import MOST_HEIGHT, InsertWish

PLAN_PICTURES, PLAN_GROUNDS = 8, 200
"""So many pictures are tried for a plan, and so many grounds."""
CONFIG_NAME, JOURNAL_NAME, REPORT_NAME = "insert.json", "insert.jsonl", "insert_report.json"


class InsertRun:
    """Makes a set with inserts; the same call continues a run that was stopped.

    Pictures appear whole, one by one, each followed by its line in the journal; labels come last. Which pictures get
    inserts depends on the seed and the names only.
    """

    def __init__(
        self, stills: StillSet, config: InsertConfig, out: str, log: LogLine, *, masks: MaskReader | None = None,
        judge: BoxJudge | None = None,
    ):  # fmt: skip
        self.set, self.stills, self.config, self.log = stills, stills.files, config, log
        self.out, self.masks, self.judge = Path(out), masks, judge
        self.report: dict[str, Any] = {}
        self.wishes = [cell.wishes() for cell in config.cells]
        splits = {still.split for still in stills.files}
        if config.split not in splits:
            raise InputError(f"split of {stills.folder}", Received(", ".join(sorted(splits))), config.split)
        refuse_unknown_classes(stills, sorted({w.class_name for group in self.wishes for w in group}))
        least = min(w.height_px[0] for group in self.wishes for w in group)
        if all(least > MOST_HEIGHT * still.size_px[1] for still in stills.files):
            size = "x".join(map(str, stills.files[0].size_px))
            raise InputError(
                "pictures", Received(f"{size} pixels"), f"more than {least / 0.7:.0f} rows for the objects"
            )
        self.grounds = SetGrounds(stills.files, config)
        self._refuse_flat()

    def _refuse_flat(self) -> None:
        """Raises: InputError when no picture has a ground."""
        reasons = []
        for number, still in enumerate(self.stills):
            if still.split == self.config.split:
                try:
                    self.grounds.of(number)
                    return
                except InputError as error:
                    reasons.append(str(error))
        received = Received(f"none in {len(reasons)} pictures; {reasons[0]}")
        wanted = (
            f"enough labels for sizes within {100 * MOST_SIGMA:.0f} %, or the horizon (--horizon) and the height of "
            "the camera (--camera-height)"
        )
        raise InputError("ground plane", received, wanted)

    def steps(self) -> Iterator[str]:
        """Do the work; yields the name of each picture when it is written."""
        refuse_inputs(str(self.out), [str(self.set.folder)])
        self._open()
        with locked(str(self.out), self.log):
            sweep(str(self.out))
            order = sorted(
                range(len(self.stills)),
                key=lambda k: stable_hash("insert order", self.config.seed, self.stills[k].name),
            )
            done = {str(r["picture"]): r for r in read_journal(self.out / JOURNAL_NAME)}
            records = []
            had: Counter[int] = Counter()
            with Journal(self.out / JOURNAL_NAME) as journal:
                for number in order:
                    still = self.stills[number]
                    record = done.get(still.name)
                    if record is None or not (self.out / record["file"]).is_file():
                        record = self._one(number, had)
                        journal.append(record)
                    had.update(int(row["cell"]) for row in record["inserted"])
                    records.append(record)
                    yield still.name
            self._finish(records)

    def plan(self) -> InsertEstimate:
        """What would be done, with time and disk measured on some of the pictures. Writes nothing."""
        in_split = [number for number, still in enumerate(self.stills) if still.split == self.config.split]
        looked_at = in_split[:: -(-len(in_split) // PLAN_GROUNDS)]
        usable = []
        for number in looked_at:
            with contextlib.suppress(InputError):
                self.grounds.of(number)
                usable.append(number)
        tried = found = size = 0
        insert_s = keep_s = 0.0
        some = usable[:: max(1, len(usable) // PLAN_PICTURES)][:PLAN_PICTURES]
        for number in some:
            start_s = time.process_time()
            frame, record = self._made(number, Counter())
            size += len(self._encoded(self.stills[number], frame, changed=True)[1])
            middle_s = time.process_time()
            self._encoded(self.stills[number], self.stills[number].picture().frame, changed=False)
            insert_s, keep_s = insert_s + middle_s - start_s, keep_s + time.process_time() - middle_s
            tried, found = tried + record["tried"], found + len(record["inserted"])
        count = max(len(some), 1)
        rates = InsertRates(tried, found, insert_s / count, keep_s / count, size / count)
        counts = (len(self.stills), len(in_split), round(len(in_split) * len(usable) / len(looked_at)))
        return estimate("pictures", counts, self.config.cells, self.config.per_picture, rates)

    def _open(self) -> None:
        """Make the folder, or check that it is of the same run. Raises: InputError for another one."""
        steps = asdict(self.config)
        judge = None if self.judge is None else {"name": self.judge.name, "hash": self.judge.hash}
        names = stable_hash([[s.name, len(s.class_id), s.weather] for s in self.stills])
        config = json.loads(json.dumps({"config": steps, "judge": judge, "pictures": names, "version": 1}))
        path = self.out / CONFIG_NAME
        if path.is_file():
            if json.loads(read_bytes(path)) != config:
                raise InputError(
                    "output folder", str(self.out), "a new folder, or the settings and pictures it began with"
                )
        elif self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            raise InputError("output folder", str(self.out), "a new or empty folder")
        else:
            self.out.mkdir(parents=True, exist_ok=True)
            write_json(path, config)

    def _chosen(self, number: int, had: Counter[int], night: float) -> list[tuple[int, InsertWish]]:
        """(cell, wish) of each insert of a picture: cells of its light that still want some, by what they want."""
        rng = numpy_rng("insert wishes", self.config.seed, self.stills[number].name)
        chosen: list[tuple[int, InsertWish]] = []
        for _ in range(self.config.per_picture):
            left = np.array(
                [
                    0.0 if not cell.fits(night) else 1.0 if cell.count == 0
                    else max(0.0, cell.count - had[k] - sum(c == k for c, _ in chosen))
                    for k, cell in enumerate(self.config.cells)
                ]
            )  # fmt: skip
            if left.sum() <= 0:
                break
            cell = int(rng.choice(len(left), p=left / left.sum()))
            group = self.wishes[cell]
            chosen.append((cell, group[int(rng.integers(len(group)))]))
        return chosen

    def _one(self, number: int, had: Counter[int]) -> dict[str, Any]:
        """Write one picture; returns its line of the journal."""
        still = self.stills[number]
        frame, record = self._made(number, had, keep_refused=True)
        name, data = self._encoded(still, frame, changed=bool(record["inserted"]))
        write_bytes(self.out / name, data)
        return record | {"file": name}

    def _made(self, number: int, had: Counter[int], *, keep_refused: bool = False) -> tuple[np.ndarray, dict[str, Any]]:
        """The pixels of a picture with its inserts, and its line of the journal. keep_refused: write tiles of what the
        judge takes out."""
        still = self.stills[number]
        picture = still.picture(self.masks)
        frame = picture.frame
        record: dict[str, Any] = {
            "picture": still.name, "tried": 0, "inserted": [], "removed": [], "refused": {}, "note": ""
        }  # fmt: skip
        if still.split != self.config.split:
            return frame, record
        try:
            ground = self.grounds.of(number)
            chosen = self._chosen(number, had, night_of(frame, ground.camera.horizon_px))
            if not chosen:
                return frame, record
            wishes = [wish for _, wish in chosen]
            made = insert_into(picture, ground, wishes, seed=self.config.seed, steps=self.config.steps)
        except InputError as error:
            return frame, record | {"note": str(error)}
        frame = made.frame
        verdicts: list[tuple[PutInsert, InsertVerdict | None]] = [(put, None) for put in made.put]
        record |= {"tried": len(chosen), "refused": made.refused}
        if self.judge is not None:
            frame, judged = self.judge.keep_found(frame, made.put)
            verdicts = list(judged)
        for put, verdict in verdicts:
            told, kept = provenance(put, ground, made.light), True
            if verdict is not None:
                told["judged"], kept = verdict_json(verdict), verdict.kept
                if not kept and keep_refused:
                    save_refused(self.out, made.frame, put, verdict, still.name)
            record["inserted" if kept else "removed"].append(
                {"class": put.patch.class_name, "box": list(put.box_px), "cell": chosen[made.wish_of(put)][0],
                 "told": told}
            )  # fmt: skip
        return frame, record

    def _encoded(self, still: StillFile, frame: np.ndarray, *, changed: bool) -> tuple[str, bytes]:
        """New name and bytes of a picture. Files that stay as they are and keep their format keep their bytes."""
        data = still.file.read_bytes()
        history = jpeg_history(data)
        if self.config.image == "source" and history is not None:
            return still.name, jpeg_bytes(frame, history) if changed else data
        if changed or still.file.suffix.lower() != ".png":
            data = encode_image(frame, ".png")
        return str(PurePosixPath(still.name).with_suffix(".png")), data

    def _finish(self, records: list[dict[str, Any]]) -> None:
        """Write labels and report."""
        sizes = {still.name: still.size_px for still in self.stills}
        pictures = [
            LabelledFile(
                r["picture"], r["file"], sizes[r["picture"]],
                tuple(NewLabel(row["class"], tuple(row["box"]), row["told"]) for row in r["inserted"]),
            )
            for r in sorted(records, key=lambda r: str(r["picture"]))
        ]  # fmt: skip
        write_labels(self.set, self.out, pictures)
        refused: Counter[str] = Counter()
        for record in records:
            refused.update(record["refused"])
        kept = [row for r in records for row in r["inserted"]]
        removed = [row for r in records for row in r["removed"]]
        self.report = {
            "pictures": len(records), "with_inserts": sum(bool(r["inserted"]) for r in records), "inserts": len(kept),
            "classes": dict(sorted(Counter(row["class"] for row in kept).items())),
            "lights": dict(sorted(Counter(row["told"]["light"] for row in kept).items())),
            "cells": [{"what": c.what, "light": c.light, "height_px": list(c.heights_px), "wanted": c.count,
                       "have": sum(row["cell"] == k for row in kept)} for k, c in enumerate(self.config.cells)],
            "removed": dict(sorted(Counter(row["told"]["judged"]["reason"] for row in removed).items())),
            "judged": self.judge is not None, "no_ground": sum(bool(r["note"]) for r in records),
            "places_refused": dict(refused.most_common()),
        }  # fmt: skip
        write_json(self.out / REPORT_NAME, self.report)
