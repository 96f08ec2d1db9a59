"""Data sets: ``ingest`` makes one of clips and logs, ``open_dataset`` opens one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from worldgen.api.arguments import ConfigValues, path_text, wrong_type
from worldgen.core.progress import ProgressReporter, no_progress
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.ingest.ingest_config import IngestConfig
from worldgen.data.ingest.ingest_plan import IngestPlan, plan_ingest
from worldgen.data.ingest.ingest_writing import write_ingest
from worldgen.files.config_files import config_yaml, read_config
from worldgen.files.storage import join, write_bytes


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
) -> DataSet:
    """Make a data set of your own clips and ego logs, as ``worldgen ingest`` does, and open it.

    Shards that are there with the same content are kept, so an interrupted call continues.

    Args:
        sources: clips, frame folders, or folders of them. A log beside a clip (``drive.ego.csv``) is found by its name.
        out: folder or URL of the data set.
        config: a YAML file or several, a dict of values, or an ``IngestConfig``; None takes the defaults.
        overrides: ``key=value`` words on top, as in ``["fps=8", "num_frames=25"]``.
        progress: shows how far reading and writing are.

    Raises:
        InputError: sources, logs or a config that cannot be used, and an output that cannot be written.
    """
    if isinstance(sources, (str, Path)):
        sources = [sources]
    if not isinstance(sources, Iterable):
        raise wrong_type("sources", sources, "a path or a list of paths")
    places = [path_text("source", source, "the path of a clip or folder") for source in sources]
    url = path_text("out", out, "the folder or URL of the data set")
    plan = plan_ingest(
        places, read_config(IngestConfig, {} if config is None else config, overrides), progress=progress
    )
    write_dataset(plan, url, progress=progress)
    return DataSet(url)


def write_dataset(plan: IngestPlan, url: str, *, progress: ProgressReporter = no_progress) -> dict[str, Any]:
    """Write the shards of an ingest, its config and its index; returns the summary of the data set."""

    def single_samples() -> Iterator[None]:
        for _, count in write_ingest(plan, url):
            yield from (None for _ in range(count))

    for _ in progress(single_samples(), plan.num_windows, "ingest samples"):
        pass
    write_bytes(join(url, "config.yaml"), config_yaml(plan.config).encode())
    return build_index(url)
