"""The defaults for log lines and progress do nothing and change nothing."""

from __future__ import annotations

from worldgen.core.progress import no_log, no_progress


def test_nothing_is_shown_and_items_pass(capsys):
    no_log("a line")
    assert list(no_progress([3, 1, 2], 3, "count")) == [3, 1, 2] and list(no_progress(iter("ab"))) == ["a", "b"]
    assert capsys.readouterr() == ("", "")
