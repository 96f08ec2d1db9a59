"""Samples of data sets, for training and testing instruments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from worldgen.core.samples import Sample
from worldgen.data.dataset.index import DataSet


def samples_of(urls: Iterable[str], splits: tuple[str, ...]) -> Iterator[Sample]:
    """All samples of these splits, decoded one after the other. Raises: InputError for a folder that is no data set."""
    for url in urls:
        data = DataSet(url)
        for row in data.rows:
            if row["split"] in splits:
                yield data.load(row["key"])
