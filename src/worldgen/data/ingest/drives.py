"""Real clips and logs to shards: plan first, check, then write drive by drive; a rerun continues."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

import worldgen
from worldgen.core.clip import Clip
from worldgen.core.errors import InputError, Received
from worldgen.core.progress import ProgressReporter, no_progress
from worldgen.core.samples import SPLITS, Sample
from worldgen.core.seeds import stable_key
from worldgen.data.dataset.shards import ShardWriter, encode_sample, scan_shard
from worldgen.data.dataset.splits import split_drives
from worldgen.data.ingest.captions import caption_at, manoeuvre_of, template_caption
from worldgen.data.ingest.source_plan import IngestConfig, SourcePlan, SourceWindow, plan_source
from worldgen.data.ingest.sources import find_sources, iter_source_frames
from worldgen.files.storage import join, resolve, write_bytes

INGEST_VERSION = 1
"""Part of every shard's fingerprint: raise it when the same input gives other samples."""

REPORT_NAME = "ingest.json"
FINGERPRINT = "shard_fingerprint"


@dataclass(frozen=True, eq=False)
class ShardPlan:
    """One tar to write. name without suffix; windows in order; fingerprint of everything that shapes its content."""

    name: str
    drive: str
    split: str
    windows: tuple[tuple[SourcePlan, SourceWindow], ...]
    fingerprint: str


@dataclass(frozen=True, eq=False)
class IngestPlan:
    """What an ingest will do. bad: sources that cannot be used, with the reason. splits: drive -> split."""

    config: IngestConfig
    sources: tuple[SourcePlan, ...]
    bad: tuple[tuple[str, str], ...]
    splits: dict[str, str]
    shards: tuple[ShardPlan, ...]

    @property
    def num_windows(self) -> int:
        return sum(len(shard.windows) for shard in self.shards)


def plan_ingest(
    places: list[str], config: IngestConfig, *, progress: ProgressReporter = no_progress
) -> IngestPlan:
    """Find, read and check all sources under ``places``; nothing is written.

    progress: shows how many sources are read. Sources that cannot be read are gathered
    in ``bad``.

    Raises InputError when places, config entries or splits are wrong.
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
    count = sum(1 for _ in iter_source_frames(plan.source))
    if count != plan.info.num_frames:
        raise InputError(
            f"video {plan.source.name}",
            Received(f"{count} frames that decode of {plan.info.num_frames}"),
            "a whole file",
        )


def _shards(plans: list[SourcePlan], splits: dict[str, str], config: IngestConfig) -> tuple[ShardPlan, ...]:
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


def sample_key(plan: SourcePlan, window: SourceWindow) -> str:
    """A key from the source's identity and the span: the same window gets the same key in every run."""
    size = (plan.frame_of.width_px, plan.frame_of.height_px)
    mark = stable_key(
        "ingest", plan.source.name, plan.digest, window.start_tick, window.num_frames, plan.grid.fps, size
    )
    return f"{plan.source.drive[:40]}-{round(1000 * plan.start_s(window)):08d}-{mark[:10]}"


def write_ingest(plan: IngestPlan, url: str) -> Iterator[tuple[str, int]]:
    """Write the shards that are not there yet, sample by sample, then the report.

    Yields (shard name, 1) per sample written and (shard name, n) for a finished shard of n samples that is skipped, so
    the numbers sum to ``plan.num_windows``. Shards of a planned drive that the plan no longer holds are removed; those
    of other drives stay. A kill loses at most the shard in flight.

    Raises InputError before anything is written when there is a bad source and ``on_bad_source`` is ``stop``, or when
    there is nothing to write; later, when a file turns out to be damaged or the output cannot be written.
    """
    if plan.bad and plan.config.on_bad_source == "stop":
        name, reason = plan.bad[0]
        more = f" (and {len(plan.bad) - 1} more, see --check)" if len(plan.bad) > 1 else ""
        raise InputError(f"source {name}: {reason}{more}; on_bad_source=skip leaves it out")
    if not plan.shards:
        raise InputError("ingest", Received("no window to write"), "sources long enough for num_frames (see --check)")
    done = {shard.name for shard in plan.shards if _is_done(url, shard)}
    for shard in plan.shards:
        if shard.name in done:
            yield shard.name, len(shard.windows)
    for drive, group in itertools.groupby(plan.shards, key=lambda shard: shard.drive):
        todo = [shard for shard in group if shard.name not in done]
        for shard, samples in itertools.groupby(_samples(todo), key=lambda pair: pair[0]):
            with ShardWriter(url, shard.name) as writer:
                for _, sample in samples:
                    writer.write_members(sample.key, encode_sample(sample, crf=plan.config.crf))
                    yield shard.name, 1
        _remove_stale(url, drive, {shard.name for shard in plan.shards})
    write_bytes(join(url, REPORT_NAME), json.dumps(report(plan), indent=1).encode())


def _is_done(url: str, shard: ShardPlan) -> bool:
    """Whether a finished shard with this content is there: its first sample carries the fingerprint."""
    target = join(url, f"{shard.name}.tar")
    fs, inner = resolve(target)
    if not fs.exists(inner):
        return False
    first = next(scan_shard(target), None)
    return (
        first is not None and json.loads(first[2] or b"{}").get("provenance", {}).get(FINGERPRINT) == shard.fingerprint
    )


def _remove_stale(url: str, drive: str, planned: set[str]) -> None:
    fs, inner = resolve(url)
    for path in fs.glob(f"{inner.rstrip('/')}/{drive}-[0-9][0-9][0-9][0-9].tar"):
        if path.rsplit("/", 1)[-1].removesuffix(".tar") not in planned:
            fs.rm_file(path)


