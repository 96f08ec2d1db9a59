"""The ledger: faults of a run and what was done about them, kept beside the data set."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from worldgen.core.errors import InputError
from worldgen.data.dataset.sample_files import canonical_json
from worldgen.files.json_files import parse_json
from worldgen.files.storage import join, read_bytes, write_bytes

LEDGER_NAME = "ledger.json"
LEDGER_VERSION = 1
FLUSH_S = 5.0


@dataclass(eq=False)
class Ledger:
    """Entries of ``url/ledger.json``: time (UTC), kind (fault, died, damaged, stopped), and what happened.

    A ledger that cannot be written does not stop a run: entries are kept in memory until the next write.
    """

    url: str
    entries: list[dict[str, str]] = field(default_factory=list)
    _written: int = 0
    _last_s: float = 0.0

    @classmethod
    def open(cls, url: str) -> Ledger:
        """The ledger of an output folder; an empty one where there is none that can be read."""
        ledger = cls(url)
        try:
            record = parse_json(read_bytes(join(url, LEDGER_NAME)), LEDGER_NAME)
        except (OSError, ValueError):  # InputError is a ValueError
            return ledger
        if isinstance(record, dict) and record.get("ledger_version") == LEDGER_VERSION:
            ledger.entries = list(record.get("entries", ()))
            ledger._written = len(ledger.entries)
        return ledger

    def add(self, kind: str, what: str) -> None:
        """Add an entry. It is written at once, unless the last write was less than ``FLUSH_S`` ago."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.entries.append({"time": moment, "kind": kind, "what": " ".join(what.split())[:2000]})
        if time.monotonic() - self._last_s > FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Write the entries that are not yet written, if the folder can be written now."""
        if self._written == len(self.entries):
            return
        self._last_s = time.monotonic()
        record = {"ledger_version": LEDGER_VERSION, "entries": self.entries}
        try:
            write_bytes(join(self.url, LEDGER_NAME), canonical_json(record, "ledger"))
        except (OSError, InputError):
            return
        self._written = len(self.entries)
