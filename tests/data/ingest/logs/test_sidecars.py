"""Which file beside a clip is its log: every kind of table by its name, and never a caption."""

from __future__ import annotations

import pytest

from tests.data.drives import make_video
from worldgen.data.ingest.logs.table import SUFFIXES
from worldgen.data.ingest.source_config import SourceConfig
from worldgen.data.ingest.sources import find_sources


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_logs_are_found_by_their_names(tmp_path, suffix):
    make_video(tmp_path / "a.mp4", 4)
    (tmp_path / "a.txt").write_text("a street by day")
    (tmp_path / f"a.ego{suffix}").write_text("{}")
    (source,) = find_sources([str(tmp_path)], {}, SourceConfig()).sources
    assert source.ego_path is not None and source.ego_path.name == f"a.ego{suffix}"
    assert source.caption_path is not None and source.caption_path.name == "a.txt"


def test_a_text_beside_a_clip_is_a_caption_and_no_log(tmp_path):
    make_video(tmp_path / "a.mp4", 4)
    (tmp_path / "a.txt").write_text("a street by day")
    (source,) = find_sources([str(tmp_path)], {}, SourceConfig()).sources
    assert source.ego_path is None and source.caption_path is not None
