"""Validation of a data set: every sample, the index, and the separation of its splits."""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from worldgen.core.errors import InputError
from worldgen.core.labels import Labels
from worldgen.core.progress import ProgressReporter, no_progress
from worldgen.core.samples import Sample
from worldgen.data.dataset.index import SUMMARY_NAME, read_summary, shard_urls
from worldgen.data.dataset.index_table import COLUMNS, INDEX_NAME, index_row, read_rows
from worldgen.data.dataset.sample_files import MEMBERS, decode_sample
from worldgen.data.dataset.shards import read_members, scan_shard
from worldgen.data.video.control_video import CONTROL_MEMBERS, decode_controls
from worldgen.files.storage import content_digest, join, resolve

EDGE_PX = 0.5
"""Boxes may exceed the image by this much, by rounding."""


@dataclass(frozen=True)
class Problem:
    """One problem. shard, key: where it is ("" where it concerns no single shard or sample). what: a sentence."""

    shard: str
    key: str
    what: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.shard, self.key, self.what) if part)


@dataclass
class ValidationReport:
    """The result of a validation: numbers of shards, samples and frames checked, and the problems found.

    notes: what could not be checked, in sentences.
    """

    num_shards: int = 0
    num_samples: int = 0
    num_frames: int = 0
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict:
        problems = [{"shard": p.shard, "key": p.key, "what": p.what} for p in self.problems]
        return {
            "valid": not problems, "num_shards": self.num_shards, "num_samples": self.num_samples,
            "num_frames": self.num_frames, "problems": problems, "notes": self.notes,
        }  # fmt: skip


@dataclass
class _KeysFound:
    """Keys, drives, videos and index rows so far, for checks across samples."""

    shard_of_key: dict[str, str] = field(default_factory=dict)
    splits_of_drive: dict[str, set[str]] = field(default_factory=dict)
    samples_of_video: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    rows: list[dict] = field(default_factory=list)


def validate(url: str, *, progress: ProgressReporter = no_progress) -> ValidationReport:
    """Decode and check every sample of a data set, its index, and the separation of its splits.

    A problem does not end the validation. progress: shows how many shards are done.

    Raises:
        InputError: no folder at ``url``, or no shard in it.
    """
    report, found = ValidationReport(), _KeysFound()
    for shard_url in progress(shard_urls(url), desc="shards"):
        report.num_shards += 1
        _check_shard(shard_url, report, found)
    for drive, splits in sorted(found.splits_of_drive.items()):
        if len(splits) > 1:
            report.problems.append(Problem("", "", f"drive {drive!r} is in the splits {', '.join(sorted(splits))}"))
    for owners in found.samples_of_video.values():
        if len({split for _, split in owners}) > 1:
            names = ", ".join(f"{key} ({split})" for key, split in owners)
            report.problems.append(Problem("", "", f"the same video in several splits: {names}"))
    _check_index(url, report, found)
    return report


def _check_shard(url: str, report: ValidationReport, found: _KeysFound) -> None:
    name = url.rsplit("/", 1)[-1]
    try:
        for key, members in read_members(url):
            report.num_samples += 1
            if key in found.shard_of_key:
                report.problems.append(Problem(name, key, f"also in {found.shard_of_key[key]}"))
            found.shard_of_key.setdefault(key, name)
            for what in _sample_problems(key, members, report, found):
                report.problems.append(Problem(name, key, what))
    except InputError as error:
        report.problems.append(Problem(name, "", str(error).removeprefix(f"shard {url}").lstrip(": ")))
    with contextlib.suppress(InputError):  # what breaks the scan is reported above
        for key, group, data in scan_shard(url):
            with contextlib.suppress(InputError):
                found.rows.append(index_row(url, key, group, data))


def _sample_problems(key: str, members: dict[str, bytes], report: ValidationReport, found: _KeysFound) -> list[str]:
    try:
        sample = decode_sample(members)
        decode_controls(members, sample.clip.frames.shape, key)
    except InputError as error:
        return [str(error).removeprefix(f"sample {key}: ")]
    report.num_frames += len(sample.clip)
    found.splits_of_drive.setdefault(sample.drive, set()).add(sample.split)
    if not sample.drive:
        found.splits_of_drive.pop("")  # of unknown origin: nothing to compare
    video = hashlib.blake2b(members["mp4"], digest_size=16).hexdigest()
    found.samples_of_video.setdefault(video, []).append((sample.key, sample.split))
    return sample_problems(sample, key, set(members))


def sample_problems(sample: Sample, key: str, files: set[str]) -> list[str]:
    """The problems of one decoded sample, as sentences. key, files: its key and extensions in the shard."""
    problems = []
    if sample.key != key:
        problems.append(f"its record says it is {sample.key}")
    if "ego.npy" in files and sample.ego is None:
        problems.append("has a file ego.npy that its record denies")
    if "labels.json" in files and sample.labels is None:
        problems.append("has a file labels.json that its record denies")
    unknown = files - set(MEMBERS) - set(CONTROL_MEMBERS)
    problems += [f"unknown file .{extension}" for extension in sorted(unknown)]
    if sample.labels is not None:
        problems += label_problems(sample.labels)
    return problems


