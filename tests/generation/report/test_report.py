"""The report: every number of the run is on the page, nothing is fetched, nothing from the data becomes markup."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess

import cv2
import numpy as np
import pytest

from tests.data.samples import make_sample
from tests.data.view.html_page import HtmlPage
from worldgen.core.errors import InputError
from worldgen.core.scenario import Scenario
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.dataset.shards import ShardWriter
from worldgen.generation.report.charts import acceptance_grid, bars, heat_map, histogram, number, scatter
from worldgen.generation.report.report import chosen_clips, margins, write_report
from worldgen.generation.report.report_data import gather

EVIL = '</script><script>alert(1)</script><img src=x onerror="alert(2)"> "q\' & <b>'


def run_record() -> dict:
    cells = [
        {
            "key": "a",
            "label": "fog x day",
            "quota": 4,
            "state": "met",
            "accepted": 4,
            "attempts": 5,
            "reasons": {"sharpness": 1},
            "seconds": 90.0,
            "why": "",
        },
        {
            "key": "b",
            "label": EVIL,
            "quota": 9,
            "state": "stopped",
            "accepted": 0,
            "attempts": 3,
            "reasons": {EVIL: 2},
            "seconds": 60.0,
            "why": EVIL,
        },
    ]
    gate = {"bounds": {"sharpness": {"low": 1.5, "high": None}, "flicker": {"low": None, "high": 2.0}}}
    return {
        "report_version": 1,
        "cells": cells,
        "quota": 13,
        "accepted": 4,
        "attempts": 8,
        "met": False,
        "reasons": {"sharpness": 1, EVIL: 2},
        "worker_seconds": {"all": 150.0, "model": 100.0, "score": 30.0},
        "minutes_per_accepted": 0.625,
        "cost": 1.5,
        "recipe": {"name": "r", "gate_from": EVIL, "gate": gate, "model": {"steps": 4}},
    }


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "set"
    with ShardWriter(str(folder), "accepted-00000") as writer:
        for i in range(6):
            refused = i % 2 == 1
            card = {
                "sharpness": 1.0 if refused else 1.6 + i,
                "flicker": 0.3 * i,
                "accepted": not refused,
                "reasons": ["sharpness"] if refused else [],
                "details": {"sharpness": "1, expected at least 1.5"} if refused else {},
                "unmeasured": {"novelty": EVIL},
                "dropped": [{"track_id": 7, "class": "pedestrian"}] if i == 2 else [],
            }
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
    page = HtmlPage((folder / "index.html").read_text("utf-8"))
    text = " ".join(" ".join(page.texts).split())
    for words in (
        "3 of 13",
        "38% of 8",
        "0.625",
        "1.50",
        "1 of 2",
        "4 of 4",
        "0 of 9",
        "80%",
        "33% of them are not the model",
        "sharpness (1)",
        "gate: at least 1.5",
        "gate: at most 2",
        "1, expected at least 1.5",
        "labels left out: pedestrian 7",
        "Worst accepted",
        "Best refused",
        "CC0-1.0 (6)",
        "Faults on the way (1)",
        "Ego motion",
        "Where boxes are",
    ):
        assert words in text, words


def test_nothing_is_fetched_and_nothing_becomes_markup(folder):
    text = (folder / "index.html").read_text("utf-8")
    page = HtmlPage(text)
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
    chosen = {
        section.heading: [report.data.rows[i]["key"] for i in section.numbers] for section in chosen_clips(report, 4)
    }
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
    text = " ".join(HtmlPage((tmp_path / "page/index.html").read_text("utf-8")).texts)
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
    heights = {
        kind: sum(column.height_px for column in chart.columns if column.kind == kind) for kind in ("good", "bad")
    }
    assert heights["good"] / heights["bad"] == pytest.approx(300 / 2, rel=0.02)  # far values are in the end columns
    assert all(column.y_px + column.height_px <= chart.height_px + 1e-9 for column in chart.columns)
    assert len(chart.limit_px) == 1 and chart.limits == "gate: at least -1"
    points = scatter(good, good, good > 0, name="n", x_label="a", y_label="b")
    assert len(points.dots) == 300 and sum(dot.kind == "good" for dot in points.dots) == (good > 0).sum()
    assert all(0 <= dot.x_px <= points.width_px and 0 <= dot.y_px <= points.height_px for dot in points.dots)
    counts = np.array([[0, 4], [1, 0]])
    assert heat_map(counts, name="n", note="").cells == ((1, 0, 1.0), (0, 1, 0.5))
    assert acceptance_grid({("fog", "day"): (2, 3)}, ["fog"], ["day", "dusk"]).rows == (("fog", ((2, 3), (0, 0))),)
    assert [(bar.name, bar.share, bar.text) for bar in bars({"a": 1, "b": 4}, unit=" s")] == [
        ("b", 1.0, "4 s"), ("a", 0.25, "1 s"),
    ]  # fmt: skip
    assert [number(v) for v in (1234567, 0.5, 12.345, 123.456)] == ["1,234,567", "0.5", "12.3", "123.5"]


def test_a_set_that_nobody_judged_speaks_of_clips(tmp_path):
    """Rendered sets have no gate, so nothing in them was accepted."""
    with ShardWriter(str(tmp_path / "set"), "s") as writer:
        for number, weather in enumerate(("fog", "snow")):
            made = dataclasses.replace(make_sample(f"k{number}"), scenario=Scenario(weather=weather), scorecard={})
            writer.write(made)
    build_index(str(tmp_path / "set"))
    write_report(str(tmp_path / "set"), tmp_path / "page")
    text = (tmp_path / "page/index.html").read_text("utf-8")
    assert "Clips by weather and light" in text and "ccepted" not in "".join(HtmlPage(text).texts)
    assert "<h1>Data set set</h1>" in text and "<title>Data set set - worldgen</title>" in text
    assert acceptance_grid({("fog", "day"): (2, 3)}, ["fog"], ["day"]).name == "Accepted by weather and light"
    assert "2 accepted, 1 refused" in histogram(np.ones(2), np.ones(1), name="x").spoken


def test_heights_are_of_boxes_with_an_area_and_their_axis_begins_at_0(tmp_path):
    whole = make_sample("k")
    cars = whole.labels.where(whole.labels.class_id == 0)
    cars.box_px[1, 3] = cars.box_px[1, 1]
    cars.box_px[2, 2] = cars.box_px[2, 0]
    with ShardWriter(str(tmp_path), "s") as writer:
        writer.write(dataclasses.replace(whole, labels=cars))
    build_index(str(tmp_path))
    assert gather(DataSet(str(tmp_path))).coverage.box_height_px["car"].tolist() == [15.5] * 4
    chart = histogram(np.array([20.0, 31, 31]), np.zeros(0), name="x", counted="boxes", from_zero=True)
    assert chart.low == 0 and chart.tallest == "highest column: 2" and chart.spoken == "x: 3 boxes, 20 to 31"


def test_charts_of_nothing_are_left_out():
    none = np.zeros(0)
    assert histogram(none, none, name="none") is None and bars({}) == ()
    assert scatter(none, none, none > 0, name="n", x_label="a", y_label="b") is None


def test_every_chart_is_on_the_page(folder, url):
    page = HtmlPage((folder / "index.html").read_text("utf-8"))
    report = gather(DataSet(url))
    dots = [attributes for tag, attributes in page.tags if tag == "circle"]
    assert len(dots) == len(report.coverage.speed_mps) and sum(a["class"] == "bad" for a in dots) == 3
    cells = [attributes for tag, attributes in page.tags if tag == "rect" and attributes.get("class") == "cell"]
    assert len(cells) == np.count_nonzero(report.coverage.box_centres)
    assert sum(tag == "line" and attributes["class"] == "limit" for tag, attributes in page.tags) == 2


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
        _chromium(),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={tmp_path}/profile",
        f"--window-size={width},1200",
        "--virtual-time-budget=3000",
        f"--screenshot={picture}",
        (folder / "index.html").as_uri(),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    shown = cv2.imread(str(picture))
    assert shown.shape[1] == width and shown.std() > 10  # not a blank page
    dump = [*command[:-2], "--dump-dom", command[-1]]
    dom = subprocess.run(dump, check=True, capture_output=True, timeout=600, text=True).stdout
    assert "6 of 6 shown" in dom or "shown</span>" in dom  # the page's script ran
