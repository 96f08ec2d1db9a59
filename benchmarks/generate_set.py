"""Result of a finished run of ``worldgen generate``: quota, acceptance by reason and cell, minutes per accepted clip.

pipelines/night_rain_pedestrians.sh OUT 0.1
python benchmarks/generate_set.py OUT/set [--out benchmarks/results/night_rain_pedestrians.json]
    [--sheet docs/night_rain_pedestrians.jpg]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path

import cv2
import numpy as np

from worldgen.data.dataset.index import DataSet
from worldgen.data.view.sheet import contact_sheet
from worldgen.files.storage import write_bytes
from worldgen.generation.campaign.campaign import read_report

CELL = ("label", "quota", "accepted", "attempts", "candidates", "state", "why", "reasons", "without_clip")
SHOWN, COLUMNS = 8, 6


def summary(url: str) -> dict:
    """The record of the run without paths of this machine, and counts from the index.

    Raises: SystemExit for a folder without a finished run.
    """
    run = read_report(url)
    if not run:
        raise SystemExit(f"{url}: no generate.json; let the run end first")
    rows = DataSet(url).rows
    seconds = run["worker_seconds"]
    clips = sum(cell["candidates"] for cell in run["cells"])
    judged = [row for row in rows if row["accepted"] and (row.get("score_label_agreement") or 0) > 0]
    return {
        "recipe": run["recipe"]["name"],
        "recipe_hash": run["recipe_hash"],
        "worldgen": run["worldgen"],
        "weights_hash": run["weights_hash"],
        "instruments": run["recipe"].get("instruments", {}),
        "machine": {"processor": platform.machine(), "cores": os.cpu_count()},
        "quota": run["quota"],
        "accepted": run["accepted"],
        "met": run["met"],
        "attempts": run["attempts"],
        "clips_made": clips,
        "acceptance_of_attempts": round(run["accepted"] / max(run["attempts"], 1), 4),
        "reasons": dict(sorted(run["reasons"].items(), key=lambda each: -each[1])),
        "minutes_per_accepted": run["minutes_per_accepted"],
        "worker_minutes": round(seconds.get("all", 0.0) / 60, 3),
        "worker_seconds": seconds,
        "overhead_share": round(1 - seconds.get("model", 0.0) / max(seconds.get("all", 0.0), 1e-9), 4),
        "accepted_with_judged_labels": len(judged),
        "samples": len(rows),
        "faults": run["faults"],
        "cells": [{name: cell[name] for name in CELL} for cell in run["cells"]],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="output of worldgen generate")
    parser.add_argument("--out", default="", help="default: benchmarks/results/NAME-OF-THE-RECIPE.json")
    parser.add_argument("--sheet", default="", help="a picture of the first accepted clips, in the order of the index")
    args = parser.parse_args()
    record = summary(args.url)
    out = Path(args.out or f"benchmarks/results/{record['recipe']}.json")
    write_bytes(str(out), (json.dumps(record, indent=1) + "\n").encode())
    if args.sheet:
        write_sheet(args.url, args.sheet)
    print(json.dumps(record, indent=1))


def write_sheet(url: str, path: str) -> None:
    """A picture of the first accepted clips, in the order of the index, without boxes, to be judged by eye."""
    data = DataSet(url)
    samples = [data.load(i) for i in [i for i, row in enumerate(data.rows) if row["accepted"]][:SHOWN]]
    clips, captions = [s.clip for s in samples], [s.caption for s in samples]
    sheet = contact_sheet(clips, captions, frames_per_clip=COLUMNS, columns=COLUMNS, cell_width_px=clips[0].width_px)
    cv2.imwrite(path, cv2.cvtColor(np.asarray(sheet), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