def label_problems(labels: Labels) -> list[str]:
    """The problems of labels that their type allows: boxes outside the image, impossible sizes, inconsistent tracks."""
    problems: list[str] = []
    size = np.array([labels.width_px, labels.height_px])
    box = labels.box_px
    out = (box[:, :2] < -EDGE_PX).any(1) | (box[:, 2:] > size + EDGE_PX).any(1)
    _name_rows(problems, labels, out, f"box outside the {labels.width_px}x{labels.height_px} picture")
    whole = labels.amodal_box_px
    visible = (box[:, 2] > box[:, 0]) & (box[:, 3] > box[:, 1])
    beyond = (box[:, :2] < whole[:, :2] - 2 * EDGE_PX).any(1) | (box[:, 2:] > whole[:, 2:] + 2 * EDGE_PX).any(1)
    _name_rows(problems, labels, beyond & visible, "visible box larger than the whole object's")
    partly = np.isnan(labels.box3d).any(1) & ~np.isnan(labels.box3d).all(1)
    _name_rows(problems, labels, partly | np.isinf(labels.box3d).any(1), "3-D box only partly known")
    _name_rows(problems, labels, (labels.box3d[:, 3:6] <= 0).any(1), "3-D box without size")
    pairs = np.stack([labels.frame_index, labels.track_id], 1)
    if len(np.unique(pairs, axis=0)) < len(pairs):
        problems.append("labels: a track twice in one frame")
    for track in np.unique(labels.track_id):
        if len(np.unique(labels.class_id[labels.track_id == track])) > 1:
            problems.append(f"labels: track {track} changes its class")
    return problems


def _name_rows(problems: list[str], labels: Labels, wrong: np.ndarray | np.bool_, what: str) -> None:
    """Append one line for all rows with a problem; it names the first row."""
    rows = np.flatnonzero(wrong)
    if len(rows):
        first = f"frame {labels.frame_index[rows[0]]}, track {labels.track_id[rows[0]]}"
        more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
        problems.append(f"labels: {what} ({first}{more})")


def _check_index(url: str, report: ValidationReport, found: _KeysFound) -> None:
    """Compare the index with rows read from the shards."""

    def wrong(shard: str, key: str, what: str) -> None:
        report.problems.append(Problem(shard, key, what))

    try:
        summary, stored = read_summary(url), read_rows(url)
    except InputError as error:
        wrong("", "", str(error))
        return
    sizes = {}
    for shard_url in shard_urls(url):
        fs, path = resolve(shard_url)
        sizes[shard_url.rsplit("/", 1)[-1]] = int(fs.size(path))
    known = {shard["name"]: shard["size_bytes"] for shard in summary.get("shards", ())}
    for name in sorted(set(sizes) | set(known)):
        if sizes.get(name) != known.get(name):
            wrong(name, "", f"the index knows it with {known.get(name)} bytes, it has {sizes.get(name)}")
    there = {row["key"]: row for row in found.rows}
    listed = {row["key"]: row for row in stored}
    if len(listed) != len(stored):
        wrong("", "", "the index lists a key twice")
    damaged = {p.shard for p in report.problems if p.shard and not p.key}
    for key in sorted(set(listed) - set(found.shard_of_key)):
        if listed[key]["shard"] not in damaged:
            wrong(listed[key]["shard"], key, "in the index, not in the shard")
    for key in sorted(set(there) - set(listed)):
        wrong(there[key]["shard"], key, "in the shard, not in the index")
    for key in sorted(set(there) & set(listed)):
        names = [name for name in COLUMNS if there[key][name] != listed[key][name]]
        if names:
            wrong(there[key]["shard"], key, f"the index disagrees on {', '.join(names)}")
    _check_summary(url, summary, report, found)


def _check_summary(url: str, summary: dict, report: ValidationReport, found: _KeysFound) -> None:
    """Compare counts and hashes in ``dataset.json`` with the files."""
    bad = {problem.shard for problem in report.problems if problem.shard and not problem.key}
    counts = Counter(found.shard_of_key.values())
    shards = {shard["name"]: shard for shard in summary.get("shards", ()) if shard["name"] not in bad}
    for name, shard in sorted(shards.items()):
        if shard.get("num_samples") != counts[name]:
            what = f"{SUMMARY_NAME} counts {shard.get('num_samples')} samples, it has {counts[name]}"
            report.problems.append(Problem(name, "", what))
        if shard.get("digest") not in (None, content_digest(join(url, name))):
            report.problems.append(Problem(name, "", f"holds other bytes than {SUMMARY_NAME} says"))
    if not report.problems:  # a damaged sample has no frames to count
        for name, number in (("num_samples", report.num_samples), ("num_frames", report.num_frames)):
            if summary.get(name) != number:
                what = f"{SUMMARY_NAME} says {name} {summary.get(name)}, there are {number}"
                report.problems.append(Problem("", "", what))
    if summary.get("index_digest") not in (None, content_digest(join(url, INDEX_NAME))):
        report.problems.append(Problem("", "", f"{INDEX_NAME} holds other bytes than {SUMMARY_NAME} says"))
    if "index_digest" not in summary or any("digest" not in shard for shard in summary.get("shards", ())):
        line = f"{SUMMARY_NAME} has no hashes, as an older version wrote it (worldgen data index {url} adds them)"
        report.notes.append(line)
