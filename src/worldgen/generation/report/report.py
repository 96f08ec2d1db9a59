"""The report of a data set: one static page with what was asked for, what came out, what it cost, and the clips to look at."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from worldgen.core.errors import InputError
from worldgen.core.labels import CLASSES
from worldgen.core.seeds import stable_key
from worldgen.data.dataset.index import DataSet
from worldgen.data.dataset.shards import canonical_json, decode_ego, decode_labels, decode_record
from worldgen.data.view.page import PageSection, spread, write_page
from worldgen.files.retry import Retry
from worldgen.files.storage import join, read_bytes, resolve, write_bytes
from worldgen.generation.campaign.ledger import LEDGER_NAME
from worldgen.generation.report.sections import front_page

RUN_NAMES = ("generate.json", "restyle.json")
FOLDER, META_NAME = "report", "meta.json"
"""Where a run keeps its own page, beside the data set."""
EXTREMES = 6
"""Clips shown as the worst accepted, and as the best refused."""
HEAT = (18, 32)
MAX_MEASURED = 4000
"""Samples whose ego motion and boxes are read, spread over the data set, so that a report takes minutes at any size."""


@dataclass(frozen=True, eq=False)
class Coverage:
    """What the clips hold. speed_mps, turn_deg: mean speed and turn of each clip with known motion; ego_accepted: bool.

    box_height_px: class -> heights of boxes that count. heat: where their centres are, ``HEAT`` cells. pairs: (weather,
    light) -> accepted and attempted. origins: facts of provenance -> values with counts.
    """

    speed_mps: np.ndarray
    turn_deg: np.ndarray
    ego_accepted: np.ndarray
    box_height_px: dict[str, np.ndarray]
    heat: np.ndarray
    pairs: dict[tuple[str, str], tuple[int, int]]
    origins: dict[str, dict[str, int]]


@dataclass(frozen=True, eq=False)
class ReportData:
    """Everything the page shows. run: ``generate.json`` or ``restyle.json``, {} for data sets made otherwise. faults: of the ledger."""

    data: DataSet
    run: dict
    faults: list[dict[str, str]]
    coverage: Coverage
    bounds: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)

    @property
    def accepted(self) -> list[dict]:
        return [row for row in self.data.rows if row["accepted"]]

    @property
    def refused(self) -> list[dict]:
        return [row for row in self.data.rows if not row["accepted"]]

    def scores(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Measure -> values of accepted and of refused samples, gated measures first."""
        names = [name for name in self.data.rows[0] if name.startswith("score_")]
        names.sort(key=lambda name: (name.removeprefix("score_") not in self.bounds, name))
        out = {}
        for name in names:
            parts = [
                np.array([r[name] for r in rows if r[name] is not None], float)
                for rows in (self.accepted, self.refused)
            ]
            if len(parts[0]) + len(parts[1]):
                out[name.removeprefix("score_")] = (parts[0], parts[1])
        return out


def write_report(
    url: str, folder: str | Path, *, title: str | None = None, limit: int = 24,
    seen: Callable[[Iterable[int]], Iterable[int]] = iter, data: DataSet | None = None, patience: Retry | None = None,
) -> list[str]:  # fmt: skip
    """Write the report of a data set into a folder or URL; returns the keys of the clips shown.

    limit: clips shown besides the worst accepted and best refused. seen: wraps sample numbers, for a progress bar. data:
    a selection of the data set at ``url``, by default all of it. patience: with which its records are read.

    Raises: InputError for an empty data set, damaged samples, and a folder that cannot be written.
    """
    data = DataSet(url) if data is None else data
    if not len(data):
        raise InputError(f"data set {data.url}", "no samples", "at least one sample to show")
    report = gather(data, patience)
    chosen = sections(report, limit)
    return write_page(data, folder, title=title, sections=chosen, front=front_page(report), seen=seen)


