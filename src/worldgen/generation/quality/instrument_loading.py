"""Loads instruments by name or folder, says why one is left out, and hashes their contents."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from worldgen.core.errors import InputError
from worldgen.files.shipped import assets_dir
from worldgen.instruments.instrument_files import UnderBarError

Instrument = TypeVar("Instrument")


def load_instrument(name: str, load: Callable[[str], Instrument | None]) -> tuple[Instrument | None, str]:
    """An instrument and "", or None and the reason: left out by name "", not shipped, or its accuracy below its bar.

    name: of a folder under ``assets/instruments``, or a folder. load: loads it from a folder, None when that has no
    file.

    Raises: InputError for a folder that is not there, and what ``load`` raises for a damaged instrument.
    """
    if not name:
        return None, "left out by the config"
    folder = _folder(name)
    if folder is None:
        return None, "not shipped"
    try:
        found = load(str(folder))
    except UnderBarError as error:
        return None, str(error)
    return found, "" if found is not None else "nothing in its folder"


def fingerprints(names: Mapping[str, str]) -> dict[str, str]:
    """Content hashes of instruments, 32 hexadecimal digits over weights, config and recorded accuracy; "" for none.

    names: what an instrument does -> its name or folder, as in ``ScorerConfig``.

    Raises: InputError for a folder that is not there or cannot be read.
    """
    return {what: _fingerprint(_folder(name)) if name else "" for what, name in names.items()}


def _fingerprint(folder: Path | None) -> str:
    files = [] if folder is None else sorted(p for p in folder.iterdir() if p.suffix in (".safetensors", ".json"))
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"file of instrument {folder}", str(path), "a file that can be read") from error
        digest.update(f"{path.name} {len(data)}\n".encode())
        digest.update(data)
    return digest.hexdigest() if files else ""


def _folder(name: str) -> Path | None:
    """The folder of an instrument; None for a name that does not ship. Raises: InputError for a missing folder."""
    folder = Path(name) if "/" in name or "\\" in name else assets_dir() / "instruments" / name
    if folder.is_dir():
        return folder
    if folder.parent == assets_dir() / "instruments":
        return None
    raise InputError("instrument", name, "a folder, or a name under assets/instruments")
