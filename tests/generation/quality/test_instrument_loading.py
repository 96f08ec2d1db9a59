"""Instruments by name: left out with the reason when below their bar, refused when they are damaged."""

from __future__ import annotations

import pytest

from worldgen.core.errors import InputError
from worldgen.generation.quality.instrument_loading import fingerprints, load_instrument
from worldgen.instruments.instrument_files import Instrument, UnderBarError


def reader(value: float):
    """A loader whose instrument has this accuracy."""

    def load(folder: str) -> Instrument:
        found = Instrument("motion", {}, {}, "0", {"speed": {"value": value}}, {})
        found.require({"speed": 0.95})
        return found

    return load


def test_an_instrument_under_its_bar_is_left_out_with_the_reason(tmp_path):
    found, why = load_instrument(str(tmp_path), reader(0.97))
    assert found is not None and why == ""
    found, why = load_instrument(str(tmp_path), reader(0.9))
    assert found is None and "received 0.9; expected at least 0.95" in why
    with pytest.raises(UnderBarError):
        reader(0.9)("")


def test_other_errors_are_raised(tmp_path):
    def broken(folder: str) -> Instrument:
        raise InputError("weights", "half a file", "a whole one; a damaged instrument judges nothing")

    with pytest.raises(InputError, match="half a file"):
        load_instrument(str(tmp_path), broken)


def test_names_follow_the_content(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("not part of it")
    before = fingerprints({"motion": str(tmp_path), "verifier": ""})
    assert len(before["motion"]) == 32 and before["verifier"] == ""
    (tmp_path / "notes.txt").write_text("changed")
    assert fingerprints({"motion": str(tmp_path), "verifier": ""}) == before
    (tmp_path / "config.json").write_text('{"a": 1}')
    assert fingerprints({"motion": str(tmp_path)})["motion"] != before["motion"]
    with pytest.raises(InputError, match="instrument"):
        fingerprints({"motion": str(tmp_path / "none")})
