"""The public data sets that ``worldgen ingest --dataset`` reads, and how their sources are found."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from worldgen.core.errors import InputError, Received
from worldgen.data.ingest.datasets.argoverse2 import argoverse2_sources
from worldgen.data.ingest.datasets.bdd100k import bdd100k_sources
from worldgen.data.ingest.datasets.comma2k19 import comma2k19_sources
from worldgen.data.ingest.datasets.kitti_raw import kitti_raw_sources
from worldgen.data.ingest.datasets.lerobot import lerobot_sources
from worldgen.data.ingest.datasets.nuscenes import nuscenes_sources
from worldgen.data.ingest.datasets.pandaset import pandaset_sources
from worldgen.data.ingest.source_config import SourceConfig
from worldgen.data.ingest.sources import FoundSources, check_patterns, matching_config

RECIPES: Mapping[str, Callable[[Path, SourceConfig], FoundSources]] = {
    "argoverse2": argoverse2_sources,
    "bdd100k": bdd100k_sources,
    "comma2k19": comma2k19_sources,
    "kitti_raw": kitti_raw_sources,
    "lerobot": lerobot_sources,
    "nuscenes": nuscenes_sources,
    "pandaset": pandaset_sources,
}


def dataset_sources(
    dataset: str, places: list[str], sources: dict[str, SourceConfig], defaults: SourceConfig, exclude: tuple[str, ...]
) -> FoundSources:
    """The sources of a public data set. Settings of ``sources`` come before those of the recipe, these before
    ``defaults``.

    Raises:
        InputError: not one folder, a folder that is not laid out like the data set, and patterns that match nothing.
    """
    if len(places) != 1 or not Path(places[0]).is_dir():
        raise InputError(
            f"source of {dataset}", Received(", ".join(places) or "nothing"), "one folder, that of the set"
        )
    found = RECIPES[dataset](Path(os.path.abspath(places[0])), defaults)
    names = [*(source.name for source in found.sources), *(name for name, _ in found.bad)]
    check_patterns("exclude", exclude, names)
    check_patterns("sources", tuple(sources), names)
    kept = [
        replace(source, config=matching_config(source.name, sources).over(source.config))
        for source in found.sources
        if not any(fnmatchcase(source.name, pattern) for pattern in exclude)
    ]
    bad = (entry for entry in found.bad if not any(fnmatchcase(entry[0], pattern) for pattern in exclude))
    return replace(found, sources=tuple(kept), bad=tuple(bad))