def keep_report(url: str, run: dict, patience: Retry | None = None) -> str:
    """Write the page of a finished run into ``report/`` beside its data set, unless it is there; returns where it is.

    run: the outcome that the page is about. Raises: InputError as :func:`write_report` does.
    """
    patience, folder = patience or Retry(0, 0.0), join(url, FOLDER)
    outcome = {name: value for name, value in run.items() if name != "last_session_s"}  # a look at it changes nothing
    page, record = join(folder, "index.html"), {"command": "report of a run", "of": stable_key(json.dumps(outcome))}
    fs, path = resolve(page)
    if _json(folder, META_NAME, patience).get("of") == record["of"] and patience("look", lambda: fs.exists(path)):
        return page
    name = (run.get("recipe") or {}).get("name") or url.rstrip("/").rsplit("/", 1)[-1]
    with tempfile.TemporaryDirectory(prefix="worldgen-report-") as local:
        data = _PatientDataSet(url, patience)
        keys = write_report(url, local, title=name.replace("_", " "), data=data, patience=patience)
        files = sorted((p for p in Path(local).rglob("*") if p.is_file()), key=lambda p: (p.name == "index.html", p))
        for file in files:
            where, content = join(folder, file.relative_to(local).as_posix()), file.read_bytes()
            patience(f"write {where}", lambda where=where, content=content: write_bytes(where, content))
    _remove_others(folder, {f"{key}.mp4" for key in keys}, patience)
    # Last, so that a page that was begun and never finished is written again.
    where, content = join(folder, META_NAME), canonical_json(record | {"shown": keys}, "record of the report")
    patience(f"write {where}", lambda: write_bytes(where, content))
    return page


class _PatientDataSet(DataSet):
    """A data set whose reads are tried again."""

    def __init__(self, url: str, patience: Retry):
        self._patience = patience
        patience("read the index", lambda: DataSet.__init__(self, url))

    def members(self, which: int | str) -> dict[str, bytes]:
        return self._patience(f"read {which}", lambda: DataSet.members(self, which))

    def member(self, which: int | str, name: str) -> bytes | None:
        return self._patience(f"read {which}", lambda: DataSet.member(self, which, name))


def _remove_others(folder: str, names: set[str], patience: Retry) -> None:
    """Clips of an earlier page."""
    fs, path = resolve(join(folder, "clips"))
    fs.invalidate_cache()
    for clip in patience("list the report", lambda: fs.ls(path, detail=False)):
        if clip.rsplit("/", 1)[-1] not in names:
            patience(f"remove {clip}", lambda clip=clip: fs.rm_file(clip))


def gather(data: DataSet, patience: Retry | None = None) -> ReportData:
    """Read the index, the run's record, the ledger, and the motion and labels of the samples; no video is decoded."""
    run: dict = {}
    for name in RUN_NAMES:
        run = run or _json(data.url, name, patience)
    faults = list(_json(data.url, LEDGER_NAME, patience).get("entries", ()))
    return ReportData(data, run, faults, _coverage(data), _bounds(run))


def _json(url: str, name: str, patience: Retry | None = None) -> dict:
    where, patience = join(url, name), patience or Retry(0, 0.0)
    fs, path = resolve(where)
    if not patience(f"look for {where}", lambda: fs.exists(path)):
        return {}
    data = patience(f"read {where}", lambda: read_bytes(where))
    try:
        record = json.loads(data)
    except ValueError:
        return {"unreadable": name}
    return record if isinstance(record, dict) else {}


def _bounds(run: dict) -> dict[str, tuple[float | None, float | None]]:
    gate = (run.get("recipe") or run.get("config") or {}).get("gate", {})
    return {name: (bound.get("low"), bound.get("high")) for name, bound in gate.get("bounds", {}).items()}


