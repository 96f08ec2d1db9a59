"""Promises of native models that honour some conditions."""

from __future__ import annotations

from worldgen.models.families import native_promise
from worldgen.models.promise import ModelPromise


def accepting(*conditions: str) -> ModelPromise:
    return native_promise(conditions, size_px=(224, 128), fps=8.0)
