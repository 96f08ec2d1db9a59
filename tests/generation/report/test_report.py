"""The report: every number of the run is on the page, nothing is fetched, nothing from the data becomes markup, it renders."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from tests.data.samples import make_sample
from worldgen.core.errors import InputError
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.dataset.shards import ShardWriter
from worldgen.generation.report.charts import bars, grid, histogram, number, scatter
from worldgen.generation.report.report import gather, margins, sections, write_report

EVIL = '</script><script>alert(1)</script><img src=x onerror="alert(2)"> "q\' & <b>'
VOID = frozenset({"meta", "input", "br", "img", "link", "hr"})


class Page(HTMLParser):
    """Tags, texts and references of a page whose elements all close."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.open, self.references, self.texts = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.references += [value for name, value in attributes if name in ("src", "href", "poster")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data):
        self.texts.append(data)


def run_record() -> dict:
    cells = [
        {"key": "a", "label": "fog x day", "quota": 4, "state": "met", "accepted": 4, "attempts": 5, "reasons": {"sharpness": 1}, "seconds": 90.0, "why": ""},
        {"key": "b", "label": EVIL, "quota": 9, "state": "stopped", "accepted": 0, "attempts": 3, "reasons": {EVIL: 2}, "seconds": 60.0, "why": EVIL},
    ]  # fmt: skip
    gate = {"bounds": {"sharpness": {"low": 1.5, "high": None}, "flicker": {"low": None, "high": 2.0}}}
    return {
        "report_version": 1, "cells": cells, "quota": 13, "accepted": 4, "attempts": 8, "met": False,
        "reasons": {"sharpness": 1, EVIL: 2}, "worker_seconds": {"all": 150.0, "model": 100.0, "score": 30.0},
        "minutes_per_accepted": 0.625, "cost": 1.5, "recipe": {"name": "r", "gate_from": EVIL, "gate": gate, "model": {"steps": 4}},
    }  # fmt: skip


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "set"
    with ShardWriter(str(folder), "accepted-00000") as writer:
        for i in range(6):
            refused = i % 2 == 1
            card = {
                "sharpness": 1.0 if refused else 1.6 + i, "flicker": 0.3 * i, "accepted": not refused,
                "reasons": ["sharpness"] if refused else [], "details": {"sharpness": "1, expected at least 1.5"} if refused else {},
                "unmeasured": {"novelty": EVIL}, "dropped": [{"track_id": 7, "class": "pedestrian"}] if i == 2 else [],
            }  # fmt: skip
            sample = make_sample(f"k{i}", i)
            provenance = {"tool": "worldgen generate", "model": EVIL, "weights_hash": "abc"}
            writer.write(dataclasses.replace(sample, scorecard=card, provenance=provenance))
    build_index(str(folder))
    (folder / "generate.json").write_text(json.dumps(run_record()))
    entries = [{"time": "2026-01-01T00:00:00Z", "kind": "died", "what": EVIL}]
    (folder / "ledger.json").write_text(json.dumps({"ledger_version": 1, "entries": entries}))
    return str(folder)


@pytest.fixture(scope="module")
def folder(url, tmp_path_factory):
    out = tmp_path_factory.mktemp("page")
    write_report(url, out, title=EVIL)
    return out


def test_numbers_of_the_run_are_on_the_page(folder):
    page = Page((folder / "index.html").read_text("utf-8"))
    text = " ".join(" ".join(page.texts).split())
    for words in (
        "3 of 13", "38% of 8", "0.625", "1.50", "1 of 2", "4 of 4", "0 of 9", "80%", "33% of them are not the model",
        "sharpness 1", "gate: at least 1.5", "gate: at most 2", "1, expected at least 1.5", "labels left out: pedestrian 7",
        "Worst accepted", "Best refused", "CC0-1.0 (6)", "Faults on the way (1)", "Ego motion", "Where boxes are",
    ):  # fmt: skip
        assert words in text, words


