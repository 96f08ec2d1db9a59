from __future__ import annotations

import json

import numpy as np
import pytest

from worldgen.core.ego import EgoMotion
from worldgen.core.errors import InputError
from worldgen.core.manoeuvres import MANOEUVRES
from worldgen.core.scenario import LIGHTS, ROADS, WEATHERS
from worldgen.data.ingest.captions import (
    LIGHT_WORDS,
    MANOEUVRE_WORDS,
    ROAD_WORDS,
    WEATHER_WORDS,
    caption_at,
    is_caption_file,
    manoeuvre_of,
    read_captions,
    template_caption,
)


def test_every_word_of_the_vocabulary_can_be_said():
    assert (set(ROAD_WORDS), set(WEATHER_WORDS), set(LIGHT_WORDS)) == (set(ROADS), set(WEATHERS), set(LIGHTS))
    assert set(MANOEUVRE_WORDS) == {*MANOEUVRES, "stand"}


def test_sidecars(tmp_path):
    (tmp_path / "a.txt").write_text("  a rainy\n street ")
    assert caption_at(read_captions(tmp_path / "a.txt"), 5, 8) == "a rainy street"
    path = tmp_path / "b.json"
    path.write_text(
        json.dumps(
            {"captions": [{"start_s": 0, "end_s": 5, "caption": "one"}, {"start_s": 5, "end_s": 9, "caption": "two"}]}
        )
    )
    captions = read_captions(path)
    assert [caption_at(captions, *span) for span in ((0, 3), (4, 7), (8, 12), (10, 12))] == ["one", "two", "two", ""]
    assert is_caption_file(path)
    for bad in (
        "[]",
        "{",
        '{"captions": []}',
        '{"captions": [{"caption": 3}]}',
        '{"captions": [{"caption": "a", "start_s": 2, "end_s": 1}]}',
    ):
        path.write_text(bad)
        with pytest.raises(InputError, match=r"caption file b\.json"):
            read_captions(path)
    path.write_text('{"time_s": [0, 1]}')
    assert not is_caption_file(path)


def test_template_says_what_is_known_and_nothing_else():
    text = template_caption(("highway", "heavy_rain", "camera_shake"), "brake", "key")
    assert text.endswith("on a highway in heavy rain, the car brakes")
    assert "camera" not in text.removeprefix("front camera view")
    assert template_caption(("camera_shake",), None, "key") == ""
    assert len({template_caption(("fog",), None, str(i)) for i in range(50)}) == 4
    assert template_caption(("fog",), None, "a") == template_caption(("fog",), None, "a")


def test_manoeuvre_of_a_standing_car_and_of_an_unknown_one():
    assert manoeuvre_of(EgoMotion(np.zeros(9), np.zeros(9), 8.0)) == "stand"
    assert manoeuvre_of(EgoMotion(np.linspace(15, 5, 9), np.zeros(9), 8.0)) == "brake"
    assert manoeuvre_of(None) is None
