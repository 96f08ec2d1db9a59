"""Writes the shards of an ingest plan drive by drive; a second run skips what is finished."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import numpy as np

import worldgen
from worldgen.core.clip import Clip
from worldgen.core.english import counted
from worldgen.core.errors import InputError, Received
from worldgen.core.samples import Sample
from worldgen.core.seeds import stable_key
from worldgen.data.dataset.published import shard_is_sound
from worldgen.data.dataset.sample_files import encode_sample
from worldgen.data.dataset.shards import ShardWriter, scan_shard
from worldgen.data.ingest.captions import caption_at, manoeuvre_of, template_caption
from worldgen.data.ingest.ingest_plan import IngestPlan, ShardPlan
from worldgen.data.ingest.ingest_report import ingest_report
from worldgen.data.ingest.source_frames import iter_source_frames
from worldgen.data.ingest.source_plan import SourcePlan, SourceWindow
from worldgen.files.json_files import parse_object
from worldgen.files.storage import join, resolve, write_bytes

REPORT_NAME = "ingest.json"
FINGERPRINT = "shard_fingerprint"


def sample_key(plan: SourcePlan, window: SourceWindow) -> str:
    """The key of a sample, from the content of its source and the window: the same in every run."""
    size = (plan.frame_of.width_px, plan.frame_of.height_px)
    mark = stable_key(
        "ingest", plan.source.name, plan.digest, window.start_tick, window.num_frames, plan.grid.fps, size
    )
    return f"{plan.source.drive[:40]}-{round(1000 * plan.start_s(window)):08d}-{mark[:10]}"


def write_ingest(plan: IngestPlan, url: str) -> Iterator[tuple[str, int]]:
    """Write the shards that are not finished yet, sample by sample, then ``ingest.json``.

    Yields (shard name, 1) per sample written, and (shard name, n) for a finished shard of n samples that is skipped, so
    the numbers sum to ``plan.num_windows`` when no source turns out to be damaged. The windows before the damage are
    kept; the source is listed in ``ingest.json`` as bad, and the others go on. Shards of a planned drive that are not
    in the plan, or have no window left, are removed; shards of other drives stay. An interruption loses at most the
    shard in flight. url: folder of the data set.

    Raises:
        InputError: before anything is written, a bad source with ``on_bad_source: stop``, or a plan without windows;
            later, a damaged file with ``on_bad_source: stop``, no window at all that can be written, or a place that
            cannot be written.
    """
    refuse_plan(plan)
    damaged: dict[str, str] = {}
    written = 0
    done = {shard.name for shard in plan.shards if _is_done(url, shard)}
    for shard in plan.shards:
        if shard.name in done:
            yield shard.name, len(shard.windows)
    for drive, group in itertools.groupby(plan.shards, key=lambda shard: shard.drive):
        planned = list(group)
        kept = [shard for shard in planned if shard.name in done]
        todo = [shard for shard in planned if shard.name not in done]
        for shard, samples in itertools.groupby(
            _samples(todo, damaged, stop=plan.config.on_bad_source == "stop"), key=lambda pair: pair[0]
        ):
            with ShardWriter(url, shard.name) as writer:
                for _, sample in samples:
                    writer.write_members(sample.key, encode_sample(sample, crf=plan.config.crf))
                    yield shard.name, 1
            kept.append(shard)
        _remove_stale(url, drive, {shard.name for shard in kept})
        written += len(kept)
    report = ingest_report(plan)
    report["bad_sources"] += [{"source": name, "reason": reason} for name, reason in damaged.items()]
    write_bytes(join(url, REPORT_NAME), json.dumps(report, indent=1).encode())
    if not written:
        name, reason = next(iter(damaged.items()))
        raise InputError(f"source {name}: {reason}; no window of any source could be written")


def refuse_plan(plan: IngestPlan) -> None:
    """Refuse a plan with a bad source and ``on_bad_source: stop``, or without windows. Raises: InputError."""
    if plan.bad and plan.config.on_bad_source == "stop":
        name, reason = plan.bad[0]
        more = f" (and {len(plan.bad) - 1} more, see worldgen ingest --check)" if len(plan.bad) > 1 else ""
        raise InputError(f"source {name}: {reason}{more}; on_bad_source=skip leaves it out")
    if not plan.shards:
        raise InputError(
            "ingest", Received("no window to write"), "sources long enough for num_frames (see worldgen ingest --check)"
        )


def _is_done(url: str, shard: ShardPlan) -> bool:
    """Whether a finished, undamaged shard with this content exists: its first sample holds the fingerprint.

    A shard that lacks windows of a damaged source is none: every run tries that source again, and lists it.
    """
    target = join(url, f"{shard.name}.tar")
    if not shard_is_sound(url, f"{shard.name}.tar"):
        return False
    found = list(scan_shard(target))
    first = found[0] if len(found) == len(shard.windows) else None
    record = {} if first is None else parse_object(first[2] or b"{}", f"record of {first[0]} in {target}")
    provenance = record.get("provenance")
    return isinstance(provenance, dict) and provenance.get(FINGERPRINT) == shard.fingerprint


def _remove_stale(url: str, drive: str, planned: set[str]) -> None:
    """Remove shards of a drive that are not planned."""
    fs, inner = resolve(url)
    for path in fs.glob(f"{inner.rstrip('/')}/{drive}-[0-9][0-9][0-9][0-9].tar"):
        if path.rsplit("/", 1)[-1].removesuffix(".tar") not in planned:
            fs.rm_file(path)


def _samples(shards: list[ShardPlan], damaged: dict[str, str], *, stop: bool) -> Iterator[tuple[ShardPlan, Sample]]:
    """The samples of one drive's shards in order; every source is decoded once.

    damaged: receives the name of each source that could not be decoded to its end, and why. stop: raise instead.
    """
    items = [(shard, plan, window) for shard in shards for plan, window in shard.windows]
    for _, group in itertools.groupby(items, key=lambda item: item[1].source.name):
        run = list(group)
        plan = run[0][1]
        clips = _clips(plan, [window for _, _, window in run])
        for number, (shard, _, window) in enumerate(run):
            try:
                sample = _sample(plan, window, next(clips), shard)
            except InputError as error:
                if stop:
                    raise
                damaged[plan.source.name] = f"{error} ({number} of {counted(len(run), 'window')} read before)"
                break
            yield shard, sample


def _clips(plan: SourcePlan, windows: list[SourceWindow]) -> Iterator[Clip]:
    """The clips of windows in order of their start; only frames of windows that are not finished stay in memory."""
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
    """The sample of one window."""
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
        "camera": "given" if plan.camera_given else "assumed" if plan.pixels is None else "from pixels",
        "caption": "sidecar" if timed else "config" if source.config.caption else "template" if caption else "none",
        "speed": plan.motion.speed_from if plan.motion is not None and ego is not None else "unknown",
        "yaw_rate": plan.motion.yaw_rate_from if plan.motion is not None and ego is not None else "unknown",
        FINGERPRINT: shard.fingerprint,
    }  # fmt: skip
    if plan.pixels is not None and ego is not None:
        at_s = plan.frame_times_s[plan.frame_indices(window)]
        provenance["ego_from_pixels"] = {**plan.pixels.sigmas(at_s), "scale_sigma": round(plan.pixels.scale_sigma, 4)}
    if source.files:
        provenance["file"] = source.files[int(plan.frame_indices(window)[0])].name
    return Sample(
        key, clip, caption, source.drive, shard.split, ego, plan.camera, plan.window_labels(window),
        tags=tags if manoeuvre is None else (*tags, manoeuvre), provenance=provenance,
        licence=source.config.licence or "unknown",
    )  # fmt: skip
