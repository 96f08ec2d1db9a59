"""A generated sample is saved, shown, and embedded in a notebook without letting words of a prompt become markup."""

from __future__ import annotations

import base64
import re
import types

import cv2
import numpy as np
import pytest

import worldgen
from worldgen.api.generated_sample import content_key
from worldgen.data.dataset.index import build_index
from worldgen.data.dataset.shards import ShardWriter
from worldgen.data.video.reading import decode_mp4


@pytest.fixture(scope="module")
def sample() -> worldgen.GeneratedSample:
    return worldgen.render("two cyclists at dusk, zorblatt", seed=3, frames=5, size=(96, 64))


def test_saving_refuses_what_is_there_and_overwrites_only_its_own(sample, tmp_path):
    out = tmp_path / "out"
    sample.save(out)
    with pytest.raises(worldgen.InputError, match="not empty"):
        sample.save(out)
    before = (out / "clip.mp4").read_bytes()
    sample.save(str(out), overwrite=True)
    assert (out / "clip.mp4").read_bytes() == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(worldgen.InputError, match="worldgen did not write"):
        sample.save(tmp_path / "mine", overwrite=True)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    with pytest.raises(worldgen.InputError, match="folder: received int 3"):
        sample.save(3)


def test_the_sheet_is_that_of_the_folder(sample, tmp_path):
    sample.save(tmp_path / "out")
    saved = cv2.imread(str(tmp_path / "out" / "sheet.png"))[..., ::-1]
    assert np.array_equal(saved, sample.sheet())


def test_showing_returns_the_sheet_where_there_is_no_screen(sample, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert np.array_equal(np.asarray(sample.show()), sample.sheet())


def test_showing_displays_once_in_a_notebook(sample, monkeypatch):
    displayed: list[object] = []
    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(__import__("sys").modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(__import__("sys").modules, "IPython.display", types.SimpleNamespace(display=displayed.append))
    assert sample.show() is None
    assert np.array_equal(np.asarray(displayed[0]), sample.sheet()) and len(displayed) == 1


def test_a_notebook_gets_the_clip_and_an_escaped_caption():
    marked = worldgen.render('a cyclist at dusk <script>alert("x")</script>', frames=3, size=(96, 64))
    text = marked._repr_html_()
    assert "<script" not in text and "&lt;script&gt;" in text and "assumed: " in text
    [video] = re.findall(r'src="data:video/mp4;base64,([A-Za-z0-9+/=]+)"', text)
    assert decode_mp4(base64.b64decode(video)).frames.shape == (3, 64, 96, 3)


def test_it_goes_into_a_data_set_like_any_sample(sample, tmp_path):
    with ShardWriter(str(tmp_path), "one") as writer:
        writer.write(sample)
    build_index(str(tmp_path))
    data = worldgen.open_dataset(tmp_path)
    back = data.load(sample.key)
    assert (
        back.caption == sample.caption and back.scenario == sample.scenario and len(back.labels) == len(sample.labels)
    )


def test_keys_name_the_frames(sample):
    assert sample.key == content_key(sample.clip, "rendered_")
    assert content_key(sample.clip) != content_key(sample.clip[1:])
    assert "5 frames of 96x64 at 8 fps" in repr(sample)
