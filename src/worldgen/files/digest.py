"""Digests of files: whether a file on disk still holds what was written into it."""

from __future__ import annotations

import hashlib
from pathlib import Path

BLOCK_BYTES = 1 << 22


def file_digest(path: Path) -> str:
    """BLAKE2b of a local file's bytes, 32 hexadecimal digits.

    Raises:
        OSError: when the file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
