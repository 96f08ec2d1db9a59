"""The report of a data set: a page with what was asked for, what came out, what it cost, and clips to look at."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path

import numpy as np

from worldgen.core.errors import InputError
from worldgen.core.progress import ProgressReporter, no_progress
from worldgen.core.seeds import stable_key
from worldgen.data.dataset.index import DataSet
from worldgen.data.dataset.sample_files import canonical_json
from worldgen.data.view.page import PageSection, spread, write_page
from worldgen.data.view.page_templates import page_environment
from worldgen.files.retry import Retry
from worldgen.files.storage import join, resolve, write_bytes
from worldgen.generation.report.charts import number
from worldgen.generation.report.panels import report_panels
from worldgen.generation.report.report_data import ReportData, gather, read_json

REPORT_FOLDER, META_NAME = "report", "meta.json"
"""Where a run keeps its own page, beside the data set."""
EXTREMES = 6
"""Clips shown as the worst accepted, and as the best refused."""


def write_report(
    url: str, folder: str | Path, *, title: str | None = None, limit: int = 24, data: DataSet | None = None,
    retry: Retry | None = None, progress: ProgressReporter = no_progress,
) -> list[str]:  # fmt: skip
    """Write the report of a data set into a folder or URL; returns the keys of the clips shown.

    limit: clips shown besides the worst accepted and best refused. data: a selection of the data set at ``url``, by
    default all of it. retry: how its records are read. progress: shows how many clips are done.

    Raises: InputError for an empty data set, damaged samples, and a folder that cannot be written.
    """
    data = DataSet(url) if data is None else data
    if not len(data):
        raise InputError(f"data set {data.url}", "no samples", "at least one sample to show")
    report = gather(data, retry)
    environment = page_environment("worldgen.generation.report")
    environment.filters["number"] = number
    return write_page(
        data, folder, title=title, sections=chosen_clips(report, limit), progress=progress,
        template=environment.get_template("report.html.j2"), values={"panels": report_panels(report)},
    )  # fmt: skip


def keep_report(url: str, run: dict, retry: Retry | None = None) -> str:
    """Write the page of a finished run into ``report/`` beside its data set, unless it is there; returns where it is.

    run: the outcome that the page is about. Raises: InputError as :func:`write_report` does.
    """
    retry, folder = retry or Retry(0, 0.0), join(url, REPORT_FOLDER)
    outcome = {name: value for name, value in run.items() if name != "last_session_s"}  # a look at it changes nothing
    page, record = join(folder, "index.html"), {"command": "report of a run", "of": stable_key(json.dumps(outcome))}
    fs, path = resolve(page)
    if read_json(folder, META_NAME, retry).get("of") == record["of"] and retry("look", lambda: fs.exists(path)):
        return page
    name = (run.get("recipe") or {}).get("name") or url.rstrip("/").rsplit("/", 1)[-1]
    with tempfile.TemporaryDirectory(prefix="worldgen-report-") as local:
        data = _RetryingDataSet(url, retry)
        keys = write_report(url, local, title=name.replace("_", " "), data=data, retry=retry)
        files = sorted((p for p in Path(local).rglob("*") if p.is_file()), key=lambda p: (p.name == "index.html", p))
        for file in files:
            where, content = join(folder, file.relative_to(local).as_posix()), file.read_bytes()
            retry(f"write {where}", functools.partial(write_bytes, where, content))
    _remove_others(folder, {f"{key}.mp4" for key in keys}, retry)
    # Last, so that a page that was begun and never finished is written again.
    where, content = join(folder, META_NAME), canonical_json(record | {"shown": keys}, "record of the report")
    retry(f"write {where}", functools.partial(write_bytes, where, content))
    return page


class _RetryingDataSet(DataSet):
    """A data set whose reads are repeated when the file system refuses them."""

    def __init__(self, url: str, retry: Retry):
        self._retry = retry
        retry("read the index", lambda: DataSet.__init__(self, url))

    def members(self, which: int | str) -> dict[str, bytes]:
        return self._retry(f"read {which}", lambda: DataSet.members(self, which))

    def member(self, which: int | str, name: str) -> bytes | None:
        return self._retry(f"read {which}", lambda: DataSet.member(self, which, name))


def _remove_others(folder: str, names: set[str], retry: Retry) -> None:
    """Remove the clips of an earlier page."""
    fs, path = resolve(join(folder, "clips"))
    fs.invalidate_cache()
    for clip in retry("list the report", lambda: fs.ls(path, detail=False)):
        if clip.rsplit("/", 1)[-1] not in names:
            retry(f"remove {clip}", functools.partial(fs.rm_file, clip))


def margins(report: ReportData) -> np.ndarray:
    """Distance ``(N,)`` float64 of each sample to its nearest limit of the gate, in standard deviations of the measure.

    Negative outside the limits, infinite where no measure has a limit.
    """
    rows = report.data.rows
    out = np.full(len(rows), np.inf)
    for name, (low, high) in report.limits.items():
        values = np.array([np.nan if (v := row.get(f"score_{name}")) is None else v for row in rows], float)
        if np.isnan(values).all():
            continue
        deviation = float(np.nanstd(values)) or 1.0
        margin = np.minimum(
            np.inf if low is None else (values - low) / deviation,
            np.inf if high is None else (high - values) / deviation,
        )
        out = np.fmin(out, margin)
    return out


def chosen_clips(report: ReportData, limit: int) -> list[PageSection]:
    """The clips to show: accepted ones nearest to a limit, refused ones nearest to passing, and a spread of both."""
    rows = report.data.rows
    if not report.refused and not report.limits:
        return [PageSection("", spread(len(rows), limit))]
    margin = margins(report)
    accepted = [i for i, row in enumerate(rows) if row["accepted"]]
    refused = [i for i, row in enumerate(rows) if not row["accepted"]]
    worst = sorted((i for i in accepted if np.isfinite(margin[i])), key=lambda i: (margin[i], i))[:EXTREMES]

    def distance(i: int) -> tuple:
        return len(rows[i]["reasons"]), -margin[i] if np.isfinite(margin[i]) else 0, i

    best = sorted(refused, key=distance)[:EXTREMES]
    accepted, refused = [i for i in accepted if i not in worst], [i for i in refused if i not in best]
    some = [accepted[i] for i in spread(len(accepted), limit)] if accepted else []
    others = [refused[i] for i in spread(len(refused), max(limit // 2, 1))] if refused else []
    return [
        PageSection(
            "Worst accepted", tuple(worst), "Accepted clips nearest to a limit of the gate: is it strict enough?"
        ),
        PageSection("Best refused", tuple(best), "Refused clips nearest to passing: is the gate too strict?"),
        PageSection("Accepted", tuple(some), "Spread evenly over the data set."),
        PageSection("Refused", tuple(others), "Spread evenly over the quarantine."),
    ]
