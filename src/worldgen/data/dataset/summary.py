"""Statistics of a data set: counts, hours, splits, sizes, tags, labels and ego motion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from worldgen.core.labels import CLASSES
from worldgen.core.samples import SPLITS
from worldgen.data.dataset.index import DataSet
from worldgen.data.dataset.sample_files import decode_ego, decode_labels


def summarise(data: DataSet) -> dict:
    """Counts, hours, splits, sizes, rates, tags, classes and ranges of ego motion, as JSON-able values.

    Reads the index, the ego motion and the labels, but no video.

    Raises:
        InputError: damaged ego motion or labels, or a shard that cannot be read.
    """
    rows = data.rows
    refused = [row for row in rows if not row["accepted"]]
    return {
        "url": data.url, "samples": len(rows), "shards": len({row["shard"] for row in rows}),
        "size_bytes": sum(shard["size_bytes"] for shard in data.summary["shards"]),
        "frames": sum(row["num_frames"] for row in rows), "hours": _hours(rows),
        "drives": len({row["drive"] for row in rows}),
        "splits": {
            split: {"samples": len(part), "hours": _hours(part), "drives": len({row["drive"] for row in part})}
            for split in SPLITS if (part := [row for row in rows if row["split"] == split])
        },
        "sizes_px": _counted(f"{row['width_px']}x{row['height_px']}" for row in rows),
        "fps": _counted(f"{row['fps']:.6g}" for row in rows),
        "frames_per_sample": _range([row["num_frames"] for row in rows]),
        "tags": _counted(tag for row in rows for tag in row["tags"]),
        "licences": _counted(row["licence"] for row in rows),
        "captions": len({row["caption"] for row in rows if row["caption"]}),
        "quarantined": len(refused), "reasons": _counted(reason for row in refused for reason in row["reasons"]),
        "ego_motion": _ego(data), "labels": _labels(data),
    }  # fmt: skip


def _hours(rows: Iterable[dict]) -> float:
    return round(sum(row["num_frames"] / row["fps"] for row in rows) / 3600, 6)


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(Counter(words).most_common())


def _range(values: list | np.ndarray) -> dict[str, float] | None:
    if not len(values):
        return None
    low, middle, high = np.percentile(values, [0, 50, 100])
    return {"min": round(float(low), 4), "median": round(float(middle), 4), "max": round(float(high), 4)}


def _ego(data: DataSet) -> dict:
    known = [row for row in data.rows if row["has_ego"]]
    motions = [decode_ego(data.member(row["key"], "ego.npy") or b"", row["fps"], row["key"]) for row in known]
    if not motions:
        return {"samples": 0}
    speed = np.concatenate([motion.speed_mps for motion in motions])
    rate = np.concatenate([motion.yaw_rate_radps for motion in motions])
    metres = sum(float(np.abs(motion.speed_mps).sum() / motion.fps) for motion in motions)
    return {
        "samples": len(motions), "speed_mps": _range(speed), "yaw_rate_radps": _range(rate),
        "distance_km": round(metres / 1000, 4),
    }  # fmt: skip


def _labels(data: DataSet) -> dict:
    boxes: Counter[str] = Counter()
    tracks: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    ignored = 0
    for row in data.rows:
        if not row["has_labels"]:
            continue
        labels = decode_labels(data.member(row["key"], "labels.json") or b"", row["key"])
        sources[labels.source] += 1
        ignored += int(labels.ignore.sum())
        boxes.update(CLASSES[number] for number in labels.class_id[~labels.ignore])
        pairs = np.unique(np.stack([labels.track_id, labels.class_id], 1), axis=0)
        tracks.update(CLASSES[number] for _, number in pairs)
    return {
        "samples": sum(sources.values()), "sources": dict(sources), "boxes": dict(boxes.most_common()),
        "tracks": dict(tracks.most_common()), "ignored_boxes": ignored,
    }  # fmt: skip
