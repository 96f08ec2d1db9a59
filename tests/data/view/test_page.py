"""The viewing page: self-contained, complete, and safe with any caption."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from jinja2 import UndefinedError
from markupsafe import escape

from tests.data.samples import make_sample
from tests.data.view.html_page import HtmlPage
from worldgen.core.errors import InputError
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.dataset.shards import ShardWriter
from worldgen.data.video.probing import probe
from worldgen.data.view import page as page_module
from worldgen.data.view.page import PageSection, write_page
from worldgen.data.view.page_templates import page_environment, spaced

EVIL = '</script><script>alert(1)</script><img src=x onerror="alert(2)"> "quotes\' & <b>'


@pytest.fixture
def data(tmp_path):
    with ShardWriter(str(tmp_path / "set"), "s0") as writer:
        writer.write(replace(make_sample("k0"), caption=EVIL, tags=("<i>",), drive='"><x>', licence="<y>"))
        writer.write(make_sample("k1", 1, split="val", drive="d1"))
        writer.write(make_sample("k2", 2, full=False))
    build_index(str(tmp_path / "set"))
    return DataSet(str(tmp_path / "set"))


def test_every_file_is_there_and_nothing_is_fetched(data, tmp_path):
    folder = tmp_path / "page"
    assert write_page(data, folder) == ["k0", "k1", "k2"]
    text = (folder / "index.html").read_text("utf-8")
    page = HtmlPage(text)
    assert sorted(page.references) == ["clips/k0.mp4", "clips/k1.mp4", "clips/k2.mp4", "sheet.png"]
    for reference in page.references:
        assert (folder / reference).is_file()
    assert "http:" not in text.replace("http://www.w3.org/2000/svg", "") and "https:" not in text
    assert probe(folder / "clips/k0.mp4").num_frames == 6
    assert cv2.imread(str(folder / "sheet.png")) is not None
    videos = [attributes for tag, attributes in page.tags if tag == "video"]
    assert len(videos) == 3 and all({"muted", "loop", "playsinline"} <= set(v) for v in videos)


def test_many_clips_go_onto_linked_pages(data, tmp_path, monkeypatch):
    """A clip that stands in two sections is written once; each page shows no more clips than a browser takes."""
    monkeypatch.setattr(page_module, "CLIPS_A_PAGE", 2)
    sections = [PageSection("worst", (2, 0)), PageSection("all", (0, 1, 2), "a note")]
    folder = tmp_path / "page"
    assert write_page(data, folder, sections=sections) == ["k2", "k0", "k1"]
    pages = [HtmlPage((folder / name).read_text("utf-8")) for name in ("index.html", "page-2.html", "page-3.html")]
    clips = [[r for r in page.references if r.startswith("clips/")] for page in pages]
    assert [sorted(set(shown)) for shown in clips] == [
        ["clips/k0.mp4", "clips/k2.mp4"], ["clips/k0.mp4", "clips/k1.mp4"], ["clips/k2.mp4"]
    ]  # fmt: skip
    assert {"index.html", "page-3.html"} <= set(pages[1].references) and "page-2.html" not in pages[1].references
    assert not (folder / "page-4.html").exists()


def test_controls_that_are_stored_are_shown(tmp_path):
    """A page shows each control video of a clip as frames under its name; clips without controls have no such part."""
    sample = make_sample("k0")
    bright = np.full(sample.clip.frames.shape, 200, np.uint8)
    with ShardWriter(str(tmp_path / "set"), "s0") as writer:
        writer.write(sample, {"depth": bright, "edge": bright // 4})
    with ShardWriter(str(tmp_path / "set"), "s1") as writer:
        writer.write(make_sample("k1", 1))
    build_index(str(tmp_path / "set"))
    write_page(DataSet(str(tmp_path / "set")), tmp_path / "page")
    page = HtmlPage((tmp_path / "page" / "index.html").read_text("utf-8"))
    assert "clips/k0.controls.jpg" in page.references and "clips/k1.controls.jpg" not in page.references
    assert "Controls: depth, edge" in page.texts
    picture = cv2.imread(str(tmp_path / "page" / "clips/k0.controls.jpg"))
    assert picture is not None and {200, 50} <= set(np.unique(picture).tolist())


def test_captions_cannot_break_out(data, tmp_path):
    write_page(data, tmp_path / "page", title=EVIL)
    page = HtmlPage((tmp_path / "page/index.html").read_text("utf-8"))
    assert EVIL in page.texts  # shown as it is
    assert not any("onerror" in attributes or tag in ("b", "x", "y", "img") for tag, attributes in page.tags)
    kinds = [attributes.get("type") for tag, attributes in page.tags if tag == "script"]
    assert kinds.count(None) == 1  # ours
    for script, kind in zip(page.scripts, kinds, strict=False):
        if kind == "application/json":
            json.loads(script)


def test_what_is_known_is_shown(data, tmp_path):
    write_page(data, tmp_path / "page")
    page = HtmlPage((tmp_path / "page/index.html").read_text("utf-8"))
    text = " ".join(page.texts)
    assert "5.0 to 9.0 m/s over 0.6 s" in text and "-5.7 to 11.5 °/s over 0.6 s" in text
    assert "quarantined: blurry" in text and "CC0-1.0" in text
    plots = [attributes for tag, attributes in page.tags if tag == "polyline"]
    assert len(plots) == 4  # two samples with ego motion
    assert len(plots[0]["points"].split()) == 6


def test_limit_spreads(data, tmp_path):
    assert write_page(data, tmp_path / "page", limit=2) == ["k0", "k2"]
    with pytest.raises(InputError, match="number of samples"):
        write_page(data, tmp_path / "page", limit=0)
    with pytest.raises(InputError, match="no samples"):
        write_page(data.select("test"), tmp_path / "page")


def test_templates_escape_and_refuse_unknown_names():
    environment = page_environment()
    assert environment.from_string("{{ text }}").render(text=EVIL) == str(escape(EVIL))
    with pytest.raises(UndefinedError):
        environment.from_string("{{ never_given }}").render()
    assert [spaced(name) for name in ("control_speed_mps", "traffic_light", "fog")] == [
        "control speed, m/s", "traffic light", "fog",
    ]  # fmt: skip
