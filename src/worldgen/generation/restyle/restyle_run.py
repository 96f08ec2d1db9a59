"""A restyling run: writes shards of accepted and refused clips, and resumes where a stopped run was."""

from __future__ import annotations

import dataclasses
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import cv2

import worldgen
from worldgen.core.errors import InputError, Received
from worldgen.core.progress import LogLine
from worldgen.core.samples import Sample
from worldgen.data.dataset.index import build_index
from worldgen.data.dataset.sample_files import canonical_json
from worldgen.data.dataset.shards import ShardWriter
from worldgen.files.json_files import parse_object
from worldgen.files.lock import locked
from worldgen.files.output_guard import RESTYLED, refuse_output
from worldgen.files.storage import content_digest, join, read_bytes, resolve, sweep, write_bytes
from worldgen.generation.quality.instrument_loading import fingerprints
from worldgen.generation.report.report import REPORT_FOLDER, keep_report
from worldgen.generation.restyle.restyler import REFUSED, RestyleConfig, Restyler
from worldgen.models.interface import ContentRefused

CONFIG_NAME, REPORT_NAME, JOBS = "restyle-config.json", "restyle.json", "jobs"
REPORT_VERSION = 1


@dataclass(frozen=True)
class RestyleProgress:
    """How far a run is."""

    done: int
    accepted: int


@dataclass(eq=False)
class RestyleRun:
    """Restyles samples into ``url``. The same call after a stop repeats at most one job.

    samples: reads the samples, in the same order at every call. source: name of their origin, kept with the run. log:
    takes a line for the user. page: whether to write the report's page. report: the outcome, as in ``restyle.json``.
    shown: where the page is, "" without one. instruments: content hashes of those in the config.
    inputs: files and folders that ``samples`` reads, which ``url`` may not be, contain or lie in.
    """

    config: RestyleConfig
    url: str
    samples: Callable[[], Iterable[Sample]]
    source: str
    log: LogLine
    page: bool = True
    report: dict = field(default_factory=dict)
    shown: str = ""
    instruments: dict[str, str] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()

    def steps(self, load: Callable[[RestyleConfig], Restyler] = Restyler.load) -> Iterator[RestyleProgress]:
        """Do the work and yield after each clip; ``report`` holds the outcome at the end.

        Raises: InputError when another run works in the folder or used other settings, when it is in use for anything
        else, when there is nothing to restyle, and for clips that the model does not accept.
        """
        refuse_output(self.url, RESTYLED, self.inputs)
        with locked(self.url, self.log) as lock:
            self._begin()
            sweep(*(join(self.url, part) for part in ("", JOBS, REPORT_FOLDER, f"{REPORT_FOLDER}/clips")))
            restyler: Restyler | None = None
            start_s, done, accepted = time.monotonic(), 0, 0
            jobs: list[dict] = []
            for number, batch in enumerate(_batches(self._wanted(), self.config.shard_size)):
                record = self._finished(number, batch)
                if record is None:
                    restyler = restyler or load(self.config)
                    _refuse_other_weights(restyler.sampler.weights_hash, jobs, self.url)
                    clips = []
                    for sample in batch:
                        clips.append(_restyled_clip(restyler, sample))
                        lock.check()
                        done, accepted = done + 1, accepted + clips[-1].accepted
                        yield RestyleProgress(done, accepted)
                    record = self._write(number, clips, restyler.sampler.weights_hash)
                else:
                    _refuse_other_weights(record["weights_hash"], jobs, self.url)
                    done, accepted = done + len(record["clips"]), accepted + sum(c["accepted"] for c in record["clips"])
                    yield RestyleProgress(done, accepted)
                jobs.append(record)
            if not jobs:
                raise InputError("clips to restyle", Received("none"), f"labelled clips in {self.source}")
            lock.check()
            self._publish(jobs, time.monotonic() - start_s)
            if self.page and self.report["data"]:
                self.shown = keep_report(self.url, json.loads(json.dumps(self.report)))

    def _wanted(self) -> Iterable[Sample]:
        return islice(self.samples(), self.config.limit) if self.config.limit else self.samples()

    def _begin(self) -> None:
        """Refuse other settings than those that the folder was begun with."""
        self.instruments = fingerprints(dataclasses.asdict(self.config.scorer))
        now = {"source": self.source, "config": dataclasses.asdict(self.config), "instruments": self.instruments}
        where = join(self.url, CONFIG_NAME)
        fs, path = resolve(where)
        if not fs.exists(path):
            write_bytes(where, canonical_json(now, "restyle config"))
            return
        before, now = parse_object(read_bytes(where), where), json.loads(json.dumps(now))
        changed = sorted(k for k in now["config"] if before.get("config", {}).get(k) != now["config"][k])
        changed += [k for k, name in self.instruments.items() if before.get("instruments", {}).get(k) != name]
        if before.get("source") != now["source"]:
            changed.insert(0, "source")
        if changed:
            raise InputError(
                f"output {self.url}",
                Received(f"begun with another {', '.join(changed)}"),
                "the same settings, or another folder",
            )

    def _finished(self, number: int, batch: Sequence[Sample]) -> dict | None:
        """The record of a finished job; None for one that is not finished, or whose shards are gone or damaged.

        Raises: InputError when it was done for other clips than those of the batch.
        """
        where = join(self.url, f"{JOBS}/{number:05d}.json")
        fs, path = resolve(where)
        if not fs.exists(path):
            return None
        record = parse_object(read_bytes(where), where)
        if [clip["source"] for clip in record["clips"]] != [sample.key for sample in batch]:
            raise InputError(
                f"output {self.url}", Received(f"begun when {self.source} held other clips"), "another output for these"
            )
        known = record.get("digests", {})  # earlier versions have none
        for name in record["shards"]:
            shard = join(self.url, name)
            if not fs.exists(resolve(shard)[1]) or known.get(name) not in (None, content_digest(shard)):
                self.log(f"shard {name} is gone or damaged; its clips are restyled again")
                return None
        return record

    def _write(self, number: int, restyled: Sequence[RestyledClip], weights_hash: str) -> dict:
        """Write the shards of a job, then the record that marks them as complete."""
        shards = []
        for prefix, flag in (("accepted", True), ("quarantine", False)):
            chosen = [one.sample for one in restyled if one.sample is not None and one.accepted is flag]
            if chosen:
                with ShardWriter(self.url, f"{prefix}-{number:05d}") as writer:
                    for sample in chosen:
                        writer.write(sample)
                shards.append(f"{prefix}-{number:05d}.tar")
        clips = [one.to_json() for one in restyled]
        digests = {name: content_digest(join(self.url, name)) for name in shards}
        record = {"number": number, "weights_hash": weights_hash, "shards": shards, "digests": digests, "clips": clips}
        write_bytes(join(self.url, f"{JOBS}/{number:05d}.json"), canonical_json(record, "record of a job"))
        return record

    def _publish(self, jobs: list[dict], session_s: float) -> None:
        clips = [clip for job in jobs for clip in job["clips"]]
        seconds = dict(sum((Counter(clip["seconds"]) for clip in clips), Counter()))
        accepted = sum(clip["accepted"] for clip in clips)
        data = build_index(self.url) if any(job["shards"] for job in jobs) else {}
        self.report = {
            "report_version": REPORT_VERSION, "worldgen": worldgen.__version__, "source": self.source,
            "config": dataclasses.asdict(self.config), "instruments": self.instruments,
            "weights_hash": jobs[0]["weights_hash"], "attempts": len(clips), "accepted": accepted,
            "reasons": dict(Counter(reason for clip in clips if not clip["accepted"] for reason in clip["reasons"])),
            "strengths": dict(Counter(f"{clip['strength']:g}" for clip in clips if clip["accepted"])),
            "worker_seconds": {name: round(value, 3) for name, value in seconds.items()},
            "minutes_per_accepted": round(seconds.get("all", 0.0) / 60 / accepted, 4) if accepted else None,
            "last_session_s": round(session_s, 2), "data": data,
        }  # fmt: skip
        write_bytes(join(self.url, REPORT_NAME), canonical_json(self.report, "report of the run"))


