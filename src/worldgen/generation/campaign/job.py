"""A job is a fixed range of attempts at one cell, written as one shard; its record marks the shard as complete."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from worldgen.core.errors import InputError, Received
from worldgen.data.dataset.sample_files import canonical_json
from worldgen.data.dataset.shards import read_members
from worldgen.files.json_files import parse_object
from worldgen.files.retry import Retry
from worldgen.files.storage import join, read_bytes, resolve, write_bytes
from worldgen.files.system_errors import reported
from worldgen.generation.campaign.cell import Cell

EncodedSample = tuple[str, dict[str, bytes]]
"""Key of a sample, and its members by extension."""
RECORD_VERSION = 1
JOBS = "jobs"
"""Folder of job shards and records inside the output."""


@dataclass(frozen=True)
class Job:
    """Attempts ``first`` to ``first + attempts - 1`` at a cell. url: folder for its shard and record.

    weights_hash: of the weights of earlier jobs of the run, "" for the first. Other weights are refused.
    """

    cell: Cell
    number: int
    attempts: int
    url: str
    weights_hash: str = ""

    @property
    def first(self) -> int:
        return self.number * self.attempts

    @property
    def name(self) -> str:
        return f"{self.cell.key}-{self.number:06d}"


@dataclass(frozen=True)
class AttemptRecord:
    """The outcome of an attempt. key: of its sample, "" when there is no clip. failure: why there is none.

    candidates: number of noise seeds tried.
    """

    attempt: int
    key: str
    accepted: bool
    reasons: tuple[str, ...] = ()
    candidates: int = 1
    failure: str = ""


@dataclass(frozen=True)
class JobRecord:
    """The record of a finished job, written after its shard.

    digest: BLAKE2b of the encoded samples. seconds: by part of the work. faults: errors on the way, also those that a
    retry mended. process: host and process id.
    """

    cell: str
    number: int
    tries: tuple[AttemptRecord, ...]
    weights_hash: str
    digest: str
    size_bytes: int
    seconds: dict[str, float] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    process: str = ""

    @property
    def name(self) -> str:
        return f"{self.cell}-{self.number:06d}"

    def to_json(self) -> dict:
        return {"record_version": RECORD_VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, values: dict) -> JobRecord:
        """The inverse of :meth:`to_json`. Raises: InputError for another version or missing fields."""
        if not isinstance(values, dict) or values.get("record_version") != RECORD_VERSION:
            version = values.get("record_version") if isinstance(values, dict) else None
            raise InputError("record_version of a job", version, str(RECORD_VERSION))
        values = {name: value for name, value in values.items() if name != "record_version"}
        try:
            tries = tuple(AttemptRecord(**{**each, "reasons": tuple(each["reasons"])}) for each in values.pop("tries"))
            return cls(tries=tries, faults=tuple(values.pop("faults")), **values)
        except (KeyError, TypeError) as error:
            raise InputError("record of a job", Received(str(error)), "the fields of record_version 1") from error


def digest_of(samples: list[EncodedSample]) -> str:
    """BLAKE2b digest of encoded samples in order, 32 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=16)
    for key, files in samples:
        for extension in sorted(files):
            digest.update(f"{key}.{extension} {len(files[extension])}\n".encode())
            digest.update(files[extension])
    return digest.hexdigest()


def write_record(job: Job, record: JobRecord) -> None:
    """Mark a job as finished. Raises: InputError when it cannot be written."""
    write_bytes(join(job.url, f"{job.name}.json"), canonical_json(record.to_json(), f"record of job {job.name}"))


def finished_jobs(url: str, retry: Retry) -> Iterator[JobRecord]:
    """Records of the jobs in a folder. One that is not a valid record counts as missing and is added to the faults."""
    fs, path = resolve(url)

    def names() -> list[str]:
        with reported("read", url):
            return sorted(fs.ls(path, detail=False)) if fs.exists(path) else []

    fs.invalidate_cache()
    for name in retry(f"read {url}", names):
        base = name.rsplit("/", 1)[-1]
        if not base.endswith(".json") or base.startswith("."):
            continue
        where = join(url, base)
        data = retry(f"read {where}", functools.partial(read_bytes, where))
        try:
            yield JobRecord.from_json(parse_object(data, where))
        except (ValueError, InputError) as error:
            retry.faults.append(f"{where} is not a record, so its job is done again: {error}")


def verified_samples(url: str, record: JobRecord) -> list[EncodedSample] | None:
    """The encoded samples of a finished job; None when its shard is gone, damaged or not the one that was written.

    Raises: InputError when the folder cannot be read.
    """
    try:
        samples = list(read_members(join(url, f"{record.name}.tar")))
    except InputError as error:
        if isinstance(error.__cause__, OSError) and not isinstance(error.__cause__, FileNotFoundError):
            raise  # the folder cannot be read now, so nothing is known of the shard
        return None
    return samples if digest_of(samples) == record.digest else None
