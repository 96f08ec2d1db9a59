"""The labels of a sample that is exported."""

from __future__ import annotations

from worldgen.core.errors import InputError, Received
from worldgen.core.labels import Labels
from worldgen.core.samples import Sample


def sample_labels(sample: Sample) -> Labels:
    """The labels of a sample.

    Raises:
        InputError: the sample has none.
    """
    if sample.labels is None:
        raise InputError(f"sample {sample.key}", Received("no labels"), "a labelled sample")
    return sample.labels
