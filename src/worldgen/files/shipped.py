"""Places of the files that ship with worldgen: in the installed wheel, or in the checkout it runs from."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from worldgen.core.errors import InputError


def assets_dir() -> Path:
    """The folder with the shipped model, example clips and prompt lists. Raises: InputError when it is missing."""
    return _shipped("assets")


def configs_dir() -> Path:
    """The folder with the shipped YAML files, one sub-folder per kind of run. Raises: InputError when it is missing."""
    return _shipped("configs")


def _shipped(name: str) -> Path:
    package = Path(str(resources.files("worldgen")))
    checkout = package.parents[1]
    candidates = [package / name]
    if (checkout / "pyproject.toml").is_file() and checkout / "src" / "worldgen" == package:
        candidates.append(checkout / name)
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise InputError(f"worldgen's {name} folder", str(candidates[0]), "a complete installation: reinstall worldgen")