def _refuse_other_weights(weights_hash: str, jobs: list[dict], url: str) -> None:
    """Refuse to mix models in a set. Raises: InputError when earlier jobs were done with other weights."""
    if jobs and jobs[0]["weights_hash"] != weights_hash:
        raise InputError(
            f"weights for {url}", weights_hash,
            f"{jobs[0]['weights_hash']}, with which the clips in it were generated; or another output",
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class RestyledClip:
    """The outcome of a clip. sample: None without one, for the reason in ``failure``. seconds: by part of the work."""

    key: str
    sample: Sample | None
    accepted: bool
    reasons: tuple[str, ...]
    strength: float
    seconds: dict[str, float]
    failure: str = ""

    def to_json(self) -> dict:
        seconds = {name: round(value, 3) for name, value in self.seconds.items()}
        return {
            "source": self.key, "key": self.sample.key if self.sample else "", "accepted": self.accepted,
            "reasons": list(self.reasons), "strength": self.strength, "seconds": seconds, "failure": self.failure,
        }  # fmt: skip


def _restyled_clip(restyler: Restyler, sample: Sample) -> RestyledClip:
    try:
        restyled, seconds = restyler.restyle(sample)
    except ContentRefused as error:
        return RestyledClip(sample.key, None, False, (REFUSED,), 0.0, {}, str(error))
    except FloatingPointError as error:
        return RestyledClip(sample.key, None, False, ("not a number",), 0.0, {}, str(error))
    except (AssertionError, ArithmeticError, cv2.error) as error:
        # A retry would give the same clip and the same error, and one clip must not stop a set.
        return RestyledClip(sample.key, None, False, ("not judged",), 0.0, {}, f"{type(error).__name__} {error}")
    card = restyled.scorecard
    return RestyledClip(
        sample.key, restyled, bool(card["accepted"]), tuple(card["reasons"]), float(card["strength"]), seconds
    )


def _batches(samples: Iterable[Sample], size: int) -> Iterator[list[Sample]]:
    samples = iter(samples)
    while batch := list(islice(samples, size)):
        yield batch
