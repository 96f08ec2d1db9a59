"""``worldgen eval attributes``: from options to numbers, with the reader that ships."""

from __future__ import annotations

import json

import pytest

from worldgen.cli.main import main
from worldgen.core.clip import Clip
from worldgen.core.samples import Sample
from worldgen.data.dataset.index import build_index
from worldgen.data.dataset.shards import ShardWriter
from worldgen.files.shipped import assets_dir
from worldgen.instruments.attributes.attribute_reader import ATTRIBUTES


@pytest.fixture
def reader():
    if not (assets_dir() / "instruments" / "attributes" / "accuracy.json").is_file():
        pytest.skip("no attribute reader is shipped")


def test_rendered_clips_show_what_was_asked(reader, capsys):
    assert main(["eval", "attributes", "--model", "rendered", "--clips", "4", "--frames", "17", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert set(record["rows"]) | set(record["not_judged"]) == set(ATTRIBUTES)
    assert {"first", "middle", "last"} == set(record["rows"]["light"])
    assert record["rows"]["light"]["first"]["value"] >= 0.5
    assert record["controls"]["light"]["shuffled"]["value"] < record["rows"]["light"]["first"]["value"]


def test_the_table_has_a_row_per_attribute(reader, capsys):
    assert main(["eval", "attributes", "--model", "rendered", "--clips", "2", "--frames", "17"]) == 0
    text = capsys.readouterr().out
    assert "first" in text and "shuffled" in text and "light" in text


def test_clips_without_a_request_cannot_be_judged(reader, rng, tmp_path, capsys):
    clip = Clip(rng.integers(0, 256, (8, 64, 64, 3), "uint8"), 8.0)
    with ShardWriter(str(tmp_path), "part") as writer:
        writer.write(Sample("a", clip))
    build_index(str(tmp_path))
    assert main(["eval", "attributes", "--data", str(tmp_path)]) == 2
    assert "without a request" in capsys.readouterr().err
