"""The output folder of a clip where none is given."""

from __future__ import annotations

import re
from pathlib import Path

MAX_CHARACTERS = 48


def default_folder(words: str, seed: int) -> str:
    """``outputs/WORDS-sSEED`` with the words of a prompt or file name; when it exists, with a number appended.

    A folder that another process writes now counts as existing.
    """
    from worldgen.files.atomic import writer_of

    name = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:MAX_CHARACTERS].strip("-") or "scene"
    base = Path("outputs") / f"{name}-s{seed}"
    candidate, number = base, 2
    while candidate.exists() or writer_of(candidate):
        candidate, number = base.with_name(f"{base.name}-{number}"), number + 1
    return str(candidate)
