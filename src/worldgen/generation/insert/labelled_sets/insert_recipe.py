"""A recipe of inserts: a labelled set, how many inserts of which cells, and the output."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from worldgen.core.errors import InputError, Received
from worldgen.generation.insert.fitting import fit_steps
from worldgen.generation.insert.labelled_sets.insert_config import InsertCell, InsertConfig


@dataclass(frozen=True)
class InsertRecipe:
    """A labelled set with inserts by quota, as ``worldgen generate`` makes it. A recipe with ``insert:`` is one.

    set: folder of labelled stills, or of shards with clips. output: folder. insert: cells of what, light, height_px,
    count; ``worldgen eval misses --quotas`` writes them. per_picture, seed, split, image, fov_deg, horizon,
    camera_height_m: as in ``InsertConfig``. judge: "", "verifier", or an ONNX file. masks, mask_values, categories: as
    of ``worldgen insert``. weather: "rain", "wet", "fog" or "dry" of all pictures, "" for what COCO files say. without:
    steps of the fitting that are left out. limit: only so many pictures, 0 for all.
    """

    name: str = "inserts"
    set: str = ""
    output: str = ""
    insert: list[InsertCell] = field(default_factory=list)  # omegaconf checks the fields of items of lists only
    per_picture: int = 1
    seed: int = 0
    split: str = "train"
    image: str = "png"
    judge: str = ""
    masks: str = ""
    mask_values: tuple[str, ...] = ()
    categories: dict[str, str] = field(default_factory=dict)
    weather: str = ""
    fov_deg: float = 0.0
    horizon: float = 0.0
    camera_height_m: float = 0.0
    without: tuple[str, ...] = ()
    limit: int = 0

    def scaled(self, scale: float) -> InsertRecipe:
        """The recipe with all counts multiplied, at least 1 per cell; cells without a count stay so."""
        if not 0 < scale <= 1e6:
            raise InputError("scale", scale, "a number above 0")
        cells = [dataclasses.replace(c, count=c.count and max(1, round(c.count * scale))) for c in self.insert]
        return dataclasses.replace(self, insert=cells)

    def config(self) -> InsertConfig:
        """What is inserted and how. Raises: InputError without a set, an output or a cell, and for wrong values."""
        for what, value in (("set of the recipe", self.set), ("output of the recipe", self.output)):
            if not value:
                raise InputError(what, "", f"a folder: {what.split()[0]}=DIR")
        if not self.insert:
            raise InputError("insert cells of the recipe", Received("none"), "at least one of what and count")
        return InsertConfig(
            tuple(self.insert), self.per_picture, self.seed, self.split, self.image, self.fov_deg, self.horizon,
            self.camera_height_m, fit_steps(self.without),
        )  # fmt: skip


def asks_for_inserts(keys: Collection[str]) -> bool:
    """Whether the keys of a recipe are those of inserts. Raises: InputError for one that asks for clips too."""
    if "insert" not in keys:
        return False
    if "cells" in keys:
        raise InputError("recipe", Received("cells and insert"), "one of them: clips, or inserts into a set")
    return True


def unmet(report: Mapping[str, Any]) -> list[str]:
    """Why cells of a finished run have fewer inserts than wanted, a line each."""
    lines = []
    for cell in report["cells"]:
        if cell["have"] < cell["wanted"]:
            words = " ".join(word for word in (cell["what"], cell["light"]) if word)
            low, high = cell["height_px"]
            refused = max(report["places_refused"], key=report["places_refused"].get, default="")
            why = f"; most places were refused as: {refused}" if refused else "; no picture of the split is so"
            lines.append(f"{words}, {low:g} to {high:g} px: {cell['have']} of {cell['wanted']}{why}")
    return lines
