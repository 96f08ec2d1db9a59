"""From job shards to the finished data set: accepted and quarantined samples in shards of even size, and the index."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from worldgen.data.dataset.index import INDEX_NAME, SUMMARY_NAME, build_index
from worldgen.data.dataset.shards import ShardWriter
from worldgen.files.retry import Retry
from worldgen.files.storage import join, resolve
from worldgen.generation.campaign.job import JOBS, JobRecord, verified_samples

PREFIXES = {True: "accepted", False: "quarantine"}


@dataclass(frozen=True)
class JobPart:
    """A job's share in the data set. attempts: numbers below this count; later ones were not needed."""

    record: JobRecord
    attempts: int


class DamagedShardError(Exception):
    """A finished job's shard is gone or damaged, so its job has to be done again."""

    def __init__(self, record: JobRecord):
        super().__init__(record.name)
        self.record = record


def publish(url: str, parts: Iterable[JobPart], shard_size: int, retry: Retry) -> dict:
    """Write ``accepted-NNNNN.tar``, ``quarantine-NNNNN.tar``, the index and its summary, which is returned.

    parts: in the order of the recipe's cells and of their jobs, so that the bytes of a shard depend on the samples
    alone. A kill on the way leaves no index, so a half-written data set cannot be mistaken for a whole one.

    Raises: DamagedShardError; InputError when the place cannot be read or written after all retries.
    """
    _clear_index(url, retry)
    written: set[str] = set()
    series_of = {accepted: _ShardSeries(url, prefix, shard_size) for accepted, prefix in PREFIXES.items()}
    for part in parts:
        accepted = {t.key: t.accepted for t in part.record.tries if t.key and t.attempt < part.attempts}
        samples = retry(
            f"read shard {part.record.name}", functools.partial(verified_samples, join(url, JOBS), part.record)
        )
        if samples is None:
            raise DamagedShardError(part.record)
        for key, members in samples:
            if key in accepted:
                written |= series_of[accepted[key]].add(key, members, retry)
    for series in series_of.values():
        written |= series.flush(retry)
    _remove_others(url, written, retry)
    return retry("write index", lambda: build_index(url)) if written else {}


class _ShardSeries:
    """Shards of one kind, filled one after another. A shard is held in memory until it is full."""

    def __init__(self, url: str, prefix: str, size: int):
        self.url, self.prefix, self.size = url, prefix, size
        self.number = 0
        self.samples: list[tuple[str, dict[str, bytes]]] = []

    def add(self, key: str, members: dict[str, bytes], retry: Retry) -> set[str]:
        """Hold a sample; returns the name of the shard when that is full and written."""
        self.samples.append((key, members))
        return self.flush(retry) if len(self.samples) >= self.size else set()

    def flush(self, retry: Retry) -> set[str]:
        """Write the samples that are held; returns the name of their shard, or nothing without samples."""
        if not self.samples:
            return set()
        name = f"{self.prefix}-{self.number:05d}"

        def write() -> None:
            with ShardWriter(self.url, name) as writer:
                for key, members in self.samples:
                    writer.write_members(key, members)

        retry(f"write shard {name}", write)
        self.number, self.samples = self.number + 1, []
        return {f"{name}.tar"}


def _clear_index(url: str, retry: Retry) -> None:
    fs, _ = resolve(url)
    for name in (SUMMARY_NAME, INDEX_NAME):
        path = resolve(join(url, name))[1]

        def remove(path: str = path) -> None:
            with contextlib.suppress(FileNotFoundError):
                fs.rm_file(path)

        retry(f"remove {name}", remove)


def _remove_others(url: str, names: set[str], retry: Retry) -> None:
    """Remove shards of an earlier, longer data set in the same folder, which would be indexed again."""
    fs, path = resolve(url)
    for each in retry(f"list {url}", lambda: list(_shards(fs, path))):
        if each.rsplit("/", 1)[-1] not in names:
            retry(f"remove {each}", functools.partial(fs.rm_file, each))


def _shards(fs, path: str) -> Iterator[str]:
    fs.invalidate_cache()
    for each in fs.ls(path, detail=False):
        name = each.rsplit("/", 1)[-1]
        if name.endswith(".tar") and name.startswith(tuple(f"{prefix}-" for prefix in PREFIXES.values())):
            yield each
