"""Names of weights by the content of their files, without loading them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

BLOB = re.compile(r"[0-9a-f]{64}")
"""Name of a large file in the cache of the hub: its SHA-256, which the download has checked."""
BLOCK_BYTES = 1 << 22


def file_digest(path: Path) -> str:
    """SHA-256 of a file as 64 hexadecimal digits; of a file in the hub's cache without reading it."""
    target = path.resolve()
    if path.is_symlink() and BLOB.fullmatch(target.name):
        return target.name
    digest = hashlib.sha256()
    with target.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def content_name(folder: Path, parts: Iterable[str]) -> str:
    """32 hexadecimal digits that name the files of these sub-folders: BLAKE2b over paths and digests.

    Equal files have equal names wherever they lie. Files that do not change a clip, such as read-mes, are left out.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in sorted(parts):
        for path in sorted((folder / part).rglob("*")):
            if path.is_file() and path.suffix in (".safetensors", ".json", ".model", ".txt"):
                digest.update(f"{path.relative_to(folder).as_posix()} {file_digest(path)}\n".encode())
    return digest.hexdigest()


def lora_name(name: str, file: Path | None, scale: float) -> str:
    """The name of weights ``name`` with the LoRA in ``file`` fused into them; ``name`` itself where there is none."""
    if file is None:
        return name
    return hashlib.blake2b(f"{name} {file_digest(file)} {scale}".encode(), digest_size=16).hexdigest()
