"""The files of one sample as bytes: reproducible encoding, and decoding that checks every field."""

from __future__ import annotations

import io
import json
import struct
import tokenize

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
from worldgen.files.json_files import parse_json, parse_object

MEMBERS = ("mp4", "json", "ego.npy", "labels.json")
"""Extensions of a sample's files, in the order they are stored; the last two may be absent."""


def canonical_json(record: dict, what: str) -> bytes:
    """UTF-8 JSON with sorted keys, so that equal records give equal bytes. what: name of the record for messages.

    Raises:
        InputError: NaN, infinity, or a type that JSON does not have.
    """
    try:
        return json.dumps(record, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise InputError(what, Received(str(error)), "finite numbers, text, lists and objects") from error


def sample_record(sample: Sample) -> dict:
    """The content of ``KEY.json``: everything about a sample except pixels, ego motion and labels, as JSON values."""
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
    """The files of a sample by extension (``MEMBERS``). The same sample gives the same bytes.

    ``mp4``: H.264 with constant rate factor ``crf``. ``json``: :func:`sample_record`. ``ego.npy``: ``(T, 2)`` float32,
    speed (m/s) and yaw rate (rad/s). ``labels.json``: ``Labels.to_json``.

    Raises:
        InputError: provenance, scorecard or labels that JSON cannot hold; a crf out of range.
    """
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

    Raises:
        InputError: files that are missing, damaged or disagree with each other, or a pickled array.
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


MAX_COUNT = 2**31 - 1
"""Largest number of frames, and of pixels of a side, that a record may state."""
MAX_FPS = 10000.0

RECORD_TYPES: dict[str, type | tuple[type, ...]] = {
    "key": str, "caption": str, "drive": str, "split": str, "tags": list, "licence": str, "fps": (int, float),
    "num_frames": int, "width_px": int, "height_px": int, "camera": (dict, type(None)),
    "scenario": (dict, type(None)), "conditions_used": list, "provenance": dict, "scorecard": dict,
    "has_ego": bool, "has_labels": bool,
}  # fmt: skip


def decode_record(members: dict[str, bytes]) -> dict:
    """``KEY.json`` parsed, with its version and the type of every field checked.

    Raises:
        InputError: no JSON, another version, or a field of a wrong type, which it names.
    """
    data = _member(members, "json", "without a record")
    record = parse_json(data, "record of a sample", "KEY.json")
    if not isinstance(record, dict) or record.get("sample_version") != SAMPLE_VERSION:
        version = record.get("sample_version") if isinstance(record, dict) else None
        raise InputError("sample_version", version, str(SAMPLE_VERSION))
    for name, kind in RECORD_TYPES.items():
        if name not in record or not isinstance(record[name], kind):
            raise InputError(f"field {name} of sample {record.get('key')}", record.get(name), "its own type")
    for name in ("num_frames", "width_px", "height_px"):
        if isinstance(record[name], bool) or not 0 < record[name] <= MAX_COUNT:
            raise InputError(f"field {name} of sample {record['key']}", record[name], f"1 to {MAX_COUNT}")
    if isinstance(record["fps"], bool) or not 0 < record["fps"] <= MAX_FPS:
        raise InputError(f"field fps of sample {record['key']}", record["fps"], f"more than 0, at most {MAX_FPS:g}")
    if not isinstance(record["scorecard"].get("reasons", []), list):
        raise InputError(f"scorecard of sample {record['key']}", record["scorecard"]["reasons"], "a list of reasons")
    for name in ("tags", "conditions_used"):
        if not all(isinstance(word, str) for word in record[name]):
            raise InputError(f"field {name} of sample {record['key']}", record[name], "a list of words")
    return record


NPY_MAGIC = b"\x93NUMPY"
NPY_ERRORS = (
    ValueError, EOFError, OSError, MemoryError, OverflowError, TypeError, SyntaxError, RecursionError, KeyError,
    AttributeError, IndexError, tokenize.TokenError, struct.error,
)  # fmt: skip
"""What NumPy raises for a damaged ``.npy`` header: it is parsed as a Python literal, and its shape is allocated."""


def decode_ego(data: bytes, fps: float, key: str) -> EgoMotion:
    """Ego motion from the bytes of ``KEY.ego.npy``: ``(T, 2)`` float, speed (m/s) and yaw rate (rad/s).

    Raises:
        InputError: no array of numbers, a pickled array, or impossible values. ``key`` names the sample.
    """
    try:
        if not data.startswith(NPY_MAGIC):
            raise ValueError("another kind of file")
        rows = np.load(io.BytesIO(data), allow_pickle=False)
    except NPY_ERRORS as error:
        raise InputError(
            f"ego motion of sample {key}", Received("no plain array"), "a .npy file without pickle"
        ) from error
    if not isinstance(rows, np.ndarray) or rows.dtype.kind != "f":
        raise InputError(f"ego motion of sample {key}", Received("not an array of numbers"), "float32 (T, 2)")
    return EgoMotion.from_array(rows, fps)


def decode_labels(data: bytes, key: str) -> Labels:
    """Labels from the bytes of ``KEY.labels.json``.

    Raises:
        InputError: no JSON, or a field that is missing or wrong. ``key`` names the sample.
    """
    record = parse_object(data, f"labels of sample {key}", "KEY.labels.json, an object")
    try:
        return Labels.from_json(record)
    except (KeyError, TypeError, OverflowError) as error:
        raise InputError(f"labels of sample {key}", Received(f"{error}"), "the fields of labels_version 1") from error


def _member(members: dict[str, bytes], extension: str, key: str) -> bytes:
    if extension not in members:
        raise InputError(f"sample {key}", Received(f"no {extension} file"), f"KEY.{extension}")
    return members[extension]
