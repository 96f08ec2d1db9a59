"""The pictures of every arm of a detector-gain study."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from worldgen.core.errors import InputError, Received
from worldgen.core.samples import SPLITS, Sample
from worldgen.core.seeds import numpy_rng
from worldgen.data.dataset.index import SUMMARY_NAME, DataSet
from worldgen.evaluation.gain.gain_config import GIVEN, GainStudy, PictureSource, arm_names
from worldgen.evaluation.gain.still_pictures import drives_in, is_stills, reencoded, still_pictures, stills_digest
from worldgen.evaluation.gain.weather import weathered
from worldgen.files.storage import join, read_bytes
from worldgen.instruments.detector.pictures import Boxes, Pictures, pictures_of

FIRST_ONLY = 1_000_000
"""More frames than any clip has: only the first frame of a clip is taken."""


@dataclass(frozen=True, eq=False)
class Arm:
    """The training pictures of one arm.

    parts: pictures, and the share of the training samples drawn from each. length: optimiser steps as a multiple of the
    study's.
    """

    name: str
    parts: tuple[tuple[Pictures, float], ...]
    length: float = 1.0

    def pictures(self) -> tuple[Pictures, np.ndarray]:
        """All pictures, and the probability ``(N,)`` that each is drawn."""
        shares = [np.full(len(part), share / len(part)) for part, share in self.parts]
        return Pictures.joined([part for part, _ in self.parts]), np.concatenate(shares)

    def digest(self) -> str:
        """Hash of pictures, boxes and shares."""
        state = hashlib.blake2b(digest_size=16)
        for part, share in self.parts:
            state.update(f"{part.digest()} {share:.9g} ".encode())
        return state.hexdigest()


@dataclass(frozen=True)
class SourceClips:
    """The clips of a source: data set and index row of each, in the order of their keys."""

    clips: tuple[tuple[DataSet, dict], ...]

    @property
    def rows(self) -> list[dict]:
        """The index rows."""
        return [row for _, row in self.clips]

    def samples(self) -> Iterator[Sample]:
        """The decoded clips, one after the other."""
        return (data.load(row["key"]) for data, row in self.clips)


def clips_of_source(source: PictureSource) -> SourceClips:
    """The clips of a source.

    Raises: InputError when none has labels, and when two data sets hold the same key.
    """
    wanted, unwanted = set(source.with_any), set(source.without)
    clips: dict[str, tuple[DataSet, dict]] = {}
    for url in source.urls:
        data = DataSet(url)
        for row in data.rows:
            fits = row["accepted"] and row["has_labels"] and row["split"] in (source.splits or SPLITS)
            if not fits or unwanted & set(row["tags"]) or (wanted and not wanted & set(row["tags"])):
                continue
            if row["key"] in clips:
                raise InputError(f"clip {row['key']}", Received(f"in two of {source.url}"), "each clip once")
            clips[row["key"]] = (data, row)
    # Keys are hashes, so their order mixes clips that were rendered or recorded together.
    keys = sorted(clips)[source.skip :]
    keys = keys[: source.clips] if source.clips else keys
    if not keys:
        raise InputError(f"clips of {source.url}", Received(f"none for {_text(source)}"), "at least one labelled clip")
    return SourceClips(tuple(clips[key] for key in keys))


def missing(source: PictureSource) -> str:
    """Why an arm of this source has to wait; "" where it need not."""
    if not source.urls:
        return "no data set given yet"
    if _stills(source):
        return ""
    accepted = any(row["accepted"] for url in source.urls for row in DataSet(url).rows)
    return "" if accepted else "the gate accepted none of its clips"


def _stills(source: PictureSource) -> bool:
    """Whether a source is of stills. Raises: InputError for stills mixed with data sets."""
    kinds = {is_stills(url) for url in source.urls}
    if len(kinds) > 1:
        raise InputError("urls of a source", source.url, "data sets, or folders of stills, not both")
    return kinds == {True}


def _text(source: PictureSource) -> str:
    return ", ".join(f"{name}={value}" for name, value in asdict(source).items() if value and name != "url")


def load_source(source: PictureSource, study: GainStudy, folder: Path) -> Pictures:
    """The pictures of a source at the study's size. They are kept in ``folder`` for the next call."""
    stills = _stills(source)
    digest = stills_digest if stills else _summary_digest
    size = (study.width_px, study.height_px)
    summary = [digest(url) for url in source.urls]
    settings = [*size, study.min_height_px, study.jpeg_quality]
    asked = json.dumps([asdict(source), summary, settings], sort_keys=True)
    kept = folder / f"pictures-{hashlib.blake2b(asked.encode(), digest_size=8).hexdigest()}.npz"
    if kept.exists():
        return Pictures.load(str(kept))
    if stills:
        pictures = still_pictures(source, size=size, min_height_px=study.min_height_px)
    else:
        pictures = pictures_of(
            clips_of_source(source).samples(), first=source.first, every=source.every, size=size,
            min_height_px=study.min_height_px,
        )  # fmt: skip
    if study.jpeg_quality:
        pictures = reencoded(pictures, study.jpeg_quality)
    pictures.save(str(kept))
    return pictures


