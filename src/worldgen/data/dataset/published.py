"""Whether the files of a data set are still those that were written: existence, sizes and hashes."""

from __future__ import annotations

from worldgen.core.errors import InputError
from worldgen.data.dataset.index import INDEX_NAME, SUMMARY_NAME, read_summary
from worldgen.data.dataset.shards import scan_shard
from worldgen.files.storage import content_digest, join, resolve


def damaged_files(url: str, summary: dict) -> list[str]:
    """What is wrong with the files of a data set, one sentence a file; [] when all are as they were written.

    summary: the content of ``dataset.json`` as its writer knows it. Summaries of earlier versions have no hashes;
    then sizes are compared. Every shard is read once, without decoding.

    Raises:
        InputError: when a file that is there cannot be read.
    """
    found = []
    try:
        now = read_summary(url)
        if now.get("num_samples") != summary.get("num_samples"):
            found.append(f"{SUMMARY_NAME} counts {now.get('num_samples')} samples of {summary.get('num_samples')}")
    except InputError as error:
        _raise_unreadable(error)
        now = {}
        found.append(f"{SUMMARY_NAME} is gone or damaged")
    for shard in summary.get("shards", ()):
        what = _difference(join(url, shard["name"]), shard["size_bytes"], {shard.get("digest")})
        found += [f"{shard['name']} {what}"] if what else []
    # A later version of pyarrow may have written the same index in other bytes: worldgen data index.
    what = _difference(join(url, INDEX_NAME), None, {summary.get("index_digest"), now.get("index_digest")})
    return [*found, f"{INDEX_NAME} {what}"] if what else found


def shard_is_sound(url: str, name: str) -> bool:
    """Whether a shard of data set ``url`` is there, a whole tar, and, where ``dataset.json`` knows it, unchanged.

    Raises:
        InputError: when the place cannot be read.
    """
    where = join(url, name)
    fs, path = resolve(where)
    if not fs.exists(path):
        return False
    try:
        shards = read_summary(url).get("shards", ())
        known: dict = next((shard for shard in shards if shard.get("name") == name), {})
    except InputError:
        known = {}  # the set is not finished, or its summary is written again
    if known and _difference(where, known.get("size_bytes"), {known.get("digest")}):
        return False
    try:
        return sum(1 for _ in scan_shard(where)) > 0
    except InputError as error:
        _raise_unreadable(error)
        return False


def _raise_unreadable(error: InputError) -> None:
    """Raise ``error`` again when the place cannot be read now, so that nothing is known of the file."""
    if isinstance(error.__cause__, OSError) and not isinstance(error.__cause__, FileNotFoundError):
        raise error


def _difference(url: str, size_bytes: int | None, digests: set[str | None]) -> str:
    """How a file differs from what was written, in words; "" when it does not. None: not known."""
    fs, path = resolve(url)
    fs.invalidate_cache()
    if not fs.exists(path):
        return "is gone"
    size = int(fs.size(path))
    if size_bytes is not None and size != size_bytes:
        return f"has {size} bytes instead of {size_bytes}"
    known = digests - {None}
    return "holds other bytes than were written" if known and content_digest(url) not in known else ""
