"""What the measure commands share: options of the clips, the way from arguments to a measure's options, and tables."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from worldgen.core.start import DEFAULT_START, STARTS

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Options = TypeVar("Options", bound=DataclassInstance)

RENDERED = "rendered"
Group = argparse._ArgumentGroup
VALUE = "value [95 % interval]"


def add_clip_options(parser: argparse.ArgumentParser, *, clips: int, frames: int) -> None:
    """Which clips: of a model on held-out scenes, of the renderer, or of a data set."""
    which = parser.add_argument_group("clips to judge")
    which.add_argument(
        "--model",
        default="",
        metavar="DIR",
        help="a saved pipeline (default: the shipped model), "
        f'or "{RENDERED}": the rendered scenes, which is what a perfect model would generate',
    )
    which.add_argument("--data", default="", metavar="URL", help="judge the clips of a data set instead of a model")
    which.add_argument("--split", default="", choices=["", "train", "val", "test"], help="only this split of --data")
    which.add_argument("--clips", type=int, default=clips, metavar="N", help=f"number of clips (default {clips})")
    which.add_argument(
        "--frames",
        type=int,
        default=frames,
        metavar="N",
        help=f"frames of each clip; context frames are not judged (default {frames})",
    )
    which.add_argument("--seed", type=int, default=0, help="another set of held-out scenes for each (default 0)")
    add_sampling_options(which)
    parser.add_argument("--out", default="", metavar="FILE", help="write the result as JSON")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def add_sampling_options(group: Group, *, start: str = DEFAULT_START) -> None:
    """How a model generates the clips of held-out scenes."""
    group.add_argument(
        "--start",
        default=start,
        choices=STARTS,
        help=f"how generated clips begin: two rendered frames, or noise (default {start})",
    )
    group.add_argument("--size", default="", metavar="WxH", help="size of generated pictures (default 224x128)")
    group.add_argument("--steps", type=int, default=0, metavar="N", help="sampler steps (default: the model's)")
    group.add_argument("--batch", type=int, default=4, metavar="N", help="clips generated together (default 4)")
    group.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads (default: all)")
    group.add_argument(
        "--cache",
        default="",
        metavar="DIR",
        help="keep generated clips here, and use those that are there, for every measure",
    )


def options_from(args: argparse.Namespace, options: type[Options]) -> Options:
    """The options of a measure, each from the argument of its name."""
    import dataclasses

    return options(**{field.name: getattr(args, field.name) for field in dataclasses.fields(options)})


def finish(args: argparse.Namespace, record: dict[str, Any], lines: Sequence[str]) -> int:
    """Write and print a result: JSON where asked for, otherwise the lines."""
    import json

    from worldgen.files.storage import write_bytes

    text = json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False)
    if args.out:
        write_bytes(args.out, (text + "\n").encode())
    if args.json:
        print(text)
        return 0
    print("\n".join(lines))
    if args.out:
        print(f"written to {args.out}")
    return 0


def judged(record: dict[str, Any]) -> str:
    """``"48 clips of worldgen 0.2.0"``: what the table of a result is about."""
    return f"{record.get('judged', record['clips'])} clips of {record['model'] or record['data']}"


def table(title: str, rows: dict[str, list[dict[str, Any]]], columns: Sequence[str] = (VALUE,)) -> list[str]:
    """Lines of a table with a name and intervals in each row.

    rows: name -> one interval per column, as {"value", "low", "high"} of a result.
    """
    width = max([len(title), *(len(name) for name in rows)])
    lines = [f"{title:{width}}  " + "  ".join(f"{column:24}" for column in columns).rstrip()]
    for name, cells in rows.items():
        lines.append(f"{name:{width}}  " + "  ".join(f"{shown(cell):24}" for cell in cells).rstrip())
    return lines


def shown(cell: dict[str, Any]) -> str:
    """``0.912 [0.880, 0.941]``; a dash where the value is not defined."""
    if cell["value"] is None:
        return "-"
    if cell["low"] is None:
        return f"{cell['value']:.3f}"
    return f"{cell['value']:.3f} [{cell['low']:.3f}, {cell['high']:.3f}]"
