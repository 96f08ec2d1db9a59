"""The plan of an ingest: sources read and checked, drives split, windows grouped into shards. Nothing is written."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

from worldgen.core.errors import InputError, Received
from worldgen.core.progress import ProgressReporter, no_progress
from worldgen.core.seeds import stable_key
from worldgen.data.ingest.datasets.recipes import dataset_sources
from worldgen.data.ingest.drives.drive_splits import ingest_splits, known_drives
from worldgen.data.ingest.drives.joined_drives import RecordedSource, find_relations, join_drives, leak_notes
from worldgen.data.ingest.drives.name_drives import recorded_at_s
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.pixels.pixel_motion import PixelMotionReader
from worldgen.data.ingest.source_plan import SourcePlan, SourceWindow, plan_source
from worldgen.data.ingest.sources import find_sources

INGEST_VERSION = 2
"""Part of the fingerprint of every shard; to be raised when the same input gives other samples."""


@dataclass(frozen=True, eq=False)
class ShardPlan:
    """One shard to write.

    name: file name without suffix. windows: in the order of the file. fingerprint: hash of everything that determines
    its content.
    """

    name: str
    drive: str
    split: str
    windows: tuple[tuple[SourcePlan, SourceWindow], ...]
    fingerprint: str


@dataclass(frozen=True, eq=False)
class IngestPlan:
    """What an ingest will write.

    bad: (name, reason) of sources that cannot be used. splits: drive -> split. notes: what was left out or joined, and
    what one split would know of another.
    """

    config: IngestConfig
    sources: tuple[SourcePlan, ...]
    bad: tuple[tuple[str, str], ...]
    splits: dict[str, str]
    shards: tuple[ShardPlan, ...]
    notes: tuple[str, ...] = ()

    @property
    def num_windows(self) -> int:
        """Number of samples in all shards."""
        return sum(len(shard.windows) for shard in self.shards)


def plan_ingest(
    places: list[str], config: IngestConfig, *, progress: ProgressReporter = no_progress,
    reader: PixelMotionReader | None = None,
) -> IngestPlan:  # fmt: skip
    """Find, read and check all sources under ``places``; nothing is written.

    places: files and folders. progress: shows how many sources are read. reader: measures motion from pixels, where
    the config asks for that. Sources that cannot be read are listed in ``bad``.

    Raises:
        InputError: motion from pixels without a reader; a place, an entry of ``sources`` or ``exclude``, or a split
            that matches nothing.
    """
    if config.reads_pixels and reader is None:
        raise InputError("motion from pixels", Received("no reader"), "plan_ingest(..., reader=...)")
    settings = (list(places), dict(config.sources), config.defaults, tuple(config.exclude))
    found = find_sources(*settings) if config.dataset is None else dataset_sources(config.dataset, *settings)
    plans: list[SourcePlan] = []
    bad = list(found.bad)
    for source in progress(found.sources, desc="read sources"):
        try:
            plans.append(plan_source(source, config, reader))
        except InputError as error:
            bad.append((source.name, str(error)))
    plans, splits, notes = _by_drive(plans, config, some_bad=bool(bad))
    return IngestPlan(config, tuple(plans), tuple(bad), splits, _shards(plans, splits, config), (*found.notes, *notes))


def _by_drive(
    plans: list[SourcePlan], config: IngestConfig, *, some_bad: bool
) -> tuple[list[SourcePlan], dict[str, str], list[str]]:
    """The plans with their final drives, the split of every drive, and notes on joined drives, splits and leaks.

    some_bad: whether there are sources that cannot be used; lists of splits may then name drives that are missing.
    """
    recorded = [_recorded(plan) for plan in plans]
    relations = list(find_relations(recorded))
    drives = join_drives(recorded, relations)
    recorded = [replace(source, drive=drive) for source, drive in zip(recorded, drives, strict=True)]
    notes = _joined_notes(plans, drives)
    plans = [
        plan if plan.source.drive == drive else replace(plan, source=replace(plan.source, drive=drive))
        for plan, drive in zip(plans, drives, strict=True)
    ]
    usable = {plan.source.drive for plan in plans if plan.windows}
    published = {plan.source.drive: plan.source.split for plan in plans if plan.source.split is not None}
    split = known_drives(config.split, set(drives)) if some_bad else config.split
    splits, moved = ingest_splits(set(drives), usable, split, published)
    return plans, splits, [*notes, *moved, *leak_notes(recorded, relations, splits)]


def _recorded(plan: SourcePlan) -> RecordedSource:
    """What tells which drive a source belongs to."""
    source, log = plan.source, plan.log
    begin_s = plan.info.begin_s
    if begin_s is None and log is not None and log.times_s is not None and plan.motion is not None:
        # The time on the log's clock at the first frame.
        begin_s = float(log.times_s[0] - plan.motion.times_s[0])
    log_path = "" if source.ego_path is None else str(source.ego_path)
    facts = RecordedSource(source.stem, source.drive, source.drive_stated, 0.0, log=log_path, content=source.content())
    if source.kind == "images":  # pictures without order have no clock
        return facts
    facts = replace(facts, duration_s=plan.info.duration_s, begin_s=begin_s, named_s=recorded_at_s(source.stem))
    return facts if plan.look is None else replace(facts, head=plan.look.head, tail=plan.look.tail)


def _joined_notes(plans: list[SourcePlan], drives: list[str]) -> list[str]:
    """The sources of each drive that the config does not state, where they are several."""
    notes = []
    for drive in sorted(set(drives)):
        members = [plan.source for plan, own in zip(plans, drives, strict=True) if own == drive]
        if len(members) > 1 and not any(source.drive_stated for source in members):
            names = ", ".join(source.name for source in members[:4]) + (", ..." if len(members) > 4 else "")
            notes.append(f"drive {drive}: {len(members)} sources taken for one recording ({names})")
    return notes


def _shards(plans: list[SourcePlan], splits: dict[str, str], config: IngestConfig) -> tuple[ShardPlan, ...]:
    """The windows of each drive in shards of at most ``samples_per_shard``."""
    shards = []
    for drive in sorted({plan.source.drive for plan in plans}):
        windows = [(plan, window) for plan in plans if plan.source.drive == drive for window in plan.windows]
        for number, start in enumerate(range(0, len(windows), config.samples_per_shard)):
            part = tuple(windows[start : start + config.samples_per_shard])
            name = f"{drive}-{number:04d}"
            shards.append(ShardPlan(name, drive, splits[drive], part, _fingerprint(part, splits[drive], config)))
    return tuple(shards)


def _fingerprint(windows: tuple[tuple[SourcePlan, SourceWindow], ...], split: str, config: IngestConfig) -> str:
    shape = (config.width_px, config.height_px, config.crf, config.motion_at)
    sources = {plan.source.name: (plan.digest, plan.grid.fps, asdict(plan.source.config)) for plan, _ in windows}
    spans = [(plan.source.name, window.start_tick, window.num_frames) for plan, window in windows]
    return stable_key(INGEST_VERSION, split, shape, json.dumps(sources, sort_keys=True), spans)
