"""Drives by the names of files: cameras, minutes and episodes of one recording are told by their paths."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, timezone

from worldgen.data.dataset.splits import drive_name

CAMERA_WORDS = frozenset(
    (
        "front", "rear", "back", "left", "right", "center", "centre", "middle", "side", "wide", "narrow", "tele",
        "fisheye", "stereo", "ring", "cabin", "interior", "cam", "camera", "fcamera", "ecamera", "dcamera", "qcamera",
    )
)  # fmt: skip
"""Words that say which camera of a car made a file, as in ``front.mp4`` and ``CAM_FRONT_LEFT``."""
ASIDE = frozenset(("rear", "back", "left", "right", "side", "cabin", "interior"))
"""Those of cameras that do not look ahead."""
NUMBERED_CAMERAS = frozenset(("cam", "camera", "image", "view", "channel", "ch"))
"""Words that name a camera together with a number of at most two digits, as in ``image_02``."""
NEUTRAL = frozenset(
    ("data", "frames", "images", "image", "img", "imgs", "rgb", "video", "videos", "sensors", "samples", "sweeps")
)
"""Names of folders and files that say nothing about the drive."""
DASHCAM_END = re.compile(r"^(.*\d)[FRI]$|^[NEPMT][FRI]$|^[FRI]$")
"""Last word of the names of dashcams with two cameras: ``0001F``, ``NF`` (front) and ``0001R``, ``NR`` (rear)."""
LEROBOT_CAMERA = re.compile(r"^observation\.images?(\..+)?$")

SEGMENT = re.compile(
    r"^(?P<stem>.*?)[_\-. ]*(?:part|pt|seg|segment|chunk|min|minute|chapter|piece)[_\-. ]*\d+$|^(?P<route>.+)--\d+$",
    re.IGNORECASE,
)
"""Names of parts of a recording: ``tour_part2``, ``segment_3``, and comma's ``ROUTE--3``."""
GOPRO = re.compile(r"^G[HXL]\d\d(\d{4})$")
"""GoPro chapters: ``GX010042`` and ``GX020042`` are chapters 1 and 2 of video 42."""
NUMBERED = re.compile(r"^(?P<stem>.*?)[_\-. ]*(?P<number>\d+)$")
DATE_TIME = re.compile(r"(20\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)[-_T. /]{0,2}([0-2]\d)[-_.:h]?([0-5]\d)[-_.:m]?([0-5]\d)")


def name_drives(names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The drive of every source by its path.

    Sources whose paths differ only in words for cameras or in numbers of parts are one drive, named by what they share.
    A source that shares its drive with no other keeps its whole path as the name. Numbers without a word, as in
    ``a_0, a_1, b_0, b_1``, are parts where a folder holds several such rows that count from 0 or 1; a single row
    (``drive_1``, ``drive_2``) names drives.

    names: (name of the SOURCE folder, path of the source below it, without suffix).
    """
    items = list(names)
    keys = {item: (item[0], *_recording(item[1].split("/"))) for item in items}
    for key, row in _rows_of_parts(set(keys.values())).items():
        keys = {item: row if own == key else own for item, own in keys.items()}
    members = Counter(keys.values())
    return {
        item: drive_name("/".join(key[1:]) or key[0]) if members[key] > 1 else drive_name(item[1])
        for item, key in keys.items()
    }


def recorded_at_s(name: str) -> float | None:
    """The date and time in a name, in seconds since 1970 (as if UTC), or None; ``20240131_120000`` and the like."""
    match = DATE_TIME.search(name)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc).timestamp()
    except ValueError:  # digits that are no date
        return None


def looks_elsewhere(name: str) -> bool:
    """Whether a path (without suffix) names a camera that does not look ahead, as ``drive_1/left`` or ``trip_rear``.

    A word inside a longer name may be a turn or a street: ``turn_left`` is no camera.
    """
    parts = [re.split(r"[_\-. ]+", part.lower()) for part in name.split("/")]
    cameras = [set(words) for words in parts if set(words) <= CAMERA_WORDS]
    named = any(words & ASIDE and not words & {"front", "center", "centre"} for words in cameras)
    return named or parts[-1][-1] == "rear"


def numbered(name: str) -> tuple[str, int] | None:
    """What a path shares with its numbered neighbours, and its number: ``a/clip_07`` is ("a/clip", 7)."""
    match = NUMBERED.match(name)
    return (match["stem"], int(match["number"])) if match and len(match["number"]) <= 9 else None


def _recording(parts: list[str]) -> tuple[str, ...]:
    """The parts of a path without cameras and without numbers that certainly count parts of a recording."""
    kept = [_without_camera(part, is_last=i == len(parts) - 1) for i, part in enumerate(parts)]
    kept = [part for part in kept if part]
    if not kept:
        return ()
    if len(kept) > 1 and kept[-1].isdigit() and recorded_at_s(kept[-2]) is not None:
        return tuple(kept[:-1])  # comma2k19: ROUTE with date / minute / video.hevc
    match = SEGMENT.match(kept[-1])
    if match:
        kept[-1] = match["stem"] or match["route"] or ""
    elif GOPRO.match(kept[-1]):
        kept[-1] = f"G{kept[-1][-4:]}"
    return tuple(part for part in kept if part)


def _without_camera(part: str, *, is_last: bool) -> str:
    """A part of a path without its words for cameras; "" when nothing else is left."""
    if part.lower() in NEUTRAL or LEROBOT_CAMERA.match(part):
        return ""
    pieces = re.split(r"([_\-. ]+)", part)
    words, gaps = pieces[::2], pieces[1::2]
    drop = [word.lower() in CAMERA_WORDS or re.fullmatch(r"(cam|camera)\d{1,2}", word.lower()) for word in words]
    for i, word in enumerate(words[:-1]):
        if word.lower() in NUMBERED_CAMERAS and re.fullmatch(r"\d{1,2}", words[i + 1]):
            drop[i] = drop[i + 1] = True
    if is_last and DASHCAM_END.match(words[-1]):
        words[-1] = words[-1][:-1] if words[-1][0].isdigit() else ""
    if all(drop):
        return ""
    out = ""
    for i, word in enumerate(words):
        if not drop[i] and word:
            out += (gaps[i - 1] if out and i else "") + word
    return out


def _rows_of_parts(keys: set[tuple[str, ...]]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Keys that end in a number -> key of their recording, for folders that hold several numbered rows."""
    rows: dict[tuple[str, ...], dict[tuple[str, ...], dict[int, tuple[str, ...]]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for key in keys:
        found = numbered(key[-1]) if len(key) > 1 else None
        if found is None:
            continue
        stem, number = found
        # "a_0" lies in the row "a" of its folder; "a/0" in the row "a" of the folder above.
        row = (*key[:-1], stem) if stem else key[:-1]
        rows[row[:-1]][row][number] = key
    out: dict[tuple[str, ...], tuple[str, ...]] = {}
    for several in rows.values():
        counted = {row: parts for row, parts in several.items() if _counts(sorted(parts))}
        folders = all(key[:-1] == row for row, parts in counted.items() for key in parts.values())
        if not folders:  # single files "a_0", "b_0" are no rows
            counted = {row: parts for row, parts in counted.items() if len(parts) > 1}
        if len(counted) > 1 and any(len(parts) > 1 for parts in counted.values()):
            out |= {key: row for row, parts in counted.items() for key in parts.values()}
    return out


def _counts(numbers: list[int]) -> bool:
    """Whether numbers count from 0 or 1 without a gap."""
    return numbers[0] in (0, 1) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
