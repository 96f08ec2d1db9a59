"""One run per output folder: a lock file with a heartbeat, on any file system."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem

from worldgen.core.errors import InputError
from worldgen.core.progress import LogLine
from worldgen.files.json_files import parse_object
from worldgen.files.processes import machine, started
from worldgen.files.storage import join, read_bytes, resolve, write_bytes
from worldgen.files.system_errors import reported

LOCK_NAME = "lock.json"
BEAT_S = 15.0
"""Seconds between heartbeats."""
STALE_S = 120.0
"""A run on another machine counts as dead after so many seconds without a heartbeat."""


@dataclass(frozen=True)
class Holder:
    """The run that holds a lock.

    token: random name of the run. machine: host, boot and process namespace, within which ``pid`` names a process.
    started: start time of the process in the kernel's ticks ("" where unknown), because process ids are reused.
    time_s: Unix time of the last heartbeat.
    """

    token: str
    host: str
    machine: str
    pid: int
    started: str
    time_s: float

    @classmethod
    def here(cls, token: str) -> Holder:
        """This process, now."""
        return cls(token, socket.gethostname(), machine(), os.getpid(), started(os.getpid()), time.time())

    def is_dead(self) -> bool:
        """Whether the run has ended: its process here is gone, or its heartbeat elsewhere is older than ``STALE_S``."""
        if self.machine == machine():
            return not started(self.pid) or (bool(self.started) and started(self.pid) != self.started)
        return time.time() - self.time_s > STALE_S


class Lock:
    """The lock file ``url/lock.json``; :func:`locked` takes and releases it.

    lost: set when another run has taken the lock over.
    """

    def __init__(self, url: str) -> None:
        self.url = join(url, LOCK_NAME)
        self.token = secrets.token_hex(8)
        self.lost = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="lock heartbeat")

    def take(self) -> str:
        """Take the lock. Returns a line for the user when it was taken over from a dead run, else "".

        Raises:
            InputError: when another run holds it.
        """
        line = ""
        before = self.holder()
        if before is not None:
            if not before.is_dead():
                raise InputError(
                    f"another run writes here: process {before.pid} on {before.host}, last heartbeat "
                    f"{max(time.time() - before.time_s, 0):.0f} s ago; wait for it, stop it, or give another output"
                )
            line = f"took over the lock of process {before.pid} on {before.host}, which is gone"
            self._evict(before)
        self._create()
        now = self.holder()
        if now is None or now.token != self.token:
            raise InputError(f"another run has just begun to write here ({self.url})")
        self._thread.start()
        return line

    def release(self) -> None:
        """Stop the heartbeat and remove the file, if it is still ours."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        with contextlib.suppress(OSError, InputError):
            now = self.holder()
            if now is not None and now.token == self.token:
                self._remove()

    def check(self) -> None:
        """Raise InputError when another run has taken the lock over, as can happen while this machine sleeps."""
        if self.lost.is_set():
            raise InputError(f"the lock {self.url} was taken over by another run; this one stops")

    def holder(self) -> Holder | None:
        """The holder of the lock, None when nobody holds it. A damaged file counts as the lock of a dead run."""
        fs, path = resolve(self.url)
        fs.invalidate_cache()
        with reported("read", self.url):
            if not fs.exists(path):
                return None
            data = read_bytes(self.url)
        try:
            return Holder(**parse_object(data, self.url))
        except (ValueError, TypeError):
            return Holder("", "an unknown machine", "", 0, "", 0.0)

    def _data(self) -> bytes:
        return json.dumps(asdict(Holder.here(self.token))).encode()

    def _temporary(self, path: str) -> Path:
        return Path(path).with_name(f".{LOCK_NAME}.{self.token}.tmp")

    def _create(self) -> None:
        """Create the file: exclusively where the file system can, elsewhere by writing and reading back."""
        fs, path = resolve(self.url)
        if not isinstance(fs, LocalFileSystem):
            write_bytes(self.url, self._data())
            return
        with reported("write", self.url):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            # A hard link appears with its content, so no reader ever sees an empty lock.
            temporary = self._temporary(path)
            try:
                temporary.write_bytes(self._data())
                os.link(temporary, path)
            except FileExistsError:
                return  # the caller reads whose it is
            finally:
                temporary.unlink(missing_ok=True)

    def _evict(self, dead: Holder) -> None:
        """Remove the lock of ``dead`` and no other: another run may have removed it and taken the lock meanwhile."""
        fs, path = resolve(self.url)
        if not isinstance(fs, LocalFileSystem):
            self._remove()
            return
        aside = self._temporary(path)
        try:
            os.rename(path, aside)
        except FileNotFoundError:
            return
        try:
            if (json.loads(aside.read_bytes()) or {}).get("token") not in (dead.token, None):
                os.link(aside, path)
        except (ValueError, FileExistsError, AttributeError):
            pass
        finally:
            os.unlink(aside)

    def _remove(self) -> None:
        fs, path = resolve(self.url)
        with contextlib.suppress(FileNotFoundError):
            fs.rm_file(path)

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_S):
            with contextlib.suppress(OSError, InputError):  # the network may fail for a while
                now = self.holder()
                if now is not None and now.token != self.token:
                    self.lost.set()
                    return
                write_bytes(self.url, self._data())


@contextlib.contextmanager
def locked(url: str, log: LogLine) -> Iterator[Lock]:
    """Hold the lock of an output folder for the length of a ``with`` block.

    log: receives a line when the lock was taken over from a dead run.

    Raises:
        InputError: when another run holds it.
    """
    lock = Lock(url)
    try:  # before it is taken, because a signal may come just after
        line = lock.take()
        if line:
            log(line)
        yield lock
    finally:
        lock.release()
