from __future__ import annotations

import io
import sys

from worldgen.cli import terminal as module
from worldgen.cli.terminal import progress, progress_line


class _Clock:
    def __init__(self, step_s):
        self.now_s, self.step_s = 0.0, step_s

    def monotonic(self):
        self.now_s += self.step_s
        return self.now_s


def test_items_pass_unchanged_and_short_work_is_silent(capsys):
    assert list(progress(range(5), desc="x")) == [0, 1, 2, 3, 4]
    assert list(progress(iter("ab"))) == ["a", "b"]
    assert capsys.readouterr().err == ""


def test_long_work_prints_plain_lines(monkeypatch, capsys):
    monkeypatch.setattr(module, "time", _Clock(6.0))
    list(progress([1, 2, 3, 4], desc="encode"))
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["encode: 2 of 4, 12 s so far, about 12 s left", "encode: 4 in 30 s"]


def test_line_forms():
    assert progress_line("a", 1, None, 5) == "a: 1, 5 s so far"
    assert progress_line("", 3, 3, 200) == "3 of 3, 3 min 20 s so far"
    assert progress_line("a", 1, 3, 3600) == "a: 1 of 3, 60 min 00 s so far, about 2 h 00 min left"


def test_a_terminal_gets_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    assert list(progress(range(3), desc="encode")) == [0, 1, 2]
    assert "encode: 100%" in sys.stderr.getvalue()
