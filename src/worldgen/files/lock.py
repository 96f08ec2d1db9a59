"""One run per output: a lock file with a heartbeat, on any file system."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem

from worldgen.core.errors import InputError
from worldgen.files.storage import join, read_bytes, reported, resolve, write_bytes

LOCK_NAME = "lock.json"
BEAT_S = 15.0
STALE_S = 120.0
"""Without a heartbeat for so long, a run on another machine counts as dead."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lock. machine: host, boot and process namespace, so that process ids mean something. time_s: Unix time
    of the last heartbeat. started: of the process, in the kernel's ticks ("" where unknown), because ids are used again.
    """

    token: str
    host: str
    machine: str
    pid: int
    started: str
    time_s: float

    @classmethod
    def here(cls, token: str) -> Holder:
        return cls(token, socket.gethostname(), _machine(), os.getpid(), _started(os.getpid()), time.time())

    def is_dead(self) -> bool:
        """Surely gone: its process on this machine is no more, or it has long been silent."""
        if self.machine == _machine():
            return not _started(self.pid) or (bool(self.started) and _started(self.pid) != self.started)
        return time.time() - self.time_s > STALE_S


class Lock:
    """Holds ``url/lock.json`` for the length of a ``with`` block (see :func:`locked`)."""

    def __init__(self, url: str):
        self.url = join(url, LOCK_NAME)
        self.token = secrets.token_hex(8)
        self.lost = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="lock heartbeat")

    def take(self) -> str:
        """Take the lock; returns a line to show when it was taken over from a dead run, else "".

        Raises: InputError when another run holds it.
        """
        line = ""
        before = self.holder()
        if before is not None:
            if not before.is_dead():
                raise InputError(
                    f"another run writes here: process {before.pid} on {before.host}, last sign of life "
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
        """Raises: InputError when another run has taken the lock over, as after a long sleep of this machine."""
        if self.lost.is_set():
            raise InputError(f"the lock {self.url} was taken over by another run; this one stops")

    def holder(self) -> Holder | None:
        """Who holds the lock now; None when nobody does. A damaged file, which no run of ours leaves, is held by nobody alive."""
        fs, path = resolve(self.url)
        fs.invalidate_cache()
        with reported("read", self.url):
            if not fs.exists(path):
                return None
            data = read_bytes(self.url)
        try:
            return Holder(**json.loads(data))
        except (ValueError, TypeError):
            return Holder("", "an unknown machine", "", 0, "", 0.0)

    def _data(self) -> bytes:
        return json.dumps(asdict(Holder.here(self.token))).encode()

    def _create(self) -> None:
        """Exclusively where the file system can; elsewhere by writing and reading back."""
        fs, path = resolve(self.url)
        if not isinstance(fs, LocalFileSystem):
            write_bytes(self.url, self._data())
            return
        with reported("write", self.url):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            # A link is made whole or not at all, so no reader ever sees an empty lock.
            temporary = f"{path}.{self.token}.tmp"
            Path(temporary).write_bytes(self._data())
            try:
                os.link(temporary, path)
            except FileExistsError:
                return  # the reader below sees whose it is
            finally:
                os.unlink(temporary)

    def _evict(self, dead: Holder) -> None:
        """Remove a dead run's lock, and no other: somebody else may have done so and taken the lock in the meantime."""
        fs, path = resolve(self.url)
        if not isinstance(fs, LocalFileSystem):
            self._remove()
            return
        aside = f"{path}.{self.token}.tmp"
        try:
            os.rename(path, aside)
        except FileNotFoundError:
            return
        try:
            if (json.loads(Path(aside).read_bytes()) or {}).get("token") not in (dead.token, None):
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
            with contextlib.suppress(OSError, InputError):  # a network that fails for a while is no reason to stop
                now = self.holder()
                if now is not None and now.token != self.token:
                    self.lost.set()
                    return
                write_bytes(self.url, self._data())


@contextlib.contextmanager
def locked(url: str, say: Callable[[str], None]) -> Iterator[Lock]:
    """Hold the lock of an output folder. Raises: InputError when another run has it."""
    lock = Lock(url)
    line = lock.take()
    if line:
        say(line)
    try:
        yield lock
    finally:
        lock.release()


def _machine() -> str:
    """Host, boot and process namespace: within one of these, a process id names a process."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _started(pid: int) -> str:
    """Start time of a process in ticks since boot, "running" where the system does not tell, "" when it is no more."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in "ZX" else fields[19]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "running"
