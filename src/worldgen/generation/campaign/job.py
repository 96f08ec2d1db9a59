"""A job is a fixed range of attempts at one cell, written as one shard; its record marks the shard as complete."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Protocol

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
DIGEST_BYTES = 16
JOBS = "jobs"
"""Folder of job shards and records inside the output."""
READERS = 16
"""Records that are read at once: object stores answer each read late, and many as fast as one."""
READ_AHEAD = 4096
"""Records that are held until they are counted."""


def job_name(cell: str, number: int) -> str:
    """The name of the shard and the record of a job. cell: its key."""
    return f"{cell}-{number:06d}"


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
        return job_name(self.cell.key, self.number)


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
        return job_name(self.cell, self.number)

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
            record = cls(tries=tries, faults=tuple(values.pop("faults")), **values)
            if len(bytes.fromhex(record.digest)) != DIGEST_BYTES or not tries:
                raise ValueError("a digest of another length, or no attempt")
            return record
        except (KeyError, TypeError, ValueError) as error:
            raise InputError("record of a job", Received(str(error)), "the fields of record_version 1") from error


def digest_of(samples: list[EncodedSample]) -> str:
    """BLAKE2b digest of encoded samples in order, 32 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for key, files in samples:
        for extension in sorted(files):
            digest.update(f"{key}.{extension} {len(files[extension])}\n".encode())
            digest.update(files[extension])
    return digest.hexdigest()


def write_record(job: Job, record: JobRecord) -> None:
    """Mark a job as finished. Raises: InputError when it cannot be written."""
    write_bytes(join(job.url, f"{job.name}.json"), canonical_json(record.to_json(), f"record of job {job.name}"))


def finished_jobs(url: str, retry: Retry, cell: str = "") -> Iterator[JobRecord]:
    """Records of the jobs in a folder, those of one cell where its key is given; ``READERS`` files are read at once.

    One that is not a valid record counts as missing and is added to the faults.
    """
    fs, path = resolve(url)

    def names() -> list[str]:
        with reported("read", url):
            return sorted(fs.ls(path, detail=False)) if fs.exists(path) else []

    def content(base: str) -> bytes:
        where = join(url, base)
        return retry(f"read {where}", functools.partial(read_bytes, where))

    fs.invalidate_cache()
    bases = [name.rsplit("/", 1)[-1] for name in retry(f"read {url}", names)]
    bases = [base for base in bases if base.endswith(".json") and not base.startswith(".") and base.startswith(cell)]
    bases.sort(key=lambda base: (len(base), base))  # in the order of the jobs, also with more than a million
    with ThreadPoolExecutor(READERS) as readers:
        for first in range(0, len(bases), READ_AHEAD):
            block = bases[first : first + READ_AHEAD]
            for base, data in zip(block, readers.map(content, block), strict=True):
                where = join(url, base)
                try:
                    yield JobRecord.from_json(parse_object(data, where))
                except (ValueError, InputError) as error:
                    retry.faults.append(f"{where} is not a record, so its job is done again: {error}")


class NamedShard(Protocol):
    """What is known of a job's shard: its name and the digest of its samples. Records of jobs are such."""

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str: ...


def verified_samples(url: str, record: NamedShard) -> list[EncodedSample] | None:
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