def test_nothing_is_fetched_and_nothing_becomes_markup(folder):
    text = (folder / "index.html").read_text("utf-8")
    page = Page(text)
    assert "http:" not in text.replace("http://www.w3.org/2000/svg", "") and "https:" not in text
    for reference in page.references:
        assert (folder / reference).is_file(), reference
    assert not any(
        "onerror" in attributes or (tag in ("b", "img") and "alert" in str(attributes)) for tag, attributes in page.tags
    )
    scripts = [
        attributes for tag, attributes in page.tags if tag == "script" and attributes.get("type") != "application/json"
    ]
    assert len(scripts) == 1


def test_extremes_are_the_ones_nearest_to_the_gate(url):
    report = gather(DataSet(url))
    chosen = {section.heading: [report.data.rows[i]["key"] for i in section.numbers] for section in sections(report, 4)}
    assert chosen["Worst accepted"][0] == "k0"  # its sharpness is 1.6, the limit 1.5
    assert set(chosen["Best refused"]) == {"k1", "k3", "k5"}
    room = margins(report)
    assert room[0] > 0 > room[1] and len(room) == 6


def test_a_data_set_without_a_run_has_a_page_too(tmp_path):
    with ShardWriter(str(tmp_path / "set"), "s0") as writer:
        writer.write(dataclasses.replace(make_sample("k0"), scorecard={}))
        writer.write(dataclasses.replace(make_sample("k1", 2, full=False), scorecard={}))
    build_index(str(tmp_path / "set"))
    assert write_report(str(tmp_path / "set"), tmp_path / "page") == ["k0", "k1"]
    text = " ".join(Page((tmp_path / "page/index.html").read_text("utf-8")).texts)
    assert "Quotas" not in text and "Why clips" not in text and "Coverage" in text
    with pytest.raises(InputError, match="no samples"):
        write_report(str(tmp_path / "set"), tmp_path / "none", data=DataSet(str(tmp_path / "set")).select("test"))


def test_a_broken_record_does_not_hide_the_clips(url, tmp_path):
    copy = tmp_path / "set"
    shutil.copytree(url, copy)
    (copy / "generate.json").write_text("{ half")
    assert len(write_report(str(copy), tmp_path / "page")) == 6
    assert "generate.json cannot be read" in (tmp_path / "page/index.html").read_text("utf-8")


def test_charts_hold_every_value_once():
    rng = np.random.default_rng(0)
    good, bad = rng.normal(0, 1, 300), np.array([50.0, -40.0])
    chart = histogram(good, bad, name="x", limits=(-1.0, None))
    rects = Page(chart).tags
    heights = {
        kind: sum(float(a["height"]) for t, a in rects if t == "rect" and a["class"] == kind)
        for kind in ("good", "bad")
    }
    assert heights["good"] / heights["bad"] == pytest.approx(300 / 2, rel=0.02)  # far values are in the end columns
    assert sum(t == "line" and a["class"] == "limit" for t, a in rects) == 1
    dots = [a for t, a in Page(scatter(good, good, good > 0, labels=("a", "b"), name="n")).tags if t == "circle"]
    assert len(dots) == 300 and sum(a["class"] == "good" for a in dots) == (good > 0).sum()
    assert histogram(np.zeros(0), np.zeros(0), name="none") == "" and "None" in bars({})
    assert "2 of 3" in grid({("fog", "day"): (2, 3)}, ["fog"], ["day"])
    assert [number(v) for v in (1234567, 0.5, 12.345, 123.456)] == ["1,234,567", "0.5", "12.3", "123.5"]


def _chromium() -> str:
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    if found is None:
        pytest.skip("needs a Chromium to open the page in")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1400])
def test_it_renders_in_a_browser(folder, tmp_path, width):
    picture = tmp_path / "page.png"
    command = [
        _chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={tmp_path}/profile",
        f"--window-size={width},1200", "--virtual-time-budget=3000", f"--screenshot={picture}", (folder / "index.html").as_uri(),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    shown = cv2.imread(str(picture))
    assert shown.shape[1] == width and shown.std() > 10  # not a blank page
    dump = [*command[:-2], "--dump-dom", command[-1]]
    dom = subprocess.run(dump, check=True, capture_output=True, timeout=600, text=True).stdout
    assert "6 of 6 shown" in dom or "shown</span>" in dom  # the page's script ran