def _coverage(data: DataSet) -> Coverage:
    motion, flags, heights = [], [], {name: [] for name in CLASSES}
    heat = np.zeros(HEAT)
    pairs: Counter = Counter()
    origins: dict[str, Counter] = {
        name: Counter() for name in ("tool", "version", "model", "weights_hash", "recipe", "recipe_hash")
    }
    for number in spread(len(data), MAX_MEASURED):
        row = data.rows[number]
        record = decode_record({"json": data.member(row["key"], "json") or b""})
        for name, counter in origins.items():
            if record["provenance"].get(name) is not None:
                counter[str(record["provenance"][name])] += 1
        scenario = record["scenario"] or {}
        if scenario:
            pairs[scenario.get("weather"), scenario.get("light"), bool(row["accepted"])] += 1
        if row["has_ego"]:
            ego = decode_ego(data.member(row["key"], "ego.npy") or b"", row["fps"], row["key"])
            motion.append((ego.speed_mps.mean(), np.degrees(ego.yaw_rate_radps[1:].sum() / ego.fps)))
            flags.append(row["accepted"])
        if row["has_labels"] and row["accepted"]:
            labels = decode_labels(data.member(row["key"], "labels.json") or b"", row["key"])
            kept = labels.where(~labels.ignore & (labels.box_px[:, 2] > labels.box_px[:, 0]))
            for index, name in enumerate(CLASSES):
                box = kept.box_px[kept.class_id == index]
                heights[name].append(box[:, 3] - box[:, 1])
            centre = (kept.box_px[:, :2] + kept.box_px[:, 2:]) / 2 / [labels.width_px, labels.height_px]
            cell = np.clip((centre[:, ::-1] * HEAT).astype(int), 0, np.array(HEAT) - 1)
            np.add.at(heat, (cell[:, 0], cell[:, 1]), 1)
    table = np.array(motion, float).reshape(-1, 2)
    return Coverage(
        table[:, 0], table[:, 1], np.array(flags, bool),
        {name: joined for name, parts in heights.items() if len(joined := np.concatenate([*parts, np.zeros(0)]))}, heat,
        _shares(pairs),
        {name: dict(counter) for name, counter in origins.items() if counter},
    )  # fmt: skip


def _shares(pairs: Counter) -> dict[tuple[str, str], tuple[int, int]]:
    """(weather, light, accepted) counted -> accepted and all of each weather and light."""
    out = {}
    for weather, light, _ in pairs:
        good = pairs[weather, light, True]
        out[weather, light] = (good, good + pairs[weather, light, False])
    return out


def margins(report: ReportData) -> np.ndarray:
    """How far each sample is inside its tightest limit, in spreads of that measure; negative outside. ``(n,)`` float64."""
    rows = report.data.rows
    out = np.full(len(rows), np.inf)
    for name, (low, high) in report.bounds.items():
        values = np.array([np.nan if (v := row.get(f"score_{name}")) is None else v for row in rows], float)
        if np.isnan(values).all():
            continue
        spread_of = float(np.nanstd(values)) or 1.0
        room = np.minimum(
            np.inf if low is None else (values - low) / spread_of,
            np.inf if high is None else (high - values) / spread_of,
        )
        out = np.fmin(out, room)
    return out


def sections(report: ReportData, limit: int) -> list[PageSection]:
    """Which clips the page shows: accepted clips nearest to a limit, refused ones nearest to passing, and a spread."""
    rows, room = report.data.rows, margins(report)
    accepted = [i for i, row in enumerate(rows) if row["accepted"]]
    refused = [i for i, row in enumerate(rows) if not row["accepted"]]
    worst = sorted((i for i in accepted if np.isfinite(room[i])), key=lambda i: (room[i], i))[:EXTREMES]
    best = sorted(refused, key=lambda i: (len(rows[i]["reasons"]), -room[i] if np.isfinite(room[i]) else 0, i))[
        :EXTREMES
    ]
    accepted, refused = [i for i in accepted if i not in worst], [i for i in refused if i not in best]
    some = [accepted[i] for i in spread(len(accepted), limit)] if accepted else []
    others = [refused[i] for i in spread(len(refused), max(limit // 2, 1))] if refused else []
    if not report.refused and not report.bounds:
        return [PageSection("", spread(len(rows), limit))]
    return [
        PageSection("Worst accepted", tuple(worst), "Accepted clips nearest to a limit of the gate: is it strict enough?"),
        PageSection("Best refused", tuple(best), "Refused clips nearest to passing: is it too strict?"),
        PageSection("Accepted", tuple(some), "Spread evenly over the data set."),
        PageSection("Refused", tuple(others), "Spread evenly over the quarantine."),
    ]