def _summary_digest(url: str) -> str:
    return hashlib.blake2b(read_bytes(join(url, SUMMARY_NAME)), digest_size=16).hexdigest()


def _keys_and_drives(source: PictureSource) -> tuple[set[str], set[str]]:
    """Keys of the clips of a source, none for stills, and its drives."""
    if not _stills(source):
        rows = clips_of_source(source).rows
        return {row["key"] for row in rows}, {row["drive"] for row in rows if row["drive"]}
    drives = set().union(*(drives_in(url) for url in source.urls)) - set(source.without)
    return set(), drives & set(source.with_any) if source.with_any else drives


def check_apart(study: GainStudy) -> None:
    """Raise InputError when a clip or a drive of the test is also trained on."""
    keys, held_out = _keys_and_drives(study.test)
    sources = {name: getattr(study, name) for name in ("real", "rare", "synthetic", "restyled")} | dict(study.added)
    for name, source in sources.items():
        if missing(source):
            continue
        own_keys, own_drives = _keys_and_drives(source)
        if keys & own_keys:
            raise InputError(
                f"{name} of the study", Received(f"{len(keys & own_keys)} clips of the test"), "other clips"
            )
        drives = held_out & own_drives
        if drives and name != "rare":  # the oracle's pictures may share drives with the test where there are no others
            raise InputError(
                f"{name} of the study", Received(f"drives of the test: {sorted(drives)[:3]}"), "other drives"
            )


def shuffled_boxes(pictures: Pictures, *, seed: int) -> Pictures:
    """Every picture with the boxes of another picture: plausible but wrong labels."""
    order = np.roll(np.arange(len(pictures)), 1)[numpy_rng("shuffled boxes", seed).permutation(len(pictures))]
    if len(pictures) > 1:  # no picture keeps its own boxes
        same = np.flatnonzero(order == np.arange(len(pictures)))
        for number in same:
            other = (number + 1) % len(pictures)
            order[number], order[other] = order[other], order[number]
    boxes = pictures.boxes
    rows = [np.flatnonzero(boxes.picture_index == source) for source in order]
    moved = boxes.where(np.concatenate(rows))
    index = np.repeat(np.arange(len(order)), [len(row) for row in rows])
    boxes = Boxes(index, moved.group, moved.box_px, moved.ignore, moved.distance_m)
    return Pictures(pictures.frames, boxes, pictures.clip_index, pictures.tags)


def build_arms(study: GainStudy, load: Callable[[PictureSource], Pictures]) -> tuple[dict[str, Arm], dict[str, str]]:
    """The arms that can run, in order, and the reason for each that cannot."""
    real = load(study.real)
    half = (real, 0.5)
    arms: dict[str, Arm] = {}
    waiting: dict[str, str] = {}
    for name in arm_names(study):
        if study.arms and name not in study.arms:
            continue
        source = {"oracle": study.rare, "restyled": study.restyled, **study.added}.get(
            name, study.synthetic if name == GIVEN or name.startswith("synthetic_") else None
        )
        if source is not None and (reason := missing(source)):
            waiting[name] = reason
            continue
        if name in ("real", "real_short", "real_long"):
            arms[name] = Arm(name, ((real, 1.0),), {"real_short": 0.5, "real_long": 2.0}.get(name, 1.0))
        elif name == "duplicated":
            arms[name] = Arm(name, (half, half))
        elif name == "shuffled":
            arms[name] = Arm(name, (half, (shuffled_boxes(real, seed=0), 0.5)))
        elif name == "weather":
            arms[name] = Arm(name, (half, (weathered(real, seed=0, kinds=study.painted), 0.5)))
        elif name == GIVEN:
            assert source is not None
            arms[name] = Arm(name, (half, (load(replace(source, first=0, every=FIRST_ONLY)), 0.5)))
        else:
            assert source is not None, name
            ratio = float(name.removeprefix("synthetic_")) if name.startswith("synthetic_") else 1.0
            arms[name] = _mixed(name, real, load(source), ratio)
    return arms, waiting


def _mixed(name: str, real: Pictures, extra: Pictures, ratio: float) -> Arm:
    """Real pictures and ``ratio`` times as many others; more than that are cut away, whole clips at a time."""
    wanted = max(1, round(len(real) * ratio))
    if len(extra) > wanted:
        clips = int(np.searchsorted(np.cumsum(np.bincount(extra.clip_index)), wanted)) + 1
        extra = extra.of_clips(np.arange(min(clips, extra.num_clips)))
    return Arm(name, ((real, 1 / (1 + ratio)), (extra, ratio / (1 + ratio))))
