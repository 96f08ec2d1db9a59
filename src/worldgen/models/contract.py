"""The contract table: family x condition or control x use, from what the families promise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from worldgen.core.samples import CONDITIONS, CONTROLS
from worldgen.models.promise import USES, ModelPromise

ROWS = (*CONDITIONS, *CONTROLS)
"""Rows of the table: conditions, then controls."""


def honoured(promise: ModelPromise, name: str, use: str) -> bool:
    """Whether a family honours a condition or control in a use, of ``USES``.

    A data set is generated from scenes: their controls replace the conditions that they exclude. A
    pretrained model restyles by a control and words; the clip's own frames would keep the old look.
    """
    if use not in promise.uses:
        return False
    if name in CONTROLS:
        return name in promise.controls
    if name not in promise.conditions:
        return False
    if use == "restyle" and promise.family != "native":
        return name == "text" and bool(promise.controls)
    replaced = {each for pair in promise.apart if "controls" in pair for each in pair}
    return use != "generate" or not (promise.default_controls and name in replaced)


def contract_rows(families: Mapping[str, ModelPromise]) -> list[dict[str, object]]:
    """A record for each family and condition or control that it honours anywhere: use -> yes or no."""
    rows: list[dict[str, object]] = []
    for name, promise in families.items():
        for row in ROWS:
            uses = {use: honoured(promise, row, use) for use in USES}
            if any(uses.values()):
                kind = "control" if row in CONTROLS else "condition"
                rows.append({"family": name, kind: row, **uses})
    return rows


def contract_lines(families: Mapping[str, ModelPromise]) -> list[str]:
    """The table as lines of text: a column a family, in each cell the first letters of the uses, "-" for none."""
    width = max(len(name) for name in families) + 2
    lines = ["".ljust(10) + "".join(name.ljust(width) for name in families)]
    for row in ROWS:
        cells = []
        for promise in families.values():
            uses = "".join(use[0] for use in USES if honoured(promise, row, use))
            cells.append((uses or "-").ljust(width))
        lines.append(row.ljust(10) + "".join(cells).rstrip())
    return lines


def promise_lines(promise: ModelPromise) -> list[tuple[str, str]]:
    """What a model promises, as names and values for people."""
    width, height = promise.size_px
    apart = "; ".join(f"{one} and {other}" for one, other in promise.apart)
    guidance = _listed(f"{name} {value:g}" for name, value in promise.guidance.items())
    return [
        ("family", promise.family), ("licence", promise.licence), ("conditions", _listed(promise.conditions)),
        ("controls", _listed(promise.controls) + (f" (at most {promise.max_controls})" if promise.controls else "")),
        ("control by default", _listed(promise.default_controls)), ("needs", " or ".join(promise.needs) or "nothing"),
        ("never together", apart or "any may be"), ("reference picture", "yes" if promise.reference else "no"),
        ("negative prompt", "yes" if promise.negative_text else "no"), ("prompt style", promise.prompt_style),
        ("size", f"{width}x{height}; multiples of {promise.size_multiple_px} up to {promise.max_side_px} pixels"),
        ("frames", promise.frames.words), ("known frames", f"{promise.context_frames.words}; {promise.known_frames}"),
        ("frames per chunk", str(promise.chunk_frames)), ("frames per second", f"{promise.fps:g}"),
        ("sampler", f"{promise.steps} steps, guidance {guidance}, shift {promise.shift:g}"),
        ("serves", _listed(promise.uses)),
    ]  # fmt: skip


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
