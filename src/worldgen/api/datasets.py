"""Data sets: ``ingest`` makes one of clips and logs, ``open_dataset`` opens one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from worldgen.api.arguments import ConfigValues, path_text, wrong_type
from worldgen.core.progress import ProgressReporter, no_log, no_progress
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.ingest_plan import IngestPlan, plan_ingest
from worldgen.data.ingest.ingest_writing import refuse_plan, write_ingest
from worldgen.data.ingest.pixels.pixel_motion import PixelMotionReader
from worldgen.files.config_files import config_yaml, read_config
from worldgen.files.lock import locked
from worldgen.files.output_guard import INGESTED, keep_settings, refuse_other_settings, refuse_output
from worldgen.files.storage import join, resolve, sweep, write_bytes

CONFIG_NAME, SETTINGS_NAME = "config.yaml", "ingest-config.json"
FREE_SETTINGS = ("sources", "exclude", "on_bad_source", "verify", "check_motion")
"""Settings of an ingest that may change between two calls for one data set."""


def open_dataset(url: str | Path) -> DataSet:
    """Open a data set by its folder or URL: ``len``, iteration over samples, ``rows``, ``load`` and ``select``.

    Raises: InputError when there is no data set, or it has no index of this version.
    """
    return DataSet(path_text("data set", url, "the folder or URL of a data set"))


def ingest(
    sources: str | Path | Iterable[str | Path],
    out: str | Path,
    config: IngestConfig | ConfigValues | None = None,
    overrides: Sequence[str] = (),
    *,
    progress: ProgressReporter = no_progress,
    reader: PixelMotionReader | None = None,
) -> DataSet:
    """Make a data set of your own clips and ego logs, as ``worldgen ingest`` does, and open it.

    Shards that are there with the same content are kept, so an interrupted call continues.

    Args:
        sources: clips, frame folders, or folders of them. A log beside a clip (``drive.ego.csv``) is found by its name.
        out: folder or URL of the data set.
        config: a YAML file or several, a dict of values, or an ``IngestConfig``; None takes the defaults.
        overrides: ``key=value`` words on top, as in ``["fps=8", "num_frames=25"]``.
        progress: shows how far reading and writing are.
        reader: measures motion from pixels where the config asks for it (``ego.from_video``, ``check_motion``); by
            default ``worldgen.instruments.odometry``, and any :class:`PixelMotionReader` else.

    Raises:
        InputError: sources, logs or a config that cannot be used, and an output that cannot be written.
    """
    if isinstance(sources, (str, Path)):
        sources = [sources]
    if not isinstance(sources, Iterable):
        raise wrong_type("sources", sources, "a path or a list of paths")
    places = [path_text("source", source, "the path of a clip or folder") for source in sources]
    url = path_text("out", out, "the folder or URL of the data set")
    settings = read_config(IngestConfig, {} if config is None else config, overrides)
    plan = plan_ingest(places, settings, progress=progress, reader=reader or motion_reader(settings))
    write_dataset(plan, url, inputs=places, progress=progress)
    return DataSet(url)


def motion_reader(config: IngestConfig) -> PixelMotionReader | None:
    """The reader of motion from pixels, None where the config asks for none."""
    if not config.reads_pixels:
        return None
    from worldgen.instruments.odometry.odometry_reader import read_odometry

    return read_odometry


def write_dataset(
    plan: IngestPlan, url: str, *, inputs: Sequence[str] = (), progress: ProgressReporter = no_progress
) -> dict[str, Any]:
    """Write the shards of an ingest, its config and its index; returns the summary of the data set.

    inputs: the files and folders that were read, which the output may not be, contain or lie in.

    Raises: InputError for a plan that cannot be written, an output that is in use for anything else or was begun with
    other settings, and a place that cannot be written.
    """
    refuse_plan(plan)
    refuse_output(url, INGESTED, inputs)
    with locked(url, no_log):
        _keep_config(url, plan.config)
        sweep(url)
        return _write_locked(plan, url, progress)


def _keep_config(url: str, config: IngestConfig) -> None:
    """Record the settings on which samples depend, or compare them with those the set was begun with.

    Sources may come and go: their settings are part of the fingerprint of their shards.
    """
    settings = {name: value for name, value in asdict(config).items() if name not in FREE_SETTINGS}
    fs, path = resolve(join(url, SETTINGS_NAME))
    older = resolve(join(url, CONFIG_NAME))[1]
    if not fs.exists(path) and isinstance(fs, LocalFileSystem) and fs.exists(older):
        # A set of an earlier version, which recorded its config at the end.
        before = asdict(read_config(IngestConfig, older))
        refuse_other_settings(url, {name: before[name] for name in settings}, settings)
    keep_settings(url, SETTINGS_NAME, settings)


def _write_locked(plan: IngestPlan, url: str, progress: ProgressReporter) -> dict[str, Any]:

    def single_samples() -> Iterator[None]:
        for _, count in write_ingest(plan, url):
            yield from (None for _ in range(count))

    for _ in progress(single_samples(), plan.num_windows, "ingest samples"):
        pass
    write_bytes(join(url, CONFIG_NAME), config_yaml(plan.config).encode())
    return build_index(url)
