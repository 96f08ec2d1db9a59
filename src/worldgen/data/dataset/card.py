"""The card of a data set: ``README.md`` with the front matter that the Hugging Face hub and ``datasets`` read.

``datasets.load_dataset(FOLDER)`` follows its ``configs``. Shards whose samples are all of one split are that split's
files. Where a shard mixes splits, as generated sets do, all files are one split, ``clips``, and each record says which
split its sample belongs to: calling all of them train would leak test clips into training.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from worldgen.core.samples import SPLITS

CARD_NAME = "README.md"
MARK = "<!-- Written by worldgen. Without this line, the file is yours and stays as it is. -->"
MIXED = "clips"
"""Name of the only split where shards mix splits."""

LICENCES = {
    "CC0-1.0": "cc0-1.0", "MIT": "mit", "Apache-2.0": "apache-2.0", "CC-BY-4.0": "cc-by-4.0",
    "CC-BY-SA-4.0": "cc-by-sa-4.0", "CC-BY-NC-4.0": "cc-by-nc-4.0", "CC-BY-NC-SA-4.0": "cc-by-nc-sa-4.0",
}  # fmt: skip
"""SPDX identifiers -> names on the hub (https://huggingface.co/docs/hub/repositories-licenses)."""

SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"))
"""Numbers of samples -> categories on the hub; larger sets have none here."""


def data_files(rows: Iterable[dict]) -> dict[str, dict[str, list[str]]]:
    """Shards by split, by config: ``default`` holds accepted samples, ``quarantine`` those that the gate refused.

    rows: of the index. A shard with samples of both kinds counts as accepted.
    """
    splits: dict[str, set[str]] = {}
    accepted: set[str] = set()
    for row in rows:
        splits.setdefault(row["shard"], set()).add(row["split"])
        if row["accepted"]:
            accepted.add(row["shard"])
    found: dict[str, dict[str, list[str]]] = {}
    for config, shards in (("default", accepted), ("quarantine", splits.keys() - accepted)):
        pure = all(len(splits[shard]) == 1 for shard in shards)
        for split in SPLITS if pure else (MIXED,):
            files = sorted(shard for shard in shards if not pure or splits[shard] == {split})
            if files:
                found.setdefault(config, {})[split] = files
    return found


def dataset_card(summary: dict, rows: list[dict]) -> str:
    """The text of the card. summary: the content of ``dataset.json``. rows: of the index."""
    files = data_files(rows)
    mixed = any(MIXED in splits for splits in files.values())
    return f"{_front_matter(summary, files)}\n{_text(summary, rows, mixed=mixed)}"


def _front_matter(summary: dict, files: dict[str, dict[str, list[str]]]) -> str:
    licences = sorted({LICENCES.get(name, "other") for name in summary["licences"]}) or ["other"]
    size = next((name for bound, name in SIZES if summary["num_samples"] < bound), "")
    lines = ["---", "license:", *(f"- {name}" for name in licences), "tags:"]
    lines += [f"- {tag}" for tag in ("driving", "video", "webdataset", "worldgen")]
    lines += ["size_categories:", f"- {size}"] if size else []
    lines.append("configs:")
    for config, splits in files.items():
        lines += [f"- config_name: {config}", "  data_files:"]
        for split, shards in splits.items():
            lines += [f"  - split: {split}", "    path:", *(f"    - {json.dumps(shard)}" for shard in shards)]
    return "\n".join([*lines, "---"])


def _text(summary: dict, rows: list[dict], *, mixed: bool) -> str:
    counts = ", ".join(f"{split} {number}" for split, number in summary["splits"].items() if number)
    licences = ", ".join(f"{name} ({number})" for name, number in sorted(summary["licences"].items()))
    sizes = ", ".join(sorted({f"{row['width_px']}x{row['height_px']} at {row['fps']:g} fps" for row in rows}))
    note = (
        f"\nShards mix splits, so `datasets` sees one split, `{MIXED}`; `json` has the `split` of each clip. Use only\n"
        "clips of `train` to train.\n"
        if mixed else ""
    )  # fmt: skip
    return f"""{MARK}

# Driving clips

| | |
| --- | --- |
| clips | {summary["num_samples"]} ({counts}), of which {summary["num_accepted"]} accepted |
| frames, hours | {summary["num_frames"]}, {summary["duration_s"] / 3600:.4f} |
| sizes | {sizes} |
| licences | {licences} |

Each clip has `mp4` (the frames), `json` (caption, drive, split, camera, tags, licence, provenance), and, where known,
`ego.npy` (frames x 2: speed in m/s, yaw rate in rad/s, left positive) and `labels.json` (boxes).
{note}
```python
from datasets import load_dataset

clips = load_dataset("FOLDER", streaming=True)
```

`worldgen data inspect FOLDER` says more; `index.parquet` has a row for each clip with its place in the shards.
"""
