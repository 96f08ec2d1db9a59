"""Which outputs are refused before anything is written: an input, and what another command wrote.

Every command that writes a data set or an output folder asks here first.
"""

from __future__ import annotations

import contextlib
import json
import os
import posixpath
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from worldgen.core.errors import InputError, Received
from worldgen.files.json_files import parse_object

GENERATED, RESTYLED, INGESTED, RENDERED, INSERTED = "generated", "restyled", "ingested", "rendered", "inserted"
"""Kinds of data sets, by the command that writes them."""

RECORDS = {
    "recipe.json": (GENERATED, "a data set of worldgen generate"),
    "restyle-config.json": (RESTYLED, "a data set of worldgen restyle"),
    "ingest-config.json": (INGESTED, "a data set of worldgen ingest"),
    "ingest.json": (INGESTED, "a data set of worldgen ingest"),
    "scenes-config.json": (RENDERED, "a data set of worldgen scenes render"),
    "insert.json": (INSERTED, "a data set of worldgen insert"),
    "run.json": ("", "a run of worldgen train"),
    "metrics.jsonl": ("", "a run of worldgen train"),
    "model_index.json": ("", "a saved model"),
    "meta.json": ("", "an output folder of worldgen"),
}
"""File that a command writes first (or alone) -> kind of its output, and that output in words."""
SHARDS = (".tar", "dataset.json", "index.parquet")
"""Ends of names in a data set whose origin no record states."""


def refuse_output(url: str | Path, kind: str, inputs: Iterable[str | Path] = ()) -> None:
    """Refuse a folder for a data set of some kind when it is in use for anything else.

    Args:
        url: folder or URL to write.
        kind: ``GENERATED``, ``RESTYLED``, ``INGESTED``, ``RENDERED`` or ``INSERTED``. A folder of the same kind is
            accepted: the command compares its settings and continues.
        inputs: files and folders that are read.

    Raises:
        InputError: naming what is there: an input, a data set of another kind or origin, or other output of worldgen.
    """
    refuse_inputs(url, inputs)
    names = _names(str(url))
    own = False
    for name, (other, words) in RECORDS.items():
        if name in names and other != kind:
            raise InputError(f"output {url}", Received(f"{words} ({name} is there)"), "a new folder")
        own = own or name in names
    shard = next((name for name in sorted(names) if name.endswith(SHARDS)), "")
    if shard and not own:
        raise InputError(
            f"output {url}", Received(f"a folder with another data set ({shard} is there)"), "a new folder"
        )


def refuse_inputs(url: str | Path, inputs: Iterable[str | Path]) -> None:
    """Refuse an output that is one of the inputs, lies in one, or contains one. Links are followed.

    Raises:
        InputError: naming the input.
    """
    place = _place(str(url))
    for source in inputs:
        other = _place(str(source))
        if place == other or _same(str(url), str(source)):
            raise InputError(f"output {url}", Received(f"the input {source}"), "another folder")
        if _contains(other, place):
            raise InputError(f"output {url}", Received(f"a place inside the input {source}"), "a folder outside")
        if _contains(place, other):
            raise InputError(f"output {url}", Received(f"a folder that contains the input {source}"), "another folder")


def local_path(url: str) -> str | None:
    """The local path that a path or a ``file://`` or ``local://`` URL names; None for other file systems."""
    for protocol in ("file:", "local:"):
        if url.startswith(f"{protocol}//"):
            return os.path.expanduser(url.removeprefix(f"{protocol}//"))
        if url.startswith(f"{protocol}/"):
            return url.removeprefix(protocol)
    return None if "://" in url or "::" in url else os.path.expanduser(url)


def keep_settings(url: str, name: str, settings: dict[str, Any]) -> None:
    """Record the settings of a data set in its folder, or compare them with those that it was begun with.

    Args:
        url: folder of the data set.
        name: of the record, one of ``RECORDS``.
        settings: JSON values; those in dicts are named as in ``split.rest``.

    Raises:
        InputError: naming the first setting that differs, with both values.
    """
    from worldgen.files.storage import join, read_bytes, resolve, write_json

    where = join(url, name)
    filesystem, path = resolve(where)
    filesystem.invalidate_cache()
    if not filesystem.exists(path):
        write_json(where, settings)
        return
    refuse_other_settings(url, parse_object(read_bytes(where), where, "the settings of the data set"), settings)


def refuse_other_settings(url: str, before: dict[str, Any], settings: dict[str, Any]) -> None:
    """Refuse to go on with other settings than those ``before``. Raises: InputError naming the first that differs."""
    old, new = (_flat(json.loads(json.dumps(values))) for values in (before, settings))
    for key in [*new, *(key for key in old if key not in new)]:
        if old.get(key) != new.get(key):
            given, kept = json.dumps(new.get(key)), json.dumps(old.get(key))
            raise InputError(f"{key} of output {url}", Received(given), f"{kept} as it was begun with, or a new folder")


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted names."""
    out: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict) and value:
            out |= _flat(value, f"{prefix}{key}.")
        else:
            out[f"{prefix}{key}"] = value
    return out


def _place(url: str) -> tuple[str, str]:
    """File system and path without links, ``.`` and ``..``: equal for equal places."""
    path = local_path(url)
    if path is not None:
        return "file", os.path.realpath(path)
    from worldgen.files.storage import resolve  # fsspec takes a moment to load; most outputs are local

    filesystem, inner = resolve(url)
    protocol = filesystem.protocol if isinstance(filesystem.protocol, str) else filesystem.protocol[0]
    return str(protocol), posixpath.normpath("/" + inner.strip("/"))


def _same(url: str, source: str) -> bool:
    """Whether both are one existing local file or folder, such as two mounts of it."""
    one, other = local_path(url), local_path(source)
    with contextlib.suppress(OSError, ValueError):
        return one is not None and other is not None and os.path.samefile(one, other)
    return False


def _contains(folder: tuple[str, str], place: tuple[str, str]) -> bool:
    return folder[0] == place[0] and place[1].startswith(folder[1].rstrip("/") + "/")


def _names(url: str) -> set[str]:
    """Names in a folder, empty where there is none. Raises: InputError for a file in its place."""
    path = local_path(url)
    if path is not None:
        try:
            return set(os.listdir(path))
        except FileNotFoundError:
            return set()
        except NotADirectoryError as error:
            raise InputError(f"output {url}", Received("a file, or a path through one"), "a folder") from error
        except OSError:
            return set()  # writing will say why
    from worldgen.files.storage import resolve

    filesystem, inner = resolve(url)
    filesystem.invalidate_cache()
    with contextlib.suppress(OSError):
        return {str(name).rstrip("/").rsplit("/", 1)[-1] for name in filesystem.ls(inner, detail=False)}
    return set()
