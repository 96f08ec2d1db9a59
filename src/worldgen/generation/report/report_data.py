"""What a report is about: the index, the record of the run, its ledger, and the motion and boxes of the samples."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.data.dataset.index import DataSet
from worldgen.data.dataset.sample_files import decode_ego, decode_labels, decode_record
from worldgen.data.view.page import spread
from worldgen.files.json_files import parse_json
from worldgen.files.retry import Retry
from worldgen.files.storage import join, read_bytes, resolve
from worldgen.generation.campaign.ledger import LEDGER_NAME

RUN_NAMES = ("generate.json", "restyle.json")
HEAT_ROWS, HEAT_COLUMNS = 18, 32
MAX_MEASURED = 4000
"""Samples whose ego motion and boxes are read, spread over the data set, so that a report takes minutes at any size."""
PROVENANCE_FACTS = ("tool", "version", "model", "weights_hash", "recipe", "recipe_hash")

Limits = tuple[float | None, float | None]
"""Least and largest value that the gate allows; None is open."""


@dataclass(frozen=True, eq=False)
class Coverage:
    """What the clips hold.

    speed_mps, turn_deg, ego_accepted: ``(N,)`` mean speed, turn to the left over the clip, and whether it was accepted,
    of each clip with known motion. box_height_px: class -> heights of the boxes of accepted clips. box_centres: ``(18,
    32)`` counts of their centres over the picture. sky: (weather, light) -> clips accepted and attempted. provenance:
    fact -> value -> number of clips.
    """

    speed_mps: np.ndarray
    turn_deg: np.ndarray
    ego_accepted: np.ndarray
    box_height_px: dict[str, np.ndarray]
    box_centres: np.ndarray
    sky: dict[tuple[str, str], tuple[int, int]]
    provenance: dict[str, dict[str, int]]


@dataclass(frozen=True, eq=False)
class ReportData:
    """Everything that a report shows.

    run: ``generate.json`` or ``restyle.json``, {} for data sets of another origin. faults: entries of the ledger.
    limits: measure -> limits of the gate.
    """

    data: DataSet
    run: dict
    faults: list[dict[str, str]]
    coverage: Coverage
    limits: dict[str, Limits] = field(default_factory=dict)

    @property
    def accepted(self) -> list[dict]:
        return [row for row in self.data.rows if row["accepted"]]

    @property
    def refused(self) -> list[dict]:
        return [row for row in self.data.rows if not row["accepted"]]

    def scores(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Measure -> values of accepted and of refused samples; measures with limits first."""
        columns = [name for name in self.data.rows[0] if name.startswith("score_")]
        columns.sort(key=lambda name: (name.removeprefix("score_") not in self.limits, name))
        out = {}
        for column in columns:
            accepted, refused = (
                np.array([row[column] for row in rows if row[column] is not None], float)
                for rows in (self.accepted, self.refused)
            )
            if len(accepted) + len(refused):
                out[column.removeprefix("score_")] = (accepted, refused)
        return out


def gather(data: DataSet, retry: Retry | None = None) -> ReportData:
    """Read what the report of a data set needs; no video is decoded.

    Raises: InputError for damaged samples, and when a file cannot be read after all retries.
    """
    run: dict = {}
    for name in RUN_NAMES:
        run = run or read_json(data.url, name, retry)
    faults = list(read_json(data.url, LEDGER_NAME, retry).get("entries", ()))
    return ReportData(data, run, faults, _coverage(data), _limits(run))


def read_json(url: str, name: str, retry: Retry | None = None) -> dict:
    """A JSON object in a folder: {} when there is no file, ``{"unreadable": name}`` when it is not JSON."""
    where, retry = join(url, name), retry or Retry(0, 0.0)
    fs, path = resolve(where)
    if not retry(f"look for {where}", lambda: fs.exists(path)):
        return {}
    data = retry(f"read {where}", lambda: read_bytes(where))
    try:
        record = parse_json(data, where)
    except InputError:
        return {"unreadable": name}
    return record if isinstance(record, dict) else {}


def _limits(run: dict) -> dict[str, Limits]:
    gate = (run.get("recipe") or run.get("config") or {}).get("gate", {})
    return {name: (bound.get("low"), bound.get("high")) for name, bound in gate.get("bounds", {}).items()}


def _coverage(data: DataSet) -> Coverage:
    motion: list[tuple[float, float]] = []
    ego_accepted: list[bool] = []
    heights: dict[str, list[np.ndarray]] = {name: [] for name in CLASSES}
    centres = np.zeros((HEAT_ROWS, HEAT_COLUMNS))
    sky: Counter[tuple[str, str, bool]] = Counter()
    provenance: dict[str, Counter[str]] = {name: Counter() for name in PROVENANCE_FACTS}
    for number in spread(len(data), MAX_MEASURED):
        row = data.rows[number]
        record = decode_record({"json": data.member(row["key"], "json") or b""})
        for name, counter in provenance.items():
            if record["provenance"].get(name) is not None:
                counter[str(record["provenance"][name])] += 1
        scenario = record["scenario"] or {}
        if scenario:
            sky[str(scenario.get("weather")), str(scenario.get("light")), bool(row["accepted"])] += 1
        if row["has_ego"]:
            ego = decode_ego(data.member(row["key"], "ego.npy") or b"", row["fps"], row["key"])
            motion.append((float(ego.speed_mps.mean()), float(np.degrees(ego.yaw_rate_radps[1:].sum() / ego.fps))))
            ego_accepted.append(bool(row["accepted"]))
        if row["has_labels"] and row["accepted"]:
            labels = decode_labels(data.member(row["key"], "labels.json") or b"", row["key"])
            has_area = (labels.box_px[:, 2:] > labels.box_px[:, :2]).all(1)
            kept = labels.where(~labels.ignore & has_area)
            for index, name in enumerate(CLASSES):
                box = kept.box_px[kept.class_id == index]
                heights[name].append(box[:, 3] - box[:, 1])
            centre = (kept.box_px[:, :2] + kept.box_px[:, 2:]) / 2 / [labels.width_px, labels.height_px]
            cell = np.clip((centre[:, ::-1] * centres.shape).astype(int), 0, np.array(centres.shape) - 1)
            np.add.at(centres, (cell[:, 0], cell[:, 1]), 1)
    moved = np.array(motion, float).reshape(-1, 2)
    joined = {name: np.concatenate([*parts, np.zeros(0)]) for name, parts in heights.items()}
    return Coverage(
        moved[:, 0], moved[:, 1], np.array(ego_accepted, bool),
        {name: values for name, values in joined.items() if len(values)}, centres, _accepted_of(sky),
        {name: dict(counter) for name, counter in provenance.items() if counter},
    )  # fmt: skip


def _accepted_of(sky: Counter[tuple[str, str, bool]]) -> dict[tuple[str, str], tuple[int, int]]:
    """Counts of (weather, light, accepted) -> accepted and all of each weather and light."""
    out = {}
    for weather, light, _ in sky:
        accepted = sky[weather, light, True]
        out[weather, light] = (accepted, accepted + sky[weather, light, False])
    return out
