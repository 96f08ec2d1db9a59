"""Instruments by name: loaded, or left out with the reason; and named by what they are made of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from worldgen.core.errors import InputError
from worldgen.files.shipped import assets_dir
from worldgen.instruments.instrument_files import UnderBarError

Instrument = TypeVar("Instrument")


def unless_below_bar(load: Callable[[str], Instrument]) -> Callable[[str], Instrument | str]:
    """A loader whose instrument, when it is below its bar, is left out with the reason."""

    def loader(folder: str) -> Instrument | str:
        try:
            return load(folder)
        except UnderBarError as error:
            return str(error)

    return loader


def load_instrument(name: str, loader: Callable[[str], Instrument | str | None]) -> tuple[Instrument | None, str]:
    """An instrument by name or folder, or None and why there is none.

    Raises: InputError for a folder that is not there; and what the loader raises for a damaged one.
    """
    if not name:
        return None, "left out by the config"
    folder = _folder(name)
    if folder is None:
        return None, "not shipped"
    found = loader(str(folder))
    return (None, found) if isinstance(found, str) else (found, "" if found is not None else "nothing in its folder")


def fingerprints(names: Mapping[str, str]) -> dict[str, str]:
    """Names by content: what an instrument does -> 32 digits over its weights, config and recorded accuracy, all of which
    change what it says; "" where there is none.

    names: what an instrument does -> name or folder, as in ``ScorerConfig``. Raises: InputError for a folder that is not
    there or cannot be read.
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
    """The folder of an instrument; None for a name that does not ship. Raises: InputError for a folder that is not there."""
    folder = Path(name) if "/" in name or "\\" in name else assets_dir() / "instruments" / name
    if folder.is_dir():
        return folder
    if folder.parent == assets_dir() / "instruments":
        return None
    raise InputError("instrument", name, "a folder, or a name under assets/instruments")
