"""The measures of ``worldgen eval`` as functions: options come in, the JSON-able result leaves.

>>> import worldgen
>>> result = worldgen.evaluate("control", model="rendered", clips=4, frames=19)  # doctest: +SKIP
>>> result["rows"]["speed_spearman"]["value"]  # doctest: +SKIP
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from dataclasses import fields
from pathlib import PurePath
from typing import Any

from worldgen.core.errors import InputError
from worldgen.core.progress import LogLine, ProgressReporter, no_log, no_progress

OPTIONS = {
    "fvd": "FvdOptions",
    "memorisation": "MemorisationOptions",
    "control": "ControlOptions",
    "attributes": "AttributesOptions",
    "labels": "LabelsOptions",
    "realism": "RealismOptions",
    "misses": "MissOptions",
    "power": "PowerOptions",
    "drift": "DriftOptions",
    "gain": "GainOptions",
}
"""Measure -> its options in ``measure_NAME``, the module of this package that has the function of the same name."""

_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "Start": (str,),
    "int": (int,),
    "bool": (bool,),
    "float": (float, int),
    "float | None": (float, int, type(None)),
    "Sequence[str]": (str,),
}
"""Annotation of an option -> the types of its values."""

__all__ = ["OPTIONS", "evaluate"]


def evaluate(
    measure: str, *, progress: ProgressReporter = no_progress, log: LogLine = no_log, **options: object
) -> dict[str, Any]:
    """Measure clips: how far from real ones, how well they obey, how they drift, whether they copy, whether they help.

    Args:
        measure: fvd, memorisation, control, attributes, labels, realism, drift or gain.
        progress: shows how far the loops are.
        log: receives lines about the runs of a gain study.
        options: fields of the measure's options, for example ``model="shipped", clips=48`` of ``ControlOptions``. They
            have the names and the meaning of the options of ``worldgen eval MEASURE``.

    Returns:
        What ``worldgen eval MEASURE --out FILE`` writes: dictionaries, lists, text and numbers.

    Raises:
        InputError: an unknown measure or option (the message names the nearest), or a value that the measure refuses.
    """
    if measure not in OPTIONS:
        raise InputError("measure", measure, one_of(measure, OPTIONS))
    module = importlib.import_module(f"{__name__}.measure_{measure}")
    options_type = getattr(module, OPTIONS[measure])
    known = {field.name: str(field.type) for field in fields(options_type)}
    for name in options:
        if name not in known:
            raise InputError(f"option of the measure {measure}", name, one_of(name, known))
    checked = {name: _checked(name, value, known[name]) for name, value in options.items()}
    try:
        chosen = options_type(**checked)
    except TypeError as error:  # an option without a default is missing
        raise InputError(f"options of the measure {measure}: {error}") from error
    report = {"log": log} if measure == "gain" else {"progress": progress}
    result: dict[str, Any] = getattr(module, f"measure_{measure}")(chosen, **report)
    return result


def _checked(name: str, value: object, kind: str) -> object:
    """The value of an option whose annotation is ``kind``; paths become text, and one text in place of several a tuple.

    Raises: InputError for a value of another type.
    """
    several = kind.startswith("Sequence")
    values = list(value) if several and isinstance(value, (list, tuple)) else [value]
    values = [str(each) if isinstance(each, PurePath) else each for each in values]
    allowed = _TYPES[kind]
    if not all(isinstance(each, allowed) and (bool in allowed or not isinstance(each, bool)) for each in values):
        expected = " or ".join("nothing" if each is type(None) else each.__name__ for each in allowed)
        raise InputError(
            f"option {name}", value, f"several of type {expected}" if several else f"a value of type {expected}"
        )
    return tuple(values) if several else values[0]


def one_of(word: object, known: Iterable[str]) -> str:
    """``"one of a, b, c (did you mean b?)"``."""
    names = list(known)
    near = difflib.get_close_matches(str(word), names, 1)
    return "one of " + ", ".join(names) + (f" (did you mean {near[0]}?)" if near else "")
