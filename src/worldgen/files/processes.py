"""Which process wrote something, and whether it still lives."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import socket
from pathlib import Path


@functools.cache
def machine() -> str:
    """Host, boot and process namespace: within one of these, a process id names a process."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def machine_code() -> str:
    """:func:`machine` as 8 hexadecimal digits, for names of files."""
    return hashlib.blake2b(machine().encode(), digest_size=4).hexdigest()


def started(pid: int) -> str:
    """Start time of a process in ticks since boot, "running" where the system does not say, "" when it has ended."""
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
