"""Shards: samples in WebDataset tar files, written atomically and with reproducible bytes."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import tarfile
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import IO, Any, BinaryIO

import numpy as np

from worldgen.core.errors import InputError
from worldgen.core.samples import Sample
from worldgen.data.dataset.sample_files import MEMBERS, decode_record, decode_sample, encode_sample
from worldgen.data.video.control_video import control_members
from worldgen.files.storage import atomic_file, join, resolve
from worldgen.files.system_errors import reported
from worldgen.files.tar import BLOCK, TarEntry, entries

MAX_KEY_LENGTH = 80
NAME = re.compile(r"(?P<key>[A-Za-z0-9_-]+)\.(?P<extension>.+)")
SHARD_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")


class DigestedFile(io.RawIOBase):
    """A file that is written from its start to its end, with the number and the BLAKE2b of its bytes."""

    def __init__(self, file: IO[bytes]):
        self._file, self._digest = file, hashlib.blake2b(digest_size=16)
        self.size_bytes = 0

    def write(self, data: Any) -> int:
        """Append bytes."""
        self._digest.update(data)
        self.size_bytes += len(data)
        return self._file.write(data)

    def tell(self) -> int:
        """The number of bytes so far."""
        return self.size_bytes

    @property
    def digest(self) -> str:
        """As :func:`worldgen.files.storage.content_digest` has it."""
        return self._digest.hexdigest()


class ShardWriter:
    """Writes one shard, ``url/name.tar``, atomically: the file appears when the ``with`` block ends without an error.

    Owners and times in the tar are zero, so equal samples in equal order give equal bytes.
    Source: WebDataset format (https://github.com/webdataset/webdataset).

    Raises:
        InputError: a name with characters other than letters, digits, ``.``, ``_`` and ``-``, or a place that cannot
            be written.
    """

    def __init__(self, url: str, name: str):
        name = str(name).removesuffix(".tar")
        if not SHARD_NAME.fullmatch(name):
            raise InputError("shard name", name, "letters, digits, . _ and -")
        self.url = join(str(url), f"{name}.tar")
        self._keys: set[str] = set()
        self._stack = contextlib.ExitStack()
        self._tar: tarfile.TarFile | None = None
        self._written: DigestedFile | None = None

    def __enter__(self) -> ShardWriter:
        file = self._written = DigestedFile(self._stack.enter_context(atomic_file(self.url)))
        self._tar = self._stack.enter_context(tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def written(self) -> DigestedFile:
        """The bytes of the shard, complete after the ``with`` block: their number and digest, without reading again."""
        assert self._written is not None, "a ShardWriter is used in a with block"
        return self._written

    def write(self, sample: Sample, controls: Mapping[str, np.ndarray] | None = None) -> None:
        """Add a sample, with its control videos as ``KEY.NAME.mp4`` where there are any.

        Raises:
            InputError: a key that is already in this shard or longer than ``MAX_KEY_LENGTH``.
        """
        self._check(sample.key)
        self.write_members(sample.key, encode_sample(sample) | control_members(controls or {}, sample.clip.fps))

    def write_members(self, key: str, members: dict[str, bytes]) -> dict[str, TarEntry]:
        """Add a sample by its encoded files, without compressing the video again, and return where they lie.

        members: see :func:`encode_sample`.

        Raises:
            InputError: a key that is already in this shard, too long, or not that of the record.
        """
        self._check(key)
        assert self._tar is not None, "a ShardWriter is used in a with block"
        if decode_record(members)["key"] != key:
            raise InputError("sample key", key, "the key in its record")
        self._keys.add(key)
        places = {}
        for extension in sorted(members, key=lambda e: (MEMBERS.index(e) if e in MEMBERS else len(MEMBERS), e)):
            info = tarfile.TarInfo(f"{key}.{extension}")
            info.size, info.mode = len(members[extension]), 0o644
            self._tar.addfile(info, io.BytesIO(members[extension]))
            start = self._tar.offset - (info.size + BLOCK - 1) // BLOCK * BLOCK
            places[extension] = TarEntry(info.name, start, info.size)
        return places

    def _check(self, key: str) -> None:
        if key in self._keys:
            raise InputError("sample key", key, f"a key that is not yet in {self.url}")
        if len(key) > MAX_KEY_LENGTH:
            raise InputError("sample key", key, f"at most {MAX_KEY_LENGTH} characters")


SCAN_BYTES = 1 << 16
"""Bytes that a scan asks for at once. Records, ego motion and labels of a sample lie together between two videos, so
one request a sample is enough; the usual megabytes of read-ahead would fetch the videos too."""


def scan_shard(url: str) -> Iterator[tuple[str, dict[str, TarEntry], bytes]]:
    """Each sample of a shard as its key, the position of its files by extension, and the bytes of its ``KEY.json``.

    Videos are not read.

    Raises:
        InputError: a shard that is missing, damaged or cut short, repeated keys, or files that are out of order.
    """
    with _open(url, SCAN_BYTES) as file:
        for key, group in _grouped(file, url):
            record = b""
            if "json" in group:
                file.seek(group["json"].offset)
                record = file.read(group["json"].size)
            yield key, group, record


def read_members(url: str) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Each sample of a shard as its key and its files by extension, undecoded.

    Raises:
        InputError: see :func:`scan_shard`.
    """
    with _open(url) as file:
        for key, group in _grouped(file, url):
            members = {}
            for extension, entry in group.items():
                file.seek(entry.offset)
                members[extension] = file.read(entry.size)
            yield key, members


def read_shard(url: str) -> Iterator[Sample]:
    """Every sample of a shard, decoded.

    Raises:
        InputError: see :func:`scan_shard` and :func:`worldgen.data.dataset.sample_files.decode_sample`.
    """
    for key, members in read_members(url):
        sample = decode_sample(members)
        if sample.key != key:
            raise InputError(f"shard {url}: record of {key}", sample.key, "the key of its file name")
        yield sample


@contextlib.contextmanager
def _open(url: str, block_bytes: int | None = None) -> Iterator[BinaryIO]:
    fs, path = resolve(url)
    with reported("read", url), fs.open(path, "rb", block_size=block_bytes) as file:
        yield file


def _grouped(file: BinaryIO, url: str) -> Iterator[tuple[str, dict[str, TarEntry]]]:
    """Neighbouring entries of one key as one group, as in WebDataset."""
    seen: set[str] = set()
    key: str | None = None
    group: dict[str, TarEntry] = {}
    for entry in entries(file, url):
        match = NAME.fullmatch(entry.name)
        if match is None:
            raise InputError(
                f"shard {url} entry {entry.name!r}", None, "KEY.EXTENSION with letters, digits, _ and - in KEY"
            )
        if match["key"] != key:
            if key is not None:
                yield key, group
            key, group = match["key"], {}
            if key in seen:
                raise InputError(f"shard {url}: key {key} at byte {entry.offset}", None, "each key once")
            seen.add(key)
        if match["extension"] in group:
            raise InputError(f"shard {url} entry {entry.name!r} at byte {entry.offset}", None, "each file once")
        group[match["extension"]] = entry
    if key is not None:
        yield key, group
