"""The plan of an ingest: sources read and checked, drives split, windows grouped into shards. Nothing is written."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from worldgen.core.errors import InputError, Received
from worldgen.core.progress import ProgressReporter, no_progress
from worldgen.core.seeds import stable_key
from worldgen.data.dataset.splits import split_drives
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.source_frames import iter_source_frames
from worldgen.data.ingest.source_plan import SourcePlan, SourceWindow, plan_source
from worldgen.data.ingest.sources import find_sources

INGEST_VERSION = 1
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
    """What an ingest will write. bad: (name, reason) of sources that cannot be used. splits: drive -> split."""

    config: IngestConfig
    sources: tuple[SourcePlan, ...]
    bad: tuple[tuple[str, str], ...]
    splits: dict[str, str]
    shards: tuple[ShardPlan, ...]

    @property
    def num_windows(self) -> int:
        """Number of samples in all shards."""
        return sum(len(shard.windows) for shard in self.shards)


def plan_ingest(places: list[str], config: IngestConfig, *, progress: ProgressReporter = no_progress) -> IngestPlan:
    """Find, read and check all sources under ``places``; nothing is written.

    places: files and folders. progress: shows how many sources are read. Sources that cannot be read are listed in
    ``bad``.

    Raises:
        InputError: a place, an entry of ``sources`` or ``exclude``, or a split that matches nothing.
    """
    found = find_sources(list(places), dict(config.sources), config.defaults, tuple(config.exclude))
    plans, bad = [], []
    for source in progress(found, desc="read sources"):
        try:
            plan = plan_source(source, config)
            if config.verify == "decode":
                _decode_all(plan)
            plans.append(plan)
        except InputError as error:
            bad.append((source.name, str(error)))
    splits = split_drives([source.drive for source in found], config.split)
    return IngestPlan(config, tuple(plans), tuple(bad), splits, _shards(plans, splits, config))


def _decode_all(plan: SourcePlan) -> None:
    """Check that every frame of a source decodes."""
    count = sum(1 for _ in iter_source_frames(plan.source))
    if count != plan.info.num_frames:
        raise InputError(
            f"video {plan.source.name}",
            Received(f"{count} frames that decode of {plan.info.num_frames}"),
            "a whole file",
        )


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
