"""A journal survives a kill: whole lines count, a line that was cut short does not."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from worldgen.core.errors import InputError
from worldgen.files.journal import Journal, read_journal


def test_lines_are_there_as_soon_as_they_are_appended(tmp_path):
    path = tmp_path / "part0.jsonl"
    assert read_journal(path) == []
    with Journal(path) as journal:
        journal.append({"number": 1})
        assert read_journal(path) == [{"number": 1}]
        journal.append({"number": 2, "key": "ä"})
    assert path.read_bytes() == b'{"number": 1}\n{"number": 2, "key": "\\u00e4"}\n'


@pytest.mark.parametrize("torn", [b'{"number": 2', b'{"number": 2}', b"{"])
def test_a_line_cut_short_is_left_out_and_overwritten(tmp_path, torn):
    path = tmp_path / "part0.jsonl"
    path.write_bytes(b'{"number": 1}\n' + torn)
    assert read_journal(path) == [{"number": 1}]
    assert path.read_bytes().endswith(torn), "reading changes nothing"
    with Journal(path) as journal:
        journal.append({"number": 3})
    assert path.read_bytes() == b'{"number": 1}\n{"number": 3}\n'


def test_records_to_drop_are_dropped_and_others_keep_their_bytes(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step":1}\n{"step": 2}\n{"step": 3}\n')
    Journal(path, keep=lambda record: record["step"] <= 2).close()
    assert path.read_bytes() == b'{"step":1}\n{"step": 2}\n'


def test_lines_of_a_killed_process_are_there(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; from worldgen.files.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "for number in range(3): journal.append({'number': number})\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = tmp_path / "part0.jsonl"
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -signal.SIGKILL
    assert [record["number"] for record in read_journal(path)] == [0, 1, 2]


@pytest.mark.parametrize("damage", [b"not json\n", b"[1]\n"])
def test_a_damaged_line_is_named(tmp_path, damage):
    path = tmp_path / "part0.jsonl"
    path.write_bytes(b'{"number": 1}\n' + damage)
    with pytest.raises(InputError, match=r"line of .*part0\.jsonl"):
        read_journal(path)
    with pytest.raises(ValueError, match="JSON"), Journal(tmp_path / "new.jsonl") as journal:
        journal.append({"loss": float("nan")})