def _samples(shards: list[ShardPlan]) -> Iterator[tuple[ShardPlan, Sample]]:
    """Samples of one drive's shards in order, every source decoded once."""
    items = [(shard, plan, window) for shard in shards for plan, window in shard.windows]
    for _, group in itertools.groupby(items, key=lambda item: item[1].source.name):
        run = list(group)
        plan = run[0][1]
        clips = _clips(plan, [window for _, _, window in run])
        for (shard, _, window), clip in zip(run, clips, strict=True):
            yield shard, _sample(plan, window, clip, shard)


def _clips(plan: SourcePlan, windows: list[SourceWindow]) -> Iterator[Clip]:
    """The clips of windows in order of start, holding no more frames than overlapping windows share."""
    needed = [plan.frame_indices(window) for window in windows]
    wanted = {int(i) for indices in needed for i in indices}
    held: dict[int, np.ndarray] = {}
    position = 0
    for index, pixels in iter_source_frames(plan.source, wanted):
        held[index] = plan.frame_of.frame(pixels)
        while position < len(needed) and int(needed[position][-1]) <= index:
            yield Clip(np.stack([held[int(i)] for i in needed[position]]), plan.grid.fps)
            position += 1
            first = int(needed[position][0]) if position < len(needed) else index + 1
            held = {i: frame for i, frame in held.items() if i >= first}
    if position < len(needed):
        raise InputError(f"video {plan.source.name}", Received("fewer frames than its header promises"), "a whole file")


def _sample(plan: SourcePlan, window: SourceWindow, clip: Clip, shard: ShardPlan) -> Sample:
    source, start_s, cut = plan.source, plan.start_s(window), plan.frame_of
    key = sample_key(plan, window)
    ego = plan.ego(window)
    tags = tuple(source.config.tags or ())
    manoeuvre = manoeuvre_of(plan.ego(window, at="ticks"))
    end_s = start_s + len(clip) / clip.fps
    timed = caption_at(plan.captions, start_s, end_s)
    caption = timed or source.config.caption or template_caption(tags, manoeuvre, key)
    provenance = {
        "tool": "worldgen ingest", "version": worldgen.__version__, "source": source.name, "source_digest": plan.digest,
        "kind": source.kind, "start_s": start_s, "end_s": end_s, "frame_indices": plan.frame_indices(window).tolist(),
        "crop_px": [cut.x0_px, cut.y0_px, cut.crop_width_px, cut.crop_height_px],
        "camera": "given" if plan.camera_given else "assumed",
        "caption": "sidecar" if timed else "config" if source.config.caption else "template" if caption else "none",
        "speed": plan.motion.speed_from if ego is not None else "unknown",
        "yaw_rate": plan.motion.yaw_rate_from if ego is not None else "unknown", FINGERPRINT: shard.fingerprint,
    }  # fmt: skip
    if source.files:
        provenance["file"] = source.files[int(plan.frame_indices(window)[0])].name
    return Sample(
        key, clip, caption, source.drive, shard.split, ego, plan.camera, plan.window_labels(window),
        tags=tags if manoeuvre is None else (*tags, manoeuvre), provenance=provenance,
        licence=source.config.licence or "unknown",
    )  # fmt: skip


def report(plan: IngestPlan) -> dict:
    """Everything ``--check`` says, JSON-able."""
    counts = dict.fromkeys(SPLITS, 0)
    for shard in plan.shards:
        counts[shard.split] += len(shard.windows)
    notes = [f"no drive in the {split} split" for split in SPLITS if split not in plan.splits.values()]
    return {
        "sources": [_source_report(p, plan.splits[p.source.drive]) for p in plan.sources],
        "bad_sources": [{"source": name, "reason": reason} for name, reason in plan.bad],
        "windows": plan.num_windows, "windows_per_split": counts, "shards": len(plan.shards), "notes": notes,
    }  # fmt: skip


def _source_report(plan: SourcePlan, split: str) -> dict:
    grid, info = plan.grid, plan.info
    out = {
        "source": plan.source.name, "kind": plan.source.kind, "drive": plan.source.drive, "split": split,
        "licence": plan.source.config.licence or "unknown", "frames": info.num_frames, "fps": round(info.fps, 4),
        "variable_rate": info.variable_rate, "width_px": info.width_px, "height_px": info.height_px,
        "target_fps": grid.fps, "windows": len(plan.windows), "ticks": len(grid.used),
        "usable_share": round(float(grid.used.mean()), 4), "frame_error_ms": round(1000 * grid.error_s, 1),
        "camera": "given" if plan.camera_given else f"assumed ({plan.camera.fov_deg:.0f} degrees after cropping)",
        "labels": None if plan.labels is None else len(plan.labels), "captions": len(plan.captions), "log": None,
        "notes": list(plan.notes),
    }  # fmt: skip
    if plan.log is not None and plan.motion is not None:
        out["log"] = {
            "file": plan.source.ego_path.name, "rows": len(plan.log), "columns": plan.log.columns,
            "unused": list(plan.log.unused), "speed": plan.motion.speed_from, "yaw_rate": plan.motion.yaw_rate_from,
            "start_s": round(float(plan.motion.times_s[0]), 4), "end_s": round(float(plan.motion.times_s[-1]), 4),
            "valid_s": [round(v, 4) for v in plan.motion.valid_s],
            "windows_with_motion": sum(plan.ego(window) is not None for window in plan.windows),
            "gaps": [[round(a, 3), round(b, 3)] for a, b in plan.motion.gaps()],
        }  # fmt: skip
    return out
