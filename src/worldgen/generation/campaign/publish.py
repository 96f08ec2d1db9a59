"""From job shards to the finished data set: accepted and quarantined samples in shards of even size, and the index.

A set that grows is added to: what an earlier session published stays as it is, and new samples go into new shards.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fsspec import AbstractFileSystem

from worldgen.core.errors import InputError
from worldgen.data.dataset.index import (
    INDEX_NAME,
    SUMMARY_NAME,
    IndexedShard,
    extended_index,
    read_summary,
    write_index,
)
from worldgen.data.dataset.index_table import index_row, rows_table
from worldgen.data.dataset.shards import ShardWriter
from worldgen.files.retry import Retry
from worldgen.files.storage import join, resolve
from worldgen.generation.campaign.cell_jobs import ACCEPTED, NO_CLIP, CellJobs, JobPart
from worldgen.generation.campaign.job import JOBS, verified_samples

PREFIXES = {True: "accepted", False: "quarantine"}


@dataclass(frozen=True)
class Published:
    """What an earlier session published. attempts: by key of the cell. summary: ``dataset.json`` as it was then."""

    attempts: dict[str, int]
    summary: dict

    def is_part_of(self, cells: Iterable[CellJobs]) -> bool:
        """Whether the cells hold every attempt that was published."""
        now = {jobs.cell.key: jobs.status.attempts for jobs in cells}
        return all(now.get(key, 0) >= attempts for key, attempts in self.attempts.items())


def published_before(url: str, report: dict, shard_size: int) -> Published | None:
    """What the report of the last finished run says of the set; None where the set cannot be added to.

    That is so without a report, with shards of another size, and where ``dataset.json`` or the folder lacks one of the
    shards. Their bytes are not read: a finished run that is asked for nothing new compares all hashes.

    Raises: InputError when the place cannot be read.
    """
    summary = report.get("data")
    if not summary or report.get("recipe", {}).get("shard_size") != shard_size:
        return None
    try:
        now = {shard["name"]: shard for shard in read_summary(url)["shards"]}
    except InputError as error:
        if isinstance(error.__cause__, OSError):
            raise
        return None
    if not all("digest" in shard and now.get(shard["name"]) == shard for shard in summary["shards"]):
        return None
    sizes = dict(_shards(*resolve(url)))
    if any(sizes.get(shard["name"]) != shard["size_bytes"] for shard in summary["shards"]):
        return None
    attempts = {cell["key"]: cell["attempts"] for cell in report["cells"]}
    return Published(attempts, summary)


class DamagedShardError(Exception):
    """A finished job's shard is gone or damaged, so its job has to be done again."""

    def __init__(self, part: JobPart):
        super().__init__(part.name)
        self.part = part


def publish(
    url: str, cells: Iterable[CellJobs], before: Published | None, shard_size: int, retry: Retry
) -> dict:  # fmt: skip
    """Write ``accepted-NNNNN.tar``, ``quarantine-NNNNN.tar``, the index and its summary, which is returned.

    cells: in the order of the recipe. Their jobs are taken in order, so that the bytes of a shard depend on the samples
    and on what was published before. before: of that, nothing is read or written again, unless the cells hold less now;
    then, and with None, all is written anew. A kill on the way leaves no index, or the index of before, so a
    half-written data set cannot be mistaken for a whole one.

    Raises: DamagedShardError; InputError when the place cannot be read or written after all retries.
    """
    cells = list(cells)
    if before is not None and not before.is_part_of(cells):
        before = None
    if before is None:
        _clear_index(url, retry)
    kept = [] if before is None else before.summary["shards"]
    added: list[IndexedShard] = []
    series_of = {
        accepted: _ShardSeries(url, prefix, shard_size, _next_number(kept, prefix))
        for accepted, prefix in PREFIXES.items()
    }
    for jobs in cells:
        for part in jobs.parts(0 if before is None else before.attempts.get(jobs.cell.key, 0)):
            for key, members, accepted in _samples(url, part, retry):
                added += series_of[accepted].add(key, members, retry)
    for series in series_of.values():
        added += series.flush(retry)
    _remove_others(url, {shard.name for shard in added} | {shard["name"] for shard in kept}, retry)
    if before is None:
        return retry("write index", lambda: write_index(url, added)) if added else {}
    summary = before.summary
    return retry("write index", lambda: extended_index(url, summary, added))


def _samples(url: str, part: JobPart, retry: Retry) -> Iterator[tuple[str, dict[str, bytes], bool]]:
    """Key, members and acceptance of each sample of a job's part that is to be published."""
    samples = retry(f"read shard {part.name}", functools.partial(verified_samples, join(url, JOBS), part))
    if samples is None:
        raise DamagedShardError(part)
    # A shard holds the samples of the attempts that have a clip, in order, also of those that do not count any more.
    numbers = (number for number, outcome in enumerate(part.outcomes) if outcome != NO_CLIP)
    for number, (key, members) in zip(numbers, samples, strict=False):
        if number >= part.first:
            yield key, members, part.outcomes[number] == ACCEPTED


def _next_number(shards: list[dict], prefix: str) -> int:
    numbers = [shard["name"].removeprefix(f"{prefix}-").removesuffix(".tar") for shard in shards]
    return max((int(number) + 1 for number in numbers if number.isdigit()), default=0)


class _ShardSeries:
    """Shards of one kind, filled one after another. A shard is held in memory until it is full."""

    def __init__(self, url: str, prefix: str, size: int, number: int):
        self.url, self.prefix, self.size = url, prefix, size
        self.number = number
        self.samples: list[tuple[str, dict[str, bytes]]] = []

    def add(self, key: str, members: dict[str, bytes], retry: Retry) -> list[IndexedShard]:
        """Hold a sample; returns the shard when that is full and written."""
        self.samples.append((key, members))
        return self.flush(retry) if len(self.samples) >= self.size else []

    def flush(self, retry: Retry) -> list[IndexedShard]:
        """Write the samples that are held; returns their shard, or nothing without samples."""
        if not self.samples:
            return []
        name = f"{self.prefix}-{self.number:05d}"

        def write() -> IndexedShard:
            rows = []
            with ShardWriter(self.url, name) as writer:
                for key, members in self.samples:
                    places = writer.write_members(key, members)
                    rows.append(index_row(writer.url, key, places, members["json"]))
            written = writer.written
            return IndexedShard(f"{name}.tar", written.size_bytes, written.digest, len(rows), rows_table(rows))

        shard = retry(f"write shard {name}", write)
        self.number, self.samples = self.number + 1, []
        return [shard]


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
    for name, _ in retry(f"list {url}", lambda: list(_shards(fs, path))):
        if name not in names:
            retry(f"remove {name}", functools.partial(fs.rm_file, join(path, name)))


def _shards(fs: AbstractFileSystem, path: str) -> Iterator[tuple[str, int]]:
    """Names and sizes of the shards that are published in a folder."""
    fs.invalidate_cache()
    for each in fs.ls(path, detail=True):
        name = each["name"].rsplit("/", 1)[-1]
        if name.endswith(".tar") and name.startswith(tuple(f"{prefix}-" for prefix in PREFIXES.values())):
            yield name, int(each["size"])
