"""The names of the controls and their variants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from worldgen.core.errors import InputError
from worldgen.core.samples import CONTROLS


@dataclass(frozen=True)
class ControlKind:
    """One control.

    meaning: what its pictures show. variants: names of its forms, the default first; () for a single form.
    """

    meaning: str
    variants: tuple[str, ...] = ()


@dataclass(frozen=True)
class ControlChoice:
    """A control in one of its variants, "" where it has a single form."""

    name: str
    variant: str = ""


CONTROL_KINDS: dict[str, ControlKind] = {
    "depth": ControlKind("inverse depth: near is bright, the sky is black, one scale for the whole clip"),
    "seg": ControlKind("objects and large regions, each in a colour of its own that stays the same over time"),
    "edge": ControlKind(
        "white edges on black, of the picture (Canny, by strength) or of the geometry",
        ("medium", "very_low", "low", "high", "very_high", "geometry"),
    ),
    "blur": ControlKind("the picture without detail", ("bilateral", "down")),
    "sketch": ControlKind("the drawn picture itself"),
    "boxes": ControlKind("3-D boxes as coloured wire frames on black, or 2-D boxes on white (flat)", ("solid", "flat")),
    "wsm": ControlKind("world scenario map: lanes, crosswalks, poles, signs, lights and shaded cuboids on black"),
}
"""Control -> what it is, in the order of ``CONTROLS``."""

assert tuple(CONTROL_KINDS) == CONTROLS


def control_choice(text: str) -> ControlChoice:
    """A control from its name, or from ``NAME:VARIANT`` as in ``edge:geometry``.

    Raises: InputError for an unknown name or variant.
    """
    name, _, variant = text.strip().partition(":")
    if name not in CONTROL_KINDS:
        raise InputError("control", text, "one of " + ", ".join(CONTROL_KINDS))
    variants = CONTROL_KINDS[name].variants
    if variant and variant not in variants:
        known = ", ".join(f"{name}:{v}" for v in variants)
        raise InputError(f"variant of the control {name}", variant, known or "none: it has a single form")
    return ControlChoice(name, variant or (variants[0] if variants else ""))


def control_choices(texts: Sequence[str]) -> tuple[ControlChoice, ...]:
    """Controls from names with or without variants, in the order given.

    Raises: InputError for an unknown name or variant, and for a control that is named twice.
    """
    choices = tuple(control_choice(text) for text in texts)
    names = [choice.name for choice in choices]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError("controls", ", ".join(texts), f"each control once; {', '.join(twice)} is there twice")
    return choices
