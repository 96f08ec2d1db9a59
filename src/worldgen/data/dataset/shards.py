"""Samples in WebDataset tar files: written atomically and bit for bit the same, read without trust."""

from __future__ import annotations

import contextlib
import io
import json
import re
import tarfile
from collections.abc import Iterator
from types import TracebackType

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError, Received
from worldgen.core.labels import Labels
from worldgen.core.samples import SAMPLE_VERSION, Sample
from worldgen.core.scenario import Scenario
from worldgen.data.video.encoding import encode_mp4
from worldgen.data.video.reading import decode_mp4
from worldgen.files.storage import atomic_file, join, resolve
from worldgen.files.system_errors import reported
from worldgen.files.tar import TarEntry, entries

MEMBERS = ("mp4", "json", "ego.npy", "labels.json")
"""Extensions of a sample's files, in the order they are stored; the last two may be absent."""

MAX_KEY_LENGTH = 80
NAME = re.compile(r"(?P<key>[A-Za-z0-9_-]+)\.(?P<extension>.+)")
SHARD_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")


def canonical_json(record: dict, what: str) -> bytes:
    """UTF-8 JSON with sorted keys: equal records give equal bytes. Raises: InputError for NaN and foreign types."""
    try:
        return json.dumps(record, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise InputError(what, Received(str(error)), "finite numbers, text, lists and objects") from error


def sample_record(sample: Sample) -> dict:
    """What is known about a sample besides pixels, motion and labels, as JSON-able values (``KEY.json``)."""
    return {
        "sample_version": SAMPLE_VERSION, "key": sample.key, "caption": sample.caption, "drive": sample.drive,
        "split": sample.split, "tags": list(sample.tags), "licence": sample.licence, "fps": sample.clip.fps,
        "num_frames": len(sample.clip), "width_px": sample.clip.width_px, "height_px": sample.clip.height_px,
        "camera": None if sample.camera is None else sample.camera.to_json(),
        "scenario": None if sample.scenario is None else sample.scenario.to_json(),
        "conditions_used": list(sample.conditions_used), "provenance": sample.provenance,
        "scorecard": sample.scorecard, "has_ego": sample.ego is not None, "has_labels": sample.labels is not None,
    }  # fmt: skip


def encode_sample(sample: Sample, *, crf: int = 18) -> dict[str, bytes]:
    """The sample's files by extension (see ``MEMBERS``). The same sample gives the same bytes."""
    members = {
        "mp4": encode_mp4(sample.clip, crf=crf),
        "json": canonical_json(sample_record(sample), f"record of sample {sample.key}"),
    }
    if sample.ego is not None:
        buffer = io.BytesIO()
        np.save(buffer, sample.ego.to_array(), allow_pickle=False)
        members["ego.npy"] = buffer.getvalue()
    if sample.labels is not None:
        members["labels.json"] = canonical_json(sample.labels.to_json(), f"labels of sample {sample.key}")
    return members


def decode_sample(members: dict[str, bytes]) -> Sample:
    """The inverse of :func:`encode_sample`, up to the loss of video compression.

    Raises: InputError for missing, damaged or disagreeing files, and for pickled arrays.
    """
    record = decode_record(members)
    key = record["key"]
    try:
        clip = decode_mp4(_member(members, "mp4", key))
    except InputError as error:
        raise InputError(f"sample {key}: {error}") from error
    fps = float(record["fps"])
    if (len(clip), clip.width_px, clip.height_px) != (record["num_frames"], record["width_px"], record["height_px"]):
        raise InputError(
            f"video of sample {key}", (len(clip), clip.width_px, clip.height_px),
            f"frames, width and height {(record['num_frames'], record['width_px'], record['height_px'])}",
        )  # fmt: skip
    if abs(clip.fps - fps) > 1e-6 * fps:
        raise InputError(f"frame rate of sample {key}", clip.fps, f"{fps} as its record says")
    ego = decode_ego(_member(members, "ego.npy", key), fps, key) if record["has_ego"] else None
    labels = decode_labels(_member(members, "labels.json", key), key) if record["has_labels"] else None
    return Sample(
        key, Clip(clip.frames, fps), record["caption"], record["drive"], record["split"], ego,
        None if record["camera"] is None else Camera.from_json(record["camera"]), labels,
        None if record["scenario"] is None else Scenario.from_json(record["scenario"]),
        tuple(record["tags"]), record["provenance"], record["licence"], record["scorecard"],
        tuple(record["conditions_used"]),
    )  # fmt: skip


RECORD_TYPES: dict[str, type | tuple[type, ...]] = {
    "key": str, "caption": str, "drive": str, "split": str, "tags": list, "licence": str, "fps": (int, float),
    "num_frames": int, "width_px": int, "height_px": int, "camera": (dict, type(None)),
    "scenario": (dict, type(None)), "conditions_used": list, "provenance": dict, "scorecard": dict,
    "has_ego": bool, "has_labels": bool,
}  # fmt: skip


def decode_record(members: dict[str, bytes]) -> dict:
    """``KEY.json`` parsed and checked: version and types of every field.

    Raises: InputError naming the field.
    """
    data = _member(members, "json", "without a record")
    try:
        record = json.loads(data)
    except ValueError as error:  # includes bytes that are not UTF-8
        raise InputError("record of a sample", Received("no JSON"), "KEY.json") from error
    if not isinstance(record, dict) or record.get("sample_version") != SAMPLE_VERSION:
        version = record.get("sample_version") if isinstance(record, dict) else None
        raise InputError("sample_version", version, str(SAMPLE_VERSION))
    for name, kind in RECORD_TYPES.items():
        if name not in record or not isinstance(record[name], kind):
            raise InputError(f"field {name} of sample {record.get('key')}", record.get(name), "its own type")
    return record


def decode_ego(data: bytes, fps: float, key: str) -> EgoMotion:
    """Ego motion from the bytes of a ``.npy`` file. Pickled arrays are refused."""
    try:
        rows = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:  # MemoryError: a header that lies about the shape
        raise InputError(
            f"ego motion of sample {key}", Received("no plain array"), "a .npy file without pickle"
        ) from error
    if not isinstance(rows, np.ndarray) or rows.dtype.kind != "f":
        raise InputError(f"ego motion of sample {key}", Received("not an array of numbers"), "float32 (T, 2)")
    return EgoMotion.from_array(rows, fps)


def decode_labels(data: bytes, key: str) -> Labels:
    """Labels from the bytes of ``KEY.labels.json``."""
    try:
        record = json.loads(data)
    except ValueError as error:
        raise InputError(f"labels of sample {key}", Received("no JSON"), "KEY.labels.json") from error
    if not isinstance(record, dict):
        raise InputError(f"labels of sample {key}", Received(type(record).__name__), "an object")
    try:
        return Labels.from_json(record)
    except (KeyError, TypeError) as error:
        raise InputError(f"labels of sample {key}", Received(f"{error}"), "the fields of labels_version 1") from error


def _member(members: dict[str, bytes], extension: str, key: str) -> bytes:
    if extension not in members:
        raise InputError(f"sample {key}", Received(f"no {extension} file"), f"KEY.{extension}")
    return members[extension]


class ShardWriter:
    """Writes one shard, ``url/name.tar``; it appears when the ``with`` block ends, whole or not at all.

    Owners and times are zero, so equal samples in equal order give equal files.
    """

    def __init__(self, url: str, name: str):
        name = str(name).removesuffix(".tar")
        if not SHARD_NAME.fullmatch(name):
            raise InputError("shard name", name, "letters, digits, . _ and -")
        self.url = join(str(url), f"{name}.tar")
        self._keys: set[str] = set()
        self._stack = contextlib.ExitStack()
        self._tar: tarfile.TarFile | None = None

    def __enter__(self) -> ShardWriter:
        file = self._stack.enter_context(atomic_file(self.url))
        self._tar = self._stack.enter_context(tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def __len__(self) -> int:
        return len(self._keys)

    def write(self, sample: Sample) -> None:
        """Add a sample. Raises: InputError for a key already in this shard."""
        self._check(sample.key)
        self.write_members(sample.key, encode_sample(sample))

    def write_members(self, key: str, members: dict[str, bytes]) -> None:
        """Add a sample by its encoded files (from :func:`read_members`), without compressing the video again."""
        self._check(key)
        assert self._tar is not None, "a ShardWriter is used in a with block"
        if decode_record(members)["key"] != key:
            raise InputError("sample key", key, "the key in its record")
        self._keys.add(key)
        for extension in sorted(members, key=lambda e: (MEMBERS.index(e) if e in MEMBERS else len(MEMBERS), e)):
            info = tarfile.TarInfo(f"{key}.{extension}")
            info.size, info.mode = len(members[extension]), 0o644
            self._tar.addfile(info, io.BytesIO(members[extension]))

    def _check(self, key: str) -> None:
        if key in self._keys:
            raise InputError("sample key", key, f"a key that is not yet in {self.url}")
        if len(key) > MAX_KEY_LENGTH:
            raise InputError("sample key", key, f"at most {MAX_KEY_LENGTH} characters")


def scan_shard(url: str) -> Iterator[tuple[str, dict[str, TarEntry], bytes]]:
    """Each sample's key, the place of its files by extension, and its ``KEY.json``; videos are not read.

    Raises: InputError as :func:`worldgen.files.tar.entries`; for keys that repeat or files out of order.
    """
    with _open(url) as file:
        for key, group in _grouped(file, url):
            record = b""
            if "json" in group:
                file.seek(group["json"].offset)
                record = file.read(group["json"].size)
            yield key, group, record


def read_members(url: str) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Each sample of a shard as its key and its files by extension, undecoded. Raises: InputError."""
    with _open(url) as file:
        for key, group in _grouped(file, url):
            members = {}
            for extension, entry in group.items():
                file.seek(entry.offset)
                members[extension] = file.read(entry.size)
            yield key, members


def read_shard(url: str) -> Iterator[Sample]:
    """Every sample of a shard, decoded. Raises: InputError for anything that is not as it should be."""
    for key, members in read_members(url):
        sample = decode_sample(members)
        if sample.key != key:
            raise InputError(f"shard {url}: record of {key}", sample.key, "the key of its file name")
        yield sample


@contextlib.contextmanager
def _open(url: str) -> Iterator[io.BufferedIOBase]:
    fs, path = resolve(url)
    with reported("read", url), fs.open(path, "rb") as file:
        yield file


def _grouped(file: io.BufferedIOBase, url: str) -> Iterator[tuple[str, dict[str, TarEntry]]]:
    """Neighbouring entries of one key together, as WebDataset does."""
    seen: set[str] = set()
    key, group = None, {}
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
