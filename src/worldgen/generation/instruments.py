"""Instruments by name: loaded, or left out with the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from worldgen.core.assets import assets_dir
from worldgen.core.errors import InputError

Instrument = TypeVar("Instrument")


def judging(load: Callable[[str], Instrument]) -> Callable[[str], Instrument | str]:
    """A loader whose instrument, when it is below its bar, is left out with the reason."""

    def loader(folder: str) -> Instrument | str:
        try:
            return load(folder)
        except InputError as error:
            if "judges nothing" in str(error):
                return str(error)
            raise

    return loader


def loaded(name: str, loader: Callable[[str], Instrument | str | None]) -> tuple[Instrument | None, str]:
    """An instrument by name or folder, or None and why there is none.

    Raises: InputError for a folder that is not there; and what the loader raises for a damaged one.
    """
    if not name:
        return None, "left out by the config"
    folder = Path(name) if "/" in name or "\\" in name else assets_dir() / "instruments" / name
    if folder.parent == assets_dir() / "instruments" and not folder.is_dir():
        return None, "not shipped"
    if not folder.is_dir():
        raise InputError("instrument", name, "a folder, or a name under assets/instruments")
    found = loader(str(folder))
    return (None, found) if isinstance(found, str) else (found, "" if found is not None else "nothing in its folder")
