"""Road users put into a labelled set: ``insert``, and the parts of it that the command shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worldgen.core.errors import InputError
from worldgen.core.progress import LogLine, no_log
from worldgen.files.config_files import config_yaml, load_config
from worldgen.files.storage import join, resolve, write_bytes
from worldgen.generation.insert.fitting import fit_steps
from worldgen.generation.insert.labelled_sets.insert_config import InsertCell, InsertCells, InsertConfig
from worldgen.generation.insert.labelled_sets.insert_recipe import InsertRecipe, unmet
from worldgen.generation.insert.labelled_sets.insert_report import write_page

if TYPE_CHECKING:
    from worldgen.generation.insert.clips.inserted_shards import InsertClipsRun
    from worldgen.generation.insert.insert_judge import BoxJudge
    from worldgen.generation.insert.labelled_sets.inserted_set import InsertRun

RECIPE_CONFIG = "config.yaml"
"""The resolved recipe beside its set, as ``worldgen generate`` keeps it."""
VERIFIER = "verifier"
"""Name of the judge that comes with worldgen."""


@dataclass(frozen=True)
class InsertSource:
    """What is read besides the pictures. masks: folder of maps of classes, "" for none. mask_values: ``NAME=N`` of
    these maps. categories: class, or "ignore", of names in the set that are not known. judge: "", "verifier", or an
    ONNX file. limit: only so many pictures, 0 for all. weather: "rain", "wet", "fog" or "dry" of all pictures, ""
    for what the attributes of COCO files say."""

    masks: str = ""
    mask_values: tuple[str, ...] = ()
    categories: Mapping[str, str] = field(default_factory=dict)
    judge: str = ""
    limit: int = 0
    weather: str = ""

    def __post_init__(self) -> None:
        if self.limit < 0:
            raise InputError("limit of pictures", self.limit, "0 or more")


def insert(
    source: str,
    what: str = "",
    *,
    out: str,
    cells: str | Sequence[InsertCell] = (),
    count: int = 0,
    per_picture: int = 1,
    height_px: tuple[float, float] = (24.0, 240.0),
    light: str = "",
    split: str = "train",
    seed: int = 0,
    without: Sequence[str] = (),
    reading: InsertSource | None = None,
    log: LogLine = no_log,
) -> dict[str, Any]:
    """Put rendered road users into a labelled set, as ``worldgen insert`` does. The same call continues a stopped run.

    Args:
        source: folder of labelled stills (COCO, KITTI object or YOLO), or of shards with clips.
        what: road users in words, as in "pedestrian crossing, cyclist"; for clips also events, as in "jaywalker".
        out: new folder, or one to continue.
        cells: instead of ``what``: a YAML file with ``insert:`` cells, or ``InsertCell`` objects.
        count: inserts in all; 0 for one in every place that the pictures give.
        per_picture: most inserts of a picture or clip, 1 to 20.
        height_px: range of heights in pixels.
        light: "day", "night", or "" for any.
        split: only pictures of this split get inserts.
        seed: other places and looks for each.
        without: steps of the fitting that are left out, as in ``["noise"]``.
        reading: masks, names of classes, judge.
        log: receives each line that the run has to say, as in ``log=print``.

    Returns:
        The report, as in ``insert_report.json``.

    Raises:
        InputError: a set, words, ground or output that cannot be used.
    """
    config = insert_config(
        what, cells, InsertCell(what, light, height_px, count) if what else None,
        InsertConfig((InsertCell("car"),), per_picture, seed, split, steps=fit_steps(without)),
    )  # fmt: skip
    run = insert_run(source, config, out, reading or InsertSource(), log)
    for _ in run.steps():
        pass
    return run.report


def recipe_run(recipe: InsertRecipe, log: LogLine) -> InsertRun | InsertClipsRun:
    """The run of a recipe of inserts. Raises: InputError for a recipe, set or judge that cannot be used."""
    reading = InsertSource(
        recipe.masks, recipe.mask_values, recipe.categories, recipe.judge, recipe.limit, recipe.weather
    )
    return insert_run(recipe.set, recipe.config(), recipe.output, reading, log)


def recipe_report(recipe: InsertRecipe, run: InsertRun | InsertClipsRun, *, page: bool) -> dict[str, Any]:
    """The report of a finished run of a recipe: with ``met`` (every cell has its count), ``unmet`` (why not, a line a
    cell) and ``page``, the place of the page, "" without one. The recipe is kept beside the set."""
    short = unmet(run.report)
    write_bytes(join(recipe.output, RECIPE_CONFIG), config_yaml(recipe).encode())
    written = write_page(Path(recipe.output)) if page and "pictures" in run.report else ""
    return {"output": recipe.output, **run.report, "met": not short, "unmet": short, "page": written}


def insert_config(
    what: str, cells: str | Sequence[InsertCell], only: InsertCell | None, rest: InsertConfig
) -> InsertConfig:
    """The config of a run. only: the cell of ``what``. rest: everything else; its cells are replaced.

    Raises: InputError when not exactly one of words and cells is given.
    """
    if bool(what) == bool(cells):
        raise InputError("what to insert", what or "nothing", "words (--what), or a file of cells (--cells)")
    if only is not None:
        return replace(rest, cells=(only,))
    listed = load_config(InsertCells, [cells]).insert if isinstance(cells, str) else cells
    return replace(rest, cells=tuple(listed))


def holds_shards(source: str) -> bool:
    """Whether a folder is a set of shards. Raises: InputError for a folder that does not exist."""
    fs, path = resolve(source)
    if not fs.isdir(path):
        raise InputError("set to insert into", source, "a folder")
    return any(name.endswith(".tar") for name in fs.ls(path, detail=False))


def insert_run(
    source: str, config: InsertConfig, out: str, reading: InsertSource, log: LogLine
) -> InsertRun | InsertClipsRun:
    """The run for a set of stills or of shards. Raises: InputError as :func:`insert` says."""
    judge = load_judge(reading.judge)
    if holds_shards(source):
        from worldgen.generation.insert.clips.inserted_shards import InsertClipsRun

        stills_only = (reading.masks, reading.mask_values, reading.categories, reading.limit, reading.weather)
        if any(stills_only) or config.fov_deg:
            raise InputError("masks, names of classes, limit, weather or field of view", source, "a set of stills")
        return InsertClipsRun(source, config, out, log, judge=judge)
    from worldgen.data.ingest.labelled.picture_set import PictureSet
    from worldgen.generation.insert.labelled_sets.inserted_set import InsertRun
    from worldgen.generation.insert.labelled_sets.still_files import mask_reader, read_stills

    stills = read_stills(source, PictureSet(frames=1, classes=dict(reading.categories))).first(reading.limit)
    stills = stills.in_weather(reading.weather)
    masks = mask_reader(reading.masks, list(reading.mask_values))
    return InsertRun(stills, config, out.rstrip("/"), log, masks=masks, judge=judge)


def load_judge(name: str) -> BoxJudge | None:
    """The judge of a name: None for "", the shipped verifier, or a detector in an ONNX file. Raises: InputError."""
    if not name:
        return None
    if name == VERIFIER:
        from worldgen.generation.insert.verifier_judge import VerifierJudge

        return VerifierJudge.load()
    from worldgen.generation.insert.insert_judge import InsertJudge
    from worldgen.instruments.detector.coco_detector import CocoDetector

    return InsertJudge(CocoDetector.load(name))
