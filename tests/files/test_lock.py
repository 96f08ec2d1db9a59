"""The lock: one run per output, whatever became of the run before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace

import pytest

from worldgen.core.errors import InputError
from worldgen.files import lock as module
from worldgen.files.lock import Holder, Lock, locked
from worldgen.files.storage import read_bytes, write_bytes


@pytest.fixture(params=["local", "memory"])
def url(request, tmp_path):
    return str(tmp_path / "out") if request.param == "local" else f"memory://locks{tmp_path}"


def leave(url: str, **changes) -> None:
    write_bytes(f"{url}/lock.json", json.dumps(asdict(replace(Holder.here("gone"), **changes))).encode())


def test_a_second_run_is_refused_and_the_lock_goes_with_its_run(url):
    with locked(url, print):
        with pytest.raises(InputError, match=f"process {os.getpid()}"), locked(url, print):
            pass
        assert json.loads(read_bytes(f"{url}/lock.json"))["pid"] == os.getpid()
    with locked(url, print):
        pass
    with pytest.raises(InputError):
        read_bytes(f"{url}/lock.json")


def test_the_lock_of_a_dead_process_is_taken_over_at_once(url):
    process = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    leave(url, pid=int(process.stdout), started="1")
    said = []
    with locked(url, said.append):
        assert "took over" in said[0] and str(int(process.stdout)) in said[0]


def test_a_process_id_that_is_used_again_is_not_the_run(url):
    leave(url, started="1")  # our own id, but a process that started at another time
    if os.path.exists("/proc/self/stat"):
        with locked(url, lambda line: None) as lock:
            assert lock.holder().pid == os.getpid()


def test_another_machine_is_dead_after_a_long_silence_only(url):
    leave(url, machine="elsewhere", host="elsewhere")
    with pytest.raises(InputError, match="on elsewhere"), locked(url, print):
        pass
    leave(url, machine="elsewhere", host="elsewhere", time_s=time.time() - module.STALE_S - 1)
    with locked(url, lambda line: None) as lock:
        assert lock.holder().pid == os.getpid()


def test_a_damaged_lock_is_nobodys(url):
    write_bytes(f"{url}/lock.json", b"{")
    with locked(url, lambda line: None) as lock:
        assert lock.holder().pid == os.getpid()


def test_the_heart_beats_and_notices_a_takeover(url, monkeypatch):
    monkeypatch.setattr(module, "BEAT_S", 0.02)
    lock = Lock(url)
    lock.take()
    first = lock.holder().time_s
    deadline = time.monotonic() + 10
    while lock.holder().time_s == first and time.monotonic() < deadline:
        time.sleep(0.01)
    assert lock.holder().time_s > first
    lock.check()
    leave(url)
    while not lock.lost.wait(0.02) and time.monotonic() < deadline:
        leave(url)
    with pytest.raises(InputError, match="taken over"):
        lock.check()
    lock.release()
    assert Lock(url).holder().token == "gone"  # another run's lock is not removed
