"""The report of an ingest: what ``--check`` prints and ``ingest.json`` holds."""

from __future__ import annotations

from worldgen.core.samples import SPLITS
from worldgen.data.ingest.ingest_plan import IngestPlan
from worldgen.data.ingest.source_plan import SourcePlan


def ingest_report(plan: IngestPlan) -> dict:
    """The report of an ingest as JSON values: sources, bad sources, windows per split, shards and notes."""
    counts = dict.fromkeys(SPLITS, 0)
    for shard in plan.shards:
        counts[shard.split] += len(shard.windows)
    notes = [f"no drive in the {split} split" for split in SPLITS if split not in plan.splits.values()]
    return {
        "sources": [_source_report(p, plan.splits[p.source.drive]) for p in plan.sources],
        "bad_sources": [{"source": name, "reason": reason} for name, reason in plan.bad],
        "windows": plan.num_windows, "windows_per_split": counts, "shards": len(plan.shards),
        "notes": [*notes, *plan.notes],
    }  # fmt: skip


def _source_report(plan: SourcePlan, split: str) -> dict:
    """The entry of one source."""
    grid, info = plan.grid, plan.info
    out = {
        "source": plan.source.name, "kind": plan.source.kind, "drive": plan.source.drive, "split": split,
        "licence": plan.source.config.licence or "unknown", "frames": info.num_frames, "fps": round(info.fps, 4),
        "variable_rate": info.variable_rate, "width_px": info.width_px, "height_px": info.height_px,
        "target_fps": grid.fps, "windows": len(plan.windows), "ticks": len(grid.used),
        "usable_share": round(float(grid.used.mean()), 4), "frame_error_ms": round(1000 * grid.error_s, 1),
        "camera": _camera_words(plan),
        "labels": None if plan.labels is None else len(plan.labels), "captions": len(plan.captions), "log": None,
        "notes": list(plan.notes),
    }  # fmt: skip
    if plan.pixels is not None and plan.motion is not None:
        out["pixels"] = {
            "reader": plan.pixels.reader, "scale_sigma": round(plan.pixels.scale_sigma, 3),
            "windows_with_motion": sum(plan.ego(window) is not None for window in plan.windows),
        }  # fmt: skip
    if plan.log is not None and plan.motion is not None:
        out["log"] = {
            "file": plan.log.name, "rows": len(plan.log), "columns": plan.log.columns,
            "unused": list(plan.log.unused), "speed": plan.motion.speed_from, "yaw_rate": plan.motion.yaw_rate_from,
            "start_s": round(float(plan.motion.times_s[0]), 4), "end_s": round(float(plan.motion.times_s[-1]), 4),
            "valid_s": [round(v, 4) for v in plan.motion.valid_s],
            "windows_with_motion": sum(plan.ego(window) is not None for window in plan.windows),
            "gaps": [[round(a, 3), round(b, 3)] for a, b in plan.motion.gaps()],
        }  # fmt: skip
    return out


def _camera_words(plan: SourcePlan) -> str:
    """Where the camera of a source is from."""
    if plan.camera_given:
        return "given"
    origin = "assumed" if plan.pixels is None else "from pixels"
    return f"{origin} ({plan.camera.fov_deg:.0f} degrees after cropping)"
