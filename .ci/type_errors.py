"""Count mypy's errors by room and compare them with the recorded counts, which may only fall.

python .ci/type_errors.py            # exit 1 where a room has more errors than recorded
python .ci/type_errors.py --write    # record the counts after mending errors
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
RECORDED = REPOSITORY / ".ci" / "type_errors.json"
ZERO = ("core", "files", "prompts", "data", "models/interface.py", "generation", "api", "cli")
"""Rooms that must have no error at all."""


def counted() -> tuple[Counter[str], list[str]]:
    """Errors by room, and their lines."""
    command = [sys.executable, "-m", "mypy", "--no-error-summary"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    if result.returncode not in (0, 1):
        raise SystemExit(f"mypy failed:\n{result.stdout}{result.stderr}")
    lines = [line for line in result.stdout.splitlines() if ": error:" in line]
    return Counter(room_of(line) for line in lines), lines


def room_of(line: str) -> str:
    """The room that a line of mypy speaks of, such as ``core`` or ``models/native``."""
    found = re.match(r"src/worldgen/(models/[a-z_]+(?:\.py)?|[a-z_]+)", line)
    return found.group(1) if found else "worldgen"


def main() -> int:
    """Compare, or record with ``--write``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="record today's counts")
    arguments = parser.parse_args()
    counts, lines = counted()
    recorded: dict[str, int] = json.loads(RECORDED.read_text()) if RECORDED.is_file() else {}
    if arguments.write:
        RECORDED.write_text(json.dumps(dict(sorted(counts.items())), indent=1) + "\n")
    allowed = dict(counts) if arguments.write else recorded
    worse = [room for room in counts if counts[room] > (0 if room in ZERO else allowed.get(room, 0))]
    for room in worse:
        print("\n".join(line for line in lines if room_of(line) == room))
    shown = ", ".join(f"{room} {count}" for room, count in sorted(counts.items())) or "none"
    print(f"mypy: {sum(counts.values())} errors ({shown}); recorded {sum(recorded.values())}")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
