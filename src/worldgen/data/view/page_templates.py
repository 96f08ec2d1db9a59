"""The environment in which the package's HTML templates are read and filled in; everything filled in is escaped."""

from __future__ import annotations

import functools

import jinja2

VIEW_PACKAGE = "worldgen.data.view"
UNITS = {"_radps": "rad/s", "_mps": "m/s", "_px": "px"}
"""Suffix of a name -> the unit that it stands for."""


@functools.lru_cache
def page_environment(*packages: str) -> jinja2.Environment:
    """Templates of this room and of the ``templates`` folders of other packages, which may extend and include these.

    packages: dotted names, e.g. ``worldgen.generation.report``. Text is escaped in every template, and a name that a
    template uses but is not given raises ``jinja2.UndefinedError``. Filter ``spaced``: :func:`spaced`.
    """
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(name) for name in (VIEW_PACKAGE, *packages)]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    environment.filters["spaced"] = spaced
    return environment


def spaced(name: str) -> str:
    """An identifier for people: ``control_speed_mps`` becomes "control speed, m/s"."""
    for suffix, unit in UNITS.items():
        if name.endswith(suffix):
            name = f"{name.removesuffix(suffix)}, {unit}"
    return name.replace("_", " ")
